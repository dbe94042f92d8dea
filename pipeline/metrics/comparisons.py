"""Paired differences between two runs on the same test clips, over patients and seeds (docs/statistics.md).

Patients and seeds are crossed: every model meets every patient. So each draw redraws both, patients with all of their
clips and the same for either run, and seeds (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1, 2007).
Axes: d draw, i clip, s seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import Floats, Key, reason
from pipeline.metrics.evaluation import NO_CLIP, Predicted, measure
from pipeline.metrics.intervals import MIN_DEFINED, interval, patient_weights
from pipeline.metrics.patient_auroc import patient_auroc

ONE_PATIENT = "the clips are of one patient: there is nothing to draw from"
FEW_DRAWS = "undefined in more than half of the draws of patients"


class DifferentClips(ValueError):
    """Two runs that did not predict the same test clips: their difference would mean nothing."""


@dataclass(frozen=True)
class Difference:
    """Metric of the first run less that of the second, each the mean over its seeds; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None  # two-sided
    n_seeds: int  # the smaller number of the two runs
    n_patients: int
    n_clips: int
    reason: str  # why something is undefined; empty: nothing is
    first: float | None  # the metric of either run
    second: float | None


@dataclass(frozen=True)
class Drawn:
    """One metric of one run: plain values (s,), values in every draw of patients (s, d), and what it was made from."""

    seeds: tuple[int, ...]
    values: Floats
    draws: Floats
    patients: NDArray[Any]  # of each clip
    labels: NDArray[np.int64]
    clips: NDArray[Any] | None


def paired_difference(
    first: Sequence[Predicted],
    second: Sequence[Predicted],
    classes: tuple[str, ...],
    *,
    metric: Key,
    draws: int,
    confidence: float,
    seed: int,
) -> Difference:
    """Difference of a metric with its interval and two-sided p; see `difference_of`.

    Raises DifferentClips where the runs, or two seeds, did not predict the same clips in the same order.
    """
    one, other = (draw_metric(run, classes, metric=metric, draws=draws, seed=seed) for run in (first, second))
    return difference_of(one, other, metric=metric, confidence=confidence, seed=seed)


def draw_metric(run: Sequence[Predicted], classes: tuple[str, ...], *, metric: Key, draws: int, seed: int) -> Drawn:
    """A metric of every seed of a run, plain and in `draws` draws of patients; equal seed and patients, equal draws."""
    for one in run[1:]:
        check_same(_description(run[0]), _description(one), f"seeds {run[0].seed} and {one.seed} of one run")
    patients, n_clips = run[0].patients, len(run[0].labels)
    plain = np.array([measure(one, classes, np.ones((1, n_clips)))[metric][0] for one in run])
    drawn = np.full((len(run), draws), np.nan)
    ranking = len(classes) == 1 and metric == Key("auroc", "")
    drawn_of = np.unique(patients) if ranking else patients  # a weight for each patient, or for each clip
    start = 0
    for weights in patient_weights(drawn_of, draws=draws, rng=np.random.default_rng(seed)) if n_clips else ():
        block = slice(start, start + len(weights))
        for k, one in enumerate(run):
            if ranking:
                drawn[k, block] = patient_auroc(one.labels == 1, one.probabilities[:, 0], patients, weights)
            else:
                drawn[k, block] = measure(one, classes, weights)[metric]
        start += len(weights)
    return Drawn(tuple(one.seed for one in run), plain, drawn, *_description(run[0]))


def difference_of(first: Drawn, second: Drawn, *, metric: Key, confidence: float, seed: int) -> Difference:
    """Difference of two runs that were drawn with the same seed, with percentile interval and two-sided p.

    Where both runs have the same seeds, a seed is drawn for both at once, as a patient is: the same seed draws the same
    negatives and the same order of clips. Otherwise each run's seeds are drawn by themselves.
    """
    check_same((first.patients, first.labels, first.clips), (second.patients, second.labels, second.clips), "two runs")
    rng = np.random.default_rng([seed, 1])  # 1: another stream than that of the patients
    if first.seeds == second.seeds:
        values, samples = first.values - second.values, over_drawn_seeds(first.draws - second.draws, rng)
    else:
        values = np.atleast_1d(first.values.mean() - second.values.mean())
        samples = over_drawn_seeds(first.draws, rng) - over_drawn_seeds(second.draws, rng)
    names, n_clips, value = np.unique(first.patients), len(first.labels), float(values.mean())
    if not np.isfinite(value):
        why = reason(metric) if n_clips else NO_CLIP
    elif len(names) < 2:
        why = ONE_PATIENT
    else:
        why = FEW_DRAWS if np.isfinite(samples).mean() < MIN_DEFINED else ""
    low, high = (None, None) if why else interval(samples, confidence)
    return Difference(
        value=_plain(value),
        low=low,
        high=high,
        p=None if why else two_sided_p(samples),
        n_seeds=min(len(first.seeds), len(second.seeds)),
        n_patients=len(names),
        n_clips=n_clips,
        reason=why,
        first=_plain(first.values.mean()),
        second=_plain(second.values.mean()),
    )


def over_drawn_seeds(samples: Floats, rng: np.random.Generator) -> Floats:
    """Mean over as many seeds, drawn with replacement, of (s, d) -> (d,).

    A mean of n drawn seeds varies by (n - 1) / n of what it should, half of it for two seeds, so its distance from the
    mean over all seeds is stretched by sqrt(n / (n - 1)) (Rao and Wu, JASA 83, 1988). One seed stands as it is: the
    interval then speaks of that one model.
    """
    n = len(samples)
    mean: Floats = samples.mean(axis=0)
    if n == 1:
        return mean
    counts = rng.multinomial(n, np.full(n, 1 / n), size=samples.shape[1])  # d, s
    drawn: Floats = np.einsum("ds,sd->d", counts, samples) / n
    return mean + np.sqrt(n / (n - 1)) * (drawn - mean)


def two_sided_p(samples: Floats) -> float:
    """Twice the share of draws on the rarer side of 0, so that p < 1 - confidence where the interval leaves 0 out.

    One is added above and below (Davison and Hinkley 1997, section 4.2.3): no number of draws proves p = 0.
    """
    defined = samples[np.isfinite(samples)]
    rarer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + len(defined)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p of one family (Scandinavian Journal of Statistics 6, 1979); None stays and does not count."""
    known = sorted((p, k) for k, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, k) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[k] = largest
    return adjusted


Description = tuple[NDArray[Any], NDArray[np.int64], NDArray[Any] | None]


def check_same(one: Description, other: Description, who: str) -> None:
    """Raise DifferentClips unless patients agree, and names of clips, or labels where the clips have no names.

    Named clips may have other labels in one run than in the other: `compat.label_edge` moves labels, not clips.
    """
    (patients, labels, clips), (others, other_labels, other_clips) = one, other
    named = clips is not None and other_clips is not None
    pairs = [(patients, others), (clips, other_clips) if named else (labels, other_labels)]
    if all(np.array_equal(mine, theirs) for mine, theirs in pairs):  # type: ignore[arg-type]
        return
    n_patients = f"{len(np.unique(patients))} and {len(np.unique(others))} patients"
    raise DifferentClips(
        f"{who} predicted different test clips ({len(labels)} and {len(other_labels)}, of {n_patients}); predict both "
        "on the same corpus, task, clip length and scheme"
    )


def _description(one: Predicted) -> Description:
    return one.patients, one.labels, one.clips


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
