"""Tables of events, read and written: `*_events.tsv` of BIDS and SzCORE (formats.md section 12, scoring.md section 5).

Reading takes what readers of the field meet: tab or comma, BOM, CRLF, core BIDS with `trial_type`. Whoever reads
decides what an unknown type means; a row that cannot be read raises EventTableError, which names file, line and value.
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from pipeline.corpora._event_rules import Row
from pipeline.corpora._szcore import BACKGROUND, COLUMNS, EVENT_TYPE, HED, UNKNOWN, szcore_code
from pipeline.corpora._tree import decoded, split_lines
from pipeline.corpora.records import WHOLE_RECORDING, Event
from pipeline.findings import Findings
from pipeline.signals.labels import shown_code, shown_number
from pipeline.store import replacing

TYPE_COLUMNS = ("eventType", "trial_type", "label")
EXTRA_TYPES = ("sz_foc_ua",)  # named by the standard's text, not by its list
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9'.-]*")  # of a derivation or electrode: nothing that a spreadsheet runs
LEAST_S = 0.01  # two decimals: anything shorter would be written as no event at all


class EventTableError(ValueError):
    """A table or row of events that cannot be read; the message names the file, the line and the value."""


@dataclass(frozen=True)
class EventTable:
    """The text cells of a table: one dict a line, by column, with the line's number in the file."""

    name: str
    columns: tuple[str, ...]
    lines: tuple[tuple[int, dict[str, str]], ...]

    @property
    def type_column(self) -> str | None:
        """The column that holds the type of an event."""
        return next((column for column in TYPE_COLUMNS if column in self.columns), None)

    def require(self, *columns: str) -> None:
        """Raise EventTableError where one of the columns is not there."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            told = f"no column {', '.join(missing)} among the {len(self.columns)} of the first line"
            raise EventTableError(f"{self.name}: {told}")


def read_table(path: Path) -> EventTable:
    """Read a table with a header line; comment lines (`#`) and blank ones do not count as rows."""
    found = enumerate(split_lines(decoded(path.read_bytes())), start=1)
    lines = [(number, line) for number, line in found if _holds_cells(line)]
    if not lines:
        return EventTable(path.name, (), ())
    mark = max("\t,;", key=lines[0][1].count) if "\t" not in lines[0][1] else "\t"
    columns = tuple(cell.strip() for cell in _cells(lines[0][1], mark, path.name, lines[0][0]))
    rows = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in _cells(line, mark, path.name, number)]
        rows.append((number, dict(zip(columns, cells + [""] * len(columns), strict=False))))
    return EventTable(path.name, columns, tuple(rows))


def _holds_cells(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _cells(line: str, mark: str, name: str, number: int) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark))
    except csv.Error as error:
        raise EventTableError(f"{name}, line {number}: {error}") from None


def event_rows(table: EventTable, number: int, cells: dict[str, str], code: Callable[[str], str]) -> list[Row]:
    """A line as rows: one for the whole recording, and one for each channel that it lists.

    `code` turns the event type into the label, or raises EventTableError saying what is wrong with it. A confidence
    that is no number from 0 to 1 counts as unknown, which is 1.
    """
    place = f"{table.name}, line {number}"
    start_s = _seconds(cells, "onset", place)
    whole = Row(
        start_s=start_s,
        stop_s=round(start_s + _seconds(cells, "duration", place), 6),  # 0.1 + 0.2 s ends at 0.3 s: rows that touch
        label=_labelled(code, cells[table.type_column or ""], place),
        place=place,
        confidence=confidence_of(cells.get("confidence", UNKNOWN)),
    )
    listed = "" if cells.get("channels") in (None, UNKNOWN) else cells["channels"]
    names = ["".join(name.upper().split()) for name in listed.split(",")]
    return [whole, *(replace(whole, channel=name) for name in dict.fromkeys(names) if name)]


def _labelled(code: Callable[[str], str], event_type: str, place: str) -> str:
    try:
        return code(event_type)
    except EventTableError as problem:
        raise EventTableError(f"{place}: {problem}") from None


def listed_code(event_type: str) -> str:
    """The code of an event type that the standard lists; case matters (T42). Raises EventTableError for any other."""
    code = szcore_code(event_type)
    if code is not None and (event_type in HED or event_type in EXTRA_TYPES):
        return code
    near = EVENT_TYPE.get(event_type.lower()) or next(iter(get_close_matches(event_type, HED, n=1, cutoff=0.4)), "sz")
    shown = shown_code(event_type)
    raise EventTableError(f"no event type of HED-SCORE's list but {shown}; the nearest is {near!r}")


def settled(lines: Iterable[list[Row]]) -> list[Row]:
    """All rows of a table's lines, but those for the whole recording that only repeat another.

    A table may give a seizure once for the whole recording, and again for the channels on which it has other times: a
    line that lists channels is no further seizure where a line of the same type without channels covers it.
    """
    lines = list(lines)
    alone = [rows[0] for rows in lines if len(rows) == 1]
    found: list[Row] = []
    for whole, *channels in lines:
        covered = channels and any(
            (other.label, other.start_s <= whole.start_s, whole.stop_s <= other.stop_s) == (whole.label, True, True)
            for other in alone
        )
        found += channels if covered else [whole, *channels]
    return found


def _seconds(cells: dict[str, str], column: str, place: str) -> float:
    try:
        seconds = float(cells[column])
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise EventTableError(f"{place}: {column} is no number of seconds but {shown_number(cells[column])}")
    return seconds


def confidence_of(text: str) -> float:
    """A confidence from 0 to 1; 1 where the text is anything else (`n/a`, empty)."""
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0


def stated_duration(table: EventTable, findings: Findings) -> float | None:
    """The duration of the recording (s) as the table states it; a cell that is no number is a note."""
    for number, cells in table.lines:
        try:
            stated_s = row_duration(table, number, cells)
        except EventTableError as problem:
            value = shown_number(cells["recordingDuration"])
            findings.add("annotation_invalid", f"{problem}; the EDF's counts", action="note", value=value)
            return None
        if stated_s is not None:
            return stated_s
    return None


def row_duration(table: EventTable, number: int, cells: dict[str, str]) -> float | None:
    """The duration of the recording (s) as one line states it; None where it says `n/a` or nothing."""
    if cells.get("recordingDuration", "") in ("", UNKNOWN):
        return None
    return _seconds(cells, "recordingDuration", f"{table.name}, line {number}")


def check_listed(path: Path, column: str, *, wanted: str, findings: Findings) -> None:
    """The corpus's own list of patients should name `wanted`; nothing else of it is read (age and sex are private)."""
    try:
        table = read_table(path)
        table.require(column)
    except EventTableError as problem:
        findings.add("patient_unlisted", f"{problem}", severity="info", action="note", value=wanted)
        return
    if wanted not in {cells[column] for _, cells in table.lines}:
        message = f"{wanted} is not in {path.name}; used all the same"
        findings.add("patient_unlisted", message, severity="info", action="note", value=wanted)


