"""One point of a ROC curve, from all scores (the curves in curves.json are thinned for drawing)."""

import numpy as np
from numpy.typing import NDArray


def sensitivity_at(positive: NDArray[np.bool_], scores: NDArray[np.float64], *, false_positive_rate: float) -> float:
    """True positive rate where the ROC curve, straight between distinct scores, reaches `false_positive_rate`.

    positive, scores: (i,). Where the curve rises there, its upper end; NaN where a class is missing.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    distinct = np.append(ranked[1:] != ranked[:-1], True)
    tpr = np.append(0.0, np.cumsum(positive[order])[distinct] / n_positive)
    fpr = np.append(0.0, np.cumsum(~positive[order])[distinct] / n_negative)
    left = np.searchsorted(fpr, false_positive_rate, side="right") - 1  # of equal rates the last: the upper end
    if left == len(fpr) - 1:
        return float(tpr[left])
    share = (false_positive_rate - fpr[left]) / (fpr[left + 1] - fpr[left])
    return float(tpr[left] + share * (tpr[left + 1] - tpr[left]))
