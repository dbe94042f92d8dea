"""AUROC in many draws of patients at once, from counts of ordered pairs between patients.

A draw that holds patient p with weight w_p has sum_pq w_p w_q U_pq ordered pairs, U_pq being the pairs of a positive
clip of p above a negative clip of q (ties count half). So the clips are ranked once, not once a draw: the same value as
`clip_metrics.auroc`, for 45,000 clips some hundred times sooner. Axes: d draw, o owner (patient), i clip.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import Floats, ratio


def ordered_pairs(positive: NDArray[np.bool_], scores: Floats, owner: NDArray[np.integer], n_owners: int) -> Floats:
    """U (o, o): pairs of a positive clip of the row's owner above a negative clip of the column's; ties count half."""
    pairs = np.zeros((n_owners, n_owners))
    ups, up_owner = scores[positive], owner[positive]
    for column in range(n_owners):
        downs = np.sort(scores[~positive & (owner == column)])
        below = np.searchsorted(downs, ups, side="left") + np.searchsorted(downs, ups, side="right")
        pairs[:, column] = np.bincount(up_owner, weights=below / 2, minlength=n_owners)
    return pairs


def patient_auroc(positive: NDArray[np.bool_], scores: Floats, patients: NDArray[Any], counts: Floats) -> Floats:
    """AUROC (d,) where patient o, in the order of their names, was drawn counts (d, o) times; NaN without a class."""
    names, owner = np.unique(patients, return_inverse=True)
    pairs = ordered_pairs(positive, scores, owner, len(names))
    ups, downs = (np.bincount(owner[rows], minlength=len(names)) for rows in (positive, ~positive))
    return ratio(((counts @ pairs) * counts).sum(axis=1), (counts @ ups) * (counts @ downs))
