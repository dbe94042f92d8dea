"""Tables 1, 5 and 7 of the paper: how many files, patients, seizures and clips there are, by split."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.clips import class_numbers, classes, seizure_events
from pipeline.report.inventory import Inventory
from pipeline.store import read_tables

FITTED = ("train", "validation")  # what the paper calls train before its patients are dealt 90 to 10
ALL = "all"


class Count(NamedTuple):
    """What one number of a table counts."""

    task: str
    clip_s: int  # 0: of no clip length
    split: str
    metric: str
    klass: str


Counts = dict[Count, float]


def corpus_counts(inventory: Inventory, *, splits: dict[str, tuple[str, ...]]) -> Counts:
    """Tables 1 and 7: files, patients, minutes, seizures; `splits` maps a name to the splits that it stands for."""
    recordings = read_tables(inventory.recordings)
    events = seizure_events(read_tables(inventory.seizures))
    events = events.merge(recordings[["recording", "patient"]], on="recording")
    found: Counts = {}
    for name, members in splits.items():
        part = recordings[recordings["split"].isin(members)]
        own = events[events["recording"].isin(part["recording"])]
        for (metric, klass), value in {**_files(part, own), **_classes(own)}.items():
            found[Count("", 0, name, metric, klass)] = value
    return found


def _files(part: pd.DataFrame, events: pd.DataFrame) -> dict[tuple[str, str], float]:
    minutes = float(part["duration_s"].sum()) / 60
    return {
        ("eeg_files", ALL): len(part),
        ("eeg_files_seizure_pct", ALL): _percent(events["recording"].nunique(), len(part)),
        ("patients", ALL): part["patient"].nunique(),
        ("patients_seizure_pct", ALL): _percent(events["patient"].nunique(), part["patient"].nunique()),
        ("duration_min", ALL): minutes,
        ("duration_seizure_pct", ALL): _percent(union_seconds(events) / 60, minutes),
    }


def _classes(events: pd.DataFrame) -> dict[tuple[str, str], float]:
    number = class_numbers(events["code"], "four")
    found: dict[tuple[str, str], float] = {}
    for k, name in enumerate(classes("four")):
        found["seizures", name] = int((number == k).sum())
        found["patients_with_class", name] = events.loc[number == k, "patient"].nunique()
    return found


def union_seconds(events: pd.DataFrame) -> float:
    """Seconds in which some event goes on: events of one recording that overlap count once."""
    ordered = events.sort_values(["recording", "onset_s"], kind="stable")
    end = ordered.groupby("recording")["offset_s"].cummax()
    before = end.groupby(ordered["recording"]).shift()
    start = np.fmax(ordered["onset_s"], before)
    return float((end - start).clip(lower=0).sum())


def clip_counts(inventory: Inventory, lengths_s: list[int]) -> Counts:
    """Table 5: clips and patients of each task, length and split, and the pairs of pre-training."""
    found: Counts = {}
    for length in lengths_s:
        tables = {
            task: read_tables(inventory.clips[f"{task}-{length}s"])
            for task in ("detection", "pretraining", "classification")
            if f"{task}-{length}s" in inventory.clips
        }
        for split in (*FITTED, "test"):
            parts = {task: table[table["split"] == split] for task, table in tables.items()}
            for (task, metric, klass), value in _of_split(parts).items():
                found[Count(task, length, split, metric, klass)] = value
    return found


def _of_split(parts: dict[str, pd.DataFrame]) -> dict[tuple[str, str, str], float]:
    found: dict[tuple[str, str, str], float] = {}
    if (grid := parts.get("detection")) is not None:
        found |= {("ssl_and_detection", *key): value for key, value in _clips(grid, grid["label"] == 1).items()}
        found["ssl_and_detection", "clips_with_seizure", ALL] = int((grid["label"] == 1).sum())
    if (pairs := parts.get("pretraining")) is not None:
        found["ssl", "pairs", ALL] = len(pairs)
    if (events := parts.get("classification")) is not None:
        number = class_numbers(events["code"], "four")
        typed = events[number >= 0]
        every = pd.Series(True, index=typed.index)
        found |= {("classification_4", *key): value for key, value in _clips(typed, every).items()}
        for k, name in enumerate(classes("four")):
            found["classification_4", "clips", name] = int((number == k).sum())
    return found


def _clips(clips: pd.DataFrame, ictal: pd.Series) -> dict[tuple[str, str], float]:
    patients = clips["patient"].nunique()
    return {
        ("clips", ALL): len(clips),
        ("clips_seizure_pct", ALL): _percent(int(ictal.sum()), len(clips)),
        ("patients", ALL): patients,
        ("patients_seizure_pct", ALL): _percent(clips.loc[ictal, "patient"].nunique(), patients),
    }


def source_counts(inventory: Inventory, length_s: int) -> Counts:
    """Table 7: the corpus that models are pre-trained on, its training and validation patients together."""
    found = corpus_counts(inventory, splits={"": FITTED})
    wanted = {"eeg_files", "eeg_files_seizure_pct", "duration_min", "patients", "patients_seizure_pct"}
    kept = {key: value for key, value in found.items() if key.metric in wanted}
    grid = read_tables(inventory.clips[f"detection-{length_s}s"])
    grid = grid[grid["split"].isin(FITTED)]
    for (metric, klass), value in _clips(grid, grid["label"] == 1).items():
        if metric.startswith("clips"):
            kept[Count("", 0, "", metric, klass)] = value
    return kept


def _percent(part: float, whole: float) -> float:
    """NaN where there is nothing."""
    return 100.0 * part / whole if whole else np.nan


def as_row(key: Count) -> dict[str, Any]:
    """A count's columns."""
    return {
        "task": key.task,
        "clip_s": key.clip_s or np.nan,
        "split": key.split,
        "metric": key.metric,
        "class": key.klass,
    }
