"""From a contact's logit to a probability, fitted on inner patients alone (spec soz.md, section 5). Without torch.

The training losses weigh classes and so distort probabilities. Targets are Platt's (Advances in Large Margin
Classifiers, 1999): (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place of 1 and 0, so that a few contacts in perfect order
do not make every probability 0 or 1. Temperature and Platt's line keep the order of the logits.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.calibration import COLDEST, HOTTEST, STEPS, rescaled
from pipeline.settings.soz import Calibration

Floats = NDArray[np.float64]
FEWEST_PATIENTS, FEWEST_POSITIVES = 5, 30  # with less, temperature (spec, section 5)
FARTHEST = 1e4  # intercepts looked at


@dataclass(frozen=True)
class Calibrator:
    """From logits to probabilities, and what it was fitted on: `n_patients` inner patients, their contacts.

    `temperature` (intercept 0) and `platt`: p = sigmoid(slope logit + intercept), slope > 0, so the order is kept.
    `isotonic`: p rises from corner to corner (x, y) along straight lines and is constant beyond the outermost, so that
    contacts may come to share one p. `kind` is not what was `asked` where too little could be fitted: `reason` says so.
    """

    kind: Calibration
    asked: Calibration
    reason: str  # empty where `kind` is what was asked, and could be fitted
    slope: float
    intercept: float
    x: tuple[float, ...]
    y: tuple[float, ...]
    n_patients: int
    n_contacts: int
    n_positives: int

    def __call__(self, logits: Floats) -> Floats:
        """Probabilities of logits of any shape."""
        if self.kind == "isotonic":
            return np.interp(logits, self.x, self.y)
        return rescaled(self.slope * logits + self.intercept, 1.0)

    def to_json(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self) | {"x": list(self.x), "y": list(self.y)}

    @staticmethod
    def from_json(content: dict[str, Any]) -> "Calibrator":
        """Back from the card."""
        return Calibrator(**(content | {"x": tuple(content["x"]), "y": tuple(content["y"])}))


def fit_calibrator(asked: Calibration, logits: Floats, labels: NDArray[np.integer], patients: Any) -> Calibrator:
    """The calibrator of contacts (i,): their logits, labels (0 or 1) and patients; what was asked, if they suffice."""
    positives, n_patients = int((labels == 1).sum()), len(set(patients))
    both = 0 < positives < len(labels)
    kind, reason = asked, ""
    if not both:
        kind, reason = "temperature", "the inner contacts are of one class: nothing can be fitted"
    elif asked != "temperature" and (n_patients < FEWEST_PATIENTS or positives < FEWEST_POSITIVES):
        kind, reason = "temperature", f"{n_patients} inner patients with {positives} positive contacts are too few"
    none: tuple[float, ...] = ()
    x, y = _isotonic(logits, labels) if kind == "isotonic" else (none, none)
    fits = both and kind != "isotonic"
    slope, intercept = _line(logits, _targets(labels), shifted=kind == "platt") if fits else (1.0, 0.0)
    return Calibrator(kind, asked, reason, slope, intercept, x, y, n_patients, len(labels), positives)


def _targets(labels: NDArray[np.integer]) -> Floats:
    n1, n0 = (labels == 1).sum(), (labels == 0).sum()
    return np.where(labels == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))


def _line(logits: Floats, targets: Floats, *, shifted: bool) -> tuple[float, float]:
    """Slope (1 / HOTTEST to 1 / COLDEST, so above 0) and intercept of largest likelihood; intercept 0 unless `shifted`.

    The likelihood is concave: its derivative by the slope, at that slope's best intercept, falls, and is followed by
    halving the slope's logarithm. Where the logits are in the wrong order, the smallest slope is the best.
    """
    low, high = -np.log(HOTTEST), -np.log(COLDEST)
    for _ in range(STEPS):
        slope = float(np.exp((low + high) / 2))
        intercept = _intercept(slope * logits, targets) if shifted else 0.0
        if ((targets - rescaled(slope * logits + intercept, 1.0)) * logits).sum() > 0:
            low = np.log(slope)
        else:
            high = np.log(slope)
    slope = float(np.exp((low + high) / 2))
    return slope, _intercept(slope * logits, targets) if shifted else 0.0


def _intercept(scores: Floats, targets: Floats) -> float:
    """Where the mean probability is the mean target."""
    low, high = -FARTHEST, FARTHEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        if rescaled(scores + middle, 1.0).sum() < targets.sum():
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _isotonic(logits: Floats, labels: NDArray[np.integer]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Corner points of the rising step function nearest to the labels, by pooling adjacent violators."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(logits, labels)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())
