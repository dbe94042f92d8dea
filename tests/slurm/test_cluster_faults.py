"""Five faults of a cluster, a preemption and a restart that meet a training: equal results, nothing trained twice.

The training is one of `tiny` with more epochs. All that it reads is computed once, without SLURM. After most of them
the same run goes on by itself: SLURM puts the job of a dead node, or a preempted one, back into its queue, and the
profile's `retries` submit a failed one again. After the death of the submitting Snakemake the same command goes on.
"""

import contextlib
import csv
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cluster
import psutil
import pytest
from cluster import SlurmJob
from slurm_project import SlurmProject, beside, make_project

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

RUN = "detection-12s/dist-scratch/seed0"
OUTPUTS = [f"results/tiny/{RUN}/{name}" for name in ("model.safetensors", "card.json", "history.parquet")]
EPOCHS = 300  # 25 s on an idle core: long enough to be met
LONGER = {"training": {"detection": {12: {"epochs": EPOCHS, "patience": EPOCHS}}}}
PATIENCE_S = 900  # of an idle machine a tenth, but for the two minutes for which SLURM holds back what it requeues
AWAY_S = 90  # the executor's own five looks in a row take some ten seconds of a SLURM of which nothing answers
PROFILES_LOOKS = ("--max-status-checks-per-second", "0.1")  # as profiles/slurm has it


