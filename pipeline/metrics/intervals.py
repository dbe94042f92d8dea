"""Patient-bootstrap intervals: patients are drawn with replacement, each with all of its clips.

Clips of one patient resemble one another, so that resampling clips would give intervals that are far too narrow. A
draw is a vector of clip weights (how often the clip's patient was drawn); a statistic that takes weights is computed
for many draws at once.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_DEFINED = 0.5  # of the draws in which the statistic must be defined for an interval to be given
CELLS_AT_ONCE = 4_000_000  # draws x clips held in memory


def patient_weights(
    patients: NDArray[Any], *, draws: int, rng: np.random.Generator, cells: int = CELLS_AT_ONCE
) -> Iterator[NDArray[np.float64]]:
    """Blocks of draws: weights (d, clips), how often each clip's patient was drawn. Equal rng, equal draws."""
    names, owner = np.unique(patients, return_inverse=True)
    chance = np.full(len(names), 1.0 / max(len(names), 1))
    step = max(1, cells // max(len(patients), 1))
    for first in range(0, draws, step):
        counts = rng.multinomial(len(names), chance, size=min(step, draws - first))
        yield counts[:, owner].astype(np.float64)


def interval(samples: NDArray[np.floating], confidence: float) -> tuple[float, float] | tuple[None, None]:
    """Percentile interval of bootstrap samples (d,); NaN samples are draws in which the statistic was undefined."""
    defined = samples[np.isfinite(samples)]
    if not len(samples) or len(defined) < MIN_DEFINED * len(samples):
        return None, None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def patient_bootstrap(
    values: NDArray[Any],
    patients: NDArray[Any],
    statistic: Callable[[NDArray[Any]], Any],
    *,
    draws: int,
    rng: np.random.Generator,
    confidence: float,
) -> tuple[float, float] | tuple[None, None]:
    """(low, high) of `statistic(values)`, values (clips, ...) resampled by `patients` (clips,).

    Paired differences: give both systems' values of each clip as columns, or their difference as values. The mean of
    a vector is computed for all draws at once; any other statistic is called once a draw. (None, None) where it is
    undefined in more than half of the draws.
    """
    if not len(values):
        return None, None
    if statistic is np.mean and values.ndim == 1:
        blocks = patient_weights(patients, draws=draws, rng=rng)
        return interval(np.concatenate([w @ values / w.sum(axis=1) for w in blocks]), confidence)
    names, owner = np.unique(patients, return_inverse=True)
    clips_of = [np.flatnonzero(owner == patient) for patient in range(len(names))]
    picks = rng.integers(len(names), size=(draws, len(names)))
    samples = [float(statistic(values[np.concatenate([clips_of[k] for k in pick])])) for pick in picks]
    return interval(np.array(samples), confidence)
