"""Resuming: the state of a training job after its last whole epoch, in one file outside the declared outputs.

The folder's name is a digest of settings, code and inputs: a job with another learning rate never finds it. One file
holds tensors and, as its metadata, the JSON part; it appears whole or not at all. A lock makes a second process for
the same job wait: Snakemake killed by SIGKILL leaves its job running, and its successor starts the job again.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.sealing import UNSEALED, DamagedFile, checked_bytes, seal
from pipeline.store import replacing

LOGGER = logging.getLogger("ictograph")


def identity_digest(identity: dict[str, Any]) -> str:
    """Name of the folder of the job that `identity` (settings, code, digests of inputs) describes."""
    return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()


class Checkpoints:
    """The folder of one job, locked while the `with` block lasts."""

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        self.folder = root / identity_digest(identity)
        self.state = self.folder / "state.safetensors"
        self._lock = -1

    def __enter__(self) -> "Checkpoints":
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                LOGGER.info("another process is training this very model: waiting for it to end (%s)", self.folder)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            if self._holds_lock():
                return self
            os.close(self._lock)

    def _holds_lock(self) -> bool:
        """Whether the locked file is still the one that has the name: its last owner may have removed the folder."""
        try:
            return os.path.samestat(os.fstat(self._lock), os.stat(self.folder / "lock"))
        except FileNotFoundError:
            return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        os.close(self._lock)

    def save(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Replace the state by this one."""
        with replacing(self.state) as temporary:
            save_file(tensors, temporary, metadata={"record": json.dumps(record), "checksum": UNSEALED})
            seal(temporary)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last state, or None. A damaged one is removed: the training begins anew (faults.md, row 21)."""
        if not self.state.exists():
            return None
        try:
            return self._read()
        except (DamagedFile, SafetensorError, KeyError, TypeError, ValueError) as error:
            LOGGER.warning("%s cannot be resumed from, the training begins anew: %s", self.state, error)
            self.state.unlink()
            return None

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        checked_bytes(self.state)
        with safe_open(self.state, framework="pt") as stored:  # no dict: it has keys() and no iterator
            return {name: stored.get_tensor(name) for name in stored.keys()}, json.loads(stored.metadata()["record"])  # noqa: SIM118

    def clear(self) -> None:
        """Remove the folder: the job has written its outputs."""
        shutil.rmtree(self.folder, ignore_errors=True)
