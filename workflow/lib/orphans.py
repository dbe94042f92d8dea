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
from dataclasses import dataclass

REMEMBERED = 5  # runs, of several that were killed one after the other
CLIENT_TIMEOUT_S = 60  # SLURM's clients retry for minutes when a daemon is away
ENDED_WITHIN_S = 120  # SIGTERM, KillWait (30 s by default), SIGKILL, epilog
UNLOCKED = ", without a lock"  # in a lock's text: the file system has none
ENDED = ", which has ended before its jobs"  # in a lock's text: certain, whatever the machine


class StillThere(Exception):
    """Jobs of a run before are in the queue and not to be cancelled, or do not end; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """The jobs of one Snakemake: their name in SLURM; its process, host, and the SLURM job that it was itself in."""

    name: str
    process: int
    host: str
    job: str = ""

    def __str__(self) -> str:
        return f"SLURM run {self.name} of process {self.process} on {self.host}{self.job and f' in job {self.job}'}"


def own(name: str) -> Run:
    """This process's run. Only within a job's allocation does its number say when the process is gone."""
    inside = os.environ.get("SLURM_JOB_ID", "") if "SLURMD_NODENAME" in os.environ else ""
    return Run(name, os.getpid(), socket.gethostname(), inside)


def runs_in(text: str) -> list[Run]:
    """The SLURM runs that a lock's text names, the latest last."""
    found = re.findall(r"\bSLURM run ([\w-]+) of process (\d+) on ([\w.-]+)(?: in job (\d+))?", text)
    return [Run(name, int(process), host, job) for name, process, host, job in found][-REMEMBERED:]


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

    Raises StillThere: before anything is cancelled, where a run's Snakemake may live; or where jobs do not end.
    """
    runs = runs_in(left_by)
    if not runs:
        return ""
    names = [run.name for run in runs]
    try:
        jobs = _queued(names)
        if not jobs:
            return ""
        for run in runs:
            if not _ended(run, left_by) and (its := _queued([run.name])):
                raise StillThere(_unsure(run, its))
        _client("scancel", *jobs)
        deadline = time.monotonic() + ENDED_WITHIN_S
        while (left := _queued(names)) and time.monotonic() < deadline:
            time.sleep(1)
    except OSError as error:
        return f"whether jobs of the run before ({', '.join(names)}) are still in SLURM's queue is not known: {error}"
    if left:
        raise StillThere(
            f"jobs {' '.join(left)} of a run whose Snakemake has ended do not end after scancel; run again when they"
            f" have gone (squeue --name {names[-1]})"
        )
    return f"jobs of the run before were still in SLURM's queue and are cancelled: {' '.join(jobs)}"


def last_words(name: str) -> str:
    """What a run that ends badly leaves in the lock: its name if jobs of it are or may be queued, else nothing."""
    if not name:
        return ""
    try:
        if not _queued([name]):
            return ""
    except OSError:
        pass  # SLURM gives no answer: the next run asks again
    return f"process {os.getpid()} on {socket.gethostname()}{ENDED}{as_text([own(name)])}"


def _ended(run: Run, left_by: str) -> bool:
    """Whether the run's Snakemake has certainly ended; this process holds the lock in which `left_by` stood."""
    if ENDED in left_by:
        return True
    if run.job:
        return (
            run.job == own("").job or run.job not in _client("squeue", "--noheader", "--me", "--format", "%i").split()
        )
    return run.host == socket.gethostname() and (UNLOCKED not in left_by or not lives(run.process))


def _unsure(run: Run, jobs: list[str]) -> str:
    return (
        f"jobs {' '.join(jobs)} of a run that process {run.process} on {run.host} started are in SLURM's queue, and"
        f" {socket.gethostname()} cannot know whether that process lives. If it does: wait for it to end, or stop it"
        f" there (Ctrl-C). If it does not: scancel --name {run.name}; then run again"
    )


def _queued(names: list[str]) -> list[str]:
    """Ids of the runs' jobs that wait, run or end."""
    return _client("squeue", "--noheader", "--name", ",".join(names), "--format", "%i").split()


def _client(*words: str) -> str:
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=CLIENT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{words[0]} gave no answer within {CLIENT_TIMEOUT_S} s") from None
    if answer.returncode:
        raise OSError(f"{words[0]}: {answer.stderr.strip()}")
    return answer.stdout
