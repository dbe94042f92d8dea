"""Calibration against plain loops and scikit-learn: Brier and its parts, calibration error, temperature."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from sklearn import metrics as reference

from pipeline.metrics.calibration import (
    brier_parts,
    calibration_error,
    classification_calibration,
    detection_calibration,
    equal_mass,
    equal_width,
    fit_temperature,
    reliability,
    rescaled,
)
from pipeline.metrics.clip_metrics import Key
from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.metrics.intervals import patient_weights
from pipeline.settings.evaluation import EvaluationSettings

CLASSES = ("CF", "GN", "AB", "CT")
SETTINGS = EvaluationSettings(bootstrap=100, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=10)


def ones(n: int) -> np.ndarray:
    return np.ones((1, n))


def slow_ece(positive: np.ndarray, p: np.ndarray, edges: np.ndarray) -> float:
    """Loop over the bins [edge, next edge); the last one holds 1 as well."""
    total = 0.0
    for low, high in itertools.pairwise(edges):
        rows = (p >= low) & ((p < high) | (high == edges[-1]))
        if rows.any():
            total += rows.sum() * abs(p[rows].mean() - positive[rows].mean())
    return total / len(p)


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_parts_add_up_to_the_score_whatever_the_bins(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    p, positive, weights = rng.random(40), rng.random(40) < 0.3, rng.integers(0, 4, (5, 40)).astype(float)
    parts = brier_parts(positive, p, weights, bins=bins)
    whole = parts["brier_reliability"] - parts["brier_resolution"] + parts["brier_uncertainty"] + parts["brier_within"]
    for draw, value in zip(weights, whole, strict=True):
        rows = np.repeat(np.arange(40), draw.astype(int))
        if len(np.unique(positive[rows])) == 2:
            assert value == pytest.approx(reference.brier_score_loss(positive[rows], p[rows]))


def test_parts_mean_what_their_names_say() -> None:
    rng = np.random.default_rng(0)
    level = rng.choice([0.15, 0.55, 0.95], 60_000)
    positive = rng.random(60_000) < level
    parts = {name: value[0] for name, value in brier_parts(positive, level, ones(60_000), bins=10).items()}
    assert parts["brier_reliability"] == pytest.approx(0, abs=2e-4)  # the predictions are right
    assert parts["brier_within"] == pytest.approx(0, abs=1e-12)  # and equal within each bin
    assert parts["brier_resolution"] == pytest.approx(level.var(), rel=0.03)
    assert parts["brier_uncertainty"] == pytest.approx(positive.var(), rel=1e-9)
    same = {
        name: value[0] for name, value in brier_parts(positive, np.full(60_000, 0.9), ones(60_000), bins=10).items()
    }
    assert same["brier_resolution"] == pytest.approx(0, abs=1e-12)  # one answer for all tells nothing apart
    assert same["brier_reliability"] == pytest.approx((0.9 - positive.mean()) ** 2)


def test_calibration_errors_equal_plain_loops_in_every_draw() -> None:
    rng = np.random.default_rng(1)
    p, patients = rng.beta(0.6, 2, 200), rng.integers(0, 10, 200)
    positive = rng.random(200) < p**2
    weights = next(patient_weights(patients, draws=6, rng=rng))
    wide = calibration_error(positive, p, weights, equal_width(p, 10))
    for draw, value in zip(weights, wide, strict=True):
        rows = np.repeat(np.arange(200), draw.astype(int))
        assert value == pytest.approx(slow_ece(positive[rows], p[rows], np.linspace(0, 1, 11)))
    heavy = calibration_error(positive, p, ones(200), equal_mass(p, 8))[0]
    assert heavy == pytest.approx(slow_ece(positive, p, np.append(np.sort(p)[::25], 1.0)))


def test_bins_of_equal_mass_hold_equal_numbers_and_keep_equal_probabilities_together() -> None:
    rng = np.random.default_rng(2)
    assert np.bincount(equal_mass(rng.random(100), 10)).tolist() == [10] * 10
    tied = np.repeat([0.1, 0.9], [90, 10])
    assert len(np.unique(equal_mass(tied, 10))) == 2
    assert calibration_error(tied > 0.5, np.full(100, 0.1), ones(100), equal_mass(np.full(100, 0.1), 10))[0] < 1e-12


def test_reliability_of_calibrated_predictions_is_the_diagonal() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(200_000)
    positive = rng.random(200_000) < p
    bins = reliability(positive, p, bins=10)
    np.testing.assert_allclose(bins["observed"], bins["predicted"], atol=0.02)
    assert sum(bins["n_clips"]) == 200_000
    assert calibration_error(positive, p, ones(200_000), equal_width(p, 10))[0] < 0.01
    assert reliability(positive[:1], np.array([1.0]), bins=10)["n_clips"] == [1]  # 1 lies in the last bin


def test_classification_by_top_label_and_by_class() -> None:
    rng = np.random.default_rng(3)
    labels, p = rng.choice([0, 1, 3], 300), rng.dirichlet(np.ones(4), 300)
    found = classification_calibration(labels, p, None, ones(300), CLASSES, bins=10)
    value = {key: float(one[0]) for key, one in found.items()}
    truth, edges = np.eye(4)[labels], np.linspace(0, 1, 11)
    assert value[Key("brier", "")] == pytest.approx(np.mean([((p[i] - truth[i]) ** 2).sum() for i in range(300)]))
    assert value[Key("ece", "")] == pytest.approx(slow_ece(p.argmax(axis=1) == labels, p.max(axis=1), edges))
    each = [slow_ece(labels == k, p[:, k], edges) for k in range(4)]
    np.testing.assert_allclose([value[Key("ece", name)] for name in CLASSES], each)
    assert value[Key("ece_classwise", "")] == pytest.approx(np.mean([each[k] for k in (0, 1, 3)]))  # AB does not occur
    assert sum(value[Key("brier", name)] for name in CLASSES) == pytest.approx(value[Key("brier", "")])
    assert np.isnan(value[Key("ece_scaled", "")])


def overconfident(rng: np.random.Generator, n: int, sharper: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that are `sharper` times too large."""
    logits = rng.normal(0, 1.5, n)
    return (rng.random(n) < expit(logits)).astype(int), sharper * logits


