"""Cells of the paper's tables of scores (2 to 4, 6, 8 to 10): each published value, what was measured beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.inventory import RunEntry
from pipeline.report.paper_folds import fold_scores
from pipeline.report.paper_inventory import PRINTED_MODELS, CellKey, Keyed, PaperInventory, keyed_runs
from pipeline.report.protocol import Mark, letters_of, training_marks, words_of
from pipeline.report.published import table_rows
from pipeline.report.rule_marks import clip_marks, graph_marks, signal_marks
from pipeline.report.score_files import over_seeds
from pipeline.report.tables import records
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.store import read_json, read_table

Score = dict[str, Any]
METRICS = {"aupr": "auprc"}  # published name -> ours
BESIDE = {"weighted_f1": ("macro_f1", "majority_weighted_f1")}  # measured too, though not printed
COLUMNS = [
    "table", "model", "pretraining", "graph", "input_domain", "task", "clip_s", "split", "metric", "class", "over",
    "corpus", "run", "measured", "std", "n_seeds", "low", "high", "n_clips", "n_patients", "n_seizure_clips",
    "n_seizure_patients", "published", "published_std", "difference", "protocol", "marks", "reason", "note",
]  # fmt: skip
NUMBERS = ["clip_s", "measured", "std", "n_seeds", "low", "high", "n_clips", "n_patients", "n_seizure_clips",
           "n_seizure_patients", "published", "published_std", "difference"]  # fmt: skip
BY_SCORE = ("std", "n_seeds", "low", "high", "n_clips", "n_patients", "n_seizure_clips", "n_seizure_patients")
NO_FOLDS = "no folds: name fold corpora of this corpus in paper.fold_corpora"
NO_CHOICE = "no lambda can be chosen: some run has neither a validation AUROC nor a validation loss"
NO_SOURCE = "no other corpus to pre-train on: name one in paper.source_corpus"


@dataclass
class Reader:
    """Scores and cards of the runs of one inventory, each file read once."""

    inventory: PaperInventory
    marks: list[Mark]  # of the data
    settings: EvaluationSettings
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def score(self, entry: RunEntry, metric: str, klass: str) -> Score:
        """A row of metrics.parquet over all seeds; empty, with a reason, where there is none."""
        table = self.tables.setdefault(entry.metrics, over_seeds(entry))
        rows = table[(table["metric"] == metric) & (table["class"] == klass)]
        return records(rows)[0] if len(rows) else {"reason": f"{metric} was not computed"}

    def ictal(self, entry: RunEntry) -> Score:
        """Of a detector's test clips those with a seizure, and their patients; every seed has the same clips."""
        if entry.task != "detection" or not entry.predictions:
            return {}
        if entry.predictions[0] not in self.tables:
            clips = read_table(entry.predictions[0])
            self.tables[entry.predictions[0]] = clips[(clips["split"] == "test") & (clips["label"] == 1)]
        clips = self.tables[entry.predictions[0]]
        return {"n_seizure_clips": len(clips), "n_seizure_patients": clips["patient"].nunique()}

    def marks_of(self, entry: RunEntry) -> list[Mark]:
        """Differences of the data and of this run's training."""
        cards = [read_json(path) for path in entry.cards]
        rules = self.inventory.rules
        found = [*self.marks, *signal_marks(rules), *clip_marks(rules, entry.task, entry.scheme)]
        found += graph_marks(rules, entry.graph, top_neighbours=entry.top_neighbours)
        return [*found, *training_marks(cards, self._before(entry)), *self._special(entry)]

    def _before(self, entry: RunEntry) -> list[tuple[str, dict[str, Any]]]:
        """Cards of what the run's first weights were learnt by."""
        if entry.detector is not None:
            return [("detector at the source", read_json(entry.detector))]
        if entry.encoder is None:
            return []
        home = entry.source or self.inventory.main.corpus
        found = [one.card for one in self.inventory.main.pretraining if one.length_s == entry.length_s]
        return [
            ("pre-training", read_json(path)) for path in found if f"/{entry.encoder}/" in path and f"/{home}/" in path
        ]

    def _special(self, entry: RunEntry) -> list[Mark]:
        if self.inventory.table == "table08":
            return [Mark("T", f"source corpus {entry.source or self.inventory.source_corpus}")]
        if entry.scheme == "seven" and not self.inventory.own_folds:
            return [Mark("F", "patients dealt into folds by a seeded hash")]
        return []

    def validation(self, entry: RunEntry, name: str) -> float:
        """Mean over seeds of one number of the epochs that were kept; NaN where it is undefined in some."""
        found = [read_json(path)["kept_epoch"].get(name) for path in entry.cards]
        return float(np.mean([np.nan if value is None else value for value in found])) if found else np.nan


