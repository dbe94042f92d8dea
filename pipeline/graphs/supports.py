"""From graph weights to the matrices by which diffusion convolution mixes electrodes.

Tang et al. 2022, section 2.3, equation 1; Li et al. 2018 (DCRNN), whose transposition is kept.

All functions take (..., n, n) and give (..., p, n, n) float64. A node without edges gives zeros, never NaN.
"""

import numpy as np


def scaled_laplacian(weights: np.ndarray) -> np.ndarray:
    """One support S = (2 / lambda_max) L - I of the symmetrised graph; L = I - D^-1/2 A D^-1/2, self-loops included.

    lambda_max is the largest eigenvalue of each graph's own L (0.790562 for the published distance graph, not 2).
    """
    A = np.maximum(weights, np.swapaxes(weights, -1, -2)).astype(np.float64)
    root = np.sqrt(_inverse(A.sum(axis=-1)))
    identity = np.eye(A.shape[-1])
    L = identity - root[..., :, None] * A * root[..., None, :]
    largest = np.linalg.eigvalsh(L)[..., -1]
    # a graph of self-loops only has L = 0 up to rounding: its scale is arbitrary, the limit S = -I is not
    scale = np.where(largest > 1e-9, 2.0 * _inverse(largest), 0.0)
    return (scale[..., None, None] * L - identity)[..., None, :, :]


def random_walks(weights: np.ndarray) -> np.ndarray:
    """Two supports of a directed graph: (D_out^-1 W)^T and (D_in^-1 W^T)^T, transposed as in the original DCRNN."""
    W = weights.astype(np.float64)
    forward = np.swapaxes(_inverse(W.sum(axis=-1))[..., :, None] * W, -1, -2)
    backward = W * _inverse(W.sum(axis=-2))[..., None, :]
    return np.stack([forward, backward], axis=-3)


def _inverse(values: np.ndarray) -> np.ndarray:
    """1 / x, and 0 where x is 0."""
    return np.divide(1.0, values, out=np.zeros_like(values, dtype=np.float64), where=values > 0)
