"""The stage `compare` on made-up predictions: what it writes, what it says, what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from pipeline.metrics.comparisons import holm
from pipeline.stages import command, compare
from pipeline.store import digest_result, read_table, write_json, write_table

SETTINGS = {"comparisons": {"draws": 400, "confidence": 0.95, "seed": 0, "threshold_strict": False}}


def predictions(path: Path, *, seed: int, signal: float, n_patients: int = 12) -> str:
    """20 clips of every patient, validation ones too; a stronger `signal` tells seizures better."""
    rng = np.random.default_rng([seed, round(100 * signal)])
    rows = []
    for split in ("validation", "test"):
        for k in range(n_patients * 20):
            label, patient = k % 2, f"{split}-p{k // 20:02}"
            logit = signal * label + rng.normal()
            known = {"clip": f"{patient}/{k}", "patient": patient, "split": split, "label": label, "predicted": 0}
            rows.append(known | {"logit_seizure": logit, "p_seizure": expit(logit)})
    table = pd.DataFrame(rows).sample(frac=1, random_state=seed)  # each file in an order of its own
    write_table(path, table)
    return str(path)


def make(folder: Path, signals: dict[str, float], **changed: Any) -> dict[str, Any]:
    """An inventory of three seeds a run, every run against the first."""
    runs = {}
    for run, signal in signals.items():
        files = [predictions(folder / f"{run}-{k}.parquet", seed=k, signal=signal, **changed) for k in range(3)]
        cards = [folder / f"card-{k}.json" for k in range(3)]
        for k, card in enumerate(cards):
            write_json(card, {"seed": k, "threshold": 0.5})
        named = {"run": run, "task": "detection", "length_s": 12, "scheme": "four"}
        runs[run] = named | {"predictions": files, "cards": [str(card) for card in cards]}
    test = sorted({f"test-p{k:02}" for k in range(20)})
    write_table(folder / "splits.parquet", pd.DataFrame({"patient": test, "split": "test"}))
    first, *others = runs
    pairs = [{"table": "table02", "metric": "auroc", "first": first, "second": other} for other in others]
    return {"splits": str(folder / "splits.parquet"), "runs": runs, "pairs": pairs}


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, inventory: dict[str, Any]) -> pd.DataFrame:
    write_json(folder / "inventory.json", inventory)
    line = ["compare", "--settings", json.dumps(SETTINGS), "--inventory", str(folder / "inventory.json")]
    monkeypatch.setattr(sys, "argv", [*line, "--out", str(folder)])
    compare.main()
    return read_table(folder / "comparisons.parquet")


def test_a_better_run_an_equal_one_and_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = make(tmp_path, {"good": 2.0, "poor": 0.5, "like": 2.0})
    inventory["pairs"].append({"table": "table04", "metric": "auroc", "first": "good", "second": "good"})
    table = run(monkeypatch, tmp_path, inventory)
    better, alike, itself = table.to_dict("records")
    tests = [read_table(path).query("split == 'test'") for path in inventory["runs"]["good"]["predictions"]]
    own = [roc_auc_score(one["label"], one["logit_seizure"]) for one in tests]
    assert better["value_first"] == pytest.approx(np.mean(own))
    assert better["difference"] == pytest.approx(better["value_first"] - better["value_second"])
    assert 0 < better["low"] < better["difference"] < better["high"]
    assert "good higher than poor, AUROC of detection on 12-s clips" in better["words"]
    assert better["words"].endswith(": established for these runs.")
    assert (alike["difference"], alike["p"]) == (0.0, 1.0)  # the same draws of the same numbers
    assert [better["p_holm"], alike["p_holm"]] == pytest.approx(holm([better["p"], alike["p"]]))
    assert (better["n_comparisons"], itself["n_comparisons"], itself["table"]) == (2, 1, "04")
    assert (better["n_seeds"], better["n_patients"], better["n_clips"]) == (3, 12, 240)
    assert (tmp_path / "comparisons.csv").read_text().count("\n") == 4
    first = digest_result(tmp_path / "comparisons.parquet")
    run(monkeypatch, tmp_path, inventory)
    assert digest_result(tmp_path / "comparisons.parquet") == first


def test_other_clips_stop_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more").mkdir()
    inventory, more = make(tmp_path, {"one": 2.0}), make(tmp_path / "more", {"other": 2.0}, n_patients=13)
    inventory["runs"] |= more["runs"]
    inventory["pairs"] = [{"table": "table02", "metric": "auroc", "first": "one", "second": "other"}]
    with pytest.raises(command.StageError, match=r"one and other: .*different test clips"):
        run(monkeypatch, tmp_path, inventory)


def test_a_patient_who_is_not_of_the_test_split_stops_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = make(tmp_path, {"one": 2.0, "other": 1.0})
    write_table(tmp_path / "splits.parquet", pd.DataFrame({"patient": ["test-p00"], "split": "test"}))
    with pytest.raises(command.StageError, match="is no test patient"):
        run(monkeypatch, tmp_path, inventory)


def test_what_cannot_be_compared_is_said_and_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = make(tmp_path, {"one": 2.0, "other": 1.0}, n_patients=1)
    row = run(monkeypatch, tmp_path, inventory).to_dict("records")[0]
    assert "cannot be compared, since the clips are of one patient" in row["words"]
    assert np.isnan([row["low"], row["high"], row["p"], row["p_holm"]]).all()
    assert row["n_comparisons"] == 0
