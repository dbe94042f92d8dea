"""A number with its patient-bootstrap interval and the counts behind it, ready for JSON."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.intervals import patient_bootstrap


def measured(
    values: NDArray[Any],
    patients: NDArray[Any],
    statistic: Callable[[NDArray[Any]], Any],
    *,
    draws: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """{value, low, high, n_clips, n_patients} of `statistic(values)`, `values` (clips, ...) resampled by patient.

    There is no interval from fewer than two patients, and no value from no clip: these are null.
    """
    counts = {"n_clips": len(values), "n_patients": len(np.unique(patients))}
    if not len(values):
        return {"value": None, "low": None, "high": None, **counts}
    low = high = None
    if counts["n_patients"] > 1:
        low, high = patient_bootstrap(values, patients, statistic, draws=draws, rng=rng, confidence=confidence)
    return {"value": _number(statistic(values)), "low": _number(low), "high": _number(high), **counts}


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
