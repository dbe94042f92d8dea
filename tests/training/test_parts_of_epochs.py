"""States kept within an epoch: equal bytes wherever the training ends, SIGTERM, and the sittings that are told."""

import errno
import json
import logging
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training_files import Files, fit_settings, make_files, stage

from pipeline import provenance
from pipeline.settings.training import FitSettings
from pipeline.store import digest_result
from pipeline.training import checkpoints, loop
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.ending import STATUS, Ended, Ending
from pipeline.training.job import Inputs, Outputs, run_job

ROOT = Path(__file__).parents[2]
ALWAYS = 1e-9  # minutes between states: one after every step


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    tasks = ("detection", "classification", "pretraining")
    return {task: make_files(tmp_path_factory.mktemp(task), task) for task in tasks}


def train(files: Files, out: Path, settings: dict[str, Any], *, minutes: float | None = None) -> list[str]:
    """Digests of weights, card and history of a training whose folder is `out`."""
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(**files.job(slice(0, 3), settings["graph"]), encoder=None)
    told = FitSettings.model_validate(settings)
    run_job(inputs, outputs, settings=told, code="c", checkpoints=out / "keep", checkpoint_minutes=minutes)
    return [digest_result(path) for path in (outputs.weights, outputs.card, outputs.history)]


@pytest.mark.parametrize(
    ("task", "step"),
    [("detection", 1), ("detection", 9), ("classification", 8), ("pretraining", 4), ("pretraining", 6)],
)
def test_a_kill_within_an_epoch_costs_one_step(
    sets: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, step: int
) -> None:
    """With dropout and augmentation, whose random numbers go on where they were."""
    settings = fit_settings(task, epochs=3)
    whole = train(sets[task], tmp_path / "whole", settings)
    one_step, done = loop._Run._step, []

    def kill(run: loop._Run, *arguments: Any) -> Any:
        done.append(1)
        if len(done) == step + 1:
            raise Killed
        return one_step(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", kill)
        with pytest.raises(Killed):
            train(sets[task], tmp_path / "killed", settings, minutes=ALWAYS)
    assert train(sets[task], tmp_path / "counted", settings, minutes=ALWAYS) == whole  # keeping changes nothing
    steps: list[int] = []

    def count(run: loop._Run, *arguments: Any) -> Any:
        steps.append(1)
        return one_step(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", count)
        assert train(sets[task], tmp_path / "killed", settings, minutes=ALWAYS) == whole
        after = len(steps)
        train(sets[task], tmp_path / "all", settings)
    assert after + step == len(steps) - after, "a step was done twice or left out"


@pytest.mark.parametrize("task", ["detection", "pretraining"])
def test_sigterm_during_a_validation_costs_no_step(
    sets: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """A validation may take longer than SLURM waits between SIGTERM and SIGKILL."""
    settings = fit_settings(task, epochs=3, batch_evaluation=2)
    whole = train(sets[task], tmp_path / "whole", settings)
    one_step, judged, steps, validations = loop._Run._step, loop._Run._judged, [], []

    def count(run: loop._Run, *arguments: Any) -> Any:
        steps.append(1)
        return one_step(run, *arguments)

    def ask(run: loop._Run, rows: Any) -> Any:
        validations.append(0)
        for found in judged(run, rows):
            validations[-1] += 1
            if len(validations) == 2 and validations[-1] == 1:  # of the second epoch, in its first batch
                os.kill(os.getpid(), signal.SIGTERM)
            yield found

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", count)
        patch.setattr(loop._Run, "_judged", ask)
        with pytest.raises(Ended):
            train(sets[task], tmp_path / "ended", settings)
        assert validations[0] > validations[1] == 1, "it did not end within the validation"
        before = len(steps)
        assert train(sets[task], tmp_path / "ended", settings) == whole
    assert (before, len(steps)) == (len(steps) // 3 * 2, len(steps) // 3 * 3), "a step was done twice or left out"


def test_no_state_within_an_epoch_before_its_time(sets: dict[str, Files], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kept: list[int] = []
        patch.setattr(loop._Run, "save_part", lambda *arguments: kept.append(1))
        train(sets["detection"], tmp_path / "never", fit_settings())
        train(sets["detection"], tmp_path / "later", fit_settings(), minutes=60)
    assert kept == [], "kept too early"


def test_what_has_diverged_is_not_kept(sets: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, one_step, seen = fit_settings(), loop._Run._step, []

    def broken(run: loop._Run, *arguments: Any) -> Any:
        seen.append(1)
        found = one_step(run, *arguments)
        return {name: value * (float("nan") if len(seen) == 8 else 1.0) for name, value in found.items()}

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", broken)
        with pytest.raises(loop.Diverged):
            train(sets["detection"], tmp_path / "broken", settings, minutes=ALWAYS)
    assert train(sets["detection"], tmp_path / "broken", settings) == train(sets["detection"], tmp_path / "b", settings)


def test_sigterm_of_the_stage_keeps_the_step_that_it_met(sets: dict[str, Files], tmp_path: Path) -> None:
    settings = fit_settings(epochs=60, patience=60, batch=4)
    command, environment = stage(sets["detection"], tmp_path, settings), {**os.environ, "SLURM_JOB_ID": "71"}
    told = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("keep/*/state.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    told.send_signal(signal.SIGTERM)
    _, lines = told.communicate(timeout=120)
    assert told.returncode == STATUS, lines
    assert "told to end (SIGTERM)" in lines
    assert not (tmp_path / "model.safetensors").exists()
    assert list(tmp_path.glob("keep/*/state.safetensors"))
    environment["SLURM_JOB_ID"] = "72"
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "resumed after epoch" in again.stderr
    record = json.loads(provenance.record_path(tmp_path / "logs/train.log").read_text())
    sittings = json.loads(record["notes"]["sittings"])
    assert [sitting["job"] for sitting in sittings] == ["71", "72"]
    assert (sittings[0]["from_epoch"], sittings[0]["from_step"]) == (0, 0)
    assert (record["notes"]["resumed_from_epochs"], record["notes"]["resumed_from_steps"]) == (
        sittings[1]["from_epoch"], sittings[1]["from_step"],
    )  # fmt: skip
    assert sittings[1]["from_epoch"] > 0
    files = [tmp_path / name for name in ("model.safetensors", "card.json", "history.parquet")]
    assert [digest_result(path) for path in files] == train(sets["detection"], tmp_path / "whole", settings)


def test_sigterm_outside_a_training_ends_the_process_as_ever() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending.asked
    assert signal.getsignal(signal.SIGTERM) is before


def test_sittings_go_with_the_state(tmp_path: Path) -> None:
    identity = {"job": 1}
    for sitting in range(3):
        with Checkpoints(tmp_path, identity) as job:
            stored = job.load()
            assert (stored is None) is (sitting == 0)
            assert len(job.sittings) == sitting + 1
            job.save({"model.w": torch.ones(2)}, {"history": [{}] * (sitting + 1), "step": 5})
    with Checkpoints(tmp_path, identity) as job:
        job.load()
        assert [(told["from_epoch"], told["from_step"]) for told in job.sittings] == [(0, 0), (1, 5), (2, 5), (3, 5)]


def test_without_locks_a_training_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(checkpoints.fcntl, "flock", refuse)
    monkeypatch.setattr(logging.getLogger("ictograph"), "propagate", True)
    with Checkpoints(tmp_path, {"job": 3}) as job:
        job.save({"model.w": torch.ones(2)}, {"history": [{}]})
        assert job.load() is not None
    assert "mount a Lustre file system with the option flock" in caplog.text


def test_a_state_is_due_when_told_to_end(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, {"job": 2}) as job:
        assert not job.due()
        job.end_if_asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert job.due()
        with pytest.raises(Ended):
            job.end_if_asked()
