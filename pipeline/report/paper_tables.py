"""Every table of the paper as one tidy frame: what was measured, what was published, and how the protocols differ."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.inventory import Inventory
from pipeline.report.paper_cells import COLUMNS, NO_SOURCE, NUMBERS, Reader, score_cells
from pipeline.report.paper_counts import Count, Counts, as_row, clip_counts, corpus_counts, source_counts
from pipeline.report.paper_inventory import PaperInventory
from pipeline.report.picture import tidy
from pipeline.report.protocol import MEANING, Mark, corpus_marks, letters_of, words_of
from pipeline.report.published import table_rows
from pipeline.report.rule_marks import Rules, clip_marks, signal_marks
from pipeline.report.tables import records
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.store import read_tables

TITLES = {
    "table01": "Table 1. The corpus: files, patients, seizures",
    "table02": "Table 2. Seizure detection and seizure-type classification",
    "table03": "Table 3. Against earlier studies: seven classes on folds, AUROC one versus rest",
    "table04": "Table 4. Time domain against frequency domain",
    "table05": "Table 5. Clips and patients of each task, clip length and split",
    "table06": "Table 6. Detection at the operating point",
    "table07": "Table 7. The corpus that is pre-trained on",
    "table08": "Table 8. Pre-training on another corpus",
    "table09": "Table 9. Eight seizure classes",
    "table10": "Table 10. Pre-training against an auxiliary loss",
}
COUNTED = ("table01", "table05", "table07")
SPLITS = {"train": ("train", "validation"), "validation": ("validation",), "test": ("test",)}  # as Table 1 says train


def paper_table(inventory: PaperInventory, settings: EvaluationSettings) -> pd.DataFrame:
    """The table that the inventory is of: columns COLUMNS, one row a value."""
    main = inventory.main
    recordings = read_tables(main.recordings)
    marks = corpus_marks(recordings, inventory.splits, synthetic=is_synthetic(main, recordings))
    counted = inventory.table in COUNTED
    rows = _counted(inventory, marks) if counted else score_cells(Reader(inventory, marks, settings))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(NUMBERS, np.float64))


def is_synthetic(inventory: Inventory, recordings: pd.DataFrame) -> bool:
    """Whether the workflow made the corpus, or some EDF says of itself that it is synthetic."""
    return inventory.synthetic or (len(recordings) > 0 and bool(recordings["synthetic"].any()))


def _counted(inventory: PaperInventory, marks: list[Mark]) -> list[dict[str, Any]]:
    table = inventory.table
    if table == "table01":
        return count_cells(table, corpus_counts(inventory.main, splits=SPLITS), marks, inventory.main.corpus)
    if table == "table05":
        lengths = sorted({int(name.rsplit("-", 1)[1][:-1]) for name in inventory.main.clips})
        counts = clip_counts(inventory.main, lengths)
        return count_cells(table, counts, marks, inventory.main.corpus, rules=inventory.rules)
    if inventory.source is None:
        return count_cells(table, {}, [], "", missing=NO_SOURCE)
    shortest = min(int(name.rsplit("-", 1)[1][:-1]) for name in inventory.source.clips)
    other = [Mark("T", f"corpus {inventory.source.corpus}, its clips: all of {shortest} s on the detection grid")]
    if is_synthetic(inventory.source, read_tables(inventory.source.recordings)):
        other.insert(0, Mark("S", "synthetic corpus"))
    counts, rules = source_counts(inventory.source, shortest), inventory.source_rules
    return count_cells(table, counts, other, inventory.source.corpus, rules=rules)


def count_cells(
    table: str, counts: Counts, marks: list[Mark], corpus: str, *, rules: Rules | None = None, missing: str = ""
) -> list[dict[str, Any]]:
    """Published counts with the measured ones beside them, then measured ones that were not published."""
    printed = _published_counts(table)
    rows = []
    for key in dict.fromkeys([*printed, *counts]):
        row = printed.get(key, {"mean": np.nan, "note": "not printed in the paper"})
        measured = counts.get(key, np.nan)
        own = [*marks, *rule_marks_of(key, rules)] if np.isfinite(measured) else marks
        rows.append({
            "table": table, "model": "", "pretraining": "", "graph": "", "input_domain": "", "over": "", "run": "",
            **as_row(key), "corpus": corpus, "measured": measured, "published": row["mean"],
            "difference": measured - row["mean"], "protocol": letters_of(own), "marks": words_of(own),
            "reason": "" if np.isfinite(measured) else missing or "nothing to count", "note": row["note"],
        })  # fmt: skip
    return rows


def rule_marks_of(key: Count, rules: Rules | None) -> list[Mark]:
    """Differences of the rules behind a number of clips; files, patients and seizures follow from none of them."""
    if rules is None or not (key.clip_s or key.metric.startswith("clips")):
        return []
    task = {"ssl": "pretraining", "classification_4": "classification"}.get(key.task, "detection")
    return [*signal_marks(rules), *clip_marks(rules, task)]


def _published_counts(table: str) -> dict[Count, dict[str, Any]]:
    names = [table, "table05_code"] if table == "table05" else [table]
    rows = [row for name in names for row in records(table_rows(name))]
    return {_count_of(row): row for row in rows}


def _count_of(row: dict[str, Any]) -> Count:
    clip_s = 0 if np.isnan(row["clip_s"]) else int(row["clip_s"])
    return Count(row["task"], clip_s, row["split"], row["metric"], row["class"])


def table_content(inventory: PaperInventory, frame: pd.DataFrame) -> dict[str, Any]:
    """What the scoreboard reads: the cells without NaN, title, whether the data are synthetic, meaning of the marks."""
    letters = {letter for text in frame["protocol"] for letter in text}
    return {
        "table": inventory.table,
        "title": TITLES[inventory.table],
        "corpus": inventory.main.corpus,
        "synthetic": is_synthetic(inventory.main, read_tables(inventory.main.recordings)),
        "marks": {letter: text for letter, text in MEANING.items() if letter in letters},
        "cells": [tidy(row) for row in records(frame)],
    }
