"""Means over patients with intervals, paired comparisons, and what is pooled over contacts (spec soz.md, section 7).

Patients and seeds are crossed: each draw redraws patients, and seeds (see comparisons.py). Patients of a fold share a
model, so that an interval reaches at least as far as the folds among themselves do. What intervals are, where there is
none, and how often they miss: docs/statistics.md. Axes: d draw, k fold, s seed, p patient, i contact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from pipeline.metrics.clip_metrics import Floats, auroc, ratio
from pipeline.metrics.comparisons import FEW_DRAWS, over_drawn_seeds
from pipeline.metrics.intervals import interval, patient_weights
from pipeline.settings.soz import SozEvaluation

UNDEFINED = "no patient has a value"
NO_CHANGE = "the two never differ"
NO_SPREAD = "every draw of patients gives the same value: no interval"
ONE_GROUP = "the patients are of one group"
NEEDS_FOLD = "undefined without one of the folds: no interval"
FEWEST_FOLDS = 3  # Student's t of two folds has one degree of freedom: every interval would be nearly the whole scale
SAME = 1e-12  # differences of sums in another order


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; None where undefined, and why."""

    value: float | None
    low: float | None
    high: float | None
    n_patients: int
    reason: str


def table_of(rows: pd.DataFrame, metric: str, patients: Sequence[str]) -> Floats:
    """(s, p) values of a metric in rows of one system and condition; NaN where there is none."""
    own = rows[rows["metric"] == metric]
    values = own.pivot(index="seed", columns="patient", values="value").reindex(columns=list(patients))
    return values.to_numpy(dtype=np.float64)


def weights_of(folds: NDArray[np.integer], settings: SozEvaluation) -> Floats:
    """(k + d, p): how often each patient, of fold `folds` (p,), counts: without each fold in turn, then in each draw.

    Equal number of patients and seed, equal draws.
    """
    without = (np.unique(folds)[:, None] != folds).astype(np.float64)
    return np.concatenate([without, _draws(len(folds), settings.bootstrap, settings.seed)])


@lru_cache(maxsize=64)
def _draws(n: int, draws: int, seed: int) -> Floats:
    blocks = list(patient_weights(np.arange(n), draws=draws, rng=np.random.default_rng(seed))) if n else []
    return np.concatenate(blocks) if blocks else np.zeros((draws, 0))


def mean_estimate(values: Floats, folds: NDArray[np.integer], settings: SozEvaluation) -> Estimate:
    """Mean over the patients and seeds of (s, p) with its interval; patients without a value are left out first.

    folds (p,): the fold in which a patient was tested.
    """
    known = np.isfinite(values).any(axis=0)
    values, folds = values[:, known], folds[known]
    if not len(folds):
        return Estimate(None, None, None, 0, UNDEFINED)
    samples = np.stack([_drawn_means(one, weights_of(folds, settings)) for one in values])
    mean = float(np.mean([one[np.isfinite(one)].mean() for one in values]))
    return estimate_of(mean, samples, folds, settings)


def _drawn_means(values: Floats, weights: Floats) -> Floats:
    known = np.isfinite(values)
    return ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(np.float64))


def estimate_of(
    value: float,
    samples: Floats,
    folds: NDArray[np.integer],
    settings: SozEvaluation,
    *,
    smallest: int | None = None,
) -> Estimate:
    """With the interval of samples (s, k + d), made with weights_of the folds (p,); `smallest`: of two groups, the
    smaller one's size.

    From the lower of two lower limits to the higher of two higher ones: of patients, redrawn, and of folds, left out
    one by one. No interval where patients, or that group, are fewer than `fewest_patients`, where folds are fewer than
    FEWEST_FOLDS, or where all draws are alike.
    """
    n, n_folds = len(folds), len(np.unique(folds))
    without, samples = samples[:, :n_folds], samples[:, n_folds:]
    if not np.isfinite(value):
        return Estimate(None, None, None, n, UNDEFINED)
    fewest = fewest_patients(settings.confidence)
    if (n if smallest is None else smallest) < fewest:
        of = "patients have a value" if smallest is None else "patients are in one of the groups"
        return Estimate(value, None, None, n, f"fewer than {fewest} {of}: no interval")
    defined = samples[np.isfinite(samples)]
    if len(defined) and np.ptp(defined) < SAME:
        return Estimate(value, None, None, n, NO_SPREAD)
    if n_folds < FEWEST_FOLDS:
        why = f"patients of {n_folds} fold{'s' * (n_folds > 1)}, and those of a fold share a model: no interval"
        return Estimate(value, None, None, n, why)
    drawn = over_drawn_seeds(samples, np.random.default_rng([settings.seed, 1]))
    low, high = interval(drawn, expanded(settings.confidence, n))
    reach = fold_reach(without.mean(axis=0), settings.confidence)
    if low is None or high is None or not np.isfinite(reach):
        return Estimate(value, None, None, n, FEW_DRAWS if low is None else NEEDS_FOLD)
    return Estimate(value, min(low, value - reach), max(high, value + reach), n, "")


