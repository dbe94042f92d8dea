"""Patients of an iEEG-BIDS corpus: `participants.tsv` by an adapter, and who of it is there (spec soz.md, 8)."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pipeline.corpora.ieeg.adapter import Adapter, ValueMap
from pipeline.corpora.ieeg.sidecars import SideFileError, SideTable, named, number, read_tsv
from pipeline.corpora.ieeg.tree import PARTICIPANTS
from pipeline.findings import Findings

_ENGEL = re.compile(r"(?:engel\s*)?(1|2|3|4|i{1,3}|iv)(?:\.0)?\s*([a-d]?)", re.IGNORECASE)
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4"}
GOOD, POOR = "good", "poor"


def read_participants(root: Path, findings: Findings) -> SideTable | None:
    """The table of participants; None, with a finding, where it is not there or cannot be read."""
    if not (root / PARTICIPANTS).exists():
        findings.add("side_file_missing", f"no {PARTICIPANTS}; outcomes are unknown", action="note", value=PARTICIPANTS)
        return None
    try:
        table = read_tsv(root / PARTICIPANTS)
        table.by("participant_id")
    except SideFileError as problem:
        findings.add("side_file_invalid", f"{problem}; outcomes are unknown", value=PARTICIPANTS)
        return None
    return table


def patient_id(participant: str) -> str:
    """The patient of a cell of `participant_id`: the prefix `sub-` is left out, as in the recordings' names."""
    return participant.removeprefix("sub-")


def patients_of(table: SideTable | None) -> dict[str, dict[str, str]]:
    """Lines of the table by patient."""
    rows = table.by("participant_id") if table is not None else {}
    return {patient_id(participant): row for participant, row in rows.items()}


def patient_row(
    patient: str, row: Mapping[str, str], adapter: Adapter, *, implant: str, frame: str
) -> dict[str, str | float]:
    """One line of the patients table. `implant` and `frame` are what the channels and coordinates say."""
    rule = adapter.participants

    def cell(value: ValueMap | None) -> str:
        """The mapped cell of one column, empty where it is not known."""
        return value.of(row.get(value.column, "")) if value is not None else ""

    engel = engel_class(cell(rule.engel))
    by_engel = (GOOD if engel[0] == "1" else POOR) if engel else ""
    return {
        "patient": patient,
        "implant": cell(rule.implant) or implant,
        "engel": engel,
        "outcome": by_engel or cell(rule.outcome),
        "therapy": cell(rule.therapy),
        "lesion": cell(rule.lesion),
        "target": cell(rule.target),
        "age": number(cell(rule.age)),
        "sex": cell(rule.sex),
        "frame": frame,
        "shared_with": ",".join(sorted(name for name, also in adapter.shared_patients.items() if patient in also)),
    }


def engel_class(text: str) -> str:
    """Engel class as `1A` or `3`, from `1a`, `IA`, `Engel III` or `1.0`; empty where the text is none."""
    found = _ENGEL.fullmatch(text.strip())
    if found is None:
        return ""
    grade = found[1].upper()
    return _ROMAN.get(grade, grade) + found[2].upper()


def check_participants(table: SideTable | None, present: Collection[str], findings: Findings) -> None:
    """Participants without recordings, and what was normalised; written by one shard alone."""
    if table is None:
        return
    for patient in sorted(set(patients_of(table)) - set(present)):
        message = f"{PARTICIPANTS} lists {patient}, and no recording of that patient is there"
        findings.add("subject_absent", message, action="note", value=patient)
    note_marks({PARTICIPANTS: table.marks}, findings)


def check_listed(patients: Sequence[str], table: SideTable | None, findings: Findings) -> None:
    """Patients with recordings whom the table does not list."""
    absent = sorted(set(patients) - set(patients_of(table))) if table is not None else []
    if absent:
        message = f"{PARTICIPANTS} does not list {', '.join(named(absent))}; used without outcome"
        findings.add("patient_unlisted", message, action="note", value=absent[0])


def note_marks(files: Mapping[str, Mapping[str, str]], findings: Findings) -> None:
    """Finding `text_format`: one for each kind of leniency, with the number of files (`crlf: 7`) as its value."""
    kinds = sorted({kind for marks in files.values() for kind in marks})
    for kind in kinds:
        paths = sorted(path for path, marks in files.items() if kind in marks)
        place = files[paths[0]][kind]
        shown = f"{Path(paths[0]).name}{f', {place}' if place else ''}"
        message = f"{MARKS[kind]} in {len(paths)} side files, first {shown}; normalised"
        findings.add("text_format", message, value=f"{kind}: {len(paths)}")


MARKS = {
    "bom": "a byte order mark",
    "crlf": "line ends of CR LF",
    "encoding": "bytes that are no UTF-8",
    "quoted": "cells in quotes",
    "blank": "blanks around a cell",
    "number": "a whole number written as 512.0",
    "ragged": "a line with fewer cells than columns",
}
