"""Rows of the label-fraction experiment: how much was learnt from, and the scores (spec sglc.md, section 10)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import class_numbers, classes
from pipeline.metrics.clip_metrics import Key
from pipeline.metrics.comparisons import draw_metric, over_drawn_seeds
from pipeline.metrics.evaluation import OVER_SEEDS, Predicted
from pipeline.metrics.intervals import interval
from pipeline.report.sglc_inventory import SglcRun
from pipeline.settings.base import parse_section
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.settings.training import SamplingSettings
from pipeline.training.sampling import training_rows

METRICS = ("weighted_f1", "macro_f1")
Bounds = Mapping[tuple[str, str], tuple[float, float] | tuple[None, None]]  # of a list and a score


def labelled(clips: pd.DataFrame, card: dict[str, Any]) -> dict[str, int]:
    """Training patients and clips of each class whose labels one model saw.

    `clips`: the training clips of the corpus; `card`: the model's, which says its share, seed and scheme.
    """
    settings = card["settings"]
    numbers = class_numbers(clips["code"], settings["scheme"])
    known = (numbers >= 0) & (clips["split"] == "train").to_numpy()
    table, labels = clips[known].reset_index(drop=True), numbers[known]
    sampling = parse_section(SamplingSettings, settings["sampling"], where="card.json: sampling")
    rows = training_rows(table["patient"], labels, settings=sampling, seed=settings["seed"])
    names = classes(settings["scheme"])
    counts = np.bincount(labels[rows], minlength=len(names))
    seen = {f"n_clips_{name}": int(count) for name, count in zip(names, counts, strict=True)}
    return {"n_patients": int(table["patient"].iloc[rows].nunique()), **seen}


def bounds(
    seeds: Sequence[Predicted], classes: tuple[str, ...], metric: str, settings: EvaluationSettings
) -> tuple[float, float] | tuple[None, None]:
    """Interval of a score's mean over seeds, over test patients and seeds: a seed draws its own labelled patients.

    Means of redrawn seeds are stretched about the mean (`over_drawn_seeds`), and cut off at 0 and 1. Of one seed: over
    patients alone.
    """
    key = Key(metric, "")
    drawn = draw_metric(seeds, classes, metric=key, draws=settings.bootstrap, seed=settings.seed)
    if len(np.unique(drawn.patients)) < 2 or not np.isfinite(drawn.values).all():
        return None, None
    samples = over_drawn_seeds(drawn.draws, np.random.default_rng([settings.seed, 1]))
    return interval(np.clip(samples, 0, 1), settings.confidence)


def fraction_rows(
    run: SglcRun, metrics: pd.DataFrame, seen: dict[int, dict[str, int]], over_seeds: Bounds
) -> pd.DataFrame:
    """One row a list and seed (-1: all): both scores with intervals; `seen`: what each seed learnt from.

    Over seeds, what was learnt from is their mean, since a seed may draw other patients, and the interval of each list
    and score is that of `over_seeds`.
    """
    head = {"model": run.model, "label": run.label, "init": run.init, "fraction": run.share, "run": run.run}
    kept = metrics[metrics["metric"].isin(METRICS) & (metrics["class"] == "")]
    rows = []
    mean: dict[str, Any] = {str(key): value for key, value in pd.DataFrame(seen.values()).mean().items()}
    for (name, seed), own in kept.groupby(["list", "seed"], sort=False):  # type: ignore[misc]
        row: dict[str, Any] = head | {"list": name, "seed": seed}
        row |= mean if seed == OVER_SEEDS else seen[seed]  # type: ignore[index]
        for score in own.to_dict("records"):
            metric = score["metric"]
            if seed == OVER_SEEDS:
                low, high = over_seeds[str(name), metric]
                score |= {"low": np.nan if low is None else low, "high": np.nan if high is None else high}
            row |= {metric: score["value"]} | {f"{metric}_{part}": score[part] for part in ("std", "low", "high")}
        row |= {"n_seeds": own["n_seeds"].iloc[0], "n_test_clips": own["n_clips"].iloc[0]}
        rows.append(row | {"n_test_patients": own["n_patients"].iloc[0]})
    return pd.DataFrame(rows)
