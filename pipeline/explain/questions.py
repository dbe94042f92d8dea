"""Questions put to trained models, each answered with its patient interval, plainly, also when the answer is no.

One table a corpus (COLUMNS): a row for each model (run, seed) and test clip. Over several corpora, whose patients are
disjoint, a quantity is the mean of its values in each corpus, and patients are drawn within each corpus.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.clips import classes
from pipeline.explain.measured import Floats, measured
from pipeline.metrics.clip_metrics import Key, auroc, class_metrics, confusion
from pipeline.settings.experiments import ExperimentSettings

# permuted: logits under each permutation of the electrodes; line_length: of the channel chosen on validation clips
COLUMNS = [
    "task", "run", "seed", "clip", "patient", "label", "predicted", "logit", "permuted",
    "line_length", "line_length_best",
]  # fmt: skip
PRETRAINED, SCRATCH = "dist-ssl", "dist-scratch"
SCHEME = "four"


@dataclass(frozen=True)
class Corpus:
    """Test clips i of one corpus and task. Of each run: logit and predicted (seeds, i), permuted (seeds, k, i)."""

    patients: NDArray[Any]
    labels: NDArray[np.int64]
    channels: dict[str, Floats]  # single-channel scores (i,) by column name
    logit: dict[str, Floats]
    permuted: dict[str, Floats]
    predicted: dict[str, NDArray[np.int64]]


def read_corpus(table: pd.DataFrame, task: str) -> Corpus:
    """The clips of one task; every model of the table must have seen the same ones."""
    rows = table[table["task"] == task].sort_values(["run", "seed", "clip"], kind="stable")
    groups = {(str(run), seed): model for (run, seed), model in rows.groupby(["run", "seed"], sort=True)}  # type: ignore[misc]
    models = list(groups.items())
    first = models[0][1] if models else rows
    for (run, seed), model in models:
        if model["clip"].tolist() != first["clip"].tolist():
            raise ValueError(f"{run}, seed {seed}: its test clips are not those of the other models")
    runs = sorted({run for (run, _), _ in models})

    def stacked(column: str, run: str) -> NDArray[Any]:
        return np.stack([np.stack(model[column].to_list()) for (name, _), model in models if name == run])

    detection = task == "detection"
    return Corpus(
        patients=first["patient"].to_numpy(dtype=object).astype(str),
        labels=first["label"].to_numpy(dtype=np.int64),
        channels={name: first[name].to_numpy(dtype=float) for name in ("line_length", "line_length_best")},
        logit={run: stacked("logit", run) for run in runs if detection},
        permuted={run: np.swapaxes(stacked("permuted", run), 1, 2) for run in runs if detection},
        predicted={run: stacked("predicted", run) for run in runs},
    )


Quantity = Callable[[Corpus, Floats], Floats]  # clip weights (d, i) -> (d,)


def detection_auroc(run: str) -> Quantity:
    """AUROC of a run, mean over its seeds."""
    return lambda corpus, weights: _auroc(corpus, corpus.logit[run], weights)


def pretraining_gain(corpus: Corpus, weights: Floats) -> Floats:
    """AUROC pre-trained less from scratch."""
    return detection_auroc(PRETRAINED)(corpus, weights) - detection_auroc(SCRATCH)(corpus, weights)


def gain_over_channel(run: str, channel: str) -> Quantity:
    """AUROC of a run less that of one channel's line length."""
    return lambda corpus, weights: (
        detection_auroc(run)(corpus, weights) - _auroc(corpus, corpus.channels[channel][None], weights)
    )


def permutation_loss(run: str) -> Quantity:
    """AUROC less the mean AUROC over the permutations of the electrodes, mean over the seeds."""

    def loss(corpus: Corpus, weights: Floats) -> Floats:
        permuted = corpus.permuted[run]
        return detection_auroc(run)(corpus, weights) - _auroc(corpus, permuted.reshape(-1, permuted.shape[-1]), weights)

    return loss


def gain_over_majority(run: str) -> Quantity:
    """Weighted F1 of a classification run less that of always guessing the most frequent class of the test clips."""

    def gain(corpus: Corpus, weights: Floats) -> Floats:
        names = classes(SCHEME)
        found = []
        for predicted in corpus.predicted[run]:
            metrics = class_metrics(confusion(corpus.labels, predicted, weights, len(names)), names)
            found.append(metrics[Key("weighted_f1", "")] - metrics[Key("majority_weighted_f1", "")])
        return np.mean(found, axis=0)

    return gain


def _auroc(corpus: Corpus, scores: Floats, weights: Floats) -> Floats:
    """Mean AUROC (d,) of several scores (s, i)."""
    return np.mean([auroc(corpus.labels == 1, score, weights) for score in scores], axis=0)


def pooled(
    quantity: Quantity, corpora: Sequence[Corpus], settings: ExperimentSettings, rng: np.random.Generator
) -> dict[str, Any]:
    """A quantity's mean over the corpora with its interval, patients drawn within each corpus."""
    strata = np.repeat(np.arange(len(corpora)), [len(corpus.labels) for corpus in corpora])
    owners = np.concatenate([[f"{k}:{name}" for name in corpus.patients] for k, corpus in enumerate(corpora)])
    bounds = np.cumsum([len(corpus.labels) for corpus in corpora])[:-1]

    def statistic(weights: Floats) -> Floats:
        parts = np.split(weights, bounds, axis=1)
        return np.mean([quantity(corpus, part) for corpus, part in zip(corpora, parts, strict=True)], axis=0)

    return measured(statistic, owners, strata=strata, draws=settings.bootstrap, confidence=settings.confidence, rng=rng)
