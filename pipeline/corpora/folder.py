"""A plain folder of EDFs, with or without events (docs/corpora.md).

Patients: by `version` `folders` the first sub-folder, `stems` the file name up to its first `_`, `files` each file by
itself; `auto` takes the sub-folder where there is one, else the stem. A first folder called `train`, `validation`,
`dev`, `eval` or `test` is the official split and not a patient.

Events: `<stem>_events.tsv`, `<stem>.tsv` or `<stem>.csv` beside the EDF (columns onset, duration, eventType or
trial_type; or TUSZ `.csv`), else the annotations inside an EDF+. A file with neither is used without labels.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from pipeline.corpora._event_rules import (
    NOT_EPILEPTIC,
    OTHER_CODES,
    SEIZURE_CODES,
    Row,
    seizures,
    settle_types,
    to_events,
)
from pipeline.corpora._events_tsv import (
    TYPE_COLUMNS,
    EventTable,
    EventTableError,
    event_rows,
    note_without_rows,
    read_table,
    settled,
)
from pipeline.corpora._seizure_words import may_mean_seizure
from pipeline.corpora._szcore import HED, szcore_code
from pipeline.corpora._tree import folders, safe_name
from pipeline.corpora._tusz_labels import read_label_file
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Findings
from pipeline.signals.labels import shown_code

OFFICIAL = ("train", "validation", "dev", "eval", "test")
VERSIONS = ("auto", "folders", "stems", "files")
KNOWN_CODES = SEIZURE_CODES | OTHER_CODES | {NOT_EPILEPTIC}
FILE_NAMES = "free"  # they may name people: docs/privacy.md
_UNTOLD = ("", "n/a", "na", "nan", "-", "?", "unknown")
_COLUMNS = {name.lower(): name for name in ("onset", "duration", *TYPE_COLUMNS, "confidence", "channels")}
_TYPES = {name.lower(): name for name in HED}
_OTHER_FORMATS = re.compile(
    r".+(\.edf\.(?:gz|bz2|xz|zst|zip|7z)|\.(?:bdf|gdf|rec|vhdr|eeg|set|fif|cnt|mff|nwb|xdf|trc|erd|lay|e))",
    re.IGNORECASE,
)
_SPOKEN = {"seizure": "sz", "sz": "sz", "seiz": "sz"}  # what people write into EDF+ annotations


class _NoLabels(Exception):
    """Nothing that can be relied on says whether, or when, there was a seizure; the message says why."""


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The EDFs below `root`, by name only; no file is opened. Raises CorpusError for an unknown `version`."""
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of a plain folder; known are {', '.join(VERSIONS)}")
    found = []
    for folder, names in folders(Path(root)):
        for name in sorted(names):
            if name.lower().endswith(".edf"):
                found.append(_recording(folder, name, names, version))
    return sorted(found, key=lambda files: files.recording)


def unread(root: Path | str) -> dict[str, int]:
    """How many files of other EEG formats lie below `root`, by extension: `find` passes them over."""
    found: Counter[str] = Counter()
    for folder, names in folders(Path(root)):
        whole = [*names, *folder[-1:]]  # `.mff` is a folder
        found.update(match[1].lower() for match in map(_OTHER_FORMATS.fullmatch, whole) if match)
    return dict(sorted(found.items()))


def _recording(folder: tuple[str, ...], name: str, names: set[str], version: str) -> RecordingFiles:
    official = folder[0] if folder and folder[0] in OFFICIAL else ""
    above = folder[1:] if official else folder
    stem = name[: -len(".edf")]
    patient = above[0] if above and version in ("auto", "folders") else stem.split("_")[0]
    if version == "folders" and not above:
        raise CorpusError(f"{name}: version: folders needs a folder for each patient; move it into one")
    path = "/".join((*folder, name))
    side = next((own for own in _side_files(stem) if own in names), None)
    recording = safe_name("-".join((*folder, stem)), path)
    return RecordingFiles(
        recording=recording,
        patient=recording if version == "files" else safe_name(patient, patient),
        session="",
        montage="",
        edf=path,
        annotations=("/".join((*folder, side)),) if side else (),
        official=official,
    )


