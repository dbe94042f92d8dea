"""The comparison of the two ways of processing: clips are matched, labels that moved are counted, defaults cancel."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.matching import shared_clips
from pipeline.stages import compat_report
from pipeline.store import read_table, write_json, write_table

SEEDS = (0, 1)
RATE = 200


def predictions(
    *, skill: float, seed: int, patients: int = 8, shift_samples: int = 0, touching: int = 0
) -> pd.DataFrame:
    """Ten 12-s clips of each patient's recording, half of them positive; the logit follows the label by `skill`."""
    rng = np.random.default_rng([seed, 5])
    rows = []
    for patient in range(patients):
        for k in range(10):
            label = int(k % 2 == 1 or (k < touching))
            start = 12.0 * k + (shift_samples / RATE if k == 0 else 0.0)
            logit = skill * (2 * (k % 2) - 1) + rng.normal()
            rows.append({
                "clip": f"p{patient}_r/0@{start:.3f}+12", "recording": f"p{patient}_r", "patient": f"p{patient}",
                "split": "validation" if patient == 0 else "test", "start_s": start, "length_s": 12, "label": label,
                "logit_seizure": logit, "p_seizure": 1 / (1 + np.exp(-logit)), "predicted": int(logit > 0),
            })  # fmt: skip
    return pd.DataFrame(rows)


def written(folder: Path, tables: list[pd.DataFrame]) -> tuple[list[str], list[str]]:
    files, cards = [], []
    for seed, table in enumerate(tables):
        write_table(folder / f"{seed}.parquet", table)
        write_json(folder / f"{seed}.json", {"seed": seed, "threshold": 0.5})
        files.append(str(folder / f"{seed}.parquet"))
        cards.append(str(folder / f"{seed}.json"))
    return files, cards


def report(
    monkeypatch: pytest.MonkeyPatch, out: Path, default: list[pd.DataFrame], published: list[pd.DataFrame]
) -> Any:
    line = {"run": "dist-scratch", "task": "detection", "length_s": 12, "scheme": "four", "seeds": list(SEEDS)}
    settings = {
        "default": "mine", "published": "mine-published", "lines": [line], "default_strict": False,
        "published_strict": True, "switches": {"label_edge": ["half_open", "touching"]},
        "evaluation": {"bootstrap": 300, "confidence": 0.95, "seed": 0, "calibration_bins": 10},
    }  # fmt: skip
    words = ["compat_report", "--settings", json.dumps(settings), "--out", str(out)]
    for way, tables in (("default", default), ("published", published)):
        files, cards = written(out / way, tables)
        words += [f"--{way}-predictions", *files, f"--{way}-cards", *cards]
    monkeypatch.setattr(sys, "argv", words)
    compat_report.main()
    return read_table(out / "compat_report.parquet").set_index("metric")


def test_equal_ways_differ_by_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    same = [predictions(skill=1.0, seed=seed) for seed in SEEDS]
    table = report(monkeypatch, tmp_path, same, same)
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert (table["p_holm"] == 1).all()
    assert (table["moved_labels"] == 0).all()
    assert set(table["n_clips"]) == {70}  # the patient of the validation split is not tested
    assert set(table["n_patients"]) == {7}


def test_a_defect_that_costs_something_is_found_on_the_clips_of_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One clip starts a sample later, two have another label, three recordings' last clip is missing on one side."""
    default = [predictions(skill=2.0, seed=seed) for seed in SEEDS]
    published = [predictions(skill=0.3, seed=seed, shift_samples=1, touching=1) for seed in SEEDS]
    gone = {f"p{k}_r/0@108.000+12" for k in (2, 3, 4)}
    published = [table[~table["clip"].isin(gone)] for table in published]
    table = report(monkeypatch, tmp_path, default, published)
    row = table.loc["auroc"]
    assert row["high"] < 0
    assert row["published"] + 0.1 < row["default"]
    assert row["difference"] == pytest.approx(row["published"] - row["default"])
    assert row["n_clips"] == 70 - 3
    assert (row["only_default"], row["only_published"]) == (3, 0)
    assert row["moved_labels"] == 7  # the first clip of each tested patient
    assert row["p_holm"] >= row["p"]
    text = (tmp_path / "compat_report.txt").read_text()
    assert "compat.label_edge: touching (default: half_open)" in text
    assert "67 clips of 7 patients in both, 7 with another label; 3 in the default alone" in text
    assert pd.read_csv(tmp_path / "compat_report.csv")["metric"].tolist() == table.index.tolist()


def test_clips_are_matched_by_recording_start_and_length_in_any_order() -> None:
    first = pd.DataFrame({"recording": ["a", "a", "b"], "start_s": [0.0, 12.0, 3.5], "length_s": [12, 12, 7]})
    second = pd.DataFrame(
        {"recording": ["b", "b", "a", "a"], "start_s": [3.5, 3.5, 12.004, 24.0], "length_s": [7, 6, 12, 12]}
    )
    shared = shared_clips(first, second)
    pairs = {(int(i), int(j)) for i, j in zip(shared.first, shared.second, strict=True)}
    assert pairs == {(1, 2), (2, 0)}
    assert (shared.only_first, shared.only_second) == (1, 2)
