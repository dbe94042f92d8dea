"""One run at a time in a results folder: a lock that names its holder, and that a killed run leaves behind for nobody.

The kernel drops the lock when its process ends, however it ends; what stays in the file is only text. It replaces
Snakemake's own lock (profiles/default: nolock), which names nobody and must be removed by hand after a kill.
"""

import fcntl
import os
import socket
import time
from pathlib import Path

NAME = ".lock"
_held: dict[Path, int] = {}  # folder -> descriptor, for as long as this process lives


class FolderInUse(Exception):
    """Another run works in the folder; the message says which process on which machine."""


def take(folder: Path | str) -> str:
    """Hold the results folder until this process ends; returns who left it locked without ending well (or nothing).

    Raises FolderInUse.
    """
    path = Path(folder).resolve() / NAME
    if path in _held:
        return ""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    left_by = os.read(descriptor, 500).decode("utf-8", "replace").strip()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        message = f"{folder}: in use by {left_by or 'a run that is just starting'}; wait for it to end, or stop it"
        raise FolderInUse(message) from None
    _held[path] = descriptor
    _write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
    return left_by


def holder(folder: Path | str) -> str:
    """Who works in the folder now (`process 4901 on host since ...`), or nothing; this process does not count."""
    path = Path(folder).resolve() / NAME
    if path in _held or not path.is_file():
        return ""
    with path.open() as file:
        text = file.read(500).strip()
        if not text:
            return ""
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return text
    return ""


def release(folder: Path | str) -> None:
    """Let the folder go and say so in the file."""
    descriptor = _held.pop(Path(folder).resolve() / NAME, None)
    if descriptor is not None:
        _write(descriptor, "")
        os.close(descriptor)


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
