"""Which files a job read and wrote, as the interpreter saw it, and digests of their content that cost little.

An audit hook notes every file that Python opens or renames while a job is watched, so that no stage has to list its
own. Only files below the results folder, the corpus root or the program, and those that the command line names, are
kept. Libraries in other languages open files unseen: what they read is on the command line, and what they write is
renamed into place by pipeline/store.py.
"""

import functools
import hashlib
import logging
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.store import digest_file

LOGGER = logging.getLogger("ictograph")
HEAD_BYTES = 1 << 20  # larger sources of a job that reads headers only are not read whole for a digest
STAMP = re.compile(rb'<span id="stamp">[^<]*</span>')  # docs/architecture.md, Equal: when a page was built
WRITING = os.O_WRONLY | os.O_RDWR
PROGRAM = Path(__file__).resolve().parents[1]
SOURCES = (".py", ".pyc")  # the program itself: the digest of the code stands for it
ASIDE = {"logs", "benchmarks", "provenance"}  # folders of what is about results and none
ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")  # what is in the folder of an environment
PRIVATE = "private"  # docs/privacy.md: of this folder only the links, which bear pseudonyms, may be named


@dataclass
class Seen:
    """Paths as they were given to `open` and `rename`, in the order of their first use."""

    read: dict[str, None] = field(default_factory=dict)
    written: dict[str, None] = field(default_factory=dict)


class Watch:
    """The process's one audit hook: it cannot be taken away again, so it looks at most at one job."""

    def __init__(self) -> None:
        self._seen: Seen | None = None
        self._hooked = False

    def begin(self) -> None:
        """Watch from now on; what was seen before is forgotten."""
        if not self._hooked:
            sys.addaudithook(self._hook)
            self._hooked = True
        self._seen = Seen()

    def end(self) -> Seen:
        """Stop watching; what was seen."""
        seen, self._seen = self._seen or Seen(), None
        return seen

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Must not raise: an error here would be one of whoever opens a file."""
        seen = self._seen
        if seen is None:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & WRITING)
        elif event == "os.rename":
            path, writes = arguments[1], True
        else:
            return
        if isinstance(path, str | bytes) and not (text := os.fsdecode(path)).endswith(SOURCES):
            (seen.written if writes else seen.read)[text] = None


@dataclass(frozen=True)
class Places:
    """What names of files are relative to. `results`, and `root` of the corpus or None: absolute folders.

    `hidden`: names below `root` may be those of people, and are not told (docs/privacy.md).
    """

    results: Path
    root: Path | None
    hidden: bool

    def name(self, path: Path, *, given: bool) -> str | None:
        """How a record calls a file; None for one that is not of the job. `given`: the command line names it."""
        if path.is_relative_to(self.results):
            return self._of_result(path.relative_to(self.results))
        if self.root is not None and self.is_source(path):
            return "{root}" if self.hidden else f"{{root}}/{_text(path.relative_to(self.root))}"
        if path.is_relative_to(PROGRAM) and not _has_dot(path.relative_to(PROGRAM)) and not _installed(path.parent):
            return f"{{program}}/{_text(path.relative_to(PROGRAM))}"
        if given:
            return "{outside}" if self.hidden else f"{{outside}}/{_text(Path(path.name))}"
        return None

    def is_source(self, path: Path) -> bool:
        """Whether a file belongs to the corpus that is read."""
        return self.root is not None and path.is_relative_to(self.root)

    def _of_result(self, path: Path) -> str | None:
        if _has_dot(path) or ASIDE & set(path.parts[:-1]):
            return None
        if PRIVATE in path.parts[:-1] and path.parts[1:3] != (PRIVATE, "files"):
            return None
        return _text(path)


def _has_dot(path: Path) -> bool:
    """Whether it is, or lies in, something temporary or hidden: a file before its last name, checkpoints, .venv."""
    return any(part.startswith(".") for part in path.parts)


@functools.cache
def _installed(folder: Path) -> bool:
    """Whether a folder of the checkout is, or lies in, an environment of Python's or conda's, whatever its name."""
    if folder == PROGRAM:
        return False
    return any((folder / mark).exists() for mark in ENVIRONMENTS) or _installed(folder.parent)


def _text(path: Path) -> str:
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def digest_content(path: Path) -> str:
    """Digest (hex, 32 characters) of a file's content.

    Of a store (`….zarr.zip`) that of the names, sizes and CRC-32 of its entries, which are uncompressed: equal where
    the arrays are, and the work of a moment. Of a manifest without the times of files, which a copy of a corpus may
    change; of a page without its build stamp. Of any other file that of its bytes.
    """
    if path.parent.name == "manifests" and path.suffix == ".tsv":
        rows = [line.rpartition(b"\t")[0] for line in path.read_bytes().splitlines()]
        return hashlib.blake2b(b"\n".join(rows), digest_size=16).hexdigest()
    if path.suffix == ".html":
        return hashlib.blake2b(STAMP.sub(b"", path.read_bytes()), digest_size=16).hexdigest()
    return _digest_store(path) if path.name.endswith(".zarr.zip") else digest_file(path)


def _digest_store(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            rows = sorted((entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return digest_file(path)  # no store after all: its reader has said so, or never opened it
    return hashlib.blake2b(repr(rows).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def state_of(paths: Iterable[Path]) -> dict[Path, tuple[int, int, int] | None]:
    """Which file each path is (absolute): its number, size and time of change; None where there is none."""
    return {path: _state(path) for path in (Path(os.path.abspath(path)) for path in paths)}


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def files_of(
    seen: Seen, given: Mapping[Path, tuple[int, int, int] | None], *, places: Places, heads: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs and outputs of a job: name, size in bytes, digest; of outputs also when they were last changed.

    `given`: what the command line names, as `state_of` found it when the job started; of these one that Python has not
    opened is an output if it has changed since, else an input. `heads`: large sources were looked at, not read; they
    have no digest.
    """
    written = {path for text in seen.written for path in _whole(Path(os.path.abspath(text)))}
    written |= {path for path, before in given.items() if _state(path) != before}
    opened = {Path(os.path.abspath(text)) for text in seen.read} | set(given)
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for path in sorted(opened | written):
        name = places.name(path, given=path in given)
        if name is None or not path.is_file():
            continue
        try:
            status = path.stat()
            looked_at = heads and path not in written and places.is_source(path) and status.st_size > HEAD_BYTES
            row = {"size": status.st_size, "digest": None if looked_at else digest_content(path)}
        except OSError as error:  # gone since, or closed to us: the job has done without
            LOGGER.warning("%s is not in the record of provenance: %s", name, error.strerror)
            continue
        if name in ("{root}", "{outside}"):
            name = f"{name}/{row['digest'] or status.st_size}"  # no name, but still one line a file
        if path in written:
            outputs[name] = row | {"mtime_ns": status.st_mtime_ns}
        else:
            inputs[name] = row
    return _listed(inputs), _listed(outputs)


def _whole(path: Path) -> list[Path]:
    """The file itself, or all files of a folder that was renamed into place."""
    return [path, *(inside for inside in path.rglob("*"))] if path.is_dir() else [path]


def _listed(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **rows[name]} for name in sorted(rows)]