def fold_reach(without: Floats, confidence: float) -> float:
    """How far an interval reaches to either side where folds, not patients, are independent; `without` (k,): the value
    without each fold.

    Student's t with k - 1 degrees of freedom times the standard error of the jackknife that leaves out one fold at a
    time (the delete-a-group jackknife: Kott, Journal of Official Statistics 17, 2001).
    """
    k = len(without)
    error = sqrt((k - 1) / k * float(((without - without.mean()) ** 2).sum()))
    return float(stdtrit(k - 1, (1 + confidence) / 2)) * error


def fewest_patients(confidence: float) -> int:
    """The least number of patients for whom it is rarer than 1 - confidence that all lie on one side by chance.

    2 / 2^n: six at 0.95. With fewer no signed-rank or sign test could say anything, and the bootstrap's interval leaves
    the truth out far too often.
    """
    return ceil(log2(2 / (1 - confidence)) - 1e-9)


def expanded(confidence: float, n: int) -> float:
    """The level of the percentiles, so that they are as far out as Student's t with n - 1 degrees of freedom asks.

    Redrawn means of n vary by (n - 1) / n of what they should, and n - 1 deviations know their own spread badly
    (the expanded percentile interval: Hesterberg, The American Statistician 69, 2015).
    """
    out = sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - confidence) / 2)
    return 1 - 2 * float(ndtr(out))


def separation(
    values: Floats, positive: NDArray[np.bool_], folds: NDArray[np.integer], settings: SozEvaluation
) -> Estimate:
    """AUROC by which patient values (s, p) tell two groups of patients apart, with its interval; folds (p,).

    No interval where one group is of a few, or the order is perfect: that happens by luck.
    """
    known = np.isfinite(values).all(axis=0)
    values, positive, folds = values[:, known], positive[known], folds[known]
    n = values.shape[1]
    if not positive.any() or positive.all():
        return Estimate(None, None, None, n, ONE_GROUP)
    weights, smallest = weights_of(folds, settings), int(min(positive.sum(), (~positive).sum()))
    plain = float(np.mean([auroc(positive, one, np.ones((1, n)))[0] for one in values]))
    samples = np.stack([auroc(positive, one, weights) for one in values])
    return estimate_of(plain, samples, folds, settings, smallest=smallest)


@dataclass(frozen=True)
class Paired:
    """Mean difference over patients (first less second) with its interval, and Wilcoxon's signed-rank p."""

    first: float | None
    second: float | None
    estimate: Estimate
    p: float | None
    n_differ: int
    reason: str


def paired(first: Floats, second: Floats, folds: NDArray[np.integer], settings: SozEvaluation) -> Paired:
    """Of (s, p) and (s', p) over the same patients of the same folds (p,); only those with a value in both count.

    Where both have the same number of seeds these are paired as well; else each patient's mean over the seeds of the
    second is taken from every seed of the first.
    """
    both = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    first, second, folds = first[:, both], second[:, both], folds[both]
    paired_seeds = len(first) == len(second)
    differences = first - (second if paired_seeds else second.mean(axis=0))
    estimate = mean_estimate(differences, folds, settings)
    if estimate.value is None:
        return Paired(None, None, estimate, None, 0, estimate.reason)
    p, n_differ = wilcoxon_p(differences.mean(axis=0))
    why = estimate.reason if n_differ else NO_CHANGE
    return Paired(float(first.mean()), float(second.mean()), estimate, p, n_differ, why)


def wilcoxon_p(differences: Floats) -> tuple[float | None, int]:
    """Two-sided p of Wilcoxon's signed-rank test, and how many patients differ; None where nobody does."""
    from scipy.stats import wilcoxon

    moved = differences[np.abs(differences) > SAME]
    if not len(moved):
        return None, 0
    return float(wilcoxon(np.round(moved, 12), zero_method="wilcox", method="auto").pvalue), len(moved)
