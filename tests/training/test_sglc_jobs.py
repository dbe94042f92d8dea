"""SGLC through the stages `pretrain` and `train`, from files: it starts, transfers, is penalised, mirrored, resumed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training_files import ELECTRODES, GRAPHS, Files, fit_settings, make_files

from pipeline.features._frame_store import reading_frames
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.electrodes import mirror_permutation
from pipeline.models import sglc
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.config import Config, parse_config
from pipeline.settings.training import FitSettings
from pipeline.stages import command, pretrain, train
from pipeline.store import digest_file, digest_result, read_json, read_table
from pipeline.training.augment import Draws
from pipeline.training.clip_data import load_clips
from pipeline.training.model_io import load_weights, model_options
from workflow.lib import job_settings, planning
from workflow.lib.paths import encoder_of

ROOT = Path(__file__).parents[2]
TINY = {"units": 4, "ggnn_steps": 1, "learner_units": 5, "heads": 2}
WEIGHTS = {"smooth": 0.5, "degree": 0.01, "sparsity": 0.3}  # specification, section 12
Stage = Callable[..., dict[str, Path]]


def content() -> dict[str, Any]:
    """config.yaml."""
    return yaml.safe_load((ROOT / "config.yaml").read_text())


CONFIG: Config = parse_config(content())


def settings(task: str, section: str = "sglc", **changes: Any) -> dict[str, Any]:
    """A job of a section of config.yaml at a tiny size; `changes` as in `fit_settings`, options among them."""
    own = {name: changes.pop(name) for name in list(changes) if name in CONFIG.models[section]}
    options = CONFIG.models[section] | TINY | own
    return fit_settings(task, "correlation", model="sglc", options=options, gate_bias=None, **{"epochs": 1} | changes)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Run a stage by its command line; paths of what it wrote."""

    def call(module: Any, files: Files, folder: str, told: dict[str, Any], **more: Path) -> dict[str, Path]:
        weights, out = "encoder" if module is pretrain else "model", tmp_path / folder
        named = {weights: out / "weights.safetensors", "card": out / "card.json", "history": out / "history.parquet"}
        line = ["stage", "--settings", json.dumps(told)]
        for name, value in {**files.job(slice(0, 3), "correlation"), **named, "checkpoints": out, **more}.items():
            line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
        monkeypatch.setattr(sys, "argv", line)
        module.main()
        return named | {"weights": named[weights]}

    return call


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("sglc-pretraining"), "pretraining", clips_per_shard=8)


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("sglc-classification"), "classification", clips_per_shard=16)


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("sglc-detection"), "detection", clips_per_shard=8)


@pytest.mark.parametrize("section", ["sglc", "sglc_published"])
def test_cli_smoke(run: Stage, pretraining: Files, classification: Files, detection: Files, section: str) -> None:
    """Defect 6: the published program does not start. Pre-training, then 4 and 8 classes and detection from it."""
    encoder = run(pretrain, pretraining, "encoder", settings("pretraining", section))
    for task, files, scheme in (
        ("classification", classification, "four"), ("classification", classification, "eight"),
        ("detection", detection, "four"),
    ):  # fmt: skip
        told = settings(task, section, scheme=scheme)
        made = run(train, files, f"{task}-{scheme}", told, encoder=encoder["weights"])
        card = read_json(made["card"])
        assert card["initial_weights"] == "the corpus's own pre-training"
        assert card["inputs"]["encoder"] == [digest_file(encoder["weights"])]
        assert np.isfinite(read_table(made["history"])[["train_loss", "validation_loss"]].to_numpy()).all()
        assert all(name in load_weights(made["weights"]) for name in ("linear.weight", "linear.bias"))


