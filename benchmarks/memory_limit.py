"""A limit on the memory of a process by the kernel (a control group), where this user may set one.

It holds for all that the process has in memory, the pages of files that the kernel keeps for it included.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOTS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))


@contextmanager
def limited(n_bytes: int) -> Iterator[Path | None]:
    """The file of a new control group to which a process writes its number; None where there can be none."""
    for root, name in ROOTS:
        group = root / f"ictograph-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(n_bytes))
            yield group / "cgroup.procs"
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    yield None
