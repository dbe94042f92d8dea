"""Fault rows 31 and 32: nothing to score, one class only; a loss that is no number."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.metrics.evaluation import NO_CLIP, Predicted, metrics_table
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, read_table, write_json, write_table
from pipeline.training import loop
from pipeline.training.job import Inputs, Outputs, run_job
from tests.training.training_files import Files, fit_settings, make_files

ROOT = Path(__file__).parents[2]
EVALUATION = EvaluationSettings(bootstrap=50, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=10)
FOUR = ("CF", "GN", "AB", "CT")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("training-faults"))


def predicted(labels: list[int], n_classes: int) -> Predicted:
    rng = np.random.default_rng(0)
    p = rng.random((len(labels), n_classes))
    given = (p[:, 0] > 0.5).astype(np.int64) if n_classes == 1 else p.argmax(axis=1)
    return Predicted(0, np.array(labels, np.int64), p, given, np.array([f"p{k % 3}" for k in range(len(labels))], str))


def by_metric(table: pd.DataFrame) -> dict[tuple[str, str], Any]:
    return {(row["metric"], row["class"]): row for row in table[table["seed"] == -1].to_dict("records")}


@pytest.mark.parametrize("classes", [("seizure",), FOUR])
def test_row31_an_empty_split_gives_every_metric_without_a_value_and_with_the_reason(classes) -> None:
    table = metrics_table([predicted([], len(classes))], classes, EVALUATION)
    full = metrics_table([predicted([0, 1, 0, 1, 1, 0], len(classes))], classes, EVALUATION)
    assert set(by_metric(table)) == set(by_metric(full)), "the metrics and classes follow from the settings"
    assert table[["value", "std", "low", "high"]].isna().all(axis=None)
    assert set(table["reason"]) == {NO_CLIP}
    assert (table["n_clips"] == 0).all()


@pytest.mark.parametrize(("label", "missing"), [(0, "no positive clip"), (1, "no negative clip")])
def test_row31_one_class_only(label, missing) -> None:
    rows = by_metric(metrics_table([predicted([label] * 8, 1)], ("seizure",), EVALUATION))
    assert np.isnan(rows["auroc", ""]["value"])
    assert rows["auroc", ""]["reason"] == "the clips hold one class only"
    undefined = rows["sensitivity", ""] if label == 0 else rows["specificity", ""]
    assert np.isnan(undefined["value"])
    assert undefined["reason"] == missing
    assert np.isfinite(rows["accuracy", ""]["value"])
    assert all((row["reason"] == "") == np.isfinite(row["value"]) for row in rows.values())


def test_row31_a_class_that_the_test_clips_lack_keeps_its_rows() -> None:
    rows = by_metric(metrics_table([predicted([0, 1, 1, 0, 3, 3], 4)], FOUR, EVALUATION))
    assert {about for metric, about in rows if metric == "recall"} == set(FOUR)
    assert np.isnan(rows["recall", "AB"]["value"])
    assert rows["recall", "AB"]["reason"] == "no clip of this class"


def test_row31_the_stage_evaluate_writes_a_table_without_test_patients(tmp_path: Path) -> None:
    clip = {"clip": "c", "recording": "r", "patient": "p", "split": "validation", "start_s": 0.0, "length_s": 12,
            "label": 1, "p_seizure": 0.7, "logit_seizure": 0.8, "predicted": 1}  # fmt: skip
    write_table(tmp_path / "predictions.parquet", pd.DataFrame([clip]))
    write_json(tmp_path / "card.json", {"threshold": 0.5, "seed": 0})
    write_table(tmp_path / "splits.parquet", pd.DataFrame({"patient": ["p"], "split": ["validation"]}))
    settings = {"run": "r", "task": "detection", "length_s": 12, "scheme": "four",
                "evaluation": EVALUATION.model_dump()}  # fmt: skip
    named = {"predictions": "predictions.parquet", "cards": "card.json", "splits": "splits.parquet",
             "metrics": "metrics.parquet", "curves": "curves.json"}  # fmt: skip
    options = [part for name, file in named.items() for part in (f"--{name}", str(tmp_path / file))]
    command = [sys.executable, "-m", "pipeline.stages.evaluate", "--settings", json.dumps(settings), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no test clip" in done.stderr
    table = read_table(tmp_path / "metrics.parquet")
    assert table["value"].isna().all()
    assert len(table) > 10
    assert read_json(tmp_path / "curves.json")["n_clips"] == 0


def train(files: Files, out: Path, settings: dict[str, Any]) -> Outputs:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(**files.job(slice(0, 3), settings["graph"]), encoder=None)
    fit = FitSettings.model_validate(settings)
    run_job(inputs, outputs, settings=fit, code="code", checkpoints=out / "checkpoints")
    return outputs


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["training", "validation"])
def test_row32_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, where: str
) -> None:
    step, calls = loop._Run._step, []

    def broken(run: loop._Run, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) <= 6 * (where == "training"):
            return step(run, *arguments)
        return {name: found * value for name, found in step(run, *arguments).items()}

    def break_loss(run: loop._Run, rows: np.ndarray) -> dict[str, Any]:
        calls.append(1)
        if len(calls) > 1:
            run.validation_loss = lambda output, target: torch.tensor(value)
        return validate(run, rows)

    validate = loop._Run.validate
    with monkeypatch.context() as patch:
        if where == "training":
            patch.setattr(loop._Run, "_step", broken)
        else:
            patch.setattr(loop._Run, "validate", break_loss)
        with pytest.raises(loop.Diverged, match=f"the {where} loss is .*is kept; lower .*learning_rate"):
            train(files, tmp_path, fit_settings())
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert (folder / "state.safetensors").exists()
    assert not (tmp_path / "model.safetensors").exists()
    train(files, tmp_path, fit_settings())  # goes on from the epoch that was kept
    train(files, tmp_path / "whole", fit_settings())
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_row32_the_stage_ends_with_a_status_and_one_line(files: Files, tmp_path: Path) -> None:
    settings = fit_settings(learning_rate=3e36, clip_norm=1e30, epochs=6)
    job = files.job(slice(0, 3), settings["graph"])
    lists = [part for name in ("features", "clips", "graphs") for part in (f"--{name}", *map(str, job[name]))]
    named = {"model": "model.safetensors", "card": "card.json", "history": "history.parquet", "checkpoints": "keep"}
    options = [part for name, file in named.items() for part in (f"--{name}", str(tmp_path / file))]
    command = [sys.executable, "-m", "pipeline.stages.train", "--settings", json.dumps(settings)]
    done = subprocess.run(
        [*command, "--scaler", str(job["scaler"]), *lists, *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "loss is" in done.stderr
    assert "learning_rate" in done.stderr
    assert not (tmp_path / "model.safetensors").exists()