def test_every_fraction_starts_from_the_same_encoder(run: Stage, pretraining: Files, classification: Files) -> None:
    """One encoder's path for all shares in the plan; its digest in every card; what was learnt from differs."""
    runs = [CONFIG.runs[name] for name in ("sglc-ssl-25", "sglc-ssl-50", "sglc-ssl-75", "sglc-ssl")]
    assert len({encoder_of(one) for one in runs}) == 1
    encoder = run(pretrain, pretraining, "encoder", settings("pretraining"))
    cards = []
    for share in (0.25, 0.5, 0.75, 1.0):
        sampling = {"balance": False, "negative_seed": "run", "label_fraction": share}
        sampling |= {"label_unit": "patient"} if share < 1 else {}
        told = settings("classification", sampling=sampling)
        made = run(train, classification, f"{share}", told, encoder=encoder["weights"])
        cards.append(read_json(made["card"]))
    assert {card["inputs"]["encoder"][0] for card in cards} == {digest_file(encoder["weights"])}
    assert len({card["counts"]["validation_clips"] for card in cards}) == 1
    numbers = [card["counts"]["training_patients"] for card in cards]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1] == 8


@pytest.mark.parametrize("task", ["pretraining", "classification"])
def test_penalties_are_added_and_logged(request: pytest.FixtureRequest, run: Stage, task: str) -> None:
    """The loss is the task's and the weighted penalties'; a weight of 0 is the training without, byte for byte."""
    files, still = request.getfixturevalue(task), {"learning_rate": 1e-12, "batch": 100, "dropout": 0.0}
    told = settings(task, attention_dropout=0.0, **still)
    plain = run(pretrain if task == "pretraining" else train, files, "plain", told)
    module = pretrain if task == "pretraining" else train
    penalised = settings(task, attention_dropout=0.0, regularisers=WEIGHTS, **still)
    history = read_table(run(module, files, "penalised", penalised)["history"]).iloc[0]
    before = read_table(plain["history"])
    added = sum(weight * history[f"train_{name}"] for name, weight in WEIGHTS.items())
    assert abs(added) > 1e-3
    assert history["train_loss"] == pytest.approx(before["train_loss"].iloc[0] + added, rel=1e-5)
    assert history["validation_loss"] == pytest.approx(before["validation_loss"].iloc[0], rel=1e-6)
    assert not [name for name in before if name.removeprefix("train_") in WEIGHTS]
    one = settings(task, attention_dropout=0.0, regularisers=WEIGHTS | {"smooth": 0, "degree": 0}, **still)
    assert [name for name in read_table(run(module, files, "one", one)["history"]) if name.startswith("train_")] == [
        "train_loss", "train_sparsity",
    ]  # fmt: skip


def test_penalties_reach_the_learner(run: Stage, classification: Files) -> None:
    """With one of them heavy, the weights of the learner end elsewhere."""
    ends = []
    for weight in (0, 100.0):
        told = settings("classification", regularisers=WEIGHTS | {"sparsity": weight})
        made = run(train, classification, f"{weight}", told)
        ends.append(load_weights(made["weights"]))
    learner = [name for name in ends[0] if "learner" in name]
    assert learner
    assert all(not torch.equal(ends[0][name], ends[1][name]) for name in learner)


def test_penalties_and_an_auxiliary_loss_exclude_each_other() -> None:
    joint = {"seen_s": 3, "horizon_s": 2, "weight": 1.0, "loss": "mae"}
    with pytest.raises(SettingsError, match=r"auxiliary.weight: 1, beside options.regularisers"):
        parse_section(FitSettings, settings("detection", regularisers=WEIGHTS) | {"auxiliary": joint})


