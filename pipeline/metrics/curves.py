"""Curves of one model on the test clips, thinned for drawing: ROC, precision-recall, reliability, confusion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.calibration import reliability
from pipeline.metrics.clip_metrics import confusion

MAX_POINTS = 400


def ranking_curves(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, list[float]]:
    """fpr, tpr, recall, precision at the distinct scores, highest first; empty lists where a class is missing.

    ROC starts at (0, 0). The precision-recall curve has no invented first point.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return {"fpr": [], "tpr": [], "recall": [], "precision": []}
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    whole = np.append(ranked[1:] != ranked[:-1], True)
    ups, downs = np.cumsum(positive[order])[whole], np.cumsum(~positive[order])[whole]
    keep = np.unique(np.linspace(0, len(ups) - 1, min(len(ups), MAX_POINTS)).round().astype(int))
    ups, downs = ups[keep], downs[keep]
    recall = (ups / n_positive).tolist()
    return {
        "fpr": [0.0, *(downs / n_negative).tolist()],
        "tpr": [0.0, *recall],
        "recall": recall,
        "precision": (ups / (ups + downs)).tolist(),
    }


def operating_point(positive: NDArray[np.bool_], predicted: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """fpr, tpr, recall, precision and threshold; empty where one of them is undefined."""
    hits, false = int((positive & predicted).sum()), int((~positive & predicted).sum())
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative or not hits + false:
        return {}
    recall, precision = hits / n_positive, hits / (hits + false)
    return {"fpr": false / n_negative, "tpr": recall, "recall": recall, "precision": precision, "threshold": threshold}


def model_curves(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    predicted: NDArray[np.integer],
    *,
    classes: tuple[str, ...],
    threshold: float | None,
    bins: int,
    scaled: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Everything that is drawn of one model; probabilities (i, c), one column for detection.

    `scaled` are the probabilities after temperature scaling; `reliability_scaled` is missing without them.
    Detection: the curves are those of the seizure class. Classification: one set of curves a class, one versus rest.
    """
    if threshold is not None:
        positive, p = labels == 1, probabilities[:, 0]
        drawn: dict[str, Any] = ranking_curves(positive, p)
        drawn["point"] = operating_point(positive, predicted == 1, threshold)
        drawn["reliability"] = reliability(positive, p, bins=bins)
        after = None if scaled is None else reliability(positive, scaled[:, 0], bins=bins)
    else:
        per_class = {name: ranking_curves(labels == k, probabilities[:, k]) for k, name in enumerate(classes)}
        top = reliability(labels == probabilities.argmax(axis=1), probabilities.max(axis=1), bins=bins)
        drawn = {"classes": per_class, "reliability": top}
        after = None if scaled is None else reliability(labels == scaled.argmax(axis=1), scaled.max(axis=1), bins=bins)
    if after is not None:
        drawn["reliability_scaled"] = after
    size = 2 if threshold is not None else len(classes)
    matrix = confusion(labels, predicted, np.ones((1, len(labels))), size)[0]
    return drawn | {"confusion": matrix.astype(int).tolist()}
