"""A training that several processes compute together is that of one process, to the last digits; a dead one ends it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from team_partner import CPU
from torch import Tensor, distributed, nn
from training_files import Files, fit_settings, make_files

from pipeline.models import densecnn, sglc
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.model_densecnn import ModelSettings
from pipeline.settings.model_sglc import ModelSettings as SglcSettings
from pipeline.settings.training import FitSettings
from pipeline.store import digest_result, read_json, read_table
from pipeline.training import job, loop
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.followed import FollowedCheckpoints
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.loop import Fitted
from pipeline.training.model_io import load_weights
from pipeline.training.processes import ProcessLost, join
from pipeline.training.team import ALONE, Draws, Team, check_divisible

ROOT = Path(__file__).parents[2]
SGLC: dict[str, Any] = {
    "variant": "corrected", "adjacency": "learned", "units": 4, "layers": 1, "pretraining_layers": 1,
    "allow_depth_mismatch": False, "ggnn_steps": 1, "learner_units": 5, "heads": 2, "mixing": 0.3,
    "attention_dropout": 0.0, "sparsify": "eps", "edge_threshold": 0.0, "recurrence": "anchored", "support": "all",
    "decoder_tied": True, "regularisers": {"smooth": 0.1, "degree": 0.1, "sparsity": 0.1}, "init": {"gate_bias": 0.0},
}  # fmt: skip
PUBLISHED = SGLC | {
    "variant": "published", "layers": 2, "pretraining_layers": 2,
    "regularisers": {"smooth": 0.0, "degree": 0.0, "sparsity": 0.0},
}  # fmt: skip
FORECAST = {"seen_s": 3, "horizon_s": 2, "weight": 0.5, "loss": "rmse"}
CASES: dict[str, dict[str, Any]] = {
    "pretraining": {"task": "pretraining"},
    "pretraining by rmse": {"task": "pretraining", "loss": "rmse"},
    "detection": {"task": "detection", "dropout": 0.0},
    "detection with dropout": {"task": "detection", "dropout": 0.4},
    "detection with forecast": {"task": "detection", "dropout": 0.0, "auxiliary": FORECAST},
    "weighted classes": {"task": "classification", "graph": "correlation", "loss": "weighted_ce", "batch": 7},
    "SGLC": {
        "task": "classification", "graph": "correlation", "loss": "focal", "focal_gamma": 2.0, "model": "sglc",
        "options": SGLC,
    },
    "one clip left": {"task": "classification", "batch": 3, "epochs": 1},
}  # fmt: skip


def told(case: str) -> dict[str, Any]:
    """Settings of a training of two epochs, some steps each."""
    changes = {"epochs": 2, "learning_rate": 2e-3} | CASES[case]
    gamma = {name: changes.pop(name) for name in ("focal_gamma",) if name in changes}
    settings = fit_settings(changes.pop("task"), changes.pop("graph", "distance"), **changes)
    settings["loop"] |= gamma
    return settings


def inputs_of(files: Files, graph: str) -> Inputs:
    return Inputs(**files.job(slice(0, 3), graph), encoder=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    root = tmp_path_factory.mktemp("files")
    tasks = ("pretraining", "detection", "classification")
    return {task: make_files(root / task, task, clips_per_shard=17) for task in tasks}


@pytest.fixture(scope="module")
def fitted(made: dict[str, Files], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fitted]:
    """All cases computed by two processes, of which this is the first."""
    folder = tmp_path_factory.mktemp("team")
    jobs = {case: (inputs_of(made[settings["task"]], settings["graph"]), settings)
            for case in CASES for settings in [told(case)]}  # fmt: skip
    cases = [{"inputs": inputs.to_json(), "settings": settings, "state": "none"} for inputs, settings in jobs.values()]
    with partners(folder, cases, size=2) as team:
        return {case: trained(inputs, settings, team) for case, (inputs, settings) in jobs.items()}


@contextmanager
def partners(folder: Path, cases: list[dict[str, Any]], *, size: int) -> Iterator[Team]:
    """The other processes of a team, which compute all `cases` with this one, its first."""
    (folder / "cases.json").write_text(json.dumps(cases))
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    command = [sys.executable, str(Path(__file__).with_name("team_partner.py")), str(folder)]
    others = [
        subprocess.Popen([*command, str(rank), str(size)], env={**os.environ, "PYTHONPATH": path})
        for rank in range(1, size)
    ]
    try:
        join(Team(0, size), str(folder / "meeting"), CPU)
        yield Team(0, size)
        distributed.destroy_process_group()
        assert [other.wait(timeout=300) for other in others] == [0] * len(others)
    finally:
        for other in others:
            other.kill()
            other.wait()


def trained(inputs: Inputs, settings: dict[str, Any], team: Team, checkpoints: Checkpoints | None = None) -> Fitted:
    fit = FitSettings.model_validate(settings)
    given = job._given(inputs, fit, CPU, memory_gb=None)
    return given.fit(fit, checkpoints or FollowedCheckpoints(Path("none")), team)


def assert_near(ours: Fitted, expected: Fitted) -> None:
    for name, value in expected.weights.items():
        torch.testing.assert_close(ours.weights[name], value, atol=1e-5, rtol=0, msg=name)
    pd.testing.assert_frame_equal(ours.history, expected.history, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does(made: dict[str, Files], fitted: dict[str, Fitted], case: str) -> None:
    settings = told(case)
    expected = trained(inputs_of(made[settings["task"]], settings["graph"]), settings, ALONE)
    assert_near(fitted[case], expected)
    start = job._given(
        inputs_of(made[settings["task"]], settings["graph"]), FitSettings.model_validate(settings), CPU, memory_gb=None
    ).model.state_dict()
    moved = max(float((expected.weights[name] - value).abs().max()) for name, value in start.items())
    assert moved > 2e-3  # far more than what is let pass


class AfterOne(Checkpoints):
    """Keeps the state after the first epoch, too."""

    def save(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        super().save(tensors, record)
        if len(record["history"]) == 1:
            shutil.copyfile(self.state, self.folder / "after_one.safetensors")


def test_three_processes_go_on_to_the_same_bits(
    made: dict[str, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sum of three depends on their order, and that, were buckets made anew, on how many steps went before."""
    inputs, settings = inputs_of(made["detection"], "distance"), told("detection with dropout")
    with AfterOne(tmp_path, {"whole": True}) as whole, Checkpoints(tmp_path, {"whole": False}) as second:
        second.state = whole.folder / "after_one.safetensors"
        states = ["none", str(second.state)]
        cases = [{"inputs": inputs.to_json(), "settings": settings, "state": state} for state in states]
        with partners(tmp_path, cases, size=3) as team:
            expected = trained(inputs, settings, team, whole)
            ours = trained(inputs, settings, team, second)
    assert [sitting["from_epoch"] for sitting in second.sittings] == [0, 1]
    for name, value in expected.weights.items():
        assert torch.equal(ours.weights[name], value), name
    pd.testing.assert_frame_equal(ours.history, expected.history, check_exact=True)
    assert "Warning" not in capfd.readouterr().err


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("n_clips", [1, 2, 7, 40])
def test_parts_make_up_the_batch(size: int, n_clips: int) -> None:
    teams = [Team(rank, size) for rank in range(size)]
    counted = [list(range(n_clips))[team.part(n_clips)][: team.clips(n_clips)] for team in teams]
    assert [clip for part in counted for clip in part] == list(range(n_clips))
    assert all(len(range(n_clips)[team.part(n_clips)]) > 0 for team in teams)


