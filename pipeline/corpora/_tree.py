"""Walking a corpus folder by name, and ids that are safe as file names. Standard library only: runs at parse time."""

import codecs
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.findings import CorpusError

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_MAX_NAME = 100
_MAX_LINE = 1000  # of a list of seizures; bounds what a pattern costs on a line of a megabyte


def folders(root: Path) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every folder below `root`: its path from there, and the names of its files. Hidden ones (`.x`) are left out.

    A link to a folder inside the root is not followed: the folder is found at its own place, and no loop can form.
    Raises CorpusError for a link that leads out of the root (faults.md, row 25).
    """
    yield from _below(root, (), os.path.realpath(root))


def _below(folder: Path, parts: tuple[str, ...], root: str) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    names: set[str] = set()
    inner: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                _check_link(entry.path, root)
            if not entry.is_dir():
                names.add(entry.name)
            elif not entry.is_symlink():
                inner.append(entry.name)
    yield parts, names
    for name in sorted(inner):
        yield from _below(folder / name, (*parts, name), root)


def _check_link(path: str, root: str) -> None:
    target = os.path.realpath(path)
    if os.path.commonpath((target, root)) != root:
        raise CorpusError(
            f"{path!r}: a link that leads out of the corpus folder; copy the data, or name their own folder"
        )


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a file of any bytes; blanks united, and cut where no pattern needs more."""
    for number, line in enumerate(split_lines(decoded(path.read_bytes())), start=1):
        yield number, " ".join(line[:_MAX_LINE].split())


def decoded(content: bytes) -> str:
    """The text of any bytes: UTF-16 by its byte order mark or the zero byte of its first letter, UTF-8 with or without
    a mark, else Latin-1."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if 0 in content[:2]:
        return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def split_lines(text: str) -> list[str]:
    """Lines by LF, CRLF or CR alone: `str.splitlines` also breaks at separators that stand inside a cell."""
    return _LINE_END.split(text)


def safe_name(text: str, path: str) -> str:
    """`text` in letters, digits, `_`, `.`, `-`; where that loses anything, a digest of the path keeps it unique."""
    safe = _UNSAFE.sub("_", text).strip(".")[:_MAX_NAME]
    if safe == text:
        return safe
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{safe}_{digest}" if safe else digest
