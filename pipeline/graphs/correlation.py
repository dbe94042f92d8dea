"""The correlation graph of each clip (Tang et al. 2022, section 2.2.2).

w_ij = |u_i . u_j| / (|u_i| |u_j|) with u_i all features of electrode i over the clip: the absolute cross-correlation
at lag 0, normalised. Of each row the `top_neighbours` largest stay: a directed graph.
"""

import numpy as np

from pipeline.settings.features import GraphSettings


def correlation_weights(
    frames: np.ndarray, settings: GraphSettings, *, training_mean: float | None = None
) -> np.ndarray:
    """Graphs W (b, n, n) float64 of clips `frames` (b, t, n, f): raw features, unpadded, not augmented.

    `training_mean` is the scaler's mean; only `correlation_input: standardised` needs it (the scaler's standard
    deviation cancels).
    """
    centre: np.ndarray | None = None
    if settings.correlation_input == "centred":
        centre = frames.mean(axis=(1, 3), dtype=np.float64)[:, :, None, None]  # of each electrode over the clip
    elif settings.correlation_input == "standardised":
        if training_mean is None:
            raise ValueError("graphs.correlation_input: standardised needs the scaler of the training clips")
        centre = np.full(frames.shape[0], training_mean)
    return keep_nearest(absolute_cosines(gram(frames, centre=centre)), settings.top_neighbours)


def gram(frames: np.ndarray, *, centre: np.ndarray | None = None) -> np.ndarray:
    """u u^T (b, n, n) float64 of clips `frames` (b, t, n, f), where u = features (b, n, t f) less `centre`: a number
    or (n, 1, 1) a clip.

    One matrix product a clip, in float64: then neither weights nor neighbours hang on the order of summation. Only one
    clip at a time is held in float64, so that it stays in the processor's cache.
    """
    b, t, n, f = frames.shape
    products, features = np.empty((b, n, n)), np.empty((n, t, f))
    u = features.reshape(n, t * f)
    for clip in range(b):
        features[...] = frames[clip].swapaxes(0, 1)
        if centre is not None:
            features -= centre[clip]
        np.matmul(u, u.T, out=products[clip])
    return products


def absolute_cosines(products: np.ndarray) -> np.ndarray:
    """|cosine| (b, n, n) from Gram matrices; 0 beside a vector of zeros, diagonal 1."""
    norms = np.sqrt(np.einsum("bnn->bn", products))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    cosines = np.abs(products) * inverse[:, :, None] * inverse[:, None, :]
    np.einsum("bnn->bn", cosines)[...] = 1.0
    return cosines


def keep_nearest(weights: np.ndarray, top: int) -> np.ndarray:
    """Of each row of (b, n, n) the `top` largest off-diagonal weights and the diagonal; ties go to the lower index."""
    n = weights.shape[-1]
    others = np.where(np.eye(n, dtype=bool), -np.inf, weights)
    nearest = np.argsort(-others, axis=-1, kind="stable")[..., : min(top, n - 1)]
    keep = np.broadcast_to(np.eye(n, dtype=bool), weights.shape).copy()
    np.put_along_axis(keep, nearest, True, axis=-1)
    return np.where(keep, weights, 0.0)
