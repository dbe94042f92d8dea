"""A plain folder of EDFs, with or without events (docs/corpora.md).

Patients: by `version` `folders` the first sub-folder, `stems` the file name up to its first `_`, `files` each file by
itself; `auto` takes the sub-folder where there is one, else the stem. A first folder called `train`, `validation`,
`dev`, `eval` or `test` is the official split and not a patient.

Events: `<stem>_events.tsv`, `<stem>.tsv` or `<stem>.csv` beside the EDF (columns onset, duration, eventType or
trial_type; or TUSZ `.csv`), else the annotations inside an EDF+. A file with neither is used without labels.
"""

import re
from pathlib import Path

from pipeline.corpora._event_rules import OTHER_CODES, SEIZURE_CODES, Row, seizures, to_events
from pipeline.corpora._events_tsv import EventTable, EventTableError, event_rows, note_without_rows, read_table, settled
from pipeline.corpora._szcore import szcore_code
from pipeline.corpora._tree import folders, safe_name
from pipeline.corpora._tusz_labels import read_label_file
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Findings

OFFICIAL = ("train", "validation", "dev", "eval", "test")
VERSIONS = ("auto", "folders", "stems", "files")
FILE_NAMES = "free"  # they may name people: docs/privacy.md
_SPOKEN = {"seizure": "sz", "sz": "sz", "seiz": "sz"}  # what people write into EDF+ annotations


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
    if files.annotations:
        path = Path(root, files.annotations[0])
        rows = _read_side_file(path, findings)
        if rows is None:
            return None
    else:
        rows = _read_inside(Path(root, files.edf), findings)
        if not any(row.label in SEIZURE_CODES or row.label == "bckg" for row in rows):
            message = f"{files.edf}: no events beside it nor inside; used without labels"
            findings.add("annotation_missing", message, action="note")
            return None
    return to_events(seizures(rows, duration_s, findings))


def _read_side_file(path: Path, findings: Findings) -> list[Row] | None:
    """Rows of the file beside the EDF; None, with findings, for one that is no table of events."""
    try:
        table = read_table(path)
        if [column.lower() for column in table.columns[:2]] == ["channel", "start_time"]:
            return read_label_file(path, findings).rows
        table.require("onset", "duration")
        if table.type_column is None:
            table.require("eventType")
    except EventTableError as problem:
        findings.add("annotation_invalid", f"{problem}; used without labels", action="skip", value=path.name)
        findings.add("annotation_missing", f"{path.name}: no table of events; used without labels", action="note")
        return None
    note_without_rows(table, findings)
    return _rows(table, findings)


def _rows(table: EventTable, findings: Findings) -> list[Row]:
    lines: list[list[Row]] = []
    for number, cells in table.lines:
        try:
            lines.append(event_rows(table, number, cells, _code))
        except EventTableError as problem:
            findings.add("annotation_invalid", f"{problem}; row left out", action="skip", value=f"line {number}")
    return settled(lines)


def _read_inside(path: Path, findings: Findings) -> list[Row]:
    """Annotations of an EDF+ that have a duration; texts that are no event type are reported and left out."""
    from pipeline.signals.edf_annotations import annotations
    from pipeline.signals.edf_header import read_header

    header = read_header(path, Findings())  # `index` has reported what the header holds
    rows = []
    for annotation in annotations(header):
        if annotation.duration_s is not None:
            onset_s, text = annotation.onset_s, annotation.text
            stop_s = round(onset_s + annotation.duration_s, 6)  # of decimals: annotations that touch do not overlap
            rows.append(Row(start_s=onset_s, stop_s=stop_s, label=_code(text), place=f"{path.name} at {onset_s:g} s"))
    return rows


def _code(text: str) -> str:
    """The code of an event type: one of TUSZ's own, or SzCORE's; other texts come back as they are."""
    text = text.strip()
    if text.lower() in SEIZURE_CODES or text.lower() in OTHER_CODES or text.lower() == "nesz":
        return text.lower()
    return szcore_code(_SPOKEN.get(text.lower(), text)) or text
