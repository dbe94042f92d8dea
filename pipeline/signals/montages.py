"""Bipolar montages by name: the TCP montages of the TUH corpora (formats.md, section 7) and the double banana.

The place of a derivation is its channel number in `.lbl` files, which shifts in the `_a` montages (T19). FZ and PZ are
in no TCP derivation (T20).
"""

from collections.abc import Sequence

ALIASES = {
    "T7": "T3",
    "T8": "T4",
    "P7": "T5",
    "P8": "T6",
    "01": "O1",
    "02": "O2",
}  # newer -> ours (T26)

TCP = (
    "FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2", "A1-T3", "T3-C3", "C3-CZ",
    "CZ-C4", "C4-T4", "T4-A2", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
)  # fmt: skip
TCP_A = tuple(name for name in TCP if name not in ("A1-T3", "T4-A2"))  # recorded without ear electrodes

MONTAGES = {"01_tcp_ar": TCP, "02_tcp_le": TCP, "03_tcp_ar_a": TCP_A, "04_tcp_le_a": TCP_A}

DOUBLE_BANANA = (
    "FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FZ-CZ", "CZ-PZ",
    "FP2-F4", "F4-C4", "C4-P4", "P4-O2", "FP2-F8", "F8-T4", "T4-T6", "T6-O2",
)  # fmt: skip
"""The longitudinal bipolar montage, left to right: what `channels.derivations` lists and traces are shown in."""


def electrodes_of(derivation: str) -> tuple[str, str]:
    """The two electrodes of a derivation, e.g. `F7-T3` -> (`F7`, `T3`)."""
    first, second = derivation.split("-")
    return first, second


def are_derivations(nodes: Sequence[str]) -> bool:
    """Whether nodes are derivations (`FP1-F7`) rather than electrodes."""
    return bool(nodes) and all("-" in node for node in nodes)


def derivations_of(
    montage: str, electrodes: set[str], recorded: frozenset[frozenset[str]] = frozenset()
) -> tuple[str, ...]:
    """Derivations of a montage folder; for an unknown montage those of TCP that the file has.

    It has one if it has the two electrodes, or the derivation itself in either polarity (`recorded`: pairs of
    electrodes).
    """
    if montage in MONTAGES:
        return MONTAGES[montage]
    pairs = {name: frozenset(electrodes_of(name)) for name in TCP}
    return tuple(name for name in TCP if pairs[name] <= electrodes or pairs[name] in recorded)
