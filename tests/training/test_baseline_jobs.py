"""Whole training jobs of the models without a graph: learning, resuming to the byte, cards, padding of short clips."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_files import MEAN, STD, Files, fit_settings, make_files

from pipeline.settings.training import FitSettings
from pipeline.store import digest_result, read_json, read_table, reading_store
from pipeline.training import loop
from pipeline.training.augment import Draws
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.model_io import build_model, load_model, load_weights

ROOT = Path(__file__).parents[2]
LENGTH_S = 120  # of six features: 720 numbers, of which Dense-CNN's pooling leaves one
OPTIONS: dict[str, dict[str, Any]] = {
    "lstm": {"units": 8, "layers": 2},
    "cnn_lstm": {"channels": 4, "embedding": 8, "units": 8, "layers": 2, "cnn_lstm_batch_axis": False},
    "densecnn": {"width": 0.05, "dropout": 0.2, "allocate_unused": True, "padding": "after"},
}
MODELS = tuple(OPTIONS)


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


def settings_of(model: str, task: str = "detection", **changes: Any) -> dict[str, Any]:
    options = OPTIONS[model] | changes.pop("options", {})
    plain = {"model": model, "options": options, "length_s": LENGTH_S, "batch": 3}
    return fit_settings(task, "none", **plain | changes)


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("detection"), "detection", clips_per_shard=8, length_s=LENGTH_S)


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("classification"), "classification", clips_per_shard=8, length_s=LENGTH_S)


def job(files: Files, shards: slice = slice(0, 3)) -> dict[str, Any]:
    return files.job(shards, "none") | {"graphs": []}


def train(files: Files, out: Path, settings: dict[str, Any]) -> Outputs:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(**job(files), encoder=None)
    run_job(
        inputs, outputs, settings=FitSettings.model_validate(settings), code="code", checkpoints=out / "checkpoints"
    )
    return outputs


def load(files: Files, settings: dict[str, Any]) -> ClipData:
    read = job(files) | {"scaler": read_json(files.scaler)}
    return load_clips(**read, settings=FitSettings.model_validate(settings), device=torch.device("cpu"))


def digests(outputs: Outputs) -> list[str]:
    return [digest_result(path) for path in (outputs.weights, outputs.card, outputs.history)]


@pytest.mark.parametrize("model", MODELS)
def test_training_reduces_the_loss_and_the_card_counts_weights_only(
    detection: Files, tmp_path: Path, model: str
) -> None:
    settings = settings_of(model, epochs=6, dropout=0.0, learning_rate=0.01, patience=9)
    outputs = train(detection, tmp_path, settings)
    history, card = read_table(outputs.history), read_json(outputs.card)
    assert history["train_loss"].iloc[-1] < 0.9 * history["train_loss"].iloc[0]
    fit = FitSettings.model_validate(settings)
    weights = load_weights(outputs.weights)
    statistics = ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    counted = sum(value.numel() for name, value in weights.items() if name not in statistics)
    assert card["parameters"] == counted
    assert card["graph"] == "none"
    assert all(name in weights for name in statistics) is (model == "densecnn")
    if model == "densecnn":  # the last batch of an epoch is one clip, whose statistics do not count
        assert card["counts"]["training_clips"] == 16
        assert int(weights["norm.num_batches_tracked"]) == 16 // 3 * card["kept_epoch"]["epoch"]
    trained, _ = load_model(outputs.weights, card, device=torch.device("cpu"))
    fresh = build_model(fit, n_features=6)
    assert {name: value.shape for name, value in trained.state_dict().items()} == {
        name: value.shape for name, value in fresh.state_dict().items()
    }


@pytest.mark.parametrize(
    ("model", "task"),
    [("lstm", "detection"), ("cnn_lstm", "detection"), ("densecnn", "detection"), ("densecnn", "classification")],
)
def test_resumed_equals_uninterrupted_byte_for_byte(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, task: str
) -> None:
    files, settings = request.getfixturevalue(task), settings_of(model, task, epochs=3)
    whole = digests(train(files, tmp_path / "whole", settings))
    assert digests(train(files, tmp_path / "again", settings)) == whole
    save = loop._Run.save

    def kill_after_epoch(run: loop._Run, checkpoints: Checkpoints, history: list[Any], best: Any) -> None:
        save(run, checkpoints, history, best)
        if len(history) == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "save", kill_after_epoch)
        with pytest.raises(Killed):
            train(files, tmp_path / "killed", settings)
    assert digests(train(files, tmp_path / "killed", settings)) == whole


def test_unused_weights_stay_as_they_were_drawn(detection: Files, tmp_path: Path) -> None:
    """Nothing reads them, so nothing trains them; without them every other weight is the same."""
    settings, less = settings_of("densecnn"), settings_of("densecnn", options={"allocate_unused": False})
    full, lean = (
        load_weights(train(detection, tmp_path / name, chosen).weights)
        for name, chosen in (("full", settings), ("lean", less))
    )
    assert all(torch.equal(full[name], value) for name, value in lean.items())
    idle = sorted(full.keys() - lean.keys())
    assert idle
    assert all(name.startswith("unused.") for name in idle)


def test_D16_the_pad_value_of_training_goes_with_the_weights(classification: Files, tmp_path: Path) -> None:
    """Published: short clips are padded with the amplitude-free value -mean / std; correct: with the training mean."""
    logits = {}
    for padding in ("after", "before"):
        settings = settings_of("densecnn", "classification", epochs=1, options={"padding": padding})
        outputs = train(classification, tmp_path / padding, settings)
        model, _ = load_model(outputs.weights, read_json(outputs.card), device=torch.device("cpu"))
        batch = load(classification, settings).batch(np.arange(3))
        assert batch.lengths.tolist() == [120, 119, 118]
        padded = model.whole(batch.x, batch.lengths)
        value = -MEAN / STD if padding == "before" else 0.0
        assert padded.shape[1] == LENGTH_S
        assert padded[2, 118:].unique().tolist() == pytest.approx([value])
        torch.testing.assert_close(padded[2, :118], batch.x[2, :118], atol=0, rtol=0)
        logits[padding] = model(batch.x, batch.lengths, batch.supports).detach()
    assert not torch.allclose(logits["after"][2], logits["before"][2], atol=1e-4)


def test_reflection_and_scaling_work_without_a_graph(detection: Files) -> None:
    data = load(detection, settings_of("lstm"))
    batch = data.batch(np.array([0, 1]), Draws(np.array([True, False]), np.array([1.1, 0.9])))
    plain = data.batch(np.array([0, 1]))
    assert batch.supports.shape == (0, 19, 19)
    torch.testing.assert_close(batch.x[0][:, data.mirror], plain.x[0] + np.log(1.1) / STD, atol=1e-5, rtol=0)
    torch.testing.assert_close(batch.x[1], plain.x[1] + np.log(0.9) / STD, atol=1e-5, rtol=0)


def stage_settings(fit: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each stage is told; the graph is to be recomputed, which means nothing where there is none."""
    occlusion = {"value": "mean", "graph": "recomputed", "batch": 8, "clips": "all"}
    graphs = {"kappa": 0.9, "top_neighbours": 3, "correlation_input": "raw"}
    return {
        "train": fit,
        "predict": {"device": fit["device"], "batch": 4, "threshold_strict": False},
        "occlude": {"device": fit["device"], "occlusion": occlusion, "graphs": graphs},
    }