def note_without_rows(table: EventTable, findings: Findings) -> None:
    """A table of nothing but its header says that there was no seizure, in a way that trips other readers (T41)."""
    if not table.lines:
        message = f"{table.name}: a header and no rows; read as no seizure. The standard asks for one row of bckg"
        findings.add("annotation_invalid", message, action="note", value=table.name)


def write_events(
    path: Path | str, events: Sequence[Event], duration_s: float, *, shortest_s: float, start: datetime | None = None
) -> None:
    """Write the file-level events of one recording, the seven columns of SzCORE exactly, two decimals.

    A row's channels are the derivations whose own events meet it; their own times have no place in the format. Without
    events there is one row of background over the whole recording (T41). Events shorter than `shortest_s` are
    lengthened to it, towards the end of the recording where there is room (a scorer at 1 Hz loses what is shorter than
    a second); 0 keeps them as they are, but for the hundredth that the format can show.
    """
    whole = sorted((e for e in events if e.channel == WHOLE_RECORDING), key=lambda e: (e.onset_s, e.offset_s, e.code))
    date_time = start.strftime("%Y-%m-%d %H:%M:%S") if start else UNKNOWN
    tail = (date_time, f"{duration_s:.2f}")
    lines = ["\t".join(COLUMNS)]
    for event in whole:
        onset_s, offset_s = _span(event, duration_s, max(shortest_s, LEAST_S))
        channels = ",".join(_channels_of(event, events)) or UNKNOWN
        confidence = UNKNOWN if math.isnan(event.confidence) else f"{event.confidence:.2f}"
        span = (f"{onset_s:.2f}", f"{offset_s - onset_s:.2f}")
        lines.append("\t".join((*span, EVENT_TYPE[event.code], confidence, channels, *tail)))
    if not whole:
        lines.append("\t".join(("0.00", f"{duration_s:.2f}", BACKGROUND, UNKNOWN, UNKNOWN, *tail)))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _span(event: Event, duration_s: float, least_s: float) -> tuple[float, float]:
    """Onset and offset in hundredths of a second, at least `least_s` apart where the recording has the room."""
    onset_s, offset_s, end_s = (round(value, 2) for value in (event.onset_s, event.offset_s, duration_s))
    if offset_s - onset_s < least_s:
        offset_s = min(onset_s + least_s, end_s)
        onset_s = max(min(onset_s, offset_s - least_s), 0.0)
    return onset_s, offset_s


def _channels_of(event: Event, events: Sequence[Event]) -> list[str]:
    """Derivations with an event of their own in the span of a file-level one, in order of name."""
    return sorted(
        {
            other.channel
            for other in events
            if other.channel != WHOLE_RECORDING
            and _NAME.fullmatch(other.channel)
            and other.onset_s < event.offset_s
            and event.onset_s < other.offset_s
        }
    )