def score_cells(reader: Reader) -> list[dict[str, Any]]:
    """One row for each published value of the inventory's table, and for what is shown beside it."""
    table, runs = reader.inventory.table, keyed_runs(reader.inventory)
    cells = []
    for printed in records(table_rows(table)):
        own = [run for run in runs if run.key == _key(printed)]
        metric, klass = METRICS.get(printed["metric"], printed["metric"]), _class(printed)
        for score in _scores(reader, own, metric, klass):
            cells.append(_cell(table, printed, score))
        for other in BESIDE.get(metric, ()):
            empty = {**printed, "metric": other, "mean": np.nan, "std": np.nan, "note": "not printed in the paper"}
            cells += [_cell(table, empty, score) for score in _scores(reader, own, other, klass) if "value" in score]
    return cells


def _key(printed: dict[str, Any]) -> CellKey:
    clip_s = 0 if np.isnan(printed["clip_s"]) else int(printed["clip_s"])
    names = ("model", "pretraining", "graph", "task", "input_domain")
    return CellKey(clip_s=clip_s, **{name: printed[name] for name in names})


def _class(printed: dict[str, Any]) -> str:
    return "" if printed["class"] == "all" else str(printed["class"])


def _scores(reader: Reader, runs: Sequence[Keyed], metric: str, klass: str) -> list[Score]:
    """Scores of one cell: one; two over folds (mean, pooled); without a run none, with the reason."""
    if not runs:
        return [{"folds": bool(reader.inventory.folds)}]
    entries = [run.entry for run in runs]
    if runs[0].corpus != reader.inventory.main.corpus:
        names = ", ".join(run.corpus for run in runs)
        known = {"run": entries[0].run, "corpus": names, "marks": reader.marks_of(entries[0])}
        return [{**score, **known} for score in fold_scores(entries, metric, reader.settings)]
    entry, note = chosen(reader, entries)
    if entry is None:
        return [{"run": entries[0].run, "corpus": runs[0].corpus, "reason": note}]
    known = {"run": entry.run, "corpus": runs[0].corpus, "marks": reader.marks_of(entry), "note": note}
    return [{**reader.score(entry, metric, klass), **reader.ictal(entry), **known}]


def chosen(reader: Reader, entries: Sequence[RunEntry]) -> tuple[RunEntry | None, str]:
    """Of runs that differ in the weight of the auxiliary loss, the best on validation; and how it was chosen.

    By the AUROC, and where that is undefined (validation clips of one class) by the detection loss, which holds no
    forecast and so compares between weights. None, with the reason, where neither is known of every run.
    """
    if len(entries) == 1:
        return entries[0], ""
    for name, words, sign in (("validation_auroc", "AUROCs", 1), ("validation_loss", "losses", -1)):
        found = [reader.validation(entry, name) for entry in entries]
        if np.isfinite(found).all():
            best = entries[int(np.argmax(sign * np.array(found)))]
            shown = ", ".join(f"{entry.auxiliary:g}: {value:.4f}" for entry, value in zip(entries, found, strict=True))
            return best, f"lambda {best.auxiliary:g}, of the validation {words} {shown}"
    return None, NO_CHOICE


def _cell(table: str, printed: dict[str, Any], score: Score) -> dict[str, Any]:
    marks = score.get("marks", [])
    measured, published = score.get("value", np.nan), printed["mean"]
    notes = [text for text in (score.get("note", ""), printed["note"]) if text]
    names = ("model", "pretraining", "graph", "input_domain", "task", "clip_s", "split", "metric", "class")
    return {
        "table": table,
        **{name: printed[name] for name in names},
        "over": score.get("over", ""),
        "corpus": score.get("corpus", ""),
        "run": score.get("run", ""),
        "measured": measured,
        **{name: score.get(name, np.nan) for name in BY_SCORE},
        "published": published,
        "published_std": printed["std"],
        "difference": measured - published,
        "protocol": letters_of(marks),
        "marks": words_of(marks),
        "reason": _reason(table, printed, score),
        "note": "; ".join(notes),
    }


def _reason(table: str, printed: dict[str, Any], score: Score) -> str:
    """Why a cell has no measured value; empty where it has one."""
    if score.get("run"):
        return str(score.get("reason", ""))
    if printed["model"] not in PRINTED_MODELS.values():
        return "quoted by the paper from another study: not trained here"
    if table == "table08":
        return NO_SOURCE
    if printed["task"] == "classification_7" and not score["folds"]:
        return NO_FOLDS
    return "clips of this length are not in paper.lengths_s"
