"""How well clips were told apart: ranking, operating point, classes (Tang et al. 2022, Tables 2, 3, 4, 6, 9).

Every function takes clip weights (d, i), one row per bootstrap draw, and returns one value per draw, NaN where the
metric is undefined; weights of ones give the plain metric. So the value and its interval come from one piece of code.
Axes: d draw, i clip, c class.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
REASONS = {
    "auroc": "the clips hold one class only",
    "auprc": "no clip of this class",
    "sensitivity": "no positive clip",
    "specificity": "no negative clip",
    "precision": "no clip was given this class",
    "recall": "no clip of this class",
    "f1": "no clip of this class, and none was given it",
    **dict.fromkeys(("temperature", "brier_scaled", "ece_scaled"), "the validation clips hold one class only"),
}


class Key(NamedTuple):
    """A metric and the class that it is about (empty: all)."""

    metric: str
    about: str


def auroc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve (d,): the share of (positive, negative) pairs in order, ties counting half."""
    order = np.argsort(scores, kind="stable")
    _, first = np.unique(scores[order], return_index=True)
    ups = np.add.reduceat(weights[:, order] * positive[order], first, axis=1)  # per distinct score
    downs = np.add.reduceat(weights[:, order] * ~positive[order], first, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    return ratio((ups * (below + 0.5 * downs)).sum(axis=1), ups.sum(axis=1) * downs.sum(axis=1))


def auprc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Average precision (d,): sum of precision times the step in recall, over distinct scores."""
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(-scores[order], return_index=True)
    ups = np.add.reduceat(weights[:, order] * positive[order], first, axis=1)
    everything = np.add.reduceat(weights[:, order], first, axis=1)
    precision = ratio(np.cumsum(ups, axis=1), np.cumsum(everything, axis=1))
    return ratio((np.nan_to_num(precision) * ups).sum(axis=1), ups.sum(axis=1))


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], weights: Floats, n_classes: int) -> Floats:
    """Confusion matrices (d, c, c), row = true class."""
    cell = np.eye(n_classes * n_classes)[labels * n_classes + predicted]  # i, c c
    return (weights @ cell).reshape(len(weights), n_classes, n_classes)


def class_metrics(matrix: Floats, classes: tuple[str, ...]) -> dict[Key, Floats]:
    """Metrics of confusion matrices (d, c, c): per class, weighted and macro, and the majority guess as reference."""
    hits, true, given = np.einsum("dcc->dc", matrix), matrix.sum(axis=2), matrix.sum(axis=1)
    total = matrix.sum(axis=(1, 2))
    recall, precision, f1 = ratio(hits, true), ratio(hits, given), ratio(2 * hits, true + given)
    share = ratio(true, total[:, None])
    largest = share.max(axis=1)
    found: dict[Key, Floats] = {
        Key("accuracy", ""): ratio(hits.sum(axis=1), total),
        Key("weighted_f1", ""): (share * np.nan_to_num(f1)).sum(axis=1),
        Key("macro_f1", ""): _mean_of_defined(f1),
        Key("majority_weighted_f1", ""): largest * 2 * largest / (1 + largest),  # always the most frequent class
    }
    for k, name in enumerate(classes):
        per_class = {"recall": recall, "precision": precision, "f1": f1, "prevalence": share}
        found |= {Key(metric, name): values[:, k] for metric, values in per_class.items()}
    return found


def detection_metrics(
    labels: NDArray[np.integer], probabilities: Floats, predicted: NDArray[np.integer], weights: Floats
) -> dict[Key, Floats]:
    """All metrics of seizure detection; class 1 is `seizure`."""
    matrix = confusion(labels, predicted, weights, 2)
    found = class_metrics(matrix, ("background", "seizure"))
    positive = labels == 1
    ranked = {
        Key("auroc", ""): auroc(positive, probabilities, weights),
        Key("auprc", ""): auprc(positive, probabilities, weights),
        Key("f1", ""): found[Key("f1", "seizure")],
        Key("sensitivity", ""): found[Key("recall", "seizure")],
        Key("specificity", ""): found[Key("recall", "background")],
    }
    return ranked | found


def classification_metrics(
    labels: NDArray[np.integer],
    probabilities: Floats,
    predicted: NDArray[np.integer],
    weights: Floats,
    classes: tuple[str, ...],
) -> dict[Key, Floats]:
    """All metrics of seizure-type classification; probabilities (i, c). AUROC is one versus rest (Table 3)."""
    found = class_metrics(confusion(labels, predicted, weights, len(classes)), classes)
    for k, name in enumerate(classes):
        found[Key("auroc", name)] = auroc(labels == k, probabilities[:, k], weights)
        found[Key("auprc", name)] = auprc(labels == k, probabilities[:, k], weights)
    return found


def reason(key: Key) -> str:
    """Why the metric is undefined on some clips."""
    return REASONS.get(key.metric, "there are no clips")


def _mean_of_defined(values: Floats) -> Floats:
    """Row means over the values that are not NaN; NaN where none is."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def ratio(above: Floats, below: Floats) -> Floats:
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
