"""One run at a time in a results folder: a lock that names its holder, and that a killed run leaves behind for nobody.

The kernel drops the lock when its process ends, however it ends; what stays in the file is only text. It replaces
Snakemake's own lock (profiles/default: nolock), which names nobody and must be removed by hand after a kill. Where the
file system has no locks, only a run of the same machine is noticed, by its process.
"""

import fcntl
import os
import re
import socket
import sys
import time
from pathlib import Path

from pipeline import locks
from workflow.lib import orphans

NAME = ".lock"
LONGEST = 2000  # bytes of its text: a line that names process and SLURM runs
_held: dict[Path, int] = {}  # folder -> descriptor, for as long as this process lives


class FolderInUse(Exception):
    """Another run works in the folder; the message says which process on which machine."""


def take(folder: Path | str, slurm_run: str = "") -> str:
    """Hold the results folder until this process ends; returns who left it locked without ending well (or nothing).

    `slurm_run`: the name of this run's jobs on SLURM; it stays in the file, with those of runs that were killed, until
    no job of theirs is left. Raises FolderInUse.
    """
    path = Path(folder).resolve() / NAME
    if path in _held:
        return ""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    left_by = os.read(descriptor, LONGEST).decode("utf-8", "replace").strip()
    try:
        locked = _locked(descriptor, fcntl.LOCK_EX, left_by)
    except BlockingIOError as error:
        os.close(descriptor)
        message = f"{folder}: in use by {left_by or 'a run that is just starting'}; wait for it to end, or stop it"
        by_number = "" if error.errno else f"; where the process of that number is no Snakemake, remove {path}"
        raise FolderInUse(f"{message}{by_number}") from None
    if not locked:
        print(f"{folder}: no locks here, so that two runs would not notice each other; {locks.REMEDY}", file=sys.stderr)
    _held[path] = descriptor
    by = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}"
    runs = [*orphans.runs_in(left_by), *([orphans.own(slurm_run)] if slurm_run else [])]
    _write(descriptor, f"{by}{'' if locked else orphans.UNLOCKED}{orphans.as_text(runs[-orphans.REMEMBERED :])}\n")
    return left_by


def holder(folder: Path | str) -> str:
    """Who works in the folder now (`process 4901 on host since ...`), or nothing; this process does not count."""
    path = Path(folder).resolve() / NAME
    if path in _held or not path.is_file():
        return ""
    with path.open() as file:
        by = file.read(LONGEST).strip()
        if not by:
            return ""
        try:
            _locked(file.fileno(), fcntl.LOCK_SH, by)
        except BlockingIOError:
            return by
    return ""


def text(folder: Path | str) -> str:
    """What the lock says that this process holds; nothing, if it holds none."""
    descriptor = _held.get(Path(folder).resolve() / NAME)
    return "" if descriptor is None else os.pread(descriptor, LONGEST, 0).decode("utf-8", "replace")


def release(folder: Path | str, stays: str = "") -> None:
    """Let the folder go. `stays`: what its lock then says; nothing, once no job of a run is left."""
    descriptor = _held.pop(Path(folder).resolve() / NAME, None)
    if descriptor is not None:
        _write(descriptor, stays)
        os.close(descriptor)


def _locked(descriptor: int, operation: int, text: str) -> bool:
    """Lock the file that says `text`; False where there are no locks. Raises BlockingIOError: another run holds it.

    Without an errno: there are no locks, and this machine has a process of the number in `text`.
    """
    if locks.locked(descriptor, operation | fcntl.LOCK_NB):
        return True
    named = re.match(r"process (\d+) on (\S+) since ", text)
    if named and named[2] == socket.gethostname() and orphans.lives(int(named[1])):
        raise BlockingIOError
    return False


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
