"""Rows of the table of seizure types: measured scores and published ones, each with its list of test clips.

A published number never stands in the column of another list: the two lists of TUSZ v1.5.2 differ in eleven patients
and in nearly all tonic-clonic seizures, so their scores cannot be compared (spec sglc.md, section 2).
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.clip_lists import NamedList, listed
from pipeline.metrics.evaluation import OVER_SEEDS, Predicted
from pipeline.report.published import table_rows
from pipeline.report.sglc_inventory import GRAPHS, STARTS, SglcRun

WHOLE = ("weighted_f1", "macro_f1", "majority_weighted_f1")
BY_CLASS = ("recall", "auroc", "prevalence")
COLUMNS = ["list", "classes", "run", "label", "metric", "class", "value", "std", "n_seeds", "low", "high", "n_clips",
           "n_patients", "origin", "reason", "note"]  # fmt: skip
TANG = "tang2022"  # the list of the tables of Tang et al. 2022
DCRNN_TABLES = {4: "table02", 8: "table09"}
CLIP_S = 12
PUBLISHED_STARTS = {"none": "scratch", "ssl": "ssl"}


def score_rows(run: SglcRun, metrics: pd.DataFrame) -> pd.DataFrame:
    """The metrics of one run over all seeds: each list, and each of its classes, one without support with a reason."""
    kept = metrics[(metrics["seed"] == OVER_SEEDS) & metrics["metric"].isin([*WHOLE, *BY_CLASS])]
    named = kept.assign(run=run.run, label=run.label, classes=run.n_classes, origin="measured", note="")
    return named[COLUMNS].reset_index(drop=True)


def published_rows() -> pd.DataFrame:
    """Weighted F1 as printed by the ASGPF paper, and of both DCRNNs by Tang et al.; each with its list of clips."""
    with (files("pipeline.report") / "published" / "sglc.csv").open(encoding="utf-8") as text:
        own = pd.read_csv(text, keep_default_na=False)
    rows = [_published(row, f"SGLC, {STARTS[PUBLISHED_STARTS[row['pretraining']]]}", row["list"]) for row in _rows(own)]
    for n_classes, table in DCRNN_TABLES.items():
        printed = table_rows(table)
        wanted = (
            (printed["model"] == "DCRNN") & (printed["task"] == f"classification_{n_classes}")
            & (printed["clip_s"] == CLIP_S) & printed["pretraining"].isin(list(PUBLISHED_STARTS))
            & (printed["metric"] == "weighted_f1") & (printed["input_domain"] == "frequency")
        )  # fmt: skip
        for row in _rows(printed[wanted]):
            label = f"{GRAPHS[row['graph']]}DCRNN, {STARTS[PUBLISHED_STARTS[row['pretraining']]]}"
            rows.append(_published(row, label, TANG))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _published(row: dict[str, Any], label: str, name: str) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(("low", "high", "n_seeds", "n_clips", "n_patients"), np.nan)
    return blank | {
        "list": name, "classes": int(row["task"].rsplit("_", 1)[1]), "run": "", "label": label, "metric": row["metric"],
        "class": "", "value": row["mean"], "std": row.get("std", np.nan), "origin": "published", "reason": "",
        "note": row["note"],
    }  # fmt: skip


def list_contents(one: Predicted, lists: Sequence[NamedList], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """What each list holds here: clips, patients, clips of each class, the majority guess's weighted F1."""
    found = []
    for chosen in lists:
        part = listed(one, chosen)
        counts = np.bincount(part.labels, minlength=len(classes)).tolist()
        found.append({
            "list": chosen.name, "classes": len(classes), "clips": len(part.labels),
            "patients": len(np.unique(part.patients)), "majority_weighted_f1": majority_weighted_f1(counts),
            "absent": list(chosen.absent),
            "patients_of_class": {
                name: len(np.unique(part.patients[part.labels == k])) for k, name in enumerate(classes)
            },
            "of_class": [list(pair) for pair in zip(classes, counts, strict=True)],  # in order: JSON sorts keys
        })  # fmt: skip
    return found


def majority_weighted_f1(counts: Sequence[int] | np.ndarray[Any, Any]) -> float | None:
    """Weighted F1 of always guessing the most frequent class; None without a clip."""
    total, largest = int(np.sum(counts)), int(np.max(counts))
    return largest / total * 2 * largest / (total + largest) if total else None


def as_published(row: Mapping[str, Any]) -> bool | None:
    """Whether a list holds here what it holds by its publication; None: of none, or its counts are unknown."""
    known = {(one["list"], one["classes"]): one for one in published_lists()}
    printed = known.get((row["list"], row["classes"]))
    if printed is None:
        return None
    return all(row[name] == printed[name] for name in ("clips", "patients", "of_class"))


def published_lists() -> list[dict[str, Any]]:
    """The two published lists of TUSZ v1.5.2: what they hold, with the majority guess's weighted F1 from the counts."""
    with (files("pipeline.report") / "published" / "test_lists.csv").open(encoding="utf-8") as text:
        rows = _rows(pd.read_csv(text, keep_default_na=False))
    names = ("CF", "GN", "AB", "CT")
    return [
        {"list": row["list"], "classes": 4, "clips": row["clips"], "patients": row["patients"],
         "of_class": [[name, row[name]] for name in names], "note": row["note"],
         "majority_weighted_f1": majority_weighted_f1([row[name] for name in names])}
        for row in rows
    ]  # fmt: skip
