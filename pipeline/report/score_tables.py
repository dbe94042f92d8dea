"""Scores of one task and clip length as tables, measured beside published, and the words around a score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.blocks import Note, Table, with_interval
from pipeline.report.inventory import RunEntry
from pipeline.report.picture import plural
from pipeline.report.published import SOURCE, published

HEADLINE = {"detection": ("auroc", "AUROC"), "classification": ("weighted_f1", "weighted F1")}
COLUMNS = {
    "detection": {
        "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "sensitivity": "sensitivity", "specificity": "specificity",
        "weighted_f1": "weighted F1", "macro_f1": "macro F1",
    },
    "classification": {
        "weighted_f1": "weighted F1", "macro_f1": "macro F1", "accuracy": "accuracy",
        "majority_weighted_f1": "weighted F1 of always guessing the most frequent class",
    },
}  # fmt: skip
CALIBRATION = {
    "brier": "Brier score", "brier_scaled": "Brier score, scaled", "ece": "ECE", "ece_mass": "ECE, bins of equal mass",
    "ece_classwise": "ECE, mean of the classes", "ece_scaled": "ECE, scaled", "temperature": "temperature",
}  # fmt: skip
PER_CLASS = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "auroc": "AUROC, one versus rest",
    "ece": "ECE, one versus rest",
}


@dataclass(frozen=True)
class Scored:
    """One run with its scores over seeds (see score_files.py) and its curves."""

    entry: RunEntry
    table: pd.DataFrame
    curves: dict[str, Any]

    def row(self, metric: str, about: str = "") -> dict[str, Any] | None:
        """The row of one metric, None where it is missing or undefined; NaN become None."""
        rows = self.table[(self.table["metric"] == metric) & (self.table["class"] == about)]
        if not len(rows) or pd.isna(rows["value"].iloc[0]):
            return None
        plain = rows.iloc[0].to_dict().items()
        return {str(key): None if isinstance(value, float) and np.isnan(value) else value for key, value in plain}

    def printed(self, metric: str, about: str = "") -> tuple[float, float | None] | None:
        """The same cell in the paper."""
        entry = self.entry
        if not entry.in_paper:
            return None
        return published(
            entry.task, entry.length_s, metric, graph=entry.graph, init=entry.init, klass=about or "all",
            n_classes=len(self.curves.get("classes", [])) or 4,
        )  # fmt: skip


def score_table(key: str, task: str, runs: list[Scored], *, synthetic: bool) -> Table | Note:
    """One row a run, one column a metric that is defined for any of them."""
    origin = "other data, context only" if synthetic else "mean ± std over five runs"
    caption = f"Test scores, mean over seeds [patient interval]; published: {SOURCE} ({origin})"
    return _table(key, caption, COLUMNS[task], runs) or Note("No score is defined on these test clips.")


def calibration_table(key: str, runs: list[Scored]) -> Table | Note:
    """The same of how far probabilities are what happens."""
    caption = (
        "Calibration on the test clips, mean over seeds [patient interval]; 0 is best. ECE: expected calibration "
        "error. Scaled: logits over the temperature that suits the validation clips best, which changes no ranking"
    )
    made = _table(f"{key}-calibration", caption, CALIBRATION, runs)
    return made or Note("No calibration is defined on these test clips.")


def _table(key: str, caption: str, metrics: dict[str, str], runs: list[Scored]) -> Table | None:
    rows = [[_name(run.entry), *(_cell(run, metric) for metric in metrics)] for run in runs]
    kept = [i for i in range(len(rows[0])) if i == 0 or any(row[i] != "–" for row in rows)]
    if len(kept) == 1:
        return None
    columns = ["run", *metrics.values()]
    return Table(key, caption, [columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


def class_table(key: str, runs: list[Scored]) -> Table:
    """One row a run and class."""
    rows = []
    for run in runs:
        counts = zip(run.curves.get("classes", []), run.curves.get("n_per_class", []), strict=True)
        for label, count in counts:
            cells = [f"{run.entry.run}, {label}", f"{count:,}"]
            for metric in PER_CLASS:
                row, printed = run.row(metric, label), run.printed(metric, label)
                text = "–" if row is None else with_interval(row["value"], row["low"], row["high"])
                cells.append(text + (f"\npublished {in_print(printed)}" if printed else ""))
            rows.append(cells)
    columns = ["run, class", "test clips", *PER_CLASS.values()]
    caption = "Scores of each class, mean over seeds [patient interval]"
    return Table(f"{key}-classes", caption, columns, rows, frozenset({1}))


def metrics_frame(runs: list[Scored]) -> pd.DataFrame:
    """All scores of all runs with the published value of the same cell, for tables/metrics.csv."""
    frames = []
    for run in runs:
        printed = [
            run.printed(metric, about) for metric, about in zip(run.table["metric"], run.table["class"], strict=True)
        ]
        frames.append(run.table.drop(columns="seed").assign(
            graph=run.entry.graph, init=run.entry.init,
            published_mean=[np.nan if cell is None else cell[0] for cell in printed],
            published_std=[np.nan if cell is None or cell[1] is None else cell[1] for cell in printed],
        ))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def n_of(row: dict[str, Any]) -> str:
    """`660 clips of 12 patients, 3 seeds`."""
    counts = f"{plural(int(row['n_clips']), 'clip')} of {plural(int(row['n_patients']), 'patient')}"
    return f"{counts}, {plural(int(row['n_seeds']), 'seed')}"


def in_print(printed: tuple[float, float | None] | None) -> str:
    """`0.866 ± 0.016`."""
    if printed is None:
        return ""
    return f"{printed[0]:.3f}" if printed[1] is None else f"{printed[0]:.3f}\u00a0±\u00a0{printed[1]:.3f}"


def _name(entry: RunEntry) -> str:
    return f"{entry.run}\n({entry.graph} graph, {entry.start})"


def _cell(run: Scored, metric: str) -> str:
    row = run.row(metric)
    if row is None:
        return "–"
    text = with_interval(row["value"], row["low"], row["high"])
    spread = f"\n±\u00a0{row['std']:.3f} over {row['n_seeds']}\u00a0seeds" if row["std"] is not None else ""
    printed = run.printed(metric)
    return text + spread + (f"\npublished {in_print(printed)}" if printed else "")
