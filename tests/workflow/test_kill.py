"""Kill -9 at random moments, run again: the results equal those of an undisturbed run (issue 2, acceptance 4)."""

import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from tiny_project import TinyProject, copy_project, make_corpus

pytestmark = pytest.mark.slow

VICTIMS = ["ingest", "snakemake", "ingest", "pretrain", "train", "snakemake", "train", "ingest", "train", "snakemake"]


def stage_process(project: TinyProject, stage: str) -> psutil.Process | None:
    """A running job of that stage in this project."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if (
            f"pipeline.stages.{stage}" in words
            and process.info["cwd"] == str(project.folder)
            and "bash" not in words[0]
        ):
            return process
    return None


def kill_once(project: TinyProject, victim: str, dice: random.Random) -> bool:
    """Start a run and kill the victim at a random moment of its life; False if the run ended first."""
    running = project.start()
    deadline = time.monotonic() + 300
    while running.poll() is None and time.monotonic() < deadline:
        if victim == "snakemake":
            time.sleep(dice.uniform(6.0, 25.0))
            if running.poll() is None:
                running.send_signal(signal.SIGKILL)
                running.wait()
                return True
        elif process := stage_process(project, victim):
            time.sleep(dice.uniform(0.0, 6.0))
            if process.is_running():
                process.kill()
                running.wait()
                return True
        time.sleep(0.05)
    running.wait()
    return False


def settle(project: TinyProject) -> None:
    """Wait for jobs that outlive their Snakemake, then remove its lock, as the docs say."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and any(
        "pipeline.stages" in " ".join(process.info["cmdline"] or []) and process.info["cwd"] == str(project.folder)
        for process in psutil.process_iter(["cmdline", "cwd"])
    ):
        time.sleep(0.2)
    project.run("--unlock")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = copy_project(tmp_path_factory.mktemp("undisturbed"))
    make_corpus(project)
    project.run()
    return project


def sibling(project: TinyProject, folder: Path) -> TinyProject:
    """Another copy on the same corpus."""
    made = copy_project(folder)
    (folder / "on-disk.yaml").write_text((project.folder / "on-disk.yaml").read_text())
    return made


def test_ten_kills_leave_no_trace(undisturbed: TinyProject, tmp_path: Path) -> None:
    project = sibling(undisturbed, tmp_path)
    dice = random.Random(20220)
    kills = 0
    for victim in VICTIMS:
        kills += kill_once(project, victim, dice)
        settle(project)
    project.run()
    assert kills >= 6, "the runs ended before they could be killed"
    assert project.digests() == undisturbed.digests()
    assert "Nothing to be done" in project.run("--dry-run")
    left = [path for path in (tmp_path / "results").rglob(".*") if path.suffix in {".part", ".dir"}]
    assert [path for path in left if path.exists()] == []
    checkpoints = tmp_path / "results" / ".checkpoints"
    assert not checkpoints.exists() or [path for path in checkpoints.rglob("*") if path.is_file()] == []


def test_a_killed_training_never_resumes_under_another_learning_rate(undisturbed: TinyProject, tmp_path: Path) -> None:
    interrupted, fresh = sibling(undisturbed, tmp_path / "a"), sibling(undisturbed, tmp_path / "b")
    target = "results/tiny/detection-12s/dist-scratch/seed0/model.safetensors"
    slow = {"training": {"detection": {12: {"epochs": 12}}}}
    running = interrupted.start(target, *interrupted.overlay(slow))
    while (process := stage_process(interrupted, "train")) is None and running.poll() is None:
        time.sleep(0.05)
    assert process is not None, (interrupted.folder / "run.log").read_text()[-3000:]
    time.sleep(6.0)
    killed = process.is_running()
    process.kill()
    running.wait()
    assert killed
    settle(interrupted)
    other = {"training": {"detection": {12: {"epochs": 12, "learning_rate": 0.0007}}}}
    interrupted.run(target, *interrupted.overlay(other))
    fresh.run(target, *fresh.overlay(other))
    assert (interrupted.folder / target).read_bytes() == (fresh.folder / target).read_bytes()
