"""Calibration: found again where it is known, the order is kept, and few contacts give no certainty."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from pipeline.training.soz_calibration import Calibrator, fit_calibrator


def contacts(slope: float, intercept: float, *, n: int = 20000, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Logits, labels drawn with probability sigmoid(slope logit + intercept), patients (20)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-(slope * logits + intercept)))).astype(int)
    return logits, labels, np.array([f"P{k % 20}" for k in range(n)])


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.5])
def test_temperature_is_found(slope: float) -> None:
    fitted = fit_calibrator("temperature", *contacts(slope, 0.0))
    assert fitted.slope == pytest.approx(slope, rel=0.05)
    assert fitted.intercept == 0


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, -2.0), (2.0, 1.0)])
def test_platt_is_the_maximum_of_the_likelihood(slope: float, intercept: float) -> None:
    logits, labels, patients = contacts(slope, intercept, n=4000)
    fitted = fit_calibrator("platt", logits, labels, patients)
    n1, n0 = labels.sum(), (1 - labels).sum()
    targets = np.where(labels, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(line: np.ndarray) -> float:
        x = line[0] * logits + line[1]
        return float((np.logaddexp(0, x) - targets * x).sum())

    found = minimize(loss, [1.0, 0.0], method="BFGS").x
    assert (fitted.slope, fitted.intercept) == pytest.approx(tuple(found), abs=1e-3)
    assert (fitted.slope, fitted.intercept) == pytest.approx((slope, intercept), rel=0.15)


@pytest.mark.parametrize("kind", ["temperature", "platt"])
@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_auroc_stays(kind: str, slope: float) -> None:
    """Also where the logits are in the wrong order: the slope stays above 0."""
    logits, labels, patients = contacts(slope, -1.0, n=1000)
    fitted = fit_calibrator(kind, logits, labels, patients)  # type: ignore[arg-type]
    assert fitted.kind == kind
    assert fitted.slope > 0
    new, truth, _ = contacts(1.0, -1.0, n=1000, seed=1)
    assert roc_auc_score(truth, fitted(new)) == roc_auc_score(truth, new)


def test_isotonic_rises_and_lowers_the_squared_error() -> None:
    logits, labels, patients = contacts(3.0, -1.0)
    fitted = fit_calibrator("isotonic", logits, labels, patients)
    assert fitted.kind == "isotonic"
    p = fitted(np.sort(logits))
    assert (np.diff(p) >= 0).all()
    assert 0 <= p[0] <= p[-1] <= 1
    raw = 1 / (1 + np.exp(-logits))
    assert ((fitted(logits) - labels) ** 2).mean() < ((raw - labels) ** 2).mean()
    assert fitted(np.array([-1e9, 1e9])).tolist() == [p[0], p[-1]]


@pytest.mark.parametrize(("n_patients", "n_positives"), [(4, 100), (5, 29)])
@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_few_patients_or_positives_give_a_temperature(kind: str, n_patients: int, n_positives: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(500) < n_positives
    patients = np.array([f"P{k % n_patients}" for k in range(500)])
    fitted = fit_calibrator(kind, rng.normal(labels, 1.0), labels.astype(int), patients)  # type: ignore[arg-type]
    assert (fitted.kind, fitted.asked) == ("temperature", kind)
    assert "too few" in fitted.reason
    enough = np.array([f"P{k % 5}" for k in range(500)])
    many = (np.arange(500) < 30).astype(int)
    assert fit_calibrator(kind, rng.normal(many, 1.0), many, enough).kind == kind  # type: ignore[arg-type]


def test_perfect_order_of_few_contacts_gives_no_certainty() -> None:
    labels = np.array([1, 1, 0, 0, 0, 0])
    fitted = fit_calibrator("temperature", np.where(labels, 0.5, -0.5), labels, list("aabbcc"))
    p = fitted(np.array([0.5, -0.5]))
    assert p[0] == pytest.approx((3 / 4 * 2 + 5 / 6 * 4) / 6, abs=1e-6)  # the mean of Platt's targets
    assert p[0] + p[1] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_one_class_leaves_the_logits_as_they_are(kind: str) -> None:
    logits = np.linspace(-2, 2, 200)
    fitted = fit_calibrator(kind, logits, np.zeros(200, int), list(range(200)))  # type: ignore[arg-type]
    np.testing.assert_allclose(fitted(logits), 1 / (1 + np.exp(-logits)), rtol=1e-12)
    assert "one class" in fitted.reason


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_the_card_holds_all_of_it(kind: str) -> None:
    logits, labels, patients = contacts(2.0, -1.0, n=500)
    fitted = fit_calibrator(kind, logits, labels, patients)  # type: ignore[arg-type]
    assert Calibrator.from_json(fitted.to_json()) == fitted
