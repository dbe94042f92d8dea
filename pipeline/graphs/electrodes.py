"""Positions and mirror images of electrodes as arrays; the tables are in positions.py."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.graphs.positions import MIRROR, POSITIONS

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
