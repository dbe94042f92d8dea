"""Jobs of a run whose Snakemake has ended: SLURM goes on with them, though nobody waits for them any more.

The lock of the results folder names the SLURM runs of who held it (workflow/lib/run_lock.py). The next run, once it
holds the lock, ends what is left of them: two jobs must not write the same files, and a training goes on from its last
state. It does so only where it is certain that their Snakemake has ended: a free lock says nothing of another machine
(Lustre's option `localflock`).
"""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass, replace

REMEMBERED = 5  # runs, of several that were killed one after the other
CLIENT_TIMEOUT_S = 60  # SLURM's clients retry for minutes when a daemon is away
ENDED_WITHIN_S = 120  # SIGTERM, KillWait (30 s by default), SIGKILL, epilog
GONE = "; where SLURM is gone for good, remove .lock in the results folder"
UNLOCKED = ", without a lock"  # in a lock's text: the file system has none
ENDED = ", which has ended before its jobs"  # of a run in a lock's text: certain, whatever the machine
# The job that this process runs in. Asked for here and now, while the Snakefile is read: the executor for SLURM removes
# all of SLURM's variables. Only within a job's allocation does its number say when the process is gone.
INSIDE = os.environ.get("SLURM_JOB_ID", "") if "SLURMD_NODENAME" in os.environ else ""


class StillThere(Exception):
    """Jobs of a run before are in the queue, or may be, and are not to be cancelled, or do not end; says what to do."""


@dataclass(frozen=True)
class Run:
    """The jobs of one Snakemake: their name in SLURM; its process, host, and the SLURM job that it was itself in."""

    name: str
    process: int
    host: str
    job: str = ""
    ended: bool = False  # it said so itself

    def __str__(self) -> str:
        place = f"on {self.host}{self.job and f' in job {self.job}'}"
        return f"SLURM run {self.name} of process {self.process} {place}{ENDED if self.ended else ''}"


def own(name: str) -> Run:
    """This process's run."""
    return Run(name, os.getpid(), socket.gethostname(), INSIDE)


def runs_in(text: str) -> list[Run]:
    """The SLURM runs that a lock's text names, the latest last."""
    pattern = rf"\bSLURM run ([\w-]+) of process (\d+) on ([\w.-]+)(?: in job (\d+))?({ENDED})?"
    found = re.findall(pattern, text)
    return [Run(name, int(process), host, job, bool(ended)) for name, process, host, job, ended in found][-REMEMBERED:]


def as_text(runs: list[Run]) -> str:
    """What a lock says of them."""
    return "".join(f", {run}" for run in runs)


def lives(process: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clear(left_by: str) -> str:
    """Cancel what is left of the runs in a lock's text and wait for it to end; a line about it, or nothing.

    Raises StillThere: before anything is cancelled, where a run's Snakemake may live or SLURM does not say what is
    left; or where jobs do not end. Where there is no SLURM at all, the line says that nothing is known.
    """
    runs = runs_in(left_by)
    if not runs:
        return ""
    names = [run.name for run in runs]
    try:
        jobs = _jobs(names)
    except FileNotFoundError as error:
        return f"whether jobs of the run before ({', '.join(names)}) are still queued is not known here: {error}{GONE}"
    if not jobs:
        return ""
    for run in runs:
        if not _ended(run, left_by) and (its := _jobs([run.name])):
            raise StillThere(_unsure(run, its))
    _cancel(jobs, names)
    return f"jobs of the run before were still in SLURM's queue and are cancelled: {' '.join(jobs)}"


def _cancel(jobs: list[str], names: list[str]) -> None:
    """Cancel all jobs of these runs, and wait for their end. Raises StillThere."""
    problem, left = "", jobs
    deadline = time.monotonic() + ENDED_WITHIN_S
    try:
        client("scancel", *jobs)
    except OSError as error:
        problem = f" ({error})"
    while left and time.monotonic() < deadline:
        try:
            left = _queued(names)
        except OSError as error:
            problem = f" ({error})"
        time.sleep(1 if left else 0)
    if left:
        raise StillThere(
            f"jobs {' '.join(left)} of a run whose Snakemake has ended do not end after scancel{problem}; run again"
            f" when they have gone (squeue --name {names[-1]})"
        )


def last_words(text: str, run: str, *, well: bool) -> str:
    """What stays in the lock that says `text` when `run` ends: the runs of which jobs are or may be queued, or nothing.

    `well`: of `run` itself none are.
    """
    runs = [replace(one, ended=one.ended or one.name == run) for one in runs_in(text)]
    left = [one for one in runs if not (well and one.name == run) and _may_be_queued(one)]
    return f"process {os.getpid()} on {socket.gethostname()}{as_text(left)}" if left else ""


def _may_be_queued(run: Run) -> bool:
    try:
        return bool(_queued([run.name]))
    except OSError:
        return True  # SLURM gives no answer: the next run asks again


def _ended(run: Run, left_by: str) -> bool:
    """Whether the run's Snakemake has certainly ended; this process holds the lock in which `left_by` stood."""
    if run.ended:
        return True
    if run.job:
        # %A: of a task of an array, too, the number that the task itself is told
        return run.job == INSIDE or run.job not in _patiently("--me", "--format", "%A", about=run.name)
    return run.host == socket.gethostname() and (UNLOCKED not in left_by or not lives(run.process))


def _unsure(run: Run, jobs: list[str]) -> str:
    return (
        f"jobs {' '.join(jobs)} of a run that process {run.process} on {run.host} started are in SLURM's queue, and"
        f" {socket.gethostname()} cannot know whether that process lives. If it does: wait for it to end, or stop it"
        f" there (Ctrl-C). If it does not: scancel --name {run.name}; then run again"
    )


def _patiently(*options: str, about: str) -> list[str]:
    """What squeue prints, asked again while SLURM is there and gives no answer.

    Raises StillThere in the end, and FileNotFoundError where there is no squeue at all.
    """
    deadline = time.monotonic() + ENDED_WITHIN_S
    while True:
        try:
            return client("squeue", "--noheader", *options).split()
        except FileNotFoundError:
            raise
        except OSError as error:
            if time.monotonic() >= deadline:
                raise StillThere(
                    f"whether jobs of the run before ({about}) are still in SLURM's queue is not known: {error};"
                    f" run again when it answers{GONE}"
                ) from None
            time.sleep(1)


def _jobs(names: list[str]) -> list[str]:
    """Ids of the runs' jobs that wait, run or end; see _patiently."""
    return _patiently(*_of_runs(names), about=", ".join(names))


def _queued(names: list[str]) -> list[str]:
    """The same, asked once. Raises OSError."""
    return client("squeue", "--noheader", *_of_runs(names)).split()


def _of_runs(names: list[str]) -> list[str]:
    return ["--name", ",".join(names), "--format", "%i"]


def client(*words: str) -> str:
    """What a client of SLURM prints (`squeue --me`). Raises OSError with its message, or where it gives no answer."""
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=CLIENT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{' '.join(words)} gave no answer within {CLIENT_TIMEOUT_S} s") from None
    if answer.returncode:
        raise OSError(f"{' '.join(words)}: {answer.stderr.strip()}")
    return answer.stdout
