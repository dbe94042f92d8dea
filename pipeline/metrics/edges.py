"""How well graphs between nodes tell planted edges from other pairs: AUROC over ordered pairs of different nodes.

Axes: d draw, k class, i receiver, j sender. All graphs have rows for receivers.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def edge_auroc(graphs: Floats, edges: NDArray[np.bool_]) -> Floats:
    """AUROC (...) of the weights (..., i, j) for the planted `edges`, an array of the same last axes or all of them.

    The diagonal is left out; equal weights count half. The last axes may have a class before them, (..., k, i, j):
    then `edges` is (k, i, j) and all classes' pairs are ranked as one list.
    """
    others = np.broadcast_to(~np.eye(edges.shape[-1], dtype=bool), edges.shape)
    return rank_auroc(graphs[..., others], edges[others])


def rank_auroc(weights: Floats, wanted: NDArray[np.bool_]) -> Floats:
    """AUROC (...) of weights (..., m) for what is `wanted` (m,); equal weights count half, NaN where nothing is."""
    ranks = rankdata(weights, axis=-1)
    n, m = int(wanted.sum()), int((~wanted).sum())
    if not n or not m:
        return np.full(weights.shape[:-1], np.nan)
    found: Floats = (ranks[..., wanted].sum(axis=-1) - n * (n + 1) / 2) / (n * m)
    return found


def contrasts(means: Floats) -> Floats:
    """Graphs (..., k, i, j) less their mean over classes: what is a class's own."""
    found: Floats = means - means.mean(axis=-3, keepdims=True)
    return found


def drawn_means(sums: Floats, counts: Floats, weights: Floats) -> Floats:
    """Class means (d, k, i, j) of clips' graphs in draws of patients.

    sums (patient, k, i, j) and counts (patient, k): of each patient's clips; weights (d, patient): how often each was
    drawn. NaN for a class without a clip in a draw.
    """
    total = np.tensordot(weights, sums, axes=1)
    number = weights @ counts
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = total / number[..., None, None]
    return found
