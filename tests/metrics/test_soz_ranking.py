"""Ranking of a patient's contacts against scikit-learn and against averages over all orders of ties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.metrics.soz_ranking import (
    RANKING,
    distance_mm,
    hit_among,
    positives_among,
    ranking_metrics,
    tenth_of,
)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels of both classes and scores with many ties, of up to seven contacts."""
    n = draw(st.integers(2, 7))
    labels = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda found: 0 < sum(found) < n))
    scores = draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=n, max_size=n))
    return np.array(labels), np.array(scores)


def orders(scores: np.ndarray) -> list[tuple[int, ...]]:
    """All orders of contacts by falling score."""
    return [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]


@given(labelled(), st.integers(1, 9))
def test_what_is_among_the_first_is_the_mean_over_all_orders_of_ties(
    made: tuple[np.ndarray, np.ndarray], k: int
) -> None:
    labels, scores = made
    firsts = [labels[list(order[:k])] for order in orders(scores)]
    assert positives_among(labels, scores, k) == pytest.approx(np.mean([own.sum() for own in firsts]))
    assert hit_among(labels, scores, k) == pytest.approx(np.mean([own.any() for own in firsts]))


@given(labelled())
def test_areas_are_scikit_learns(made: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = made
    found = ranking_metrics(labels, scores, np.full((len(labels), 3), np.nan))
    assert tuple(found) == RANKING
    assert found["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    precision = average_precision_score(labels, scores)
    assert found["auprc"] == pytest.approx(precision)
    assert found["auprc_ratio"] == pytest.approx(precision / labels.mean())


@given(labelled(), st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(made: tuple[np.ndarray, np.ndarray], random: object) -> None:
    labels, scores = made
    place = np.arange(3.0 * len(labels)).reshape(-1, 3) ** 2
    order = np.arange(len(labels))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, second = ranking_metrics(labels, scores, place), ranking_metrics(labels[order], scores[order], place[order])
    assert first == pytest.approx(second)


def test_a_score_that_is_the_same_for_all_hits_as_often_as_chance() -> None:
    labels = np.arange(20) < 4
    found = ranking_metrics(labels, np.zeros(20), np.full((20, 3), np.nan))
    assert found["auroc"] == 0.5
    chance = [found[name] for name in ("auprc", "recall_at_soz", "top1", "precision_10")]
    assert chance == pytest.approx([0.2] * 4)
    assert found["top3"] == pytest.approx(1 - (16 * 15 * 14) / (20 * 19 * 18))


def test_a_tenth_is_at_least_one_contact() -> None:
    assert [tenth_of(n) for n in (1, 10, 11, 36, 195)] == [1, 1, 2, 4, 20]


def test_millimetres_from_the_first_contact_to_the_nearest_soz() -> None:
    place = np.array([[0.0, 0, 0], [3, 4, 0], [30, 0, 0], [np.nan, 0, 0]])
    labels = np.array([False, True, True, False])
    assert distance_mm(labels, np.array([9.0, 1, 2, 3]), place) == 5.0
    assert distance_mm(labels, np.array([0.0, 9, 2, 3]), place) == 0.0
    assert np.isnan(distance_mm(labels, np.array([0.0, 1, 2, 9]), place))  # the first has no place
    assert distance_mm(labels, np.array([9.0, 9, 2, 9]), place) == 2.5  # ties: the mean of those that are known
    assert distance_mm(np.array([False, False, True, False]), np.array([9.0, 1, 2, 3]), place) == 30.0
    assert distance_mm(np.array([True, False, False, False]), np.array([9.0, 1, 2, 3]), np.full((4, 3), np.nan)) == 0.0
