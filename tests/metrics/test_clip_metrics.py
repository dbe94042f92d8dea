"""Metrics against scikit-learn, weights against repeated clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline.metrics.clip_metrics import (
    Key,
    auprc,
    auroc,
    classification_metrics,
    detection_metrics,
)
from pipeline.metrics.curves import model_curves, ranking_curves

CLASSES = ("CF", "GN", "AB", "CT")


def ones(n: int) -> np.ndarray:
    return np.ones((1, n))


@given(st.integers(0, 10_000), st.integers(2, 60), st.booleans())
def test_ranking_equals_scikit_learn_and_weights_equal_repetition(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = [0, 1]
    scores = rng.integers(0, 4, n) / 4 if ties else rng.random(n)
    counts = rng.integers(0, 3, n)
    counts[:2] = 1
    repeated = np.repeat(np.arange(n), counts)
    weights = np.stack([np.ones(n), counts]).astype(float)
    for own, theirs in ((auroc, reference.roc_auc_score), (auprc, reference.average_precision_score)):
        expected = [theirs(labels, scores), theirs(labels[repeated], scores[repeated])]
        np.testing.assert_allclose(own(labels == 1, scores, weights), expected, atol=1e-12)


def test_detection_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, p = rng.integers(0, 2, 200), rng.random(200)
    predicted = (p >= 0.6).astype(int)
    found = {key: float(value[0]) for key, value in detection_metrics(labels, p, predicted, ones(200)).items()}
    expected = {
        ("f1", ""): reference.f1_score(labels, predicted),
        ("weighted_f1", ""): reference.f1_score(labels, predicted, average="weighted"),
        ("macro_f1", ""): reference.f1_score(labels, predicted, average="macro"),
        ("sensitivity", ""): reference.recall_score(labels, predicted),
        ("specificity", ""): reference.recall_score(labels, predicted, pos_label=0),
        ("accuracy", ""): reference.accuracy_score(labels, predicted),
        ("precision", "seizure"): reference.precision_score(labels, predicted),
        ("prevalence", "seizure"): labels.mean(),
    }
    for key, value in expected.items():
        assert found[Key(*key)] == pytest.approx(value), key


def test_classification_equals_scikit_learn_with_an_absent_class() -> None:
    rng = np.random.default_rng(2)
    labels = rng.choice([0, 1, 3], 150, p=[0.6, 0.3, 0.1])
    p = rng.dirichlet(np.ones(4), 150)
    predicted = p.argmax(axis=1)
    found = {key: value[0] for key, value in classification_metrics(labels, p, predicted, ones(150), CLASSES).items()}
    assert found[Key("weighted_f1", "")] == pytest.approx(reference.f1_score(labels, predicted, average="weighted"))
    assert found[Key("macro_f1", "")] == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    recalls = reference.recall_score(labels, predicted, average=None, labels=[0, 1, 2, 3], zero_division=np.nan)
    np.testing.assert_allclose([found[Key("recall", name)] for name in CLASSES], recalls)
    assert np.isnan(found[Key("auroc", "AB")])
    assert found[Key("auroc", "GN")] == pytest.approx(reference.roc_auc_score(labels == 1, p[:, 1]))
    always = np.full(150, np.bincount(labels).argmax())
    majority = reference.f1_score(labels, always, average="weighted")
    assert found[Key("majority_weighted_f1", "")] == pytest.approx(majority)


def test_one_class_only_is_undefined() -> None:
    found = detection_metrics(np.zeros(5, dtype=int), np.linspace(0, 1, 5), np.zeros(5, dtype=int), ones(5))
    assert np.isnan(found[Key("auroc", "")][0])
    assert np.isnan(found[Key("sensitivity", "")][0])
    assert found[Key("specificity", "")][0] == 1.0


def test_curves_equal_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    labels, p = rng.integers(0, 2, 90), rng.integers(0, 30, 90) / 30
    drawn = ranking_curves(labels == 1, p)
    fpr, tpr, _ = reference.roc_curve(labels, p, drop_intermediate=False)
    np.testing.assert_allclose(drawn["fpr"], fpr)
    np.testing.assert_allclose(drawn["tpr"], tpr)
    precision, recall, _ = reference.precision_recall_curve(labels, p)
    np.testing.assert_allclose(drawn["recall"], recall[::-1][1:])
    np.testing.assert_allclose(drawn["precision"], precision[::-1][1:])
    assert len(ranking_curves(rng.random(5000) < 0.1, rng.random(5000))["fpr"]) <= 401


def test_operating_point_lies_on_the_curve_and_confusion_adds_up() -> None:
    rng = np.random.default_rng(4)
    labels, p = rng.integers(0, 2, 60), rng.random(60)
    threshold = float(np.sort(p)[20])
    how = {"classes": ("seizure",), "threshold": threshold, "bins": 5}
    drawn = model_curves(labels, p[:, None], (p >= threshold).astype(int), **how)
    assert (drawn["point"]["fpr"], drawn["point"]["tpr"]) in zip(drawn["fpr"], drawn["tpr"], strict=True)
    assert np.array(drawn["confusion"]).sum(axis=1).tolist() == np.bincount(labels).tolist()
