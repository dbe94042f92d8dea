"""Walking a corpus folder by name, and ids that are safe as file names. Standard library only: runs at parse time."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_NAME = 100


def folders(folder: Path, parts: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every folder below `folder`: its path from there, and the names of its files. Hidden ones (`.x`) are left out."""
    names: set[str] = set()
    inner: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (inner.append if entry.is_dir() else names.add)(entry.name)
    yield parts, names
    for name in sorted(inner):
        yield from folders(folder / name, (*parts, name))


def safe_name(text: str, path: str) -> str:
    """`text` in letters, digits, `_`, `.`, `-`; where that loses anything, a digest of the path keeps it unique."""
    safe = _UNSAFE.sub("_", text).strip(".")[:_MAX_NAME]
    if safe == text:
        return safe
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{safe}_{digest}" if safe else digest