def test_dropout_of_the_parts_is_that_of_the_whole_batch() -> None:
    x = torch.randn(7, 3)
    torch.manual_seed(5)
    expected = nn.Dropout(0.5)(x)
    parts: list[Tensor] = []
    for rank in range(2):
        team, model = Team(rank, 2), nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
        draws = Draws(model, team)
        torch.manual_seed(5)
        with draws.step(len(x), (0, 0)):
            parts.append(model[1](x[team.part(len(x))]))
        other = torch.rand(1)
    assert torch.equal(torch.cat(parts), expected)
    torch.manual_seed(5)
    nn.Dropout(0.5)(x)
    assert torch.equal(other, torch.rand(1))  # the stream goes on as in one process


def test_a_model_that_mixes_the_clips_of_a_batch_is_refused() -> None:
    model = densecnn.Classifier(
        ModelSettings(width=0.1, dropout=0.0, allocate_unused=False, padding="after"),
        n_features=100, n_classes=1, n_nodes=4, length_s=12,
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"processes: above 1, but with model densecnn"):
        check_divisible(model, "densecnn", padded=False)


def sglc_model(**changes: Any) -> nn.Module:
    return sglc.classifier(
        parse_section(SglcSettings, PUBLISHED | changes),
        n_features=6, n_classes=2, n_supports=1, dropout=0.0, n_nodes=19, length_s=5,
    )  # fmt: skip


