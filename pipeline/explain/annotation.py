"""From seizure rows on bipolar derivations to labels on electrodes and on edges (spec formats.md, sections 7 and 8).

A derivation such as `F7-T3` is annotated; a map has one row an electrode. The corpus gives no rule to go from one to
the other, and a bipolar label cannot say which of its two electrodes is ictal. Here an electrode's score is the share
of the derivations with it, among those of this file's montage, that are ictal; FZ and PZ are in none and are masked.
A model of derivations has one row a derivation: that is held against the annotation as it is, and FZ-CZ and CZ-PZ,
which no TCP montage has, are masked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.signals.montages import are_derivations

if TYPE_CHECKING:
    import pandas as pd

SecondRule = Literal["any", "half"]
LabelRule = Literal["any", "majority"]
EdgeValue = Literal["max", "mean"]
WHOLE_RECORDING = "TERM"  # a row that names no derivation says when, not where


@dataclass(frozen=True)
class Annotation:
    """Where a clip is annotated. `edges` (d, t) bool; `incidence` (d, n) bool; `derivations` their d names."""

    edges: NDArray[np.bool_]
    incidence: NDArray[np.bool_]
    derivations: tuple[str, ...]
    direct: bool = False  # the map's rows are derivations themselves

    @property
    def score(self) -> NDArray[np.float64]:
        """Soft label (n, t): ictal derivations with the electrode / all derivations with it; 0 where masked."""
        degree = self.incidence.sum(axis=0)
        ictal = np.einsum("dn,dt->nt", self.incidence.astype(float), self.edges.astype(float))
        return ictal / np.maximum(degree, 1)[:, None]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) bool: nodes that some derivation contains, or is; the others (FZ, PZ, FZ-CZ, CZ-PZ) are masked."""
        return np.asarray(self.incidence.any(axis=0))

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(d,) bool: derivations between two electrodes of the map (not those with A1 or A2)."""
        return self.incidence.sum(axis=1) == 2

    def labels(self, rule: LabelRule) -> NDArray[np.bool_]:
        """Hard labels (n, t). `any`: one ictal derivation is enough; `majority`: strictly more than half of them."""
        return self.score > (0.0 if rule == "any" else 0.5)


def annotate(
    seizures: "pd.DataFrame",
    *,
    derivations: Sequence[str],
    nodes: Sequence[str],
    start_s: float,
    length_s: int,
    second_rule: SecondRule,
) -> Annotation:
    """Annotation of the clip [start_s, start_s + length_s) from one recording's rows of the seizures table.

    `derivations` are those of the recording's own montage: an ictal share is taken over these (formats.md T19).
    """
    edges = np.zeros((len(derivations), length_s), dtype=bool)
    by_channel = dict(list(seizures.groupby("channel")[["onset_s", "offset_s"]])) if len(seizures) else {}
    for row, derivation in enumerate(derivations):
        if derivation in by_channel:
            spans = by_channel[derivation].to_numpy(dtype=float)
            edges[row] = annotated_seconds(spans, start_s=start_s, length_s=length_s, rule=second_rule)
    return Annotation(edges, incidence(derivations, nodes), tuple(derivations), direct=are_derivations(nodes))


def has_channels(seizures: "pd.DataFrame") -> bool:
    """Whether any row of a recording's seizures names a derivation, so that there is something to localise."""
    return bool((seizures["channel"] != WHOLE_RECORDING).any())


def incidence(derivations: Sequence[str], nodes: Sequence[str]) -> NDArray[np.bool_]:
    """(d, n) bool: derivation d is taken from electrode n, or is node n (in either polarity, which labels do not have).

    A1 and A2 are no electrodes of the map and get no column.
    """
    pairs = [set(derivation.split("-")) for derivation in derivations]
    table = np.array([[set(node.split("-")) <= pair for node in nodes] for pair in pairs], dtype=bool)
    return table.reshape(len(pairs), len(nodes))


def annotated_seconds(
    spans: NDArray[np.float64], *, start_s: float, length_s: int, rule: SecondRule
) -> NDArray[np.bool_]:
    """(t,) bool from spans (events, 2) of onset and offset: seconds met at all (`any`) or for half at least."""
    left = start_s + np.arange(length_s, dtype=float)
    united = np.array(list(unite(spans)), dtype=float).reshape(-1, 2)
    overlap = np.minimum(united[:, 1:], left + 1) - np.maximum(united[:, :1], left)  # (events, t)
    covered_s = np.clip(overlap, 0, None).sum(axis=0)
    return covered_s > 0 if rule == "any" else covered_s >= 0.5 - 1e-9  # exactly half, up to rounding


def unite(spans: Iterable[Sequence[float]]) -> list[tuple[float, float]]:
    """Union of spans (onset, offset), ordered; several rows may cover one second of one derivation."""
    united: list[tuple[float, float]] = []
    for onset, offset in sorted((float(onset), float(offset)) for onset, offset in spans):
        if united and onset <= united[-1][1]:
            united[-1] = (united[-1][0], max(offset, united[-1][1]))
        else:
            united.append((onset, offset))
    return united


def edge_values(values: NDArray[np.float64], table: NDArray[np.bool_], how: EdgeValue) -> NDArray[np.float64]:
    """Prediction of each edge (..., d, t) from its two electrodes' values (..., n, t); `table` (d, n) with two a row.

    `max`: an edge is ictal when either of its electrodes is, which is what a bipolar annotation says; `mean`: both
    count. The display on bipolar traces shows a difference instead (report.md section 4): that one has a sign.
    """
    ends = np.nonzero(table)[1].reshape(-1, 2)  # (d, 2)
    pair = values[..., ends, :]  # (..., d, 2, t)
    return pair.max(axis=-2) if how == "max" else pair.mean(axis=-2)