@pytest.mark.parametrize("section", ["sglc", "sglc_published"])
def test_prior_of_a_mirrored_clip(classification: Files, section: str) -> None:
    """Defect 11, through the batch: A_0(Px) = P A_0(x) P^T; with the switch a mirrored clip keeps its own."""
    told = FitSettings.model_validate(settings("classification", section))
    options, order = model_options(told), mirror_permutation(ELECTRODES, "all")
    job: dict[str, Any] = classification.job(slice(0, 3), "correlation")
    fixed = job | {"scaler": read_json(classification.scaler), "device": torch.device("cpu")}
    mirrored = Draws(np.array([True, False]), np.ones(2))
    batch = load_clips(**fixed, settings=told).batch(np.array([3, 3]), mirrored)
    plain = batch.supports[1, 0].numpy()
    np.testing.assert_allclose(batch.supports[0, 0].numpy(), plain[np.ix_(order, order)], atol=1e-6)
    assert not np.allclose(batch.supports[0, 0].numpy(), plain, atol=1e-3)
    clip = read_table(classification.clips[0]).iloc[3]
    with reading_frames(classification.features[0]) as store:
        start = int(store.starts[store.items.index(clip["item"])]) + clip["frame"]
        frames = np.array(store.frames[start : start + clip["length_s"]])[:, order]
    weights = correlation_weights(frames[None], GRAPHS).astype(np.float32)
    expected = sglc.supports(weights, "correlation", options)[0]
    np.testing.assert_allclose(batch.supports[0].numpy(), expected, atol=1e-6)
    kept = FitSettings.model_validate(settings("classification", section, mirror_graph="published"))
    supports = load_clips(**fixed, settings=kept).batch(np.array([3, 3]), mirrored).supports
    assert torch.equal(supports[0], supports[1])


def test_depth_guard_before_any_job() -> None:
    """Defect 7: an encoder of another depth is refused where the workflow is parsed, and in a job's own settings."""
    for changes, message in (
        ({"pretraining_layers": 3}, "pretraining_layers: 3, but layers: 2; .*allow_depth_mismatch: true"),
        ({"pretraining_layers": 1, "allow_depth_mismatch": True}, "pretraining_layers: 1 layers cannot start"),
    ):
        values = content()
        values["models"]["sglc"] |= changes
        with pytest.raises(SettingsError, match=f"models.sglc: .*{message}"):
            parse_config(values)
    values = content()
    values["runs"]["sglc-ssl"]["overrides"] = {"layers": 1}
    with pytest.raises(planning.PlanError, match=r"runs.sglc-ssl.overrides: .*pretraining_layers: 2, but layers: 1"):
        planning.check(parse_config(values))


def test_depth_guard_allowed_takes_the_first_layers(run: Stage, pretraining: Files, classification: Files) -> None:
    """The published preset: three layers are pre-trained, the classifier takes the first two of them."""
    told = job_settings.train(CONFIG, "sglc-published-ssl", "classification", 12, 0)
    assert (told["options"]["layers"], told["options"]["pretraining_layers"]) == (2, 3)
    encoder = run(pretrain, pretraining, "encoder", settings("pretraining", "sglc_published"))
    still = settings("classification", "sglc_published", learning_rate=1e-30, weight_decay=0.0)
    made = run(train, classification, "model", still, encoder=encoder["weights"])
    before, after = load_weights(encoder["weights"]), load_weights(made["weights"])
    taken = [name for name in after if name.startswith("encoder.")]
    assert taken
    assert all(torch.equal(before[name], after[name]) for name in taken)
    assert any(name.startswith("encoder.layers.2.") for name in before)
    assert not any(name.startswith("encoder.layers.2.") for name in after)


def test_an_encoder_of_another_width_is_refused(run: Stage, pretraining: Files, classification: Files) -> None:
    encoder = run(pretrain, pretraining, "encoder", settings("pretraining"))
    with pytest.raises(command.StageError, match=r"encoder.* does not fit"):
        run(train, classification, "model", settings("classification", units=6), encoder=encoder["weights"])


def test_equal_settings_give_equal_bytes(run: Stage, classification: Files) -> None:
    told = settings("classification", epochs=2)
    first, again = (run(train, classification, name, told) for name in ("first", "again"))
    for name in ("weights", "card", "history"):
        assert digest_result(first[name]) == digest_result(again[name])
