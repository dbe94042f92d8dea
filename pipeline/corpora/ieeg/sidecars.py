"""BIDS side files as they are met: TSV and JSON, with marks that say what had to be read leniently (spec soz.md, 8).

A table is cells of text without outer blanks; numbers are parsed by whoever needs them. Standard library only.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpora._tree import decoded, split_lines

MISSING = ("", "n/a")  # of BIDS; `NA`, `nan` and the like are no such cells, and are met as text
LONGEST_SHOWN = 40
_NUMBERS = ("sampling_frequency",)  # columns of which `512.0` stands for a whole number


class SideFileError(ValueError):
    """A side file that cannot be read; the message names the file, the line or key, and what is wrong."""


@dataclass(frozen=True)
class SideTable:
    """The cells of a table, one mapping a line; `marks` say what had to be normalised (`bom`, `crlf` …), and where."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    marks: Mapping[str, str]  # kind -> first place, where there is one

    def require(self, *columns: str) -> "SideTable":
        """The table itself. Raises SideFileError where one of the columns is not there."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            known = ", ".join(self.columns)[:LONGEST_SHOWN]
            raise SideFileError(f"{self.name}: no column {', '.join(missing)}; the first line has {known}")
        return self

    def by(self, column: str) -> dict[str, dict[str, str]]:
        """Lines by the cell of `column`. Raises SideFileError for a cell that is blank or stands twice."""
        found: dict[str, dict[str, str]] = {}
        for row in self.require(column).rows:
            key = row[column]
            if key in MISSING or key in found:
                wrong = "blank" if key in MISSING else f"{key[:LONGEST_SHOWN]!r} twice"
                raise SideFileError(f"{self.name}: column {column} is {wrong}; every line needs a name of its own")
            found[key] = row
        return found


def read_tsv(path: Path) -> SideTable:
    """Read a table of tab-separated cells.

    Raises SideFileError for a file that cannot be opened or has no header line, and for a line with more cells than the
    header. A line with fewer cells is filled up, with the mark `ragged`.
    """
    text, marks = _decoded(_content(path))
    lines = [(number, line) for number, line in enumerate(split_lines(text), start=1) if line.strip("\t ")]
    if not lines or "\0" in text:
        raise SideFileError(f"{path.name}: {'no text' if lines else 'empty'}; a table with a header line is needed")
    columns = tuple(cell.strip() for cell in _cells(path.name, *lines[0]))
    if len(set(columns)) < len(columns) or "" in columns:
        raise SideFileError(f"{path.name}: the first line has a blank column, or one of them twice")
    rows = [_row(path.name, number, _cells(path.name, number, line), columns, marks) for number, line in lines[1:]]
    quoted = next((number for number, line in lines if '"' in line), None)
    if quoted is not None:
        marks["quoted"] = f"line {quoted}"
    return SideTable(path.name, columns, tuple(rows), marks)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SideFileError(f"{path.name}: {error.strerror or 'cannot be opened'}") from None


def _decoded(content: bytes) -> tuple[str, dict[str, str]]:
    marks = {}
    if content.startswith(b"\xef\xbb\xbf"):
        marks["bom"] = ""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        marks["encoding"] = f"byte {error.start}"
    if b"\r" in content:
        marks["crlf"] = ""
    return decoded(content), marks


def _cells(name: str, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter="\t"))
    except (csv.Error, StopIteration) as error:
        raise SideFileError(f"{name}, line {number}: {error}") from None


def _row(name: str, number: int, cells: list[str], columns: tuple[str, ...], marks: dict[str, str]) -> dict[str, str]:
    while len(cells) > len(columns) and not cells[-1].strip():
        cells.pop()
    if len(cells) > len(columns):
        raise SideFileError(f"{name}, line {number}: {len(cells)} cells under {len(columns)} columns")
    if len(cells) < len(columns):
        marks.setdefault("ragged", f"line {number}")
        cells = cells + ["n/a"] * (len(columns) - len(cells))
    if any(cell != cell.strip() for cell in cells):
        marks.setdefault("blank", f"line {number}")
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    if any(row.get(column, "").endswith(".0") for column in _NUMBERS):
        marks.setdefault("number", f"line {number}")
    return row


def read_json(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A JSON side file and its marks. Raises SideFileError where it cannot be opened or holds no mapping."""
    text, marks = _decoded(_content(path))
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SideFileError(f"{path.name}: no JSON: {error}") from None
    if not isinstance(values, dict):
        raise SideFileError(f"{path.name}: holds {type(values).__name__}; a mapping of keys is needed")
    return values, marks


def number(cell: Any) -> float:
    """A cell or JSON value as a finite number; NaN where it says `n/a` or is none."""
    try:
        value = float(cell) if not isinstance(cell, bool) else math.nan
    except (TypeError, ValueError):
        return math.nan
    return value if math.isfinite(value) else math.nan


def stated(row: Mapping[str, str], column: str | None) -> str:
    """The cell of a column, empty where there is no such column, or it says `n/a`."""
    cell = row.get(column, "") if column is not None else ""
    return "" if cell in MISSING else cell


def named(names: list[str], most: int = 8) -> Iterator[str]:
    """The first names for a message, and how many more there are."""
    yield from (name[:LONGEST_SHOWN] for name in names[:most])
    if len(names) > most:
        yield f"and {len(names) - most} more"
