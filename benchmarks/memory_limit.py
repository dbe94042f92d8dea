"""A limit on the memory of a process by the kernel (a control group), where this user may set one.

It holds for all that the process has in memory, the pages of files that the kernel keeps for it included.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOTS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))


@contextmanager
def limited(n_bytes: int) -> Iterator[Path | None]:
    """The file of a new control group to which a process writes its number; None where there can be none."""
    groups = [(root / f"ictograph-{os.getpid()}", name) for root, name in ROOTS]
    group = next((group for group, name in groups if _made(group, name, n_bytes)), None)
    try:
        yield None if group is None else group / "cgroup.procs"
    finally:
        if group is not None:
            _remove(group)


def _made(group: Path, name: str, n_bytes: int) -> bool:
    """Whether the group could be made, and its limit set in the file `name`."""
    try:
        group.mkdir()
    except OSError:
        return False
    try:
        (group / name).write_text(str(n_bytes))
    except OSError:
        _remove(group)
        return False
    return True


def _remove(group: Path) -> None:
    with suppress(OSError):  # a process is still in it; an error of what ran under the limit says more
        group.rmdir()
