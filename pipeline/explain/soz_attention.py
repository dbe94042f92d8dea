"""Attention among contacts as directed graphs (spec soz.md, section 6): learned dependence, not effective connectivity.

A (…, n, n) is row-stochastic, row i the query and column j the key: a row says whom contact i looks at. Two conventions
of one number: `attention` is the edge i -> j, `information` the edge j -> i, along which something may flow. A contact
that was never valid has rows and columns of NaN; so has, in what is derived, a row that looks at nobody else.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 3  # contacts of a graph
SELF_ONLY = 1e-6  # a row with less than this for others looks at itself alone
CONVENTIONS = {
    "attention": "source: the query i, target: the key j that it looks at; weight A_ij",
    "information": "source: the key j, target: the query i that looks at it; weight A_ij",
}


def mean_graph(clips: Floats) -> Floats:
    """A (…, n, n) of clips (k, …, n, n) whose invalid contacts are NaN: the mean of each pair over the clips that have
    both, rows made to sum to 1 again; NaN for a contact that no clip has."""
    known = ~np.isnan(clips)
    total = np.where(known, clips, 0.0).sum(axis=0, dtype=np.float64)
    n = known.sum(axis=0)
    A = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    rows = np.nansum(A, axis=-1, keepdims=True)
    made: Floats = np.divide(A, rows, out=np.full(A.shape, np.nan), where=rows > 0)
    return made


def present(A: Floats) -> NDArray[np.bool_]:
    """(n,) contacts that the graph (…, n, n) has."""
    alone: NDArray[np.bool_] = ~np.isnan(np.einsum("...ii->...i", A)).reshape(-1, A.shape[-1]).any(axis=0)
    return alone


def to_others(A: Floats) -> Floats:
    """A'_ij = A_ij / (1 - A_ii) (…, n, n), the diagonal NaN: how a row's attention to others is shared among them.

    A row that looks at itself alone (1 - A_ii < 1e-6) is NaN.
    """
    rest = _for_others(A)[..., None]
    shares = np.divide(A, rest, out=np.full(A.shape, np.nan), where=rest >= SELF_ONLY)
    made: Floats = np.where(np.eye(A.shape[-1], dtype=bool), np.nan, shares)
    return made


def self_only_rows(A: Floats) -> NDArray[np.int64]:
    """(…) rows that look at themselves alone, so that they have no lift."""
    found: NDArray[np.int64] = (_for_others(A) < SELF_ONLY).sum(axis=-1)
    return found


def _for_others(A: Floats) -> Floats:
    """1 - A_ii (…, n), as the sum of the others: of graphs kept in float16 the difference would be mostly rounding."""
    alone = np.eye(A.shape[-1], dtype=bool)
    total = np.where(alone | np.isnan(A), 0.0, A).sum(axis=-1, dtype=np.float64)
    made: Floats = np.where(np.isnan(np.einsum("...ii->...i", A)), np.nan, total)
    return made


def lift(A: Floats) -> Floats:
    """G_ij = (C - 1) A'_ij (…, n, n), C contacts in the graph: 1 is chance, whatever C. The diagonal is NaN."""
    made: Floats = (present(A).sum() - 1) * to_others(A)
    return made


def key_strength(G: Floats) -> Floats:
    """c_j (…, n): mean over the other rows of the lift (…, n, n). Row sums are all alike and say nothing."""
    return nan_mean(G, axis=-2)


def asymmetry(A: Floats) -> Floats:
    """(A_ij - A_ji) / (A_ij + A_ji) (…, n, n) from -1 to 1; 0 where both are 0. Depends on no order of contacts."""
    B = np.swapaxes(A, -1, -2)
    total = A + B
    made: Floats = np.divide(A - B, total, out=np.zeros(A.shape), where=total != 0)  # NaN stays: it is not 0
    return made


def triangles(A: Floats) -> tuple[Floats, Floats]:
    """Mean of A above and below the diagonal (…): the poster's two triangles.

    They compare contacts by their order alone, which is hemisphere, shaft, contact, name and is saved with the graph.
    """
    above, below = (np.triu_indices(A.shape[-1], 1), np.tril_indices(A.shape[-1], -1))
    return nan_mean(A[..., above[0], above[1]], axis=-1), nan_mean(A[..., below[0], below[1]], axis=-1)


def rollout(A: Floats) -> Floats:
    """Product over layers of (mean over heads + I) / 2 (n, n) of A (l, h, n, n): how much input j reaches output i.

    Abnar and Zuidema, ACL 2020. Without a layer it is I.
    """
    n = A.shape[-1]
    R = np.eye(n)
    for layer in A:
        R = (layer.mean(axis=0) + np.eye(n)) / 2 @ R
    return R


def nan_mean(values: Floats, *, axis: int | tuple[int, ...]) -> Floats:
    """Mean of what is known along `axis`; NaN, without a warning, where nothing is."""
    known = ~np.isnan(values)
    n = known.sum(axis=axis)
    made: Floats = np.divide(
        np.where(known, values, 0.0).sum(axis=axis), n, out=np.full(np.shape(n), np.nan), where=n > 0
    )
    return made