def test_sglc_as_published_is_refused_where_others_decide_how_far_a_clip_is_padded() -> None:
    torch.manual_seed(0)
    model, x, supports = sglc_model().eval(), torch.randn(1, 5, 19, 6), torch.rand(1, 19, 19)
    alone, beside_a_longer_one = (model(x[:, :t], torch.tensor([3]), supports) for t in (3, 5))
    assert not torch.equal(alone, beside_a_longer_one)
    with pytest.raises(SettingsError, match=r"processes: above 1, but with model sglc .*variant: published"):
        check_divisible(model, "sglc", padded=True)
    check_divisible(model, "sglc", padded=False)  # clips of one length are never padded
    for same in ({"layers": 1, "pretraining_layers": 1}, {"variant": "corrected"}):
        check_divisible(sglc_model(**same), "sglc", padded=True)


def test_a_job_whose_clips_differ_in_length_is_refused(made: dict[str, Files]) -> None:
    settings = told("SGLC")
    settings["options"], settings["loop"]["processes"] = PUBLISHED, 2
    inputs = inputs_of(made["classification"], "correlation")
    with pytest.raises(SettingsError, match="variant: published"):
        job._given(inputs, FitSettings.model_validate(settings), CPU, memory_gb=None)


def test_memory_and_processes_of_a_job(made: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole job: killed after an epoch, gone on with, and near what one process alone makes."""
    files, settings = made["detection"], told("detection with dropout")
    alone = run(files, settings, tmp_path / "alone")
    settings["loop"]["processes"] = 2
    save = loop._Run.save

    def kill(one: loop._Run, *arguments: Any) -> None:
        save(one, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "save", kill)
        with pytest.raises(Killed):
            run(files, settings, tmp_path / "killed")
    ours = run(files, settings, tmp_path / "killed")
    whole = run(files, settings, tmp_path / "whole", memory_gb=200_000 / 1e9)
    for name in ("weights", "history", "card"):
        assert digest_result(getattr(ours, name)) == digest_result(getattr(whole, name)), name
    weights, expected = load_weights(ours.weights), load_weights(alone.weights)
    assert max(float((weights[name] - value).abs().max()) for name, value in expected.items()) < 1e-5
    assert read_json(ours.card)["settings"]["loop"]["processes"] == 2
    assert "processes" not in read_json(alone.card)["settings"]["loop"]
    np.testing.assert_allclose(
        read_table(ours.history)["train_loss"], read_table(alone.history)["train_loss"], atol=1e-5
    )


class Killed(BaseException):
    """Stands for SIGKILL of the first process: nothing in the code under test catches it."""


def run(files: Files, settings: dict[str, Any], out: Path, *, memory_gb: float | None = None) -> Outputs:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    run_job(
        inputs_of(files, settings["graph"]),
        outputs,
        settings=FitSettings.model_validate(settings),
        code="code",
        checkpoints=out / "checkpoints",
        memory_gb=memory_gb,
    )
    return outputs


def test_a_dead_process_ends_the_training_with_a_message(
    made: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = told("detection")
    settings["loop"] |= {"processes": 2, "epochs": 200}
    step, killed, at = loop._Run._step, [], []

    def kill_the_other(one: loop._Run, *arguments: Any) -> Any:
        if not killed:
            children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
            killed.append(int(children[-1]))
            os.kill(killed[0], signal.SIGKILL)
            at.append(time.monotonic())
        return step(one, *arguments)

    monkeypatch.setattr(loop._Run, "_step", kill_the_other)
    with pytest.raises(ProcessLost, match="process 2 of 2 of this training was ended by signal 9"):
        run(made["detection"], settings, tmp_path)
    assert time.monotonic() - at[0] < 60
    assert not (tmp_path / "model.safetensors").exists()
