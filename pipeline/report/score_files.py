"""What `evaluate` wrote, as the report reads it: metrics.parquet and curves.json of one run."""

from typing import Any

import pandas as pd

from pipeline.metrics.evaluation import OVER_SEEDS, of_list
from pipeline.report.curves import RunCurves, SeedCurves
from pipeline.report.inventory import RunEntry
from pipeline.store import read_json, read_table


def over_seeds(entry: RunEntry) -> pd.DataFrame:
    """Rows of all test clips over all seeds, one a (metric, class): value, std, low, high, n_seeds, n_clips …"""
    rows = of_list(read_table(entry.metrics))
    return rows[rows["seed"] == OVER_SEEDS].drop(columns="list").reset_index(drop=True)


def read_curves(entry: RunEntry) -> dict[str, Any]:
    """Content of curves.json; empty if the run has none."""
    return dict(read_json(entry.curves)) if entry.curves else {}


def drawn_curves(run: str, content: dict[str, Any]) -> RunCurves | None:
    """ROC and precision-recall of each seed (detection); None where the test clips hold one class only."""
    seeds = [
        SeedCurves(seed["seed"], seed["fpr"], seed["tpr"], seed["recall"], seed["precision"], seed["point"])
        for seed in content.get("seeds", [])
        if seed.get("fpr")
    ]
    if not seeds:
        return None
    return RunCurves(run, seeds, content["n_clips"], content["n_positive"], content["n_patients"])
