"""Where the electrodes of the 10-20 system lie on the unit sphere, and which are mirror images.

Coordinates as Tang et al. 2022 use them, four decimals (x right, y front, z up); rounding is part of the published
graph: with exact angles its weights differ by 2e-5.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

LEFT = {
    "FP1": (-0.3090, 0.9511, 0.0), "F3": (-0.5489, 0.6717, 0.4975), "C3": (-0.7071, 0.0, 0.7071),
    "P3": (-0.5489, -0.6717, 0.4975), "O1": (-0.3090, -0.9511, 0.0), "F7": (-0.8090, 0.5878, 0.0),
    "T3": (-1.0, 0.0, 0.0), "T5": (-0.8090, -0.5878, 0.0),
}  # fmt: skip
MIDLINE = {"FZ": (0.0, 0.7071, 0.7071), "CZ": (0.0, 0.0, 1.0), "PZ": (0.0, -0.7071, 0.7071)}
MIRROR = {
    "FP1": "FP2", "F3": "F4", "C3": "C4", "P3": "P4", "O1": "O2", "F7": "F8", "T3": "T4", "T5": "T6",
}  # fmt: skip
POSITIONS = {
    **LEFT,
    **{MIRROR[name]: (-x, y, z) for name, (x, y, z) in LEFT.items()},
    **MIDLINE,
}
UNSWAPPED_PUBLISHED = "P3"  # defect D4: the published code leaves P3 and P4 where they are


def coordinates(electrodes: Sequence[str]) -> np.ndarray:
    """Positions (n, 3) float64 on the unit sphere.

    Raises ValueError naming the electrodes that have none.
    """
    unknown = [name for name in electrodes if name not in POSITIONS]
    if unknown:
        raise ValueError(f"channels.electrodes: no position for {', '.join(unknown)}; known are {', '.join(POSITIONS)}")
    return np.array([POSITIONS[name] for name in electrodes], dtype=np.float64)


def mirror_permutation(electrodes: Sequence[str], pairs: Literal["all", "published"] = "all") -> np.ndarray:
    """Indices (n,) that swap left and right: `x[..., permutation, :]` is the mirrored clip.

    An electrode whose partner is not in the montage stays in its place.
    """
    partner = {left: right for left, right in MIRROR.items() if pairs == "all" or left != UNSWAPPED_PUBLISHED}
    partner |= {right: left for left, right in partner.items()}
    place = {name: k for k, name in enumerate(electrodes)}
    return np.array([place.get(partner.get(name, name), k) for name, k in place.items()], dtype=np.int64)
