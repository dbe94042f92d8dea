"""The longitudinal bipolar montage in which traces are shown: 18 derivations, the double banana.

Order from left to right over the head, temporal chain before parasagittal, so that a page reads like a reading room's.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.signals.montages import are_derivations

DOUBLE_BANANA: tuple[tuple[str, ...], ...] = (
    ("FP1-F7", "F7-T3", "T3-T5", "T5-O1"),
    ("FP1-F3", "F3-C3", "C3-P3", "P3-O1"),
    ("FZ-CZ", "CZ-PZ"),
    ("FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    ("FP2-F8", "F8-T4", "T4-T6", "T6-O2"),
)
DERIVATIONS: tuple[str, ...] = tuple(name for chain in DOUBLE_BANANA for name in chain)


def side(derivation: str) -> str:
    """`left`, `right` or `midline`, by the electrode numbers (odd is left)."""
    digits = [int(character) for character in derivation if character.isdigit()]
    if not digits:
        return "midline"
    return "left" if digits[0] % 2 else "right"


def present(nodes: list[str]) -> list[str]:
    """The derivations of the montage whose two electrodes are both there; of nodes that are derivations, all."""
    if are_derivations(nodes):
        return [name for name in DERIVATIONS if name in nodes] + [name for name in nodes if name not in DERIVATIONS]
    return [name for name in DERIVATIONS if all(end in nodes for end in name.split("-"))]


def bipolar(values: NDArray[np.floating], nodes: list[str]) -> NDArray[np.float64]:
    """First electrode minus second, for each derivation present; nodes that are derivations are taken as they are.

    values: (n, s) a signal in µV, or (n, t) occlusion values; returns (derivation, s) or (derivation, t). For
    occlusion values the difference is a convention of display only (report caveat 2).
    """
    row = {name: index for index, name in enumerate(nodes)}
    if are_derivations(nodes):
        return np.asarray(values[[row[name] for name in present(nodes)]], dtype=np.float64)
    pairs = [name.split("-") for name in present(nodes)]
    first = [row[a] for a, _ in pairs]
    second = [row[b] for _, b in pairs]
    return np.asarray(values[first], dtype=np.float64) - np.asarray(values[second], dtype=np.float64)


def node_word(nodes: list[str]) -> str:
    """What a row of a map is called: `electrode`, or `derivation`."""
    return "derivation" if are_derivations(nodes) else "electrode"
