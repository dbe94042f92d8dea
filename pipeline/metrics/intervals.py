"""Patient-bootstrap intervals: patients are drawn with replacement, each with all of its clips.

Clips of one patient resemble one another, so that resampling clips would give intervals that are far too narrow. A
draw is a vector of clip weights (how often the clip's patient was drawn); a statistic that takes weights is computed
for many draws at once.
"""

from collections.abc import Iterator
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