def test_temperature_is_the_one_of_largest_likelihood() -> None:
    rng = np.random.default_rng(4)
    labels, logits = overconfident(rng, 4000, 3.0)
    found = fit_temperature(labels, logits)
    likelihood = minimize_scalar(
        lambda t: np.logaddexp(0, np.where(labels == 1, -1, 1) * logits / t).sum(), bounds=(0.1, 20), method="bounded"
    )
    assert found == pytest.approx(likelihood.x, rel=1e-3)
    assert found == pytest.approx(3.0, rel=0.1)
    many, wide = rng.integers(0, 4, 500), rng.normal(0, 2, (500, 4))
    wide[np.arange(500), many] += 1.0
    best = minimize_scalar(
        lambda t: -log_softmax(wide / t, axis=1)[np.arange(500), many].sum(), bounds=(0.05, 50), method="bounded"
    )
    assert fit_temperature(many, wide) == pytest.approx(best.x, rel=1e-3)


def test_temperature_stays_within_its_bounds_and_needs_two_classes() -> None:
    labels = np.array([0, 0, 1, 1])
    assert fit_temperature(labels, np.array([-2.0, -1.0, 1.0, 2.0])) == pytest.approx(0.01)
    assert fit_temperature(labels, np.array([2.0, 1.0, -1.0, -2.0])) == pytest.approx(100.0)  # never turned around
    assert fit_temperature(np.ones(4, dtype=int), np.arange(4.0)) is None
    assert fit_temperature(np.array([], dtype=int), np.array([])) is None
    assert np.isfinite(rescaled(np.array([-800.0, 800.0]), 0.01)).all()


def predicted(rng: np.random.Generator, temperature: float | None) -> Predicted:
    labels, logits = overconfident(rng, 600, 3.0)
    p = expit(logits)
    scaled = None if temperature is None else rescaled(logits, temperature)[:, None]
    patients = np.repeat([f"p{k}" for k in range(12)], 50)
    return Predicted(0, labels, p[:, None], (p >= 0.4).astype(int), patients, scaled=scaled, temperature=temperature)


def test_scaling_repairs_calibration_and_touches_nothing_else() -> None:
    one, other = (predicted(np.random.default_rng(6), temperature) for temperature in (None, 3.0))
    plain, scaled = (
        metrics_table([run], ("seizure",), SETTINGS).set_index(["seed", "metric", "class"]) for run in (one, other)
    )
    row = scaled.loc[0]
    assert row.loc[("ece_scaled", ""), "value"] < 0.5 * row.loc[("ece", ""), "value"]
    assert row.loc[("brier_scaled", ""), "value"] < row.loc[("brier", ""), "value"]
    assert row.loc[("brier", ""), "low"] < row.loc[("brier", ""), "value"] < row.loc[("brier", ""), "high"]
    assert row.loc[("temperature", ""), ["value", "low", "high"]].fillna(-1).tolist() == [3.0, -1, -1]
    late = ["temperature", "ece_scaled", "brier_scaled"]
    assert set(plain.loc[0].loc[late, "reason"]) == {"the validation clips hold one class only"}
    assert plain.drop(index=late, level="metric").equals(scaled.drop(index=late, level="metric"))


def test_no_clip_gives_no_number() -> None:
    found = detection_calibration(np.zeros(0, dtype=int), np.zeros(0), None, np.ones((1, 0)), bins=10)
    assert all(np.isnan(value[0]) for value in found.values())
    none = classification_calibration(np.zeros(0, dtype=int), np.zeros((0, 4)), None, np.ones((1, 0)), CLASSES, bins=5)
    assert all(np.isnan(value[0]) for value in none.values())
