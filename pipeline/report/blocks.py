"""What a page is made of: sections of paragraphs, tables and pictures; words and numbers only, no HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.picture import Picture


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Note:
    """A paragraph that says why something is empty or what to beware of."""

    text: str
    kind: str = "note"


@dataclass(frozen=True)
class Points:
    """A list of short statements, each with a bold head."""

    points: list[tuple[str, str]]
    kind: str = "points"


@dataclass(frozen=True)
class Table:
    """Rows of text below named columns; the first cell of a row is its header. `folded`: shown on demand.

    `tones`: cells of exactly this text are marked good, fair, poor or bad, by a mark of a colour and a shape.
    """

    name: str
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numeric: frozenset[int] = frozenset()
    folded: bool = False
    tones: dict[str, str] = field(default_factory=dict)
    kind: str = "table"


@dataclass(frozen=True)
class Figure:
    """A picture in its place on the page."""

    picture: Picture
    kind: str = "figure"


@dataclass(frozen=True)
class Links:
    """Files beside the page: (words, path relative to the page)."""

    links: list[tuple[str, str]]
    kind: str = "links"


@dataclass(frozen=True)
class Group:
    """Blocks below one line that unfolds them."""

    summary: str
    blocks: list["Text | Note | Table"]
    kind: str = "group"


Block = Text | Note | Points | Table | Figure | Links | Group


@dataclass(frozen=True)
class Section:
    """A chapter of the page; `id` is its anchor."""

    id: str
    heading: str
    blocks: list[Block] = field(default_factory=list)


def table_of(name: str, caption: str, frame: pd.DataFrame, *, decimals: int = 3, folded: bool = False) -> Table:
    """A data frame as a table: numbers right-aligned with `decimals` places, counts with thousands separators."""
    numeric = frozenset(i for i, kind in enumerate(frame.dtypes) if pd.api.types.is_numeric_dtype(kind))
    rows = [[cell(value, decimals=decimals) for value in row] for row in frame.itertuples(index=False)]
    return Table(name, caption, [str(column) for column in frame.columns], rows, numeric, folded)


def cell(value: Any, *, decimals: int = 3) -> str:
    """A value as the reader sees it; what is missing is a dash."""
    if value is None or value is pd.NA or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:,.{decimals}f}"
    return str(value)


def with_interval(value: float | None, low: float | None, high: float | None, *, decimals: int = 3) -> str:
    """`0.893 [0.82, 0.94]`; the interval is left out where there is none."""
    shown = cell(value, decimals=decimals)
    bounds = [cell(bound, decimals=max(decimals - 1, 1)) for bound in (low, high)]
    return shown if "–" in (shown, *bounds) else f"{shown} [{bounds[0]},\u00a0{bounds[1]}]"


def listed(items: Iterable[str]) -> str:
    """`a, b and c`."""
    words: Sequence[str] = list(items)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}" if words else "none"