def _side_files(stem: str) -> list[str]:
    """Names that an events file of this EDF may have, the best first; BIDS says `…_events.tsv` beside `…_eeg.edf`."""
    bids = re.sub(r"_(eeg|ieeg)$", "", stem)
    return [f"{bids}_events.tsv", f"{stem}_events.tsv", f"{stem}.tsv", f"{stem}.csv"]


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording; None, with the finding `annotation_missing`, where nothing says whether there are any.

    Raises Rejected for events that cannot belong to the EDF.
    """
    try:
        if files.annotations:
            rows = _read_side_file(Path(root, files.annotations[0]), findings)
        else:
            rows = _read_inside(Path(root, files.edf), findings)
        kept = seizures(rows, duration_s, findings)
        if not kept and any(row.label in SEIZURE_CODES for row in rows):
            raise _NoLabels(f"{files.edf}: its seizures have no time that can be right")
    except _NoLabels as problem:
        findings.add("annotation_missing", f"{problem}; used without labels", action="note")
        return None
    return to_events(settle_types(kept, findings))


def _read_side_file(path: Path, findings: Findings) -> list[Row]:
    """Rows of the file beside the EDF. Raises _NoLabels for one that is no table of events."""
    try:
        table = read_table(path)
        if [column.lower() for column in table.columns[:2]] == ["channel", "start_time"]:
            return _read_tusz(path, findings)
        table = _in_our_case(table)
        table.require("onset", "duration")
        if table.type_column is None:
            table.require("eventType")
    except EventTableError as problem:
        findings.add("annotation_invalid", f"{problem}; used without labels", action="skip", value=path.name)
        raise _NoLabels(f"{path.name}: no table of events") from None
    note_without_rows(table, findings)
    return _rows(table, findings)


def _in_our_case(table: EventTable) -> EventTable:
    """The table with the columns that are read spelt as we do (`Onset`, `EVENTTYPE`), unless it has both spellings."""
    spelt = {name: _COLUMNS.get(name.lower(), name) for name in table.columns}
    if len(set(spelt.values())) < len(table.columns):
        return table
    lines = tuple((number, {spelt[name]: cell for name, cell in cells.items()}) for number, cells in table.lines)
    return replace(table, columns=tuple(spelt.values()), lines=lines)


def _read_tusz(path: Path, findings: Findings) -> list[Row]:
    """Rows of a TUSZ table. Raises _NoLabels where one cannot be read: it may be a seizure."""
    found = read_label_file(path, findings)
    if found.lost:
        raise _NoLabels(f"{path.name}: a row that cannot be read may be a seizure")
    if not found.rows:  # unlike T41: one without seizures has a row of bckg (T12)
        raise _NoLabels(f"{path.name}: a TUSZ table without a row")
    return _complete(found.rows, path.name, findings)


def _rows(table: EventTable, findings: Findings) -> list[Row]:
    """Rows of a table. Raises _NoLabels where a seizure has no time, or no row has a type that is known."""
    lines: list[list[Row]] = []
    lost = 0
    for number, cells in table.lines:
        try:
            lines.append(event_rows(table, number, cells, _code))
        except EventTableError as problem:
            findings.add("annotation_invalid", f"{problem}; row left out", action="skip", value=f"line {number}")
            text = cells[table.type_column or ""]
            lost += _is_untold(text) or _may_be_seizure(_code(text))
    if lost:
        raise _NoLabels(f"{table.name}: rows without a time that may be seizures: {lost}")
    if table.lines and not lines:
        raise _NoLabels(f"{table.name}: no row that can be read")
    return _complete(settled(lines), table.name, findings)


def _complete(rows: list[Row], name: str, findings: Findings) -> list[Row]:
    """The rows. Raises _NoLabels where none has a known type, or an unknown type may be a seizure: what they mean is
    unknown, and their seconds would be background.
    """
    if rows and not any(row.label in KNOWN_CODES for row in rows):
        raise _NoLabels(f"{name}: no row has a type of event that is known ({shown_code(rows[0].label)})")
    unsure = {
        row.place: row.label
        for row in rows
        if row.label not in SEIZURE_CODES and (_is_untold(row.label) or _may_be_seizure(row.label))
    }
    for place, label in unsure.items():  # not the channel: it may be a name
        message = f"{place}: label {shown_code(label)} is not in the list and may be a seizure; correct it"
        findings.add("unknown_label", message, action="skip", value=shown_code(label))
    if unsure:
        raise _NoLabels(f"{name}: unknown types of event that may be seizures: {len(unsure)}")
    return rows


def _may_be_seizure(label: str) -> bool:
    """Whether a label is a seizure's, or an unknown one that speaks of seizures: `Seizure focal`, `Sz3`, `GTCS`."""
    return label in SEIZURE_CODES or (label not in KNOWN_CODES and may_mean_seizure(label))


