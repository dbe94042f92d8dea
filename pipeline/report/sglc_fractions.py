"""Rows of the label-fraction experiment: how much was learnt from, and the scores (spec sglc.md, section 10)."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import class_numbers, classes
from pipeline.metrics.evaluation import OVER_SEEDS
from pipeline.report.sglc_inventory import SglcRun
from pipeline.settings.base import parse_section
from pipeline.settings.training import SamplingSettings
from pipeline.training.sampling import training_rows

METRICS = ("weighted_f1", "macro_f1")


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


def fraction_rows(run: SglcRun, metrics: pd.DataFrame, seen: dict[int, dict[str, int]]) -> pd.DataFrame:
    """One row a list and seed (-1: all): both scores with intervals; `seen`: what each seed learnt from.

    Over seeds, what was learnt from is their mean, since a seed may draw other patients.
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
            row |= {metric: score["value"]} | {f"{metric}_{part}": score[part] for part in ("std", "low", "high")}
        row |= {"n_seeds": own["n_seeds"].iloc[0], "n_test_clips": own["n_clips"].iloc[0]}
        rows.append(row | {"n_test_patients": own["n_patients"].iloc[0]})
    return pd.DataFrame(rows)
