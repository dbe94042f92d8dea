"""The operating point: chosen on validation clips, applied to test clips (Tang et al. 2022, appendix)."""

import numpy as np
from numpy.typing import NDArray

NO_POSITIVES = 0.5  # where the validation clips hold one class only there is nothing to choose by


def best_f1_threshold(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """The t at which F1 of `p >= t` is largest, among the probabilities that occur; of equals the lowest."""
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        return NO_POSITIVES
    order = np.argsort(probabilities, kind="stable")[::-1]
    p, hits = probabilities[order], np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + positives)  # 2 tp / (predicted + positive)
    whole = np.append(p[1:] != p[:-1], True)  # equal probabilities are predicted together
    f1, candidates = f1[whole][::-1], p[whole][::-1]
    return float(candidates[np.argmax(f1)])


def predict(probabilities: NDArray[np.floating], threshold: float, *, strict: bool) -> NDArray[np.int64]:
    """1 where p >= threshold, as the threshold was chosen; `strict` (published code): p > threshold."""
    marked = probabilities > threshold if strict else probabilities >= threshold
    return marked.astype(np.int64)
