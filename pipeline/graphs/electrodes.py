"""Positions and mirror images of nodes (electrodes, derivations) as arrays; the tables are in positions.py."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.graphs.positions import POSITIONS, mirror_name

UNSWAPPED_PUBLISHED = ("P3", "P4")  # defect D4: the published code leaves them where they are


def coordinates(nodes: Sequence[str]) -> np.ndarray:
    """Positions (n, 3) float64 on the unit sphere; a derivation lies in the middle of the arc between its electrodes.

    Raises ValueError naming the electrodes that have none.
    """
    unknown = [name for name in nodes if not set(name.split("-")) <= set(POSITIONS)]
    if unknown:
        raise ValueError(f"channels: no position for {', '.join(unknown)}; known electrodes are {', '.join(POSITIONS)}")
    return np.array([_position(name) for name in nodes], dtype=np.float64)


def _position(node: str) -> np.ndarray:
    """An electrode as in the table, to its last digit; a derivation by the mean of its two, brought onto the sphere."""
    ends = [np.array(POSITIONS[end]) for end in node.split("-")]
    if len(ends) == 1:
        return ends[0]
    middle = np.mean(ends, axis=0)
    return np.asarray(middle / np.linalg.norm(middle))


def mirror_permutation(nodes: Sequence[str], pairs: Literal["all", "published"] = "all") -> np.ndarray:
    """Indices (n,) that swap left and right: `x[..., permutation, :]` is the mirrored clip.

    A node whose partner is not in the montage stays in its place.
    """
    kept = () if pairs == "all" else UNSWAPPED_PUBLISHED
    place = {name: k for k, name in enumerate(nodes)}
    partners = {name: name if name in kept else mirror_name(name) for name in nodes}
    return np.array([place.get(partners[name], k) for name, k in place.items()], dtype=np.int64)