def _is_untold(text: str) -> bool:
    """Whether a cell leaves the type of its event open."""
    return text.strip().lower() in _UNTOLD


def _read_inside(path: Path, findings: Findings) -> list[Row]:
    """Annotations of an EDF+ that have a duration; texts that are no event type are reported and left out.

    Raises _NoLabels where nothing says whether there was a seizure, or where one has no duration or may have meant one:
    which seconds it took is then unknown, and calling them background would be a wrong label.
    """
    from pipeline.signals.edf_annotations import annotations
    from pipeline.signals.edf_header import read_header

    header = read_header(path, Findings())  # `index` has reported what the header holds
    rows, endless, passed, inside = [], [], 0, list(annotations(header))
    for annotation in inside:
        onset_s, code = annotation.onset_s, _code(annotation.text)
        if annotation.duration_s is None or (annotation.duration_s == 0 and code not in KNOWN_CODES):
            endless += [onset_s] * _may_be_seizure(code)
            passed += code not in KNOWN_CODES and not _may_be_seizure(code)
        else:
            stop_s = round(onset_s + annotation.duration_s, 6)  # of decimals: annotations that touch do not overlap
            rows.append(Row(start_s=onset_s, stop_s=stop_s, label=code, place=f"{path.name} at {onset_s:g} s"))
    for onset_s in endless:
        message = f"{path.name}: a seizure at {onset_s:g} s without a duration; give it one, and run again"
        findings.add("annotation_invalid", message, action="skip", value=f"{onset_s:g}")
    if passed:
        message = f"{path.name}: {passed} texts without a duration that are no known type, nor of a seizure; not read"
        findings.add("unknown_label", message, severity="info", action="note", value=passed)
    known = any(row.label in SEIZURE_CODES or row.label == "bckg" for row in rows)
    if inside and (endless or not known):
        none = "none is a known seizure type with a duration"
        told = f"of them without a duration, and maybe a seizure: {len(endless)}" if endless else none
        raise _NoLabels(
            f"{path.name}: {len(inside)} annotation{'s' * (len(inside) > 1)} inside, {told}; write a <stem>_events.tsv"
        )
    if not inside:
        raise _NoLabels(f"{path.name}: no events beside it nor inside")
    return _complete(rows, path.name, findings)


def _code(text: str) -> str:
    """The code of an event type: one of TUSZ's own, or SzCORE's; other texts come back as they are."""
    text = text.strip()
    if text.lower() in SEIZURE_CODES or text.lower() in OTHER_CODES or text.lower() == "nesz":
        return text.lower()
    return szcore_code(_SPOKEN.get(text.lower()) or _TYPES.get(text.lower(), text)) or text