@pytest.fixture(scope="module")
def trained(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> SlurmProject:
    """The training and all that it needs, undisturbed and without SLURM."""
    project = make_project(tmp_path_factory.mktemp("undisturbed"))
    project.local.run(OUTPUTS[0], *project.overlay(LONGER))
    return project


@pytest.fixture
def untrained(trained: SlurmProject, tmp_path: Path) -> Iterator[SlurmProject]:
    """Another copy of the project with the same results, but for the training. What is left running is ended."""
    project = beside(trained, tmp_path / "project")
    shutil.copytree(trained.folder / "results" / "tiny", project.folder / "results" / "tiny")
    shutil.copytree(trained.folder / ".snakemake" / "metadata", project.folder / ".snakemake" / "metadata")
    shutil.rmtree(project.folder / "results" / "tiny" / RUN)
    yield project
    for process in psutil.process_iter(["cwd", "cmdline"]):  # first, or it would submit anew what is cancelled
        if process.info["cwd"] == str(project.folder) and "--workflow-profile" in (process.info["cmdline"] or []):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    cluster.client("scancel", "--user=root")  # the cluster is the tests' own; sacct learns of a job up to 5 s late


def begin(project: SlurmProject, *more: str) -> "psutil.Popen":
    """Start a run on the cluster, and return when its training has kept a state, and sacct knows of it."""
    running = project.start(OUTPUTS[0], *more, *project.overlay(LONGER))
    over = lambda: running.poll() is not None  # noqa: E731
    wait_for(lambda: (kept(project) and jobs_of(project)) or over(), "the training's first state", project)
    assert running.poll() is None, project.log()[-3000:]
    return running


def kept(project: SlurmProject) -> list[Path]:
    """States to resume from."""
    return list((project.folder / "results/.checkpoints").glob("*/state.safetensors"))


def wait_for(what: Callable[[], Any], name: str, project: SlurmProject, *, seconds: float = PATIENCE_S) -> Any:
    """What `what` gives as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{name} did not come within {seconds} s:\n{project.log()[-3000:]}")


def jobs_of(project: SlurmProject) -> list[SlurmJob]:
    """All submissions of this project's runs, oldest first."""
    return project.submitted(project.log())


def check(project: SlurmProject, trained: SlurmProject, *, sittings: int) -> list[dict[str, Any]]:
    """Results are equal, nothing is left to do, no state is left over; the sittings of the training."""
    assert project.digests() == trained.digests()
    assert "Nothing to be done" in project.run(OUTPUTS[0], "--dry-run", *project.overlay(LONGER))
    assert kept(project) == []
    record = json.loads((project.folder / f"results/tiny/provenance/{RUN}.train.json").read_text())
    told: list[dict[str, Any]] = json.loads(record["notes"]["sittings"])
    first_epochs = [sitting["from_epoch"] for sitting in told]
    assert len(told) == sittings, told
    assert first_epochs == sorted(set(first_epochs)), "each sitting goes on, none begins anew"
    assert record["notes"]["resumed_from_epochs"] == first_epochs[-1] < EPOCHS
    log = (project.folder / f"results/tiny/logs/{RUN}.train.log").read_text()
    assert f"resumed after epoch {first_epochs[-1]} of {EPOCHS}" in log
    assert f"epoch {first_epochs[-1]} of {EPOCHS}:" not in log, "an epoch was done twice"
    print(f"\n{cluster.table(jobs_of(project))}\nsittings: {told}")
    return told


def finish(running: "psutil.Popen", project: SlurmProject) -> None:
    """Wait for the end of the run, which must be a good one, and for the last word of sacct on its jobs."""
    assert running.wait(timeout=PATIENCE_S) == 0, project.log()[-5000:]
    project.accounted(project.log())


def test_node_killed(untrained: SlurmProject, trained: SlurmProject) -> None:
    """SLURM itself puts the job back into the queue; it goes on when a node is there."""
    running = begin(untrained)
    process = untrained.stage_process("train")
    assert process is not None
    cluster.control("kill-node", "g1")
    wait_for(lambda: gone(process), "the end of the training with its node", untrained, seconds=10)
    try:
        wait_for(lambda: node("g1").startswith("down"), "the end of node g1", untrained)
    finally:
        cluster.control("start-node", "g1")
    (waiting,) = {job.job_id for job in jobs_of(untrained)}
    finish(running, untrained)  # after the two minutes for which SLURM holds it back
    told = check(untrained, trained, sittings=2)
    states = [job.state for job in jobs_of(untrained)]
    assert (states[0], states[-1]) == ("NODE_FAIL", "COMPLETED")
    again = [job.job_id for job in jobs_of(untrained)].count(waiting)
    assert again == 2, "the same SLURM job, queued again by SLURM"
    assert told[0]["job"] == str(waiting)
    assert told[1]["job"] == str(waiting) or states[1] == "FAILED"


def test_over_its_time(untrained: SlurmProject, trained: SlurmProject) -> None:
    """One minute at the first attempt, an hour at the second; the process is stopped: it cannot be done in time."""
    running = begin(untrained, "--set-resources", "train:runtime=1 + 59 * (attempt - 1)")
    process = untrained.stage_process("train")
    assert process is not None
    process.suspend()
    finish(running, untrained)
    check(untrained, trained, sittings=2)
    assert [job.state for job in jobs_of(untrained)] == ["TIMEOUT", "COMPLETED"]


def test_over_its_memory(untrained: SlurmProject, trained: SlurmProject) -> None:
    """The table of needs says too little; every attempt asks for half as much again, up to what the training takes."""
    table = untrained.folder / "workflow/resources/needs.csv"
    rows = list(csv.DictReader(table.open()))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"base_mb": 90, "mb_per_mb": 0} if row["rule"] == "train" else row for row in rows)
    running = untrained.start(OUTPUTS[0], *untrained.overlay(LONGER))
    finish(running, untrained)
    jobs = jobs_of(untrained)
    asked = [int(job.tres["mem"].removesuffix("M")) for job in jobs]
    print(f"\n{cluster.table(jobs)}")
    assert len(jobs) in (2, 3)
    assert asked == sorted(set(asked)), "every submission asks for more"
    assert {job.state for job in jobs[:-1]} <= {"FAILED", "OUT_OF_MEMORY"}
    assert jobs[-1].state == "COMPLETED"
    assert jobs[-1].max_rss_mb > asked[0], "it really needs more than the first attempt gave"
    for job, memory in zip(jobs[:-1], asked, strict=False):  # what it took is not always sampled before it is killed
        assert job.max_rss_mb > memory or job.state == "OUT_OF_MEMORY" or "0:9" in job.exit_codes, job
    assert "Nothing to be done" in untrained.run(OUTPUTS[0], "--dry-run", *untrained.overlay(LONGER))
    assert kept(untrained) == []  # no `check`: it may be ended before it has kept a state
    assert untrained.digests() == trained.digests()


