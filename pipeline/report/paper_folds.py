"""Scores over the folds of a cross-validation (Table 3): their mean, and of all folds' test clips together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.clips import classes as scheme_classes
from pipeline.metrics.clip_metrics import Key
from pipeline.metrics.evaluation import OVER_SEEDS, Predicted, measure, metrics_table
from pipeline.metrics.intervals import interval, patient_weights
from pipeline.report.inventory import RunEntry
from pipeline.report.tables import records
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.store import read_table

Score = dict[str, Any]
NO_SEED = "the folds have no seed in common"


def predicted_clips(path: str, seed: int, classes: tuple[str, ...]) -> Predicted:
    """The test clips of one classifier, in the order of their names."""
    table = read_table(path)
    table = table[table["split"] == "test"].sort_values("clip", kind="stable")
    return Predicted(
        seed=seed,
        labels=table["label"].to_numpy(dtype=np.int64),
        probabilities=table[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64),
        predicted=table["predicted"].to_numpy(dtype=np.int64),
        patients=table["patient"].to_numpy(dtype=object).astype(str),
    )


def fold_scores(folds: Sequence[RunEntry], metric: str, settings: EvaluationSettings) -> list[Score]:
    """Two scores: the mean over the folds, and that of all folds' clips together; each seed has one model a fold."""
    classes = scheme_classes(folds[0].scheme)
    seeds = [seed for seed in folds[0].seeds if all(seed in fold.seeds for fold in folds)]
    if not seeds:
        return [{"reason": NO_SEED}]
    found = [
        [predicted_clips(fold.predictions[fold.seeds.index(seed)], seed, classes) for fold in folds] for seed in seeds
    ]
    pooled = metrics_table([_joined(one) for one in found], classes, settings)
    own = pooled[(pooled["seed"] == OVER_SEEDS) & (pooled["metric"] == metric) & (pooled["class"] == "")]
    mean = _mean(found, Key(metric, ""), classes, settings)
    return [{**mean, "over": "mean of folds"}, {**records(own)[0], "over": "all folds together"}]


def _joined(folds: Sequence[Predicted]) -> Predicted:
    return Predicted(
        seed=folds[0].seed,
        labels=np.concatenate([fold.labels for fold in folds]),
        probabilities=np.concatenate([fold.probabilities for fold in folds]),
        predicted=np.concatenate([fold.predicted for fold in folds]),
        patients=np.concatenate([fold.patients for fold in folds]),
    )


def _mean(found: list[list[Predicted]], key: Key, classes: tuple[str, ...], settings: EvaluationSettings) -> Score:
    """Mean over folds and seeds; the interval draws patients within each fold, the same for all seeds.

    Undefined where a fold has no test clip. No interval where a fold's clips are of one patient, who cannot be redrawn.
    """
    values = np.array([[_plain(fold, key, classes) for fold in folds] for folds in found])  # seed, fold
    per_seed = values.mean(axis=1)
    low, high = None, None
    if min(len(np.unique(fold.patients)) for fold in found[0]) > 1:
        draws = np.mean([_drawn(folds, key, classes, settings) for folds in found], axis=0)
        low, high = interval(draws, settings.confidence)
    patients = np.concatenate([fold.patients for fold in found[0]])
    empty = not all(len(fold.labels) for fold in found[0])
    return {
        "value": float(per_seed.mean()),
        "std": float(per_seed.std(ddof=1)) if len(per_seed) > 1 else np.nan,
        "n_seeds": len(per_seed),
        "low": np.nan if low is None else low,
        "high": np.nan if high is None else high,
        "n_clips": len(patients),
        "n_patients": len(np.unique(patients)),
        "reason": "a fold has no test clip"
        if empty
        else ""
        if np.isfinite(per_seed).all()
        else "undefined in some fold",
    }


def _plain(fold: Predicted, key: Key, classes: tuple[str, ...]) -> float:
    return float(measure(fold, classes, np.ones((1, len(fold.labels))))[key][0])


def _drawn(folds: Sequence[Predicted], key: Key, classes: tuple[str, ...], settings: EvaluationSettings) -> np.ndarray:
    means = []
    for number, fold in enumerate(folds):
        rng = np.random.default_rng([settings.seed, number])
        blocks = patient_weights(fold.patients, draws=settings.bootstrap, rng=rng)
        means.append(np.concatenate([measure(fold, classes, weights)[key] for weights in blocks]))
    return np.mean(means, axis=0)
