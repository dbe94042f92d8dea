"""A number with its patient-bootstrap interval and the counts behind it, ready for JSON."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.intervals import CELLS_AT_ONCE, interval, patient_weights

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]  # clip weights (d, clips) -> one value a draw (d,)


def measured(
    statistic: Statistic,
    patients: NDArray[Any],
    *,
    strata: NDArray[Any] | None = None,
    draws: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """{value, low, high, n_clips, n_patients} of a statistic of weighted clips; `patients` (clips,) owns them.

    With `strata` (clips,), e.g. the corpus, patients are drawn within each stratum. There is no value from no clip and
    no interval where some stratum has fewer than two patients (it would not vary at all): these are null.
    """
    counts = {"n_clips": len(patients), "n_patients": len(np.unique(patients))}
    if not len(patients):
        return {"value": None, "low": None, "high": None, **counts}
    value = float(statistic(np.ones((1, len(patients))))[0])
    low = high = None
    strata = np.zeros(len(patients)) if strata is None else strata
    fewest = min(len(np.unique(patients[strata == stratum])) for stratum in np.unique(strata))
    if fewest > 1 and np.isfinite(value):
        weights = _weights(patients, strata, draws=draws, rng=rng)
        low, high = interval(np.concatenate([statistic(block) for block in weights]), confidence)
    return {"value": value if np.isfinite(value) else None, "low": low, "high": high, **counts}


def mean_of(values: Floats) -> Statistic:
    """The mean of values (clips,), as a statistic of clip weights."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def _weights(patients: NDArray[Any], strata: NDArray[Any], *, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Blocks of clip weights (d, clips): how often each clip's patient was drawn within its stratum."""
    members = [np.flatnonzero(strata == name) for name in np.unique(strata)]
    step = max(1, CELLS_AT_ONCE // len(patients))
    blocks = [
        patient_weights(patients[own], draws=draws, rng=child, cells=step * len(own))
        for own, child in zip(members, rng.spawn(len(members)), strict=True)
    ]
    for parts in zip(*blocks, strict=True):
        weights = np.empty((len(parts[0]), len(patients)))
        for own, part in zip(members, parts, strict=True):
            weights[:, own] = part
        yield weights
