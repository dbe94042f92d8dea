"""What was fetched into a folder: `.ictograph-fetch.tsv`, one row a file, with our own SHA-256 of every one.

A row is appended (and flushed to the disk) when its file is in place, so that a kill loses at most the last row; the
last row of a name counts. Names are of allowed characters only (pipeline/fetching/names.py): no cell can hold a tab.
"""

import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipeline import locks
from pipeline.fetching.names import FetchError, place, refusal
from pipeline.store import replacing

FILE, LOCK = ".ictograph-fetch.tsv", ".ictograph-fetch.lock"
BLOCK = 1 << 20
LOGGER = logging.getLogger("ictograph")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fetched file. `verified`: what the server's checksum was (`sha256:…`, `md5:…`), or `size` alone."""

    name: str
    size: int
    mtime_ns: int
    sha256: str
    verified: str
    url: str


COLUMNS = [column.name for column in fields(Row)]


class Manifest:
    """The rows of a folder; safe to add to from several threads. `keep=False`: additions are not written."""

    def __init__(self, root: Path, *, keep: bool = True) -> None:
        self.root, self.path, self.keep = root, root / FILE, keep
        self.rows = read_rows(self.path)
        self._lock = threading.Lock()
        self._whole = False  # True once the end of the file is known to be the end of a line

    def add(self, row: Row) -> None:
        """Append `row` and flush it to the disk."""
        with self._lock:
            self.rows[row.name] = row
            if not self.keep:
                return
            if not self._whole:
                self._drop_torn_line()
            with open(self.path, "a", encoding="utf-8") as text:
                if text.tell() == 0:
                    text.write("\t".join(COLUMNS) + "\n")
                text.write("\t".join(str(cell) for cell in astuple(row)) + "\n")
                text.flush()
                os.fsync(text.fileno())

    def _drop_torn_line(self) -> None:
        if self.path.exists():
            content = self.path.read_bytes()
            os.truncate(self.path, content.rfind(b"\n") + 1)
        self._whole = True

    def unchanged(self, name: str) -> Row | None:
        """The row of `name` if the file still has the size and the time that it was left with."""
        row = self.rows.get(name)
        if row is None:
            return None
        try:
            status = place(self.root, name).stat()
        except FileNotFoundError:
            return None
        return row if (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns) else None

    def tidy(self) -> None:
        """Rewrite the file, sorted by name, one row each."""
        with self._lock, replacing(self.path) as temporary:
            rows = [astuple(self.rows[name]) for name in sorted(self.rows)]
            lines = ["\t".join(str(cell) for cell in cells) for cells in [tuple(COLUMNS), *rows]]
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_rows(path: Path) -> dict[str, Row]:
    """Name -> row. A last line without its end is what a kill left and is ignored; any other flaw is a FetchError."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    if lines and lines[0].split("\t") != COLUMNS:
        raise FetchError(f"{path}: not a list of fetched files; move it away to start a new one")
    rows = {}
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != len(COLUMNS) or refusal(cells[0]) or not (cells[1].isdecimal() and cells[2].isdecimal()):
            raise FetchError(f"{path}: line {number} cannot be read; move the file away to start a new one")
        name, size, mtime_ns, sha256, verified, url = cells
        rows[name] = Row(
            name=name, size=int(size), mtime_ns=int(mtime_ns), sha256=sha256, verified=verified, url=url
        )  # fmt: skip
    return rows


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the folder for one fetch at a time; the lock ends with the process. Raises FetchError where it is held."""
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not locks.locked(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            LOGGER.warning("%s: no locks here, so that a second fetch would not be noticed; %s", root, locks.REMEDY)
    except BlockingIOError:
        os.close(handle)
        raise FetchError(f"{root}: another fetch is at work there") from None
    try:
        yield
    finally:
        os.close(handle)


def verify(root: Path) -> dict[str, str]:
    """Name -> what is wrong, for each file of the manifest that is missing or not what was fetched (all are read)."""
    if not (root / FILE).exists():
        raise FetchError(f"{root}: holds no {FILE}; only what `fetch` brought can be verified")
    wrong = {}
    for name, row in sorted(read_rows(root / FILE).items()):
        try:
            path = place(root, name)
            size = path.stat().st_size
            if size != row.size:
                wrong[name] = f"{size} bytes, fetched {row.size}"
            elif (found := sha256_of(path)) != row.sha256:
                wrong[name] = f"sha256 {found}, fetched {row.sha256}"
        except (OSError, FetchError) as error:
            wrong[name] = "missing" if isinstance(error, FileNotFoundError) else str(error)
    return wrong


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
