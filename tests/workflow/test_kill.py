"""Kill -9 at random moments, run again: the results equal those of an undisturbed run (issue 2, acceptance 4)."""

import contextlib
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from tiny_project import TinyProject, copy_project

pytestmark = pytest.mark.slow

# Ten victims, in the order in which a first run meets them, and the longest wait before the shot, in seconds: within
# the life of such a job, and halved after a job that ended first. "snakemake" is shot while the rule that follows it is
# forced to run.
VICTIMS = [
    ("ingest", 2.0), ("snakemake ingest", 8.0), ("ingest", 2.0), ("pretrain", 6.0), ("snakemake pretrain", 10.0),
    ("train", 6.0), ("train", 6.0), ("snakemake train", 12.0), ("ingest", 2.0), ("train", 6.0),
]  # fmt: skip
# Without the profile's keep-going, so that a run ends soon after its job was shot.
ONE_FAILURE = ["--workflow-profile", "none", "--resources", "gpu=1", "--rerun-incomplete"]


def shoot(project: TinyProject, victim: str, longest_s: float, dice: random.Random) -> bool:
    """Start a run in which the victim's rule is forced, and kill -9 the victim at a random moment of its life."""
    whom, rule = victim.split()[0], victim.split()[-1]
    running = project.start(*ONE_FAILURE, "--forcerun", rule)
    shot = False
    while running.poll() is None and not shot:
        process = project.stage_process(rule)
        if process is not None:
            time.sleep(dice.uniform(0.0, longest_s))
            if whom == "snakemake" and running.poll() is None:
                running.send_signal(signal.SIGKILL)
                shot = True
            elif whom != "snakemake":
                with contextlib.suppress(psutil.NoSuchProcess):  # it may just have ended
                    process.kill()
                    shot = True
        time.sleep(0.02)
    running.wait()
    return shot


def settle(project: TinyProject) -> None:
    """Wait for jobs that outlive their Snakemake, then remove its lock, as the docs say."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and any(
        "pipeline.stages" in " ".join(process.info["cmdline"] or []) and process.info["cwd"] == str(project.folder)
        for process in psutil.process_iter(["cmdline", "cwd"])
    ):
        time.sleep(0.2)
    project.run("--unlock")


def sibling(project: TinyProject, folder: Path) -> TinyProject:
    """Another copy of the code on the same corpus, with nothing computed."""
    folder.mkdir(exist_ok=True)
    made = copy_project(folder)
    (folder / "on-disk.yaml").write_text((project.folder / "on-disk.yaml").read_text())
    return made


def test_ten_kills_leave_no_trace(finished: TinyProject, tmp_path: Path) -> None:
    project, dice = sibling(finished, tmp_path / "killed"), random.Random(20220)
    for victim, longest_s in VICTIMS:
        missed = 0
        while not shoot(project, victim, longest_s / 2**missed, dice):
            missed += 1
            assert missed < 5, f"{victim} ended before it could be killed, five times"
        settle(project)
    project.run()
    assert project.digests() == finished.digests()
    assert "Nothing to be done" in project.run("--dry-run")
    assert [path for path in project.folder.rglob(".*") if path.suffix in {".part", ".dir"}] == []
    checkpoints = project.folder / "results" / ".checkpoints"
    assert [path for path in checkpoints.rglob("*.safetensors") if path.is_file()] == []


def test_a_killed_training_never_resumes_under_another_learning_rate(finished: TinyProject, tmp_path: Path) -> None:
    interrupted, fresh = sibling(finished, tmp_path / "a"), sibling(finished, tmp_path / "b")
    target = "results/tiny/detection-12s/dist-scratch/seed0/model.safetensors"
    running = interrupted.start(target, *interrupted.overlay({"training": {"detection": {12: {"epochs": 40}}}}))
    checkpoints = interrupted.folder / "results" / ".checkpoints"
    while running.poll() is None and not list(checkpoints.rglob("*.safetensors")):
        time.sleep(0.02)
    process = interrupted.stage_process("train")
    assert process is not None, (interrupted.folder / "run.log").read_text()[-3000:]
    process.kill()
    running.wait()
    assert list(checkpoints.rglob("*.safetensors")), "there must be something to resume from"
    settle(interrupted)
    other = {"training": {"detection": {12: {"learning_rate": 0.0007}}}}
    interrupted.run(target, *interrupted.overlay(other))
    fresh.run(target, *fresh.overlay(other))
    assert (interrupted.folder / target).read_bytes() == (fresh.folder / target).read_bytes()
