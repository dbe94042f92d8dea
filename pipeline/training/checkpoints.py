"""Resuming: the last state of a training job, in one file outside the declared outputs.

The folder's name is a digest of settings, code and inputs: a job with another learning rate never finds it. One file
holds tensors and, as its metadata, the JSON part; it appears whole or not at all. A lock makes a second process for
the same job wait, on this node or another: Snakemake killed by SIGKILL leaves its job running, and its successor starts
the job again. With the state go the sittings: which processes computed it, and from which epoch each of them went on.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline import provenance
from pipeline.locks import REMEDY, locked
from pipeline.sealing import UNSEALED, DamagedFile, checked_bytes, seal
from pipeline.store import replacing
from pipeline.training.ending import Ended, Ending

LOGGER = logging.getLogger("ictograph")
UNLOCKED = f"two jobs for one model would both compute it; {REMEDY}"


def identity_digest(identity: dict[str, Any]) -> str:
    """Name of the folder of the job that `identity` (settings, code, digests of inputs) describes."""
    return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()


def _sitting(*, epochs: int = 0, steps: int = 0) -> dict[str, Any]:
    """One process's share of a training: where it runs, and after how many epochs and steps it begins."""
    job, started = os.environ.get("SLURM_JOB_ID", ""), time.strftime("%Y-%m-%d %H:%M:%S")
    return {"host": socket.gethostname(), "job": job, "started": started, "from_epoch": epochs, "from_step": steps}


class Checkpoints:
    """The folder of one job, locked while the `with` block lasts.

    `minutes`: a state is due that long after the last one; None: whole epochs only. It changes no result.
    """

    def __init__(self, root: Path, identity: dict[str, Any], *, minutes: float | None = None) -> None:
        self.folder = root / identity_digest(identity)
        self.state = self.folder / "state.safetensors"
        self.sittings = [_sitting()]
        self._minutes, self._saved_s = minutes, time.monotonic()
        self._ending = Ending()
        self._lock = -1

    def __enter__(self) -> "Checkpoints":
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
            self._wait_for_lock()
            if self._holds_lock():
                self._ending.__enter__()
                return self
            os.close(self._lock)

    def _wait_for_lock(self) -> None:
        try:
            if not locked(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                LOGGER.warning("%s: no locks here; %s", self.folder, UNLOCKED)
        except BlockingIOError:
            LOGGER.info("another process is training this very model: waiting for it to end (%s)", self.folder)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _holds_lock(self) -> bool:
        """Whether the locked file is still the one that has the name: its last owner may have removed the folder."""
        try:
            return os.path.samestat(os.fstat(self._lock), os.stat(self.folder / "lock"))
        except FileNotFoundError:
            return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ending.__exit__(kind, error, _)
        os.close(self._lock)

    def due(self) -> bool:
        """Whether a state is to be kept now: the time has come, or the training was told to end."""
        waited_s = time.monotonic() - self._saved_s
        return self._ending.asked or (self._minutes is not None and waited_s >= 60 * self._minutes)

    def end_if_asked(self) -> None:
        """To be called where the state was just kept. Raises Ended after SIGTERM."""
        if self._ending.asked:
            LOGGER.warning("told to end (SIGTERM): the state is kept, and the same command goes on from it")
            raise Ended

    def save(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Replace the state by this one."""
        told = {"record": json.dumps(record), "sittings": json.dumps(self.sittings), "checksum": UNSEALED}
        with replacing(self.state) as temporary:
            save_file(tensors, temporary, metadata=told)
            seal(temporary)
        self._saved_s = time.monotonic()

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last state, or None. A damaged one is removed: the training begins anew (faults.md, row 21)."""
        if not self.state.exists():
            return None
        try:
            tensors, record, before = self._read()
            self._go_on(before, epochs=len(record["history"]), steps=record.get("step", 0))
            return tensors, record
        except (DamagedFile, SafetensorError, KeyError, TypeError, ValueError) as error:
            LOGGER.warning("%s cannot be resumed from, the training begins anew: %s", self.state, error)
            self.state.unlink()
            return None

    def _go_on(self, before: list[dict[str, Any]], *, epochs: int, steps: int) -> None:
        """Put what was not trained anew into the sittings, and into the job's record (pipeline/provenance.py)."""
        self.sittings = [*before, _sitting(epochs=epochs, steps=steps)]
        provenance.note("resumed_from_epochs", epochs)
        provenance.note("resumed_from_steps", steps)
        provenance.note("sittings", json.dumps(self.sittings))

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any], list[dict[str, Any]]]:
        checked_bytes(self.state)
        with safe_open(self.state, framework="pt") as stored:
            told = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  no dict: it has no iterator
            return tensors, json.loads(told["record"]), json.loads(told["sittings"])

    def clear(self) -> None:
        """Remove the folder: the job has written its outputs."""
        shutil.rmtree(self.folder, ignore_errors=True)
