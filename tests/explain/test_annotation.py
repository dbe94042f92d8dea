"""Bipolar annotation to electrode labels (spec formats.md, traps T19 to T22)."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.explain.annotation import annotate, annotated_seconds, edge_values, incidence
from pipeline.signals.montages import DOUBLE_BANANA

ELECTRODES = [
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2",
    "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
]  # fmt: skip
TCP_AR = [
    "FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2", "A1-T3", "T3-C3", "C3-CZ",
    "CZ-C4", "C4-T4", "T4-A2", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
]  # fmt: skip
TCP_AR_A = [name for name in TCP_AR if name not in {"A1-T3", "T4-A2"}]


def rows(*events: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(events, columns=["channel", "onset_s", "offset_s"])


def clip(seizures: pd.DataFrame, *, derivations=TCP_AR, start_s=0.0, length_s=4, second_rule="any"):
    return annotate(
        seizures,
        derivations=derivations,
        nodes=ELECTRODES,
        start_s=start_s,
        length_s=length_s,
        second_rule=second_rule,
    )


def names(marked: np.ndarray) -> set[str]:
    return {ELECTRODES[n] for n in np.flatnonzero(marked)}


def test_T19_shares_are_taken_over_the_derivations_of_the_files_own_montage():
    events = rows(("T3-C3", 0, 4), ("F7-T3", 0, 4), ("C3-CZ", 0, 4))
    full, without_ears = clip(events), clip(events, derivations=TCP_AR_A)
    t3 = ELECTRODES.index("T3")
    assert full.score[t3, 0] == pytest.approx(2 / 4)
    assert without_ears.score[t3, 0] == pytest.approx(2 / 3)
    assert not full.labels("majority")[t3, 0]
    assert without_ears.labels("majority")[t3, 0]
    index = TCP_AR_A.index("C3-CZ")
    assert index == 9  # 10 in the 22-derivation montage
    assert without_ears.edges[index].all()
    assert full.edges[10].all()
    assert not full.edges[9 + 2].any()


def test_T20_no_derivation_holds_fz_or_pz():
    annotation = clip(rows())
    degree = dict(zip(ELECTRODES, annotation.incidence.sum(axis=0), strict=True))
    assert names(~annotation.labelled) == {"FZ", "PZ"}
    assert {name for name, count in degree.items() if count == 4} == {"T3", "T4", "C3", "C4"}
    assert sorted(degree.values()) == [0, 0] + [2] * 13 + [4] * 4
    assert annotation.complete.sum() == 20  # not A1-T3 and T4-A2


def test_T21_majority_keeps_the_shared_electrode_only():
    around_t3 = rows(*((name, 1.0, 3.0) for name in ("F7-T3", "T3-T5", "A1-T3", "T3-C3")))
    annotation = clip(around_t3)
    score = dict(zip(ELECTRODES, annotation.score[:, 1], strict=True))
    assert (score["T3"], score["F7"], score["T5"], score["C3"]) == (1.0, 0.5, 0.5, 0.25)
    assert names(annotation.labels("any")[:, 1]) == {"T3", "F7", "T5", "C3"}
    assert names(annotation.labels("majority")[:, 1]) == {"T3"}
    assert not annotation.labels("any")[:, [0, 3]].any()
    single = clip(rows(("F7-T3", 0.0, 4.0)))
    assert names(single.labels("any")[:, 0]) == {"F7", "T3"}
    assert not single.labels("majority").any()


def test_rows_of_the_whole_recording_say_no_place():
    assert not clip(rows(("TERM", 0.0, 4.0))).edges.any()


@pytest.mark.parametrize(
    ("rule", "expected"), [("any", [True, True, True, False]), ("half", [False, True, True, False])]
)
def test_second_rules_on_a_clip_that_starts_off_the_grid(rule, expected):
    spans = np.array([[10.9, 11.6], [11.4, 12.75]])  # united: 10.9 .. 12.75; clip seconds start at 10.25
    assert annotated_seconds(spans, start_s=10.25, length_s=4, rule=rule).tolist() == expected


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40)), max_size=5),
    st.integers(0, 40),
    st.sampled_from(["any", "half"]),
)
def test_seconds_agree_with_counting_on_a_fine_grid(events, start, rule):
    spans = np.array([[on / 8, (on + length) / 8] for on, length in events]).reshape(-1, 2)
    found = annotated_seconds(spans, start_s=start / 8, length_s=6, rule=rule)
    for second in range(6):
        ticks = [start + 8 * second + tick for tick in range(8)]
        inside = sum(any(on <= tick < on + length for on, length in events) for tick in ticks)
        assert found[second] == (inside > 0 if rule == "any" else inside >= 4)


def test_an_edge_takes_the_value_of_its_two_electrodes():
    values = np.zeros((19, 2))
    values[ELECTRODES.index("F7")] = [0.2, 0.8]
    values[ELECTRODES.index("T3")] = [0.6, 0.0]
    table = incidence(["F7-T3", "T3-T5"], ELECTRODES)
    np.testing.assert_allclose(edge_values(values, table, "max"), [[0.6, 0.8], [0.6, 0.0]])
    np.testing.assert_allclose(edge_values(values, table, "mean"), [[0.4, 0.4], [0.3, 0.0]])


def test_T22_maps_of_derivations_are_held_against_annotated_derivations():
    """No rule in between: a row is annotated or not. FZ-CZ and CZ-PZ are in no TCP montage and masked."""
    nodes = list(DOUBLE_BANANA)
    annotation = annotate(
        rows(("F7-T3", 1, 3), ("T3-C3", 0, 4), ("P4-O2", 2.5, 2.6)), derivations=TCP_AR, nodes=nodes, start_s=0.0,
        length_s=4, second_rule="any",
    )  # fmt: skip
    assert annotation.direct
    assert [nodes[n] for n in np.flatnonzero(~annotation.labelled)] == ["FZ-CZ", "CZ-PZ"]
    marked = annotation.labels("any")
    assert {(nodes[n], int(t)) for n, t in np.argwhere(marked)} == {("F7-T3", 1), ("F7-T3", 2), ("P4-O2", 2)}
    np.testing.assert_array_equal(marked, annotation.labels("majority"))
    lost = [name for name, row in zip(TCP_AR, annotation.incidence, strict=True) if not row.any()]
    assert lost == ["A1-T3", "T3-C3", "C3-CZ", "CZ-C4", "C4-T4", "T4-A2"]  # annotated, and no node


def test_polarity_does_not_matter_to_an_annotation():
    table = incidence(["T3-F7"], ["F7-T3", "T3-T5"])
    np.testing.assert_array_equal(table, [[True, False]])
