"""Paired differences of calibration between two runs of the SOZ arm, against slow oracles."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import brier_score_loss
from soz_predictions import predictions

from pipeline.metrics.soz_cohort import NO_CHANGE, UNDEFINED, estimate_of, weights_of
from pipeline.metrics.soz_contacts import contact_scores
from pipeline.metrics.soz_paired_errors import ERRORS, paired_errors
from pipeline.metrics.soz_pooled import owner_folds, pooled_estimates
from pipeline.settings.soz import SozEvaluation

SETTINGS = SozEvaluation(bootstrap=200, confidence=0.95, seed=0)


def scored(slope: float = 1.0, *, seeds: tuple[int, ...] = (0,), n: int = 10, random: int = 0) -> pd.DataFrame:
    """Contacts of both conditions, with a calibrator of that slope."""
    table = predictions(n, seeds=seeds, unlabelled=["P02"], folds=3, random=random)
    models = [(fold, seed) for fold in range(3) for seed in seeds]
    calibrators = dict.fromkeys(models, lambda logits: 1 / (1 + np.exp(-slope * logits)))
    found = contact_scores(table, calibrators)
    return found[found["condition"] == "both"]


def briers(own: pd.DataFrame, weights: np.ndarray, names: list[str]) -> float:
    """Of contacts that are repeated as often as their patient was drawn; a loop."""
    squares, n = 0.0, 0.0
    for weight, name in zip(weights, names, strict=True):
        part = own[own["patient"] == name]
        squares += weight * ((part["p_cal"] - part["soz"].astype(float)) ** 2).sum()
        n += weight * len(part)
    return squares / n


def test_a_difference_of_brier_scores_is_of_the_same_redrawn_patients() -> None:
    first, second = scored(0.3), scored(1.0)
    found = paired_errors(first, second, SETTINGS)["brier_cal"]
    known = [own[own["soz"].notna()] for own in (first, second)]
    names = sorted(set(known[0]["patient"]))
    one, other = (brier_score_loss(own["soz"].astype(bool), own["p_cal"]) for own in known)
    assert (found.first, found.second) == pytest.approx((one, other))
    assert found.estimate.value == pytest.approx(one - other)
    folds = owner_folds(known[0])
    weights = weights_of(folds, SETTINGS)
    samples = np.array([[briers(known[0], w, names) - briers(known[1], w, names) for w in weights]])
    slow = estimate_of(one - other, samples, folds, SETTINGS)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((slow.low, slow.high))
    alone = [np.array([briers(own, np.array([1.0]), [name]) for name in names]) for own in known]
    assert found.p == pytest.approx(wilcoxon(alone[0] - alone[1]).pvalue)
    assert (found.estimate.n_patients, found.n_differ) == (9, 9)


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """A calibrator that is a little worse on everybody: the intervals of the two overlap, that of the pair is away."""
    first, second = scored(0.85), scored(1.0)
    found = paired_errors(first, second, SETTINGS)["brier_cal"].estimate
    alone = [pooled_estimates(own, SETTINGS)["brier_cal"] for own in (first, second)]
    assert alone[0].low < alone[1].high  # type: ignore[operator]
    assert alone[1].low < alone[0].high  # type: ignore[operator]
    assert found.high - found.low < 0.5 * (alone[0].high - alone[0].low)  # type: ignore[operator]


def test_a_calibration_error_has_an_interval_and_no_p() -> None:
    first, second = scored(0.1), scored(1.0)
    found = paired_errors(first, second, SETTINGS)["ece_cal"]
    own = [pooled_estimates(one, SETTINGS)["ece_cal"].value for one in (first, second)]
    assert (found.first, found.second) == pytest.approx(tuple(own))
    assert found.estimate.low < own[0] - own[1] < found.estimate.high  # type: ignore[operator]
    assert found.p is None


def test_the_same_probabilities_never_differ_and_nobody_labelled_says_so() -> None:
    same = paired_errors(scored(), scored(), SETTINGS)
    assert {(one.p, one.estimate.value, one.n_differ, one.reason) for one in same.values()} == {(None, 0, 0, NO_CHANGE)}
    nobody = scored().assign(soz=pd.array([pd.NA] * len(scored()), dtype="boolean"))
    none = paired_errors(nobody, scored(), SETTINGS)
    assert {(one.first, one.estimate.value, one.reason) for one in none.values()} == {(None, None, UNDEFINED)}


def test_only_patients_of_both_count_and_seeds_need_not_be_as_many() -> None:
    fewer, two = scored(0.3, n=9), scored(seeds=(0, 1))
    found = paired_errors(fewer, two, SETTINGS)
    assert {one.estimate.n_patients for one in found.values()} == {8}
    kept = two[two["patient"].isin(fewer["patient"]) & two["soz"].notna()]
    expected = np.mean([brier_score_loss(own["soz"].astype(bool), own["p_cal"]) for _, own in kept.groupby("seed")])
    assert found["brier_cal"].second == pytest.approx(expected)
    assert set(found) == set(ERRORS)
