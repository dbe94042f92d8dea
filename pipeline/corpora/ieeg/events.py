"""Seizures of an intracranial recording from its `events.tsv`: an onset, an offset or a duration.

Which texts mean what is the adapter's to say; a text that may mean a seizure and is not listed is a finding, never
background. Standard library only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path

from pipeline.corpora._event_rules import Row, stated_seizures, to_events
from pipeline.corpora._seizure_words import may_mean_seizure
from pipeline.corpora.ieeg.sidecars import SideFileError, SideTable, number, read_tsv
from pipeline.corpora.records import Event
from pipeline.findings import Findings

SEIZURE = "seiz"  # the type is not told


@dataclass(frozen=True, kw_only=True)
class EventTokens:
    """The column that says what happened, and its texts (in any case) for the begin and end of a seizure."""

    column: str
    onset: tuple[str, ...]
    offset: tuple[str, ...]


# Of readers that know no adapter; adapters list their own.
COMMON = EventTokens(
    column="trial_type",
    onset=("sz onset", "seizure onset", "sz event", "seizure", "onset", "eeg onset", "sz"),
    offset=("sz offset", "seizure offset", "offset", "eeg offset", "sz end", "seizure end"),
)


def read_seizures(path: Path, tokens: EventTokens, duration_s: float, findings: Findings) -> list[Event]:
    """Seizures in order of time, clipped to the recording of `duration_s`.

    Raises SideFileError for a table without the columns that are needed or with an onset that is no number; Rejected
    where most of the stated time lies outside the recording, or none has a place in it.
    """
    table = read_tsv(path).require("onset", tokens.column)
    begins, ends = _marks(table, tokens, findings)
    rows = [_row(table.name, begin, begins, ends, duration_s, findings) for begin in begins]
    return to_events(stated_seizures(rows, duration_s, findings))


Mark = tuple[float, float]  # onset and duration, s


def _marks(table: SideTable, tokens: EventTokens, findings: Findings) -> tuple[list[Mark], list[Mark]]:
    """Begins and ends of seizures that the table states, in order of time."""
    begins: list[Mark] = []
    ends: list[Mark] = []
    for row in table.rows:
        text = row[tokens.column].casefold()
        kind = begins if text in tokens.onset else ends if text in tokens.offset else None
        if kind is None:
            if may_mean_seizure(text):
                message = (
                    f"{table.name}: an event of {tokens.column} may mean a seizure and is not in the adapter's list"
                )
                findings.add("unknown_label", message, action="note", value=text[:40])
            continue
        onset_s = number(row["onset"])
        if isnan(onset_s):
            raise SideFileError(f"{table.name}: onset {row['onset'][:40]!r} of {text!r} is no number")
        kind.append((onset_s, number(row.get("duration"))))
    return sorted(begins, key=lambda mark: mark[0]), sorted(ends, key=lambda mark: mark[0])


def _row(
    name: str, begin: Mark, begins: Sequence[Mark], ends: Sequence[Mark], duration_s: float, findings: Findings
) -> Row:
    """One seizure: to its own duration where that is stated, else to the next offset before the next onset."""
    onset_s, length_s = begin
    if isfinite(length_s) and length_s > 0:
        return Row(start_s=onset_s, stop_s=onset_s + length_s, label=SEIZURE, place=name)
    following = min((other for other, _ in begins if other > onset_s), default=float("inf"))
    stop_s = next((end for end, _ in ends if onset_s < end <= following), None)
    if stop_s is None:
        message = f"{name}: the seizure at {onset_s:.3f} s has no offset; taken to the next onset or the end"
        findings.add("annotation_invalid", message, value=f"{onset_s:.3f}")
        stop_s = min(following, duration_s)
    return Row(start_s=onset_s, stop_s=stop_s, label=SEIZURE, place=name)
