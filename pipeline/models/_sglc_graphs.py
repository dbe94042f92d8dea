"""Graphs that SGLC starts from, one a clip: A_0 of the correlation weights C, and the fixed graphs of the ablation.

docs/sglc.md, specification sections 4 (published), 5 (corrected) and 10 (graph ablation). All functions take and give
(..., n, n) float64; row i is the receiver: (A h)_i = sum_j A_ij h_j.
"""

import hashlib

import numpy as np


def published_prior(weights: np.ndarray) -> np.ndarray:
    """A_0 = -D^-1/2 max(C, C^T) D^-1/2: the scaled Laplacian with lambda_max = 2, no entry of which is above 0."""
    joined = np.maximum(weights, np.swapaxes(weights, -1, -2)).astype(np.float64)
    root = 1.0 / np.sqrt(joined.sum(axis=-1))  # the diagonal of C is 1: no row is empty
    return -root[..., :, None] * joined * root[..., None, :]


def row_stochastic_prior(weights: np.ndarray) -> np.ndarray:
    """A_0 = rownorm(C off the diagonal + I); a silent electrode (correlations 0) keeps its self-loop alone."""
    n = weights.shape[-1]
    A = np.where(np.eye(n, dtype=bool), 1.0, weights.astype(np.float64))
    return A / A.sum(axis=-1, keepdims=True)


def uniform_graph(weights: np.ndarray) -> np.ndarray:
    """1/n everywhere, whatever the weights."""
    return np.full(weights.shape, 1.0 / weights.shape[-1])


def random_graph(weights: np.ndarray) -> np.ndarray:
    """The prior with its electrodes relabelled at random: row-stochastic, with the in- and out-degrees of the prior.

    One graph a clip, in every epoch and run: the relabelling is drawn from a digest of the clip's own weights. Digest
    and relabelling go by the values alone, whatever order the electrodes stand in, so that the mirror image of a clip
    has the mirror image of its graph.
    """
    n = weights.shape[-1]
    prior = row_stochastic_prior(weights).reshape(-1, n, n)
    drawn = np.empty_like(prior)
    for clip, C in enumerate(np.ascontiguousarray(weights, dtype=np.float32).reshape(-1, n, n)):
        seed = int.from_bytes(hashlib.sha256(np.sort(C, axis=None).tobytes()).digest()[:8], "little")
        ranked = _by_values(C)
        order = np.empty(n, dtype=np.int64)
        order[ranked] = ranked[np.random.default_rng(seed).permutation(n)]
        drawn[clip] = prior[clip][np.ix_(order, order)]
    return drawn.reshape(weights.shape)


def _by_values(C: np.ndarray) -> np.ndarray:
    """Electrodes in an order that follows from the values of their rows and columns of C (n, n), not from their places.

    Electrodes that have the same values throughout (silent ones) may stand either way: their edges are alike.
    """
    values = np.concatenate([np.sort(C, axis=1), np.sort(C, axis=0).T], axis=1)
    return np.lexsort(values.T[::-1])
