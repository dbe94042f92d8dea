"""Coverage, localisation and their nulls, against values counted by hand and expectations known in closed form."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.explain.annotation import annotate
from pipeline.explain.localisation import DIRECT_CASES, clip_generator, normalise, score_clip, shares
from pipeline.explain.localisation_summary import COLUMNS, main_case, summarise
from pipeline.settings.evaluation import LocalisationSettings

ELECTRODES = ["F7", "T3", "T5", "C3", "FZ"]
DERIVATIONS = ["F7-T3", "T3-T5", "T3-C3", "A1-T3"]
SETTINGS = LocalisationSettings(
    threshold=0.5,
    precise=0.8,
    second_rule="any",
    edge_value="max",
    permutations=200,
    bootstrap=100,
    confidence=0.95,
    seed=0,
)


def annotation(*events: tuple[str, float, float], length_s: int = 4):
    table = pd.DataFrame(events, columns=["channel", "onset_s", "offset_s"])
    return annotate(table, derivations=DERIVATIONS, nodes=ELECTRODES, start_s=0.0, length_s=length_s, second_rule="any")


def scores(drop: np.ndarray, held, settings: LocalisationSettings = SETTINGS) -> dict:
    found = score_clip(drop, held, settings, rng=np.random.default_rng(0))
    return {(score.rule, score.fz_pz): score for score in found}


@given(arrays(np.float64, (4, 6), elements=st.floats(-1e6, 1e6)))
def test_a_map_is_scaled_to_its_own_bounds(drop):
    values = normalise(drop)
    if values is None:
        assert np.ptp(drop) <= 1e-6
    else:
        assert (values.min(), values.max()) == (0.0, 1.0)


def test_coverage_and_localisation_counted_by_hand():
    # F7-T3 in seconds 1 and 2: `any` marks F7 and T3 there (4 cells).
    held = annotation(("F7-T3", 1.0, 3.0))
    drop = np.zeros((5, 4))
    drop[0, 1] = drop[1, 1] = drop[1, 2] = 1.0  # three annotated cells
    drop[3, 0] = 0.9  # one outside
    drop[4, 0] = 0.8  # FZ: out when masked, a false one when negative
    found = scores(drop, held)
    masked, negative = found["any", "masked"], found["any", "negative"]
    assert (masked.coverage, masked.localisation) == (3 / 4, 3 / 4)
    assert (negative.coverage, negative.localisation) == (3 / 4, 3 / 5)
    assert (masked.n_annotated, masked.n_marked, negative.n_marked) == (4, 4, 5)
    # Majority: F7 (its one derivation), not T3 (one of four); it is marked in one of two seconds.
    majority = found["majority", "masked"]
    assert (majority.coverage, majority.localisation) == (1 / 2, 1 / 4)
    # Edges (max of the ends): F7-T3 marked in 1, 2; T3-T5 in 1, 2; T3-C3 in 0, 1, 2: two of seven are annotated.
    edges = found["edges", "masked"]
    assert (edges.coverage, edges.n_annotated, edges.n_marked) == (1.0, 2, 7)
    assert edges.localisation == pytest.approx(2 / 7)


def test_T22_masked_electrodes_leave_both_scores_or_count_as_negatives():
    held = annotation(("F7-T3", 0.0, 4.0), ("T3-T5", 0.0, 4.0))
    drop = np.zeros((5, 4))
    drop[4] = 1.0  # the model looks at FZ alone
    drop[1] = 0.3
    found = scores(drop, held)
    assert np.isnan(found["any", "masked"].localisation)
    assert found["any", "masked"].reason.startswith("no marked cell")
    assert found["any", "negative"].localisation == 0.0
    assert found["any", "negative"].reason == ""


def test_an_empty_label_is_undefined_and_says_so():
    found = scores(np.eye(5, 4), annotation(("T3-C3", 0.0, 4.0), ("C3-CZ", 0.0, 4.0)))
    assert found["any", "masked"].reason == ""
    none = scores(np.eye(5, 4), annotation())["any", "masked"]
    assert (none.reason, none.n_annotated) == ("nothing annotated under this rule", 0)
    assert np.isnan(none.coverage)


def test_a_flat_map_has_no_scores_and_says_so():
    for score in scores(np.full((5, 4), 2.5), annotation(("F7-T3", 0.0, 4.0))).values():
        assert score.reason == "flat map"
        assert np.isnan([score.coverage, score.localisation, score.null_electrodes]).all()


def test_permuting_electrodes_of_a_map_gives_the_expectation_in_closed_form():
    rng = np.random.default_rng(3)
    held = annotation(("F7-T3", 0.0, 5.0), ("T3-C3", 4.0, 9.0), length_s=10)
    drop = rng.normal(size=(5, 10))
    settings = SETTINGS.model_copy(update={"permutations": 20000})
    score = scores(drop, held, settings)["any", "masked"]
    marked, annotated = normalise(drop)[:4] > 0.5, held.labels("any")[:4]
    by_second = (marked.sum(axis=0) * annotated.mean(axis=0)).sum() / marked.sum()
    by_electrode = (marked.sum(axis=1) * annotated.mean(axis=1)).sum() / marked.sum()
    assert score.null_electrodes == pytest.approx(by_second, abs=0.01)
    assert score.null_seconds == pytest.approx(by_electrode, abs=0.01)


def test_the_nulls_are_centred_for_random_maps_and_beaten_by_a_true_one():
    rng = np.random.default_rng(5)
    held = annotation(("F7-T3", 10.0, 40.0), ("T3-T5", 20.0, 50.0), length_s=60)
    random = [scores(rng.normal(size=(5, 60)), held) for _ in range(60)]
    for case in (("any", "masked"), ("any", "negative"), ("majority", "masked"), ("edges", "masked")):
        for null in ("null_electrodes", "null_seconds"):
            gaps = np.array([found[case].localisation - getattr(found[case], null) for found in random])
            assert abs(gaps.mean()) < 3.5 * gaps.std() / np.sqrt(len(gaps)) + 1e-12
    true = scores(held.labels("any") + 0.1 * rng.random((5, 60)), held)["any", "masked"]
    assert true.localisation == 1.0
    assert true.null_electrodes < 0.9
    assert true.null_seconds < 0.9


def test_a_clips_nulls_do_not_depend_on_its_neighbours():
    first, again = clip_generator(0, "a@0+60").random(3), clip_generator(0, "a@0+60").random(3)
    assert (first == again).all()
    assert (clip_generator(0, "a@60+60").random(3) != first).any()


@given(arrays(np.bool_, (3, 5)), arrays(np.bool_, (3, 5)))
def test_shares_agree_with_counting_cells(marked, annotated):
    both = sum(bool(m and a) for m, a in zip(marked.flat, annotated.flat, strict=True))
    coverage, localisation = shares(marked, annotated)
    for share, whole in ((coverage, annotated.sum()), (localisation, marked.sum())):
        assert np.isnan(share) if whole == 0 else share == pytest.approx(both / whole)


def test_T22_a_map_of_derivations_counted_by_hand():
    """F7-T3 is annotated in seconds 1 and 2; the map marks it in second 1, T3-T5 in 0 and FZ-CZ, unlabelled, in 3."""
    nodes = ["F7-T3", "T3-T5", "FZ-CZ"]
    table = pd.DataFrame([("F7-T3", 1.0, 3.0)], columns=["channel", "onset_s", "offset_s"])
    held = annotate(table, derivations=DERIVATIONS, nodes=nodes, start_s=0.0, length_s=4, second_rule="any")
    drop = np.zeros((3, 4))
    drop[0, 1] = drop[1, 0] = drop[2, 3] = 1.0
    found = scores(drop, held)
    assert list(found) == [("edges", "masked"), ("edges", "negative")]
    masked, negative = found.values()
    assert (masked.coverage, masked.localisation, masked.n_annotated) == (1 / 2, 1 / 2, 2)
    assert (negative.coverage, negative.localisation) == (1 / 2, 1 / 3)
    assert masked.null_electrodes == pytest.approx(1 / 4, abs=0.1)  # second 1 holds one of two rows, second 0 none


def test_the_summary_of_maps_of_derivations_has_their_cases():
    table = pd.DataFrame(
        [("r", 0, "c", "p", "focal", rule, policy, 0.5, 0.9, 0.2, 0.2, 1, 1, "") for rule, policy in DIRECT_CASES],
        columns=COLUMNS,
    )
    assert main_case(table) == ("edges", "masked")
    summary = summarise(table, SETTINGS)
    assert [(case["rule"], case["fz_pz"]) for case in summary["cases"][::3]] == list(DIRECT_CASES)
    assert all(case["n_clips"] == 1 for case in summary["cases"] if case["group"] != "generalised")
    of_electrodes = pd.concat([table, table.assign(rule="any")])
    assert main_case(of_electrodes) == main_case(table.iloc[:0]) == ("any", "masked")
