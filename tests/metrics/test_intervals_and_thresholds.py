"""Patient bootstrap against a plain loop; thresholds against an exhaustive search."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from pipeline.metrics.clip_metrics import auroc
from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.metrics.intervals import interval, patient_weights
from pipeline.metrics.thresholds import best_f1_threshold, predict
from pipeline.settings.evaluation import EvaluationSettings

SETTINGS = EvaluationSettings(bootstrap=300, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=10)


def clustered(rng: np.random.Generator, n_patients: int = 12, each: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Values that differ between patients rather than within them."""
    patients = np.repeat([f"p{k}" for k in range(n_patients)], each)
    return np.repeat(rng.normal(size=n_patients), each) + 0.1 * rng.normal(size=n_patients * each), patients


def test_weights_are_how_often_each_patient_was_drawn() -> None:
    patients = np.array(["a", "b", "a", "c"])
    blocks = list(patient_weights(patients, draws=50, rng=np.random.default_rng(0), cells=40))
    weights = np.concatenate(blocks)
    assert len(blocks) > 1
    assert weights.shape == (50, 4)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    again = np.concatenate(list(patient_weights(patients, draws=50, rng=np.random.default_rng(0))))
    np.testing.assert_array_equal(weights, again)


def interval_of_the_mean(values: np.ndarray, patients: np.ndarray, *, draws: int, seed: int) -> tuple[float, float]:
    blocks = patient_weights(patients, draws=draws, rng=np.random.default_rng(seed))
    low, high = interval(np.concatenate([w @ values / w.sum(axis=1) for w in blocks]), 0.9)
    assert low is not None
    assert high is not None
    return low, high


def test_weights_give_what_resampled_patients_give() -> None:
    values, patients = clustered(np.random.default_rng(1))
    low, high = interval_of_the_mean(values, patients, draws=4000, seed=2)
    rng, names = np.random.default_rng(3), np.unique(patients)
    samples = [
        np.concatenate([values[patients == name] for name in rng.choice(names, len(names))]).mean() for _ in range(2000)
    ]
    np.testing.assert_allclose([low, high], np.quantile(samples, [0.05, 0.95]), atol=0.05)
    by_clip = interval_of_the_mean(values, np.arange(len(values)), draws=500, seed=4)
    assert high - low > 3 * (by_clip[1] - by_clip[0])  # clips are not independent


def test_interval_covers_the_truth_at_its_level() -> None:
    rng, covered = np.random.default_rng(5), 0
    for seed in range(120):
        low, high = interval_of_the_mean(*clustered(rng, n_patients=25, each=3), draws=300, seed=seed)
        covered += low <= 0 <= high
    assert 0.78 < covered / 120 <= 1.0


def test_interval_needs_half_of_the_draws() -> None:
    assert interval(np.array([np.nan, np.nan, np.nan, 1.0]), 0.95) == (None, None)
    assert interval(np.array([np.nan, 1.0, 1.0, 1.0]), 0.95) == (1.0, 1.0)


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_best_threshold_against_exhaustive_search(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, 2, n), rng.integers(0, 8, n) / 8
    labels[:2] = [0, 1]
    found = best_f1_threshold(labels, p)
    scores = {t: f1_score(labels, p >= t) for t in np.unique(p)}
    assert scores[found] == pytest.approx(max(scores.values()))
    assert found == min(t for t, score in scores.items() if score == scores[found])


def test_threshold_strict_the_threshold_itself_counts_or_not() -> None:
    p = np.array([0.2, 0.5, 0.7])
    assert predict(p, 0.5, strict=False).tolist() == [0, 1, 1]
    assert predict(p, 0.5, strict=True).tolist() == [0, 0, 1]
    assert best_f1_threshold(np.zeros(3, dtype=int), p) == 0.5


def predicted(seed: int, rng: np.random.Generator) -> Predicted:
    labels = np.tile([0, 1], 60)
    p = np.clip(0.3 * labels + 0.7 * rng.random(120), 0, 1)
    patients = np.repeat([f"p{k}" for k in range(12)], 10)
    return Predicted(seed, labels, p[:, None], (p > 0.5).astype(int), patients)


def test_metrics_table_over_seeds() -> None:
    seeds = [predicted(seed, np.random.default_rng(seed)) for seed in (0, 1, 2)]
    table = metrics_table(seeds, ("seizure",), SETTINGS)
    rows = table[(table["metric"] == "auroc") & (table["class"] == "")].set_index("seed")
    own = [roc_auc_score(one.labels, one.probabilities[:, 0]) for one in seeds]
    np.testing.assert_allclose(rows.loc[[0, 1, 2], "value"], own)
    assert rows.loc[-1, "value"] == pytest.approx(np.mean(own))
    assert rows.loc[-1, "std"] == pytest.approx(np.std(own, ddof=1))
    assert rows.loc[-1, "n_seeds"] == 3
    assert (rows["low"] < rows["value"]).all()
    assert (rows["high"] > rows["value"]).all()
    assert (table["n_patients"] == 12).all()
    pd.testing.assert_frame_equal(table, metrics_table(seeds, ("seizure",), SETTINGS))


def test_bootstrap_of_auroc_equals_resampled_clips() -> None:
    """The weights of one draw give what the clips of the drawn patients give."""
    one = predicted(0, np.random.default_rng(6))
    weights = next(patient_weights(one.patients, draws=20, rng=np.random.default_rng(7)))
    found = auroc(one.labels == 1, one.probabilities[:, 0], weights)
    for draw, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(120), draw.astype(int))
        assert value == pytest.approx(roc_auc_score(one.labels[rows], one.probabilities[rows, 0]))


def test_undefined_metrics_have_a_reason() -> None:
    none = Predicted(
        0, np.zeros(4, dtype=np.int64), np.full((4, 1), 0.1), np.zeros(4, dtype=np.int64), np.array(list("aabb"))
    )
    table = metrics_table([none], ("seizure",), SETTINGS).set_index(["seed", "metric", "class"])
    row = table.loc[(0, "auroc", "")]
    assert np.isnan(row["value"])
    assert row["reason"] == "the clips hold one class only"
    assert table.loc[(-1, "specificity", ""), "reason"] == ""


def test_one_patient_has_no_interval_but_numbers_all_the_same() -> None:
    one = predicted(0, np.random.default_rng(8))
    alone = Predicted(0, one.labels, one.probabilities, one.predicted, np.repeat("p0", 120))
    table = metrics_table([alone], ("seizure",), SETTINGS)
    assert (table[["value", "std", "low", "high"]].dtypes == np.float64).all()
    assert table[["low", "high"]].isna().all(axis=None)
    row = table.to_dict("records")[0]
    assert "%.4f [%.4f, %.4f]" % (row["value"], row["low"], row["high"]) != ""  # noqa: UP031 - as logging does
