"""Jobs of a killed Snakemake: found by the lock's text, cancelled, waited for. SLURM's clients are stand-ins here."""

import errno
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workflow.lib import orphans, run_lock

ROOT = Path(__file__).parents[2]
# A queue is a folder with a file per job, which holds its run's name; a file `slow` keeps jobs from ending, with `deaf`
# scancel fails, with `mute` squeue does, with `once` beside it only one time.
SQUEUE = """#!/bin/sh
[ -f {queue}/mute ] && {{ [ -f {queue}/once ] && rm {queue}/mute {queue}/once; echo no answer >&2; exit 1; }}
while [ $# -gt 0 ]; do
  case $1 in --name) names=$2; shift;; --me) all=yes;; esac
  shift
done
for job in {queue}/[0-9]*; do
  [ -f "$job" ] && case ",$names,$all" in *",$(cat $job),"*|*yes) basename $job;; esac
done
exit 0
"""
SCANCEL = """#!/bin/sh
[ -f {queue}/deaf ] && exit 1
echo "$@" >> {queue}/cancelled
[ -f {queue}/slow ] || for job in "$@"; do rm {queue}/$job; done
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "queue"
    folder.mkdir()
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        client = tmp_path / "bin" / name
        client.parent.mkdir(exist_ok=True)
        client.write_text(text.format(queue=folder))
        client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(orphans, "INSIDE", "")  # these tests may be a job of SLURM themselves
    for job, run in (("11", "a-1"), ("12", "a-1"), ("13", "b-2"), ("14", "another")):
        (folder / job).write_text(run)
    return folder


def text(*names: str, **origin: object) -> str:
    """What the lock of killed runs says, the last of which ran here unless `origin` says otherwise."""
    runs = [replace(orphans.own(name), **origin) for name in names]  # type: ignore[arg-type]
    return f"process 4901 on here since 2026-11-22 03:00:00{orphans.as_text(runs)}"


def in_queue(queue: Path) -> set[str]:
    return {path.name for path in queue.glob("[0-9]*")}


def test_jobs_of_the_dead_runs_and_no_others_are_cancelled(queue: Path) -> None:
    told = orphans.clear(text("a-1", "b-2"))
    assert told.endswith("11 12 13")
    assert in_queue(queue) == {"14"}
    assert orphans.clear(text("a-1", "b-2")) == ""
    assert (queue / "cancelled").read_text() == "11 12 13\n", "nothing is cancelled twice"
    assert orphans.clear("") == ""


def test_jobs_of_a_run_of_another_machine_are_not_touched(queue: Path) -> None:
    """Lustre with localflock: the lock is free here, while the run lives there."""
    with pytest.raises(orphans.StillThere, match=r"jobs 11 12 .*process 77 on login1 .*scancel --name a-1"):
        orphans.clear(text("a-1", host="login1", process=77))
    with pytest.raises(orphans.StillThere, match="login1"):
        orphans.clear(f"{text('a-1', host='login1')}{orphans.as_text([orphans.own('b-2')])}")
    assert in_queue(queue) == {"11", "12", "13", "14"}
    assert not (queue / "cancelled").exists()
    assert orphans.clear(text("long-gone", host="login1")) == "", "of which nothing is queued any more"
    assert orphans.clear(text("a-1", host="login1", ended=True)).endswith("11 12"), "it said itself that it ended"


def test_a_snakemake_that_was_a_job_itself_is_gone_with_its_job(queue: Path) -> None:
    with pytest.raises(orphans.StillThere):
        orphans.clear(text("a-1", host="n1", job="14"))
    assert orphans.clear(text("a-1", host="n1", job="9")).endswith("11 12")


def test_without_locks_a_process_that_is_there_may_be_the_run(queue: Path) -> None:
    with pytest.raises(orphans.StillThere, match=f"process {os.getpid()} "):
        orphans.clear(text("a-1") + orphans.UNLOCKED)
    assert orphans.clear(text("a-1", process=ended_process()) + orphans.UNLOCKED).endswith("11 12")


def ended_process() -> int:
    return 999_999_999  # more than any system gives out


def test_jobs_that_do_not_end_stop_the_run(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (queue / "slow").touch()
    monkeypatch.setattr(orphans, "ENDED_WITHIN_S", 0.5)
    with pytest.raises(orphans.StillThere, match=r"jobs 11 12 .*squeue --name a-1"):
        orphans.clear(text("a-1"))


@pytest.mark.parametrize("silence", ["deaf", "mute"])
def test_where_slurm_does_not_do_as_it_is_told_no_run_starts(
    silence: str, queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (queue / silence).touch()
    monkeypatch.setattr(orphans, "ENDED_WITHIN_S", 0.5)
    with pytest.raises(orphans.StillThere, match="a-1"):
        orphans.clear(text("a-1"))
    assert in_queue(queue) == {"11", "12", "13", "14"}


def test_a_moment_without_an_answer_is_waited_for(queue: Path) -> None:
    for name in ("mute", "once"):
        (queue / name).touch()
    assert orphans.clear(text("a-1")).endswith("11 12")


def test_without_slurm_the_run_is_named_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not known here" in orphans.clear(text("a-1"))
    assert names_in(orphans.last_words(text("a-1"), "b-2", well=True)) == ["a-1"], "jobs that may be there stay named"


def test_a_run_that_is_stopped_leaves_its_name_for_as_long_as_its_jobs_end(queue: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"

    def run(name: str, *, well: bool) -> str:
        left_by = run_lock.take(folder, name)
        run_lock.release(folder, orphans.last_words(run_lock.text(folder), name, well=well))
        return left_by

    run("a-1", well=False)
    left_by = run("b-2", well=False)
    assert names_in(left_by) == ["a-1"]
    left_by = run("c-3", well=True).replace(f"on {socket.gethostname()}", "on login1")
    assert names_in(left_by) == ["a-1", "b-2"], "a run that nobody has cleared away is not forgotten for a later one"
    assert orphans.clear(left_by).endswith("11 12 13"), "wherever it was"
    assert names_in(run("a-1", well=True)) == ["a-1", "b-2"]
    assert run("d-4", well=True) == "", "nothing of it is queued: nothing stays"
    assert orphans.last_words("", "", well=False) == "", "a run without SLURM"


def test_one_run_says_that_it_has_ended_and_not_the_others(queue: Path) -> None:
    before = orphans.as_text([replace(orphans.own("a-1"), host="login1")])
    told = orphans.last_words(f"process 1 on here{before}{orphans.as_text([orphans.own('b-2')])}", "b-2", well=False)
    assert [run.ended for run in orphans.runs_in(told)] == [False, True]
    with pytest.raises(orphans.StillThere, match="login1"):
        orphans.clear(told)


def test_the_job_that_a_snakemake_runs_in_is_known_although_its_executor_forgets_it() -> None:
    code = (
        "from workflow.lib import orphans; from snakemake_executor_plugin_slurm import utils;"
        " utils.delete_slurm_environment(); print(orphans.own('a-1'))"
    )
    inside = {**os.environ, "SLURM_JOB_ID": "77", "SLURMD_NODENAME": "n1"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=inside, capture_output=True, text=True).stdout
    assert told.strip().endswith("in job 77")


def names_in(text: str) -> list[str]:
    return [run.name for run in orphans.runs_in(text)]


def test_the_lock_names_the_runs_until_one_ends_well(tmp_path: Path) -> None:
    left = []
    for name in ("one", "two", "three"):
        code = f"from workflow.lib import run_lock; print(run_lock.take({str(tmp_path)!r}, {name!r}))"  # ends untidily
        left.append(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout)
    assert [names_in(text) for text in left] == [[], ["one"], ["one", "two"]]
    assert names_in(run_lock.take(tmp_path)) == ["one", "two", "three"]
    run_lock.release(tmp_path)
    assert run_lock.take(tmp_path) == ""
    run_lock.release(tmp_path)
    many = [f"{k:036d}" for k in range(9)]
    for name in many:
        run_lock.take(tmp_path, name)
        os.close(run_lock._held.pop(tmp_path.resolve() / run_lock.NAME))
    assert names_in(run_lock.take(tmp_path)) == many[-orphans.REMEMBERED :], "the file stays short enough to read"
    run_lock.release(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_a_run_says_so_and_goes_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(run_lock.fcntl, "flock", refuse)
    lock = tmp_path / run_lock.NAME
    lock.write_text(f"process {ended_process()} on {socket.gethostname()} since yesterday")
    assert run_lock.holder(tmp_path) == ""
    assert "since yesterday" in run_lock.take(tmp_path, "a-1")
    assert "no locks here" in capsys.readouterr().err
    assert orphans.UNLOCKED in lock.read_text()
    assert names_in(lock.read_text()) == ["a-1"]
    run_lock.release(tmp_path)
    lock.write_text(f"process {os.getppid()} on {socket.gethostname()} since today")  # lives, and is of this machine
    assert run_lock.holder(tmp_path).endswith("since today")
    with pytest.raises(run_lock.FolderInUse, match=f"process {os.getppid()}"):
        run_lock.take(tmp_path)


def test_other_errors_of_a_lock_are_not_taken_for_its_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(run_lock.fcntl, "flock", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        run_lock.take(tmp_path)