def test_cancelled(untrained: SlurmProject, trained: SlurmProject) -> None:
    """The run submits the training again by itself."""
    running = begin(untrained)
    (job,) = jobs_of(untrained)
    cluster.client("scancel", job.job_id)
    finish(running, untrained)
    check(untrained, trained, sittings=2)
    assert [job.state for job in jobs_of(untrained)] == ["CANCELLED", "COMPLETED"]


def test_preempted(untrained: SlurmProject, trained: SlurmProject) -> None:
    """A job of more weight takes the GPU; SLURM itself puts the training back into the queue."""
    running = begin(untrained)
    urgent = ("--partition=urgent", "--gres=gpu:1", "--time=1", "--output=/dev/null", "--wrap=sleep 5")
    other = cluster.client("sbatch", "--parsable", *urgent).strip()
    wait_for(lambda: ended(other), "the end of the other job", untrained)
    (waiting,) = {job.job_id for job in jobs_of(untrained)}
    finish(running, untrained)  # after the two minutes for which SLURM holds it back
    sittings = check(untrained, trained, sittings=2)
    jobs = jobs_of(untrained)
    assert [job.state for job in jobs] == ["PREEMPTED", "COMPLETED"]
    assert {job.job_id for job in jobs} == {waiting}, "the same SLURM job, queued again by SLURM"
    assert (sittings[1]["from_epoch"], sittings[1]["from_step"]) > (0, 0)


def test_controller_away(untrained: SlurmProject, trained: SlurmProject) -> None:
    """SLURM is in maintenance: the training goes on and ends meanwhile; the run asks until somebody answers."""
    running = begin(untrained, *PROFILES_LOOKS)
    cluster.control("stop-controller")
    time.sleep(AWAY_S)
    assert running.poll() is None
    cluster.control("up")
    finish(running, untrained)
    assert untrained.digests() == trained.digests()
    assert kept(untrained) == []
    assert [job.state for job in jobs_of(untrained)] == ["COMPLETED"]
    assert "Nothing to be done" in untrained.run(OUTPUTS[0], "--dry-run", *untrained.overlay(LONGER))


def test_submitting_snakemake_killed(untrained: SlurmProject, trained: SlurmProject) -> None:
    """Its job goes on; the same command ends it, and its successor goes on from the state that it leaves."""
    running = begin(untrained)
    running.send_signal(signal.SIGKILL)
    running.wait()
    (orphan,) = jobs_of(untrained)
    assert orphan.ended is None, "the job must outlive its Snakemake"
    finish(untrained.start(OUTPUTS[0], *untrained.overlay(LONGER)), untrained)
    told = check(untrained, trained, sittings=2)
    before, after = jobs_of(untrained)
    assert (before.job_id, before.state, after.state) == (orphan.job_id, "CANCELLED", "COMPLETED")
    assert [sitting["job"] for sitting in told] == [before.job_id, after.job_id]
    assert f"jobs of the run before were still in SLURM's queue and are cancelled: {orphan.job_id}" in untrained.log()


def test_what_a_job_ends_without_its_snakemake_is_kept_and_is_no_stranger(untrained: SlurmProject) -> None:
    """Nobody waited for it, and yet it is not made again; and a change of settings makes it anew, as ever."""
    running = begin(untrained)
    running.send_signal(signal.SIGKILL)
    running.wait()
    wait_for(lambda: jobs_of(untrained)[0].ended, "the end of the job without its Snakemake", untrained)
    assert "Nothing to be done" in untrained.run(OUTPUTS[0], "--dry-run", *untrained.overlay(LONGER))
    other = {"training": {"detection": {12: {"epochs": EPOCHS + 1, "patience": EPOCHS}}}}
    assert untrained.plan(OUTPUTS[0], *untrained.overlay(other)).rules == {"train"}


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; where pid 1 does not reap, its name stays."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ended(job_id: str) -> bool:
    """Whether a job ran to its end, by sacct."""
    return any(job.state == "COMPLETED" for job in cluster.sacct() if job.job_id == job_id)


def node(name: str) -> str:
    """SLURM's word on a node: idle, mixed, down*."""
    return cluster.client("sinfo", "--noheader", "--nodes", name, "--format", "%T").strip()
