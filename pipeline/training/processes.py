"""The other processes of a training that is computed by several: started, watched and ended by the first.

Each is `python -m pipeline.training.worker`, told by one line of JSON what to compute. They meet by a file in a folder
of their own and talk over this machine's loopback (gloo, on GPUs NCCL). One that dies ends all, with a message; where
the first dies, the pipe to the others closes, and they end too.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import torch
from torch import distributed

from pipeline.training.team import Team

LOGGER = logging.getLogger("ictograph")
READY = "ready\n"
GRACE_S = 30.0  # for what waits in vain on a process that died, to find out by itself
SILENCE = timedelta(minutes=60)  # of a process that neither computes nor dies


class ProcessLost(ChildProcessError):
    """A process of a training that died; the message says which, and how."""


class Processes:
    """A training's processes, this one the first, while the `with` block lasts."""

    def __init__(self, size: int, told: dict[str, Any], *, device: torch.device) -> None:
        self.team, self._told, self._device = Team(0, size), told, device
        self._others: list[subprocess.Popen[str]] = []
        self._lost = threading.Event()
        self._left = threading.Event()

    def __enter__(self) -> Team:
        if self.team.size == 1:
            return self.team
        self._folder = tempfile.TemporaryDirectory(prefix="ictograph-meeting-")
        meeting = str(Path(self._folder.name) / "meeting")
        try:
            for rank in range(1, self.team.size):
                self._others.append(_started({**self._told, "rank": rank, "size": self.team.size, "meeting": meeting}))
            for rank, other in enumerate(self._others, start=1):
                if cast(IO[str], other.stdout).readline() != READY:
                    raise ProcessLost(self._message(rank))
                threading.Thread(target=self._watch, args=(rank,), daemon=True).start()
            LOGGER.info("%d processes compute each batch together", self.team.size)
            join(self.team, meeting, self._device)
        except BaseException:
            self._left.set()
            self._end()
            raise
        return self.team

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._left.set()
        if self.team.size == 1:
            return
        lost = isinstance(error, RuntimeError) and self._first_dead()
        if error is None:
            self._wait()
        self._end()
        if lost:
            raise ProcessLost(self._message(lost)) from error

    def _first_dead(self) -> int:
        """The first process found dead, after a moment in which its end may come to be known; 0: none is."""
        self._lost.wait(timeout=5.0)
        return next((rank for rank, other in enumerate(self._others, start=1) if other.poll() not in (None, 0)), 0)

    def _wait(self) -> None:
        """For the others, which have nothing left to do. The result is whole without one that does not end."""
        for rank, other in enumerate(self._others, start=1):
            if _ended(other) is None:
                LOGGER.warning(
                    "process %d of %d has done its part and does not end: it is killed", rank + 1, self.team.size
                )
                other.kill()

    def _end(self) -> None:
        """End what still runs: their pipes close, by which they end themselves, before this one leaves the group.

        Otherwise one that is in the middle of a step would meet the closed group and say so with a traceback.
        """
        for other in self._others:
            for pipe in (other.stdin, other.stdout):
                cast(IO[str], pipe).close()
        for other in self._others:
            if _ended(other, seconds=5.0) is None:
                other.kill()
                other.wait()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        self._folder.cleanup()

    def _watch(self, rank: int) -> None:
        """Wait for the end of a process; should this one wait in vain on a dead one, end it."""
        if self._others[rank - 1].wait() == 0 or self._left.is_set():
            return
        self._lost.set()
        if not self._left.wait(timeout=GRACE_S):
            LOGGER.error("error: %s", self._message(rank))
            os._exit(1)

    def _message(self, rank: int) -> str:
        other = self._others[rank - 1]
        if (status := _ended(other)) is None:
            other.kill()
            status = other.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return (
            f"process {rank + 1} of {self.team.size} of this training {how}; its own message, if any, stands above; "
            "run the same command again: it goes on from the last state that was kept"
        )


def _ended(other: subprocess.Popen[str], *, seconds: float = GRACE_S) -> int | None:
    """The status of a process that ends within so many seconds, else None."""
    try:
        return other.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


def _started(told: dict[str, Any]) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    other = subprocess.Popen(
        [sys.executable, "-m", "pipeline.training.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    line = cast(IO[str], other.stdin)
    line.write(json.dumps(told) + "\n")
    line.flush()
    return other


def join(team: Team, meeting: str, device: torch.device) -> None:
    """Meet the other processes of the team, all of this machine."""
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        if sys.platform == "linux":
            os.environ.setdefault(name, "lo")
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=distributed.FileStore(meeting, team.size),
        rank=team.rank,
        world_size=team.size,
        timeout=SILENCE,
    )
