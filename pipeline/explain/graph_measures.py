"""Numbers that describe a learned graph: how spread out its rows are, how far from the prior it is, who is listened to.

Row i of a graph A (n, n) is the receiver: (A h)_i = sum_j A_ij h_j (spec sglc.md, section 3). Every function takes
(..., n, n); a graph of NaN (a second beyond the clip's end) gives NaN, and hub -1.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
TIED = 1e-5  # column sums that are nearer than this are equal: rounding must not choose the hub of an even graph
NO_HUB = -1
ROUNDING = 1e-7  # nats: heads that disagree by less are alike


def row_entropy(A: Array) -> NDArray[np.float64]:
    """Entropy (..., n) in nats of each row, made a distribution: entries below 0 count as 0, the rest sums to 1.

    Rows of the corrected variant are distributions already. Those of the published one start from a Laplacian whose
    entries are negative. A row without a positive entry has no entropy: NaN.
    """
    positive = np.maximum(np.asarray(A, dtype=np.float64), 0.0)  # NaN stays
    total = positive.sum(axis=-1, keepdims=True)
    share = np.divide(positive, total, out=np.full_like(positive, np.nan), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(axis=-1)


def distance(A: Array, B: Array) -> NDArray[np.float64]:
    """Frobenius norm (...) of A - B."""
    return np.sqrt(np.square(np.asarray(A, dtype=np.float64) - B).sum(axis=(-2, -1)))


def off_diagonal(A: Array) -> NDArray[np.float64]:
    """Sum (...) of all entries off the diagonal: of n in a row-stochastic graph, what is taken from other channels."""
    values = np.asarray(A, dtype=np.float64)
    return values.sum(axis=(-2, -1)) - np.einsum("...nn->...", values)


def sent(A: Array) -> NDArray[np.float64]:
    """Column sums (..., n), self-loops included: how much each channel is listened to. Their mean is 1 where rows sum
    to 1."""
    return np.asarray(A, dtype=np.float64).sum(axis=-2)


def hub(A: Array) -> NDArray[np.int64]:
    """Channel (...) of the largest column sum; of several within TIED of it the first. NO_HUB where A is NaN."""
    columns = sent(A)
    largest = np.max(columns, axis=-1, keepdims=True)
    first = np.argmax(columns >= largest - TIED, axis=-1)
    return np.where(np.isnan(largest[..., 0]), NO_HUB, first).astype(np.int64)


def head_disagreement(heads: Array) -> NDArray[np.float64]:
    """Jensen-Shannon divergence (...) in nats between the rows of graphs `heads` (..., p, n, n), mean over rows.

    H(mean over heads) - mean over heads of H: 0 where all heads attend alike, log p where no two share a sender
    (Lin 1991, IEEE Transactions on Information Theory 37).
    """
    mixture = row_entropy(np.asarray(heads, dtype=np.float64).mean(axis=-3))  # (..., n)
    own = row_entropy(heads).mean(axis=-2)  # (..., p, n) -> (..., n)
    divergence = (mixture - own).mean(axis=-1)
    return np.where(divergence < ROUNDING, 0.0, divergence)
