"""Jobs of one machine spread over the GPUs that they may use; made-up GPUs, real processes."""

import errno
import fcntl
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from pipeline.training import device, job, soz_job
from pipeline.training.gpus import choose, lock_folder, visible_gpus

ROOT = Path(__file__).parents[2]
JOB = """
import sys, time
from pathlib import Path
from pipeline.training.gpus import choose
print(*choose(sys.argv[3:], int(sys.argv[2]), alone=True, folder=Path(sys.argv[1])), flush=True)
sys.stdin.readline()
"""


class Job:
    """A process that takes GPUs and keeps them until it is told to end."""

    def __init__(self, folder: Path, names: list[str], count: int = 1) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(folder), str(count), *names], cwd=ROOT, text=True, **pipes
        )  # fmt: skip

    def chosen(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()


def test_jobs_take_different_gpus_and_a_killed_one_gives_its_own_back(tmp_path: Path) -> None:
    names = ["2", "GPU-0a1b", "MIG-GPU-5/1/0"]
    jobs = [Job(tmp_path, names) for _ in names]
    try:
        taken = [job.chosen() for job in jobs]
        assert sorted(one for (one,) in taken) == sorted(names)
        jobs[1].end()
        jobs.append(Job(tmp_path, names))
        assert jobs[-1].chosen() == taken[1]
        jobs.append(Job(tmp_path, names))  # more jobs than GPUs: shares one, and does not wait
        assert jobs[-1].chosen()[0] in names
    finally:
        for job in jobs:
            job.end()


def test_one_job_takes_as_many_as_it_has_processes(tmp_path: Path) -> None:
    names = ["0", "1", "2", "3"]
    jobs = [Job(tmp_path, names, 2)]
    try:
        assert len(set(jobs[0].chosen())) == 2
        jobs.append(Job(tmp_path, names, 2))
        assert jobs[1].chosen() == ["2", "3"]
    finally:
        for job in jobs:
            job.end()


def test_a_short_job_looks_for_a_free_one_and_locks_none(tmp_path: Path) -> None:
    first = choose(["0", "1"], 1, alone=False, folder=tmp_path)
    assert first == ["0"]
    job = Job(tmp_path, ["0", "1"])
    try:
        assert job.chosen() == ["0"]
        assert choose(["0", "1"], 1, alone=False, folder=tmp_path) == ["1"]
    finally:
        job.end()


def test_one_visible_gpu_is_taken_without_a_lock(tmp_path: Path) -> None:
    assert choose(["7"], 1, alone=True, folder=tmp_path / "locks") == ["7"]
    assert not (tmp_path / "locks").exists()


def test_fewer_gpus_than_processes_are_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"processes: 3, but 2 GPUs are visible; lower it"):
        choose(["0", "1"], 3, alone=True, folder=tmp_path)


def test_what_is_visible_is_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(3) == ["0", "1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6,7")
    assert visible_gpus(3) == ["4", "6", "7"]
    assert visible_gpus(2) == ["4", "6"]  # the third does not exist
    assert visible_gpus(0) == []


def test_jobs_of_a_slurm_job_have_locks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    outside = lock_folder()
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert lock_folder() != outside
    assert lock_folder().name == f"ictograph-gpus-{os.getuid()}-{socket.gethostname()}-17"


def test_nodes_that_share_their_temporary_folder_share_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    here = lock_folder()
    monkeypatch.setattr(socket, "gethostname", lambda: "another-node")
    assert lock_folder() != here


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_folder_without_locks_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def none_here(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none_here)
    gc.collect()  # files that earlier tests left
    before = len(os.listdir("/proc/self/fd"))
    with caplog.at_level(logging.WARNING, logger="ictograph"):
        assert len(set(choose(["0", "1", "2"], 2, alone=True, folder=tmp_path))) == 2
    assert "no locks here, none on GPU 0; others may compute there, too" in caplog.text
    assert len(os.listdir("/proc/self/fd")) == before


class Chosen(BaseException):
    """The job has got as far as its GPU."""


@pytest.mark.parametrize("run", [job.run_job, soz_job.run_pretraining, soz_job.run_training])
def test_each_training_keeps_its_gpu_from_others(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(gpus: list[str], count: int, *, alone: bool, folder: Path) -> list[str]:
        assert gpus == ["0", "1"]
        assert alone
        raise Chosen

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device, "choose", look)
    settings = SimpleNamespace(device=SimpleNamespace(device="auto", threads=1), loop=SimpleNamespace(processes=1))
    told = {"settings": settings, "code": "c", "checkpoints": Path("none")}
    with pytest.raises(Chosen):
        run(cast(Any, None), cast(Any, None), **told)
