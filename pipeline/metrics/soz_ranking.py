"""How well scores rank the contacts of one patient (spec soz.md, section 7). Never accuracy.

Where scores tie, every measure is its expectation over random orders of the tied contacts: a score that is the same for
all finds a SOZ contact first as often as chance does. Axis: c contact.
"""

from math import comb

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import Floats, auprc, auroc

TOP = (1, 3, 5)
TOP_SHARE = 0.1  # of the contacts, for precision_10
UNITS = {
    "auroc": "area under the ROC curve",
    "auprc": "average precision",
    "auprc_ratio": "average precision over the share of SOZ contacts: chance is about 1",
    "recall_at_soz": "share of the SOZ among as many contacts of highest score as the SOZ has",
    **{f"top{k}": f"whether a SOZ contact is among the {k} of highest score" for k in TOP},
    "precision_10": "share of SOZ contacts among the tenth of highest score",
    "mm_to_soz": "mm from the contact of highest score to the nearest SOZ contact",
}
RANKING = tuple(UNITS)
LOWER_IS_BETTER = frozenset(["mm_to_soz"])


def ranking_metrics(positive: NDArray[np.bool_], scores: Floats, place_mm: Floats) -> dict[str, float]:
    """All of RANKING, of contacts (c,) with places (c, 3), NaN where unknown. `positive` holds both classes."""
    ones, n, n_soz = np.ones((1, len(scores))), len(scores), int(positive.sum())
    precision = float(auprc(positive, scores, ones)[0])
    tenth = tenth_of(n)
    return {
        "auroc": float(auroc(positive, scores, ones)[0]),
        "auprc": precision,
        "auprc_ratio": precision * n / n_soz,
        "recall_at_soz": positives_among(positive, scores, n_soz) / n_soz,
        **{f"top{k}": hit_among(positive, scores, k) for k in TOP},
        "precision_10": positives_among(positive, scores, tenth) / tenth,
        "mm_to_soz": distance_mm(positive, scores, place_mm),
    }


def tenth_of(n: int) -> int:
    """A tenth of n contacts, rounded up: at least one."""
    return int(np.ceil(n * TOP_SHARE - 1e-9))


def positives_among(positive: NDArray[np.bool_], scores: Floats, k: int) -> float:
    """Expected positives among the k of highest score."""
    above, tied, slots = _cut(scores, k)
    share = slots / max(int(tied.sum()), 1)
    return float(positive[above].sum() + share * positive[tied].sum())


def hit_among(positive: NDArray[np.bool_], scores: Floats, k: int) -> float:
    """Probability that a positive is among the k of highest score."""
    above, tied, slots = _cut(scores, k)
    if positive[above].any():
        return 1.0
    n_tied, negatives = int(tied.sum()), int((tied & ~positive).sum())
    return 1.0 - comb(negatives, slots) / comb(n_tied, slots)


def _cut(scores: Floats, k: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """Contacts above the k-th highest score, those that tie with it, and how many of these belong to the k."""
    k = min(k, len(scores))
    last = np.sort(scores)[len(scores) - k]
    above: NDArray[np.bool_] = scores > last
    tied: NDArray[np.bool_] = ~above & (scores >= last)
    return above, tied, k - int(above.sum())


def distance_mm(positive: NDArray[np.bool_], scores: Floats, place_mm: Floats) -> float:
    """mm from the contact of highest score to the nearest positive: 0 if it is one; NaN where places are unknown."""
    known = np.asarray(np.isfinite(place_mm).all(axis=1), dtype=bool)
    targets = place_mm[positive & known]
    found = []
    for first in np.flatnonzero(scores >= scores.max()).tolist():
        if positive[first]:
            found.append(0.0)
        elif known[first] and len(targets):
            found.append(float(np.linalg.norm(targets - place_mm[first], axis=1).min()))
    return float(np.mean(found)) if found else float("nan")
