"""Which of several GPUs a job computes on: jobs of one machine spread over those that CUDA_VISIBLE_DEVICES leaves them.

Snakemake counts GPUs (`--resources gpu=4`) and hands out none, so each job takes the first one of which no other holds
the lock, a file in the machine's folder for temporary files. The lock goes with the process, however that ends. It
spreads jobs and bars none: where all are taken, one is shared. A scheduler that leaves a job one GPU has chosen it.
Names of parts of a GPU (MIG) were never tried.
"""

import fcntl
import logging
import os
import re
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.locks import locked

LOGGER = logging.getLogger("ictograph")
VISIBLE = "CUDA_VISIBLE_DEVICES"
_HELD: list[int] = []  # open files with locks, until this process ends


def visible_gpus(count: int) -> list[str]:
    """Numbers or names of the `count` GPUs that torch sees, as CUDA_VISIBLE_DEVICES has them."""
    named = os.environ.get(VISIBLE)
    names = [str(k) for k in range(count)] if named is None else [name.strip() for name in named.split(",")]
    return names[:count]


def lock_folder() -> Path:
    """Locks of this user's jobs on this machine, since nodes may share the folder for temporary files.

    Within a SLURM job only of that job's, as GPUs are numbered anew in each.
    """
    parts = ["ictograph-gpus", str(os.getuid()), socket.gethostname(), os.environ.get("SLURM_JOB_ID", "")]
    return Path(tempfile.gettempdir()) / "-".join(filter(None, parts))


def choose(gpus: Sequence[str], count: int, *, alone: bool, folder: Path) -> list[str]:
    """`count` of `gpus`, free ones first. `alone`: keep them locked while this process lives.

    A job that is soon done (not `alone`) only looks which are free. Raises OSError if there are fewer than `count`.
    """
    if len(gpus) < count:
        raise OSError(
            f"training.<task>.<length>.processes: {count}, but {len(gpus)} GPUs are visible; lower it, "
            f"show the job more of them ({VISIBLE}; under SLURM --set-resources train:gpu={count}), or set "
            "device.device: cpu"
        )
    if len(gpus) == 1:
        return list(gpus)
    chosen: list[str] = []
    for gpu in gpus:
        if len(chosen) < count and (lock := _lock(folder, gpu)) is not None:
            chosen.append(gpu)
            _HELD.append(lock) if alone else os.close(lock)
    if len(chosen) < count:
        first = os.getpid() % len(gpus)  # neighbours in time have neighbouring numbers
        others = [gpu for gpu in (*gpus[first:], *gpus[:first]) if gpu not in chosen]
        shared = others[: count - len(chosen)]
        LOGGER.info("no free GPU among %d: shares GPU %s with another job", len(gpus), ", ".join(shared))
        chosen += shared
    LOGGER.info("computes on GPU %s of %s", ", ".join(chosen), ", ".join(gpus))
    return chosen


def _lock(folder: Path, gpu: str) -> int | None:
    """The open, locked file of a GPU; None if another process holds it, or where there can be no such file."""
    name = f"{re.sub('[^A-Za-z0-9-]', '_', gpu)}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        LOGGER.warning("%s: no lock on GPU %s (%s); others may compute there, too", folder, gpu, error.strerror)
        return None
    with suppress(BlockingIOError):
        if locked(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return handle
        LOGGER.warning("%s: no locks here, none on GPU %s; others may compute there, too", folder, gpu)
    os.close(handle)
    return None
