"""The metrics table of one run: every metric of every seed and over seeds, with patient-bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.calibration import classification_calibration, detection_calibration
from pipeline.metrics.clip_metrics import Key, classification_metrics, detection_metrics, reason
from pipeline.metrics.intervals import interval, patient_weights
from pipeline.settings.evaluation import ALL, EvaluationSettings

OVER_SEEDS = -1
NO_CLIP = "there is no test clip; add test patients"
COLUMNS = [
    "seed", "metric", "class", "value", "std", "n_seeds", "low", "high", "n_clips", "n_patients", "reason",
]  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """Test clips of one seed: labels (i,), probabilities (i, c), predicted classes (i,), owners (i,), names (i,).

    `scaled` (i, c): probabilities at the `temperature` that suits the validation clips best; None: there is none.
    """

    seed: int
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.int64]
    patients: NDArray[Any]
    clips: NDArray[Any] | None = None
    scaled: NDArray[np.float64] | None = None
    temperature: float | None = None


def measure(one: Predicted, classes: tuple[str, ...], weights: NDArray[np.float64]) -> dict[Key, NDArray[np.float64]]:
    """Every metric but those of calibration, for every row of clip weights (d, i); one class name means detection."""
    if len(classes) == 1:
        return detection_metrics(one.labels, one.probabilities[:, 0], one.predicted, weights)
    return classification_metrics(one.labels, one.probabilities, one.predicted, weights, classes)


def calibrated(
    one: Predicted, classes: tuple[str, ...], weights: NDArray[np.float64], *, bins: int
) -> dict[Key, NDArray[np.float64]]:
    """The metrics of calibration (calibration.py), and the temperature, which is the same in every draw."""
    temperature = {Key("temperature", ""): np.full(len(weights), np.nan if one.scaled is None else one.temperature)}
    if len(classes) == 1:
        scaled = None if one.scaled is None else one.scaled[:, 0]
        found = detection_calibration(one.labels, one.probabilities[:, 0], scaled, weights, bins=bins)
    else:
        found = classification_calibration(one.labels, one.probabilities, one.scaled, weights, classes, bins=bins)
    return found | temperature


def metrics_table(seeds: Sequence[Predicted], classes: tuple[str, ...], settings: EvaluationSettings) -> pd.DataFrame:
    """One row per seed and metric, and rows of seed -1 for the mean over seeds with its standard deviation.

    The seeds share the bootstrap draws, so that the interval of their mean is that of the mean in each draw. Undefined
    metrics have no value and a reason; without any test clip that is all of them (faults.md, row 31).
    """
    n_clips, n_patients = len(seeds[0].labels), len(np.unique(seeds[0].patients))
    plain = [_everything(one, classes, np.ones((1, n_clips)), settings) for one in seeds]
    drawn = [_bootstrap(one, classes, settings) for one in seeds]
    rows = []
    for key in plain[0]:
        values = np.array([found[key][0] for found in plain])
        samples = np.stack([found[key] for found in drawn])
        per_seed = [(one.seed, values[k : k + 1], samples[k]) for k, one in enumerate(seeds)]
        for seed, value, draws in [*per_seed, (OVER_SEEDS, values, samples.mean(axis=0))]:
            rows.append(
                _row(key, seed, value, interval(draws, settings.confidence) if n_patients > 1 else (None, None))
            )
    table = pd.DataFrame(rows).assign(**({} if n_clips else {"reason": NO_CLIP}))
    table = table.astype(dict.fromkeys(["value", "std", "low", "high"], np.float64))
    table.loc[table["metric"] == "temperature", ["low", "high"]] = np.nan  # was fitted on other clips
    return table.assign(n_clips=n_clips, n_patients=n_patients)[COLUMNS]


def of_list(metrics: pd.DataFrame, name: str = ALL) -> pd.DataFrame:
    """Rows of metrics.parquet that were scored on one list of test clips: every reader wants one, or mixes them."""
    return metrics[metrics["list"] == name].reset_index(drop=True)


def _everything(
    one: Predicted, classes: tuple[str, ...], weights: NDArray[np.float64], settings: EvaluationSettings
) -> dict[Key, NDArray[np.float64]]:
    return measure(one, classes, weights) | calibrated(one, classes, weights, bins=settings.calibration_bins)


def _bootstrap(
    one: Predicted, classes: tuple[str, ...], settings: EvaluationSettings
) -> dict[Key, NDArray[np.float64]]:
    rng = np.random.default_rng(settings.seed)
    if not len(one.labels):
        return _everything(one, classes, np.ones((1, 0)), settings)
    draws = patient_weights(one.patients, draws=settings.bootstrap, rng=rng)
    blocks = [_everything(one, classes, weights, settings) for weights in draws]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def _row(
    key: Key, seed: int, values: NDArray[np.float64], bounds: tuple[float, float] | tuple[None, None]
) -> dict[str, Any]:
    defined = bool(np.isfinite(values).all())
    spread = float(values.std(ddof=1)) if defined and len(values) > 1 else None
    low, high = bounds if defined else (None, None)
    return {
        "seed": seed,
        "metric": key.metric,
        "class": key.about,
        "value": float(values.mean()) if defined else np.nan,
        "std": np.nan if spread is None else spread,
        "n_seeds": len(values),
        "low": np.nan if low is None else low,
        "high": np.nan if high is None else high,
        "reason": "" if defined else reason(key),
    }
