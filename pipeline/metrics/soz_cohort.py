"""Means over patients with intervals, paired comparisons, and what is pooled over contacts (spec soz.md, section 7).

Patients and seeds are crossed: each draw redraws patients, and seeds (see comparisons.py). What intervals are, where
there is none, and how often they miss: docs/statistics.md. Axes: d draw, s seed, p patient, i contact.
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


def draws_of(n: int, settings: SozEvaluation) -> Floats:
    """(d, p): how often each of n patients was drawn; equal n and seed, equal draws."""
    return _draws(n, settings.bootstrap, settings.seed)


@lru_cache(maxsize=64)
def _draws(n: int, draws: int, seed: int) -> Floats:
    blocks = list(patient_weights(np.arange(n), draws=draws, rng=np.random.default_rng(seed))) if n else []
    return np.concatenate(blocks) if blocks else np.zeros((draws, 0))


def mean_estimate(values: Floats, settings: SozEvaluation) -> Estimate:
    """Mean over the patients and seeds of (s, p) with its interval; patients without a value are left out first."""
    values = values[:, np.isfinite(values).any(axis=0)]
    n = values.shape[1]
    if not n:
        return Estimate(None, None, None, 0, UNDEFINED)
    samples = np.stack([_drawn_means(one, draws_of(n, settings)) for one in values])
    mean = float(np.mean([one[np.isfinite(one)].mean() for one in values]))
    return estimate_of(mean, samples, n, settings)


def _drawn_means(values: Floats, weights: Floats) -> Floats:
    known = np.isfinite(values)
    return ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(np.float64))


def estimate_of(
    value: float, samples: Floats, n: int, settings: SozEvaluation, *, smallest: int | None = None
) -> Estimate:
    """With the interval of samples (s, d), of n patients; `smallest`: how many the smaller of two groups has.

    No interval where they, or that group, are fewer than `fewest_patients`, or where all draws are alike.
    """
    if not np.isfinite(value):
        return Estimate(None, None, None, n, UNDEFINED)
    fewest = fewest_patients(settings.confidence)
    if (n if smallest is None else smallest) < fewest:
        of = "patients have a value" if smallest is None else "patients are in one of the groups"
        return Estimate(value, None, None, n, f"fewer than {fewest} {of}: no interval")
    defined = samples[np.isfinite(samples)]
    if len(defined) and np.ptp(defined) < SAME:
        return Estimate(value, None, None, n, NO_SPREAD)
    drawn = over_drawn_seeds(samples, np.random.default_rng([settings.seed, 1]))
    low, high = interval(drawn, expanded(settings.confidence, n))
    return Estimate(value, low, high, n, "" if low is not None else FEW_DRAWS)


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


def separation(values: Floats, positive: NDArray[np.bool_], settings: SozEvaluation) -> Estimate:
    """AUROC by which patient values (s, p) tell two groups of patients apart, with the interval over patients.

    No interval where one group is of a few, or the order is perfect: that happens by luck.
    """
    known = np.isfinite(values).all(axis=0)
    values, positive = values[:, known], positive[known]
    n = values.shape[1]
    if not positive.any() or positive.all():
        return Estimate(None, None, None, n, ONE_GROUP)
    weights, smallest = draws_of(n, settings), int(min(positive.sum(), (~positive).sum()))
    plain = float(np.mean([auroc(positive, one, np.ones((1, n)))[0] for one in values]))
    samples = np.stack([auroc(positive, one, weights) for one in values])
    return estimate_of(plain, samples, n, settings, smallest=smallest)


@dataclass(frozen=True)
class Paired:
    """Mean difference over patients (first less second) with its interval, and Wilcoxon's signed-rank p."""

    first: float | None
    second: float | None
    estimate: Estimate
    p: float | None
    n_differ: int
    reason: str


def paired(first: Floats, second: Floats, settings: SozEvaluation) -> Paired:
    """Of (s, p) and (s', p) over the same patients; only those with a value in both count.

    Where both have the same number of seeds these are paired as well; else each patient's mean over the seeds of the
    second is taken from every seed of the first.
    """
    both = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    first, second = first[:, both], second[:, both]
    paired_seeds = len(first) == len(second)
    differences = first - (second if paired_seeds else second.mean(axis=0))
    estimate = mean_estimate(differences, settings)
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
