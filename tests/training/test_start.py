"""What a training starts from: another corpus's detector or encoder, copied whole, or refused with what differs."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from training_files import Files, fit_settings, make_files, options

from pipeline.settings.training import FitSettings
from pipeline.store import read_json
from pipeline.training import job
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.model_io import load_weights
from pipeline.training.start import UnfitWeights

HEAD = {"linear.weight", "linear.bias"}


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("detection"), "detection", clips_per_shard=8)


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("classification"), "classification", clips_per_shard=10)


@pytest.fixture(scope="module")
def detector(detection: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(detection, tmp_path_factory.mktemp("source"), fit_settings(epochs=1)).weights


def train(files: Files, out: Path, settings: dict[str, Any], **start: Path) -> Outputs:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(
        **files.job(slice(0, 3), settings["graph"]), encoder=start.get("encoder"), detector=start.get("detector")
    )
    fitted = FitSettings.model_validate(settings)
    run_job(inputs, outputs, settings=fitted, code="code", checkpoints=out / "checkpoints")
    return outputs


def started(monkeypatch: pytest.MonkeyPatch, files: Files, out: Path, settings: dict[str, Any], **start: Path) -> dict:
    """The weights at the very start of the training."""
    seen: dict[str, torch.Tensor] = {}
    whole = job.fit

    def spy(model: torch.nn.Module, *arguments: Any, **named: Any) -> Any:
        seen.update({name: value.clone() for name, value in model.state_dict().items()})
        return whole(model, *arguments, **named)

    monkeypatch.setattr(job, "fit", spy)
    train(files, out, settings, **start)
    return seen


def test_a_detector_starts_from_every_weight_of_the_source(
    monkeypatch: pytest.MonkeyPatch, detection: Files, detector: Path, tmp_path: Path
) -> None:
    first = started(monkeypatch, detection, tmp_path, fit_settings(epochs=1, seed=7), detector=detector)
    source = load_weights(detector)
    assert first.keys() == source.keys()
    assert all(torch.equal(first[name], source[name]) for name in source)


def test_a_classifier_starts_with_the_sources_layers_and_a_head_of_its_own(
    monkeypatch: pytest.MonkeyPatch, classification: Files, detector: Path, tmp_path: Path
) -> None:
    settings = fit_settings("classification", epochs=1, seed=7)
    scratch = started(monkeypatch, classification, tmp_path / "scratch", settings)
    monkeypatch.undo()
    first = started(monkeypatch, classification, tmp_path / "transfer", settings, detector=detector)
    source = load_weights(detector)
    assert {name for name in first if not torch.equal(first[name], scratch[name])} == first.keys() - HEAD
    assert all(torch.equal(first[name], source[name]) for name in first.keys() - HEAD)


def test_the_card_says_where_the_weights_came_from(detection: Files, detector: Path, tmp_path: Path) -> None:
    start = {"init": "transfer", "corpus": "elsewhere", "run": "dist-scratch"}
    card = read_json(train(detection, tmp_path, fit_settings(epochs=1) | {"start": start}, detector=detector).card)
    assert card["initial_weights"] == "detector dist-scratch of elsewhere"
    assert len(card["inputs"]["detector"]) == 1
    plain = read_json(train(detection, tmp_path / "plain", fit_settings(epochs=1)).card)
    assert plain["initial_weights"] == "drawn at random from the seed"
    assert plain["inputs"]["detector"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [  # the candidate's rows: (6 features + 8 units) x 3 terms; 5 terms with two supports
        ({"graph": "correlation"}, "layers.0.candidate.weight is 42x8 there and 70x8 in the detector of this run"),
        ({"options": options(units=4)}, "layers.0.candidate.bias is 8 there and 4 in the detector of this run"),
        ({"options": options(layers=1)}, "layers.1.candidate.bias is 8 there and absent in the detector of this run"),
    ],
)
def test_a_detector_of_another_shape_is_refused_with_both(
    detection: Files, detector: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    settings = fit_settings(epochs=1) | changes
    with pytest.raises(UnfitWeights, match=f"{re.escape(str(detector))}: weight encoder.{said}"):
        train(detection, tmp_path, settings, detector=detector)


def test_an_encoder_that_is_none_is_refused(detection: Files, detector: Path, tmp_path: Path) -> None:
    """A detector's file names its layers otherwise, and one of another size does not fit."""
    pretrained = make_files(tmp_path / "files", "pretraining", clips_per_shard=8)
    encoder = train(pretrained, tmp_path / "encoder", fit_settings("pretraining", epochs=1)).weights
    with pytest.raises(UnfitWeights, match="does not fit"):
        train(detection, tmp_path / "a", fit_settings(epochs=1) | {"options": options(units=4)}, encoder=encoder)
    with pytest.raises(UnfitWeights, match="has no weight"):
        train(detection, tmp_path / "b", fit_settings(epochs=1) | {"options": options(layers=4)}, encoder=encoder)


class Padding(torch.nn.Module):
    """A model that keeps what it pads with among its tensors, as Dense-CNN does under `padding: before`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("padding", torch.zeros(1))

    def pad_with(self, value: float) -> None:
        self.padding.fill_(value)


def test_what_a_model_pads_with_is_of_its_own_scaler(
    monkeypatch: pytest.MonkeyPatch, detection: Files, tmp_path: Path
) -> None:
    """The source's clips were standardised with another mean."""

    def copy(model: Padding, *_: Any, **__: Any) -> list[str]:
        model.pad_with(-9.0)
        return ["padding"]

    monkeypatch.setattr(job, "start_from_detector", copy)
    inputs = Inputs(**detection.job(slice(0, 3), "distance"), encoder=None, detector=tmp_path)
    model = Padding()
    job._start(model, inputs, FitSettings.model_validate(fit_settings()), n_features=6, zero=-2.5)
    assert float(model.padding) == -2.5