def test_stages_take_no_graph(classification: Files, tmp_path: Path) -> None:
    """train, predict and occlude as the rules call them, with an empty list of graphs."""
    reads = {"train": slice(0, 3), "predict": slice(2, 4), "occlude": slice(3, 4)}
    names = {
        "train": ("model", "card", "history", "checkpoints"),
        "predict": ("model", "card", "predictions"),
        "occlude": ("model", "card", "predictions", "maps"),
    }
    for stage, told in stage_settings(settings_of("densecnn", "classification", epochs=1)).items():
        read = job(classification, reads[stage])
        lists = [part for name in ("features", "clips", "graphs") for part in (f"--{name}", *map(str, read[name]))]
        files = ["--scaler", str(read["scaler"])]
        files += [part for name in names[stage] for part in (f"--{name}", str(tmp_path / name))]
        command = [sys.executable, "-m", f"pipeline.stages.{stage}", "--settings", json.dumps(told), *lists, *files]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    predictions = read_table(tmp_path / "predictions")
    assert set(predictions["split"]) == {"validation", "test"}
    with reading_store(tmp_path / "maps") as group:
        drop = np.asarray(group["drop"][...])
    assert drop.shape == (int((predictions["split"] == "test").sum()), 19, 1)
    assert np.abs(drop).max() > 0
