"""A plain folder of EDFs, with or without events (docs/corpora.md).

Patients: by `version` `folders` the first sub-folder, `stems` the file name up to its first `_`, `files` each file by
itself; `auto` takes the sub-folder where there is one, else the stem. A first folder called `train`, `validation`,
`dev`, `eval` or `test` is the official split and not a patient.

Events: `<stem>_events.tsv`, `<stem>.tsv` or `<stem>.csv` beside the EDF (columns onset, duration, eventType or
trial_type; or TUSZ `.csv`), else the annotations inside an EDF+. A file with neither is used without labels.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora._event_rules import OTHER_CODES, SEIZURE_CODES, Row, seizures, szcore_code, to_events
from pipeline.corpora._tusz_labels import read_label_file
from pipeline.corpora.records import WHOLE_RECORDING, Event, RecordingFiles
from pipeline.findings import CorpusError, Findings

OFFICIAL = ("train", "validation", "dev", "eval", "test")
VERSIONS = ("auto", "folders", "stems", "files")
_TYPE_COLUMNS = ("eventType", "trial_type", "label")
_SPOKEN = {"seizure": "sz", "sz": "sz", "seiz": "sz"}  # what people write into EDF+ annotations
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_NAME = 100


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The EDFs below `root`, by name only; no file is opened. Raises CorpusError for an unknown `version`."""
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of a plain folder; known are {', '.join(VERSIONS)}")
    found = []
    for folder, names in _folders(Path(root), ()):
        for name in sorted(names):
            if name.lower().endswith(".edf"):
                found.append(_recording(folder, name, names, version))
    return sorted(found, key=lambda files: files.recording)


def _folders(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    names: set[str] = set()
    inner: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (inner.append if entry.is_dir() else names.add)(entry.name)
    yield parts, names
    for name in sorted(inner):
        yield from _folders(folder / name, (*parts, name))


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


def safe_name(text: str, path: str) -> str:
    """`text` in letters, digits, `_`, `.`, `-`; where that loses anything, a digest of the path keeps it unique."""
    safe = _UNSAFE.sub("_", text).strip(".")[:_MAX_NAME]
    if safe == text:
        return safe
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{safe}_{digest}" if safe else digest


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording; None, with the finding `annotation_missing`, where nothing says whether there are any.

    Raises Rejected for events that cannot belong to the EDF.
    """
    if files.annotations:
        path = Path(root, files.annotations[0])
        rows = _read_side_file(path, findings)
    else:
        rows = _read_inside(Path(root, files.edf), findings)
        if not any(row.label in SEIZURE_CODES or row.label == "bckg" for row in rows):
            message = f"{files.edf}: no events beside it nor inside; used without labels"
            findings.add("annotation_missing", message, action="note")
            return None
    return to_events(seizures(rows, duration_s, findings))


def _read_side_file(path: Path, findings: Findings) -> list[Row]:
    lines = path.read_bytes().decode("utf-8-sig", "replace").splitlines()
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if head.lower().startswith("channel,start_time"):
        return read_label_file(path, findings).rows
    table = csv.DictReader(
        (line for line in lines if line.strip() and not line.startswith("#")),
        delimiter="\t" if "\t" in head else ",",
    )
    columns = [column for column in _TYPE_COLUMNS if column in (table.fieldnames or ())]
    if not columns or not {"onset", "duration"} <= set(table.fieldnames or ()):
        message = f"{path.name}: needs the columns onset, duration and eventType (or trial_type); has {head[:80]!r}"
        findings.add("annotation_invalid", message, action="skip", value=head[:80])
        return []
    rows: list[Row] = []
    for number, cells in enumerate(table, start=2):
        rows += _bids_rows(cells, columns[0], f"{path.name}, row {number}", findings)
    return rows


def _bids_rows(cells: dict[str, str], type_column: str, place: str, findings: Findings) -> list[Row]:
    """A row of an events file: one event for the whole recording, or one for each channel that it lists."""
    try:
        onset_s, duration_s = float(cells["onset"]), float(cells["duration"])
    except (ValueError, TypeError):
        message = f"{place}: onset {cells['onset']!r}, duration {cells['duration']!r}; row left out"
        findings.add("annotation_invalid", message, action="skip", value=cells["onset"])
        return []
    confidence = cells.get("confidence") or "n/a"
    listed = (cells.get("channels") or "n/a").split(",")
    channels = [WHOLE_RECORDING, *(name.strip().upper() for name in listed if name.strip() not in ("n/a", ""))]
    return [
        Row(
            start_s=onset_s,
            stop_s=onset_s + duration_s,
            label=_code(cells[type_column] or ""),
            place=place,
            channel=channel,
            confidence=1.0 if confidence == "n/a" else float(confidence),
        )
        for channel in channels
    ]


def _read_inside(path: Path, findings: Findings) -> list[Row]:
    """Annotations of an EDF+ that have a duration; texts that are no event type are reported and left out."""
    from pipeline.signals.edf_annotations import annotations
    from pipeline.signals.edf_header import read_header

    header = read_header(path, Findings())  # `index` has reported what the header holds
    rows = []
    for annotation in annotations(header):
        if annotation.duration_s is not None:
            onset_s, text = annotation.onset_s, annotation.text
            stop_s = onset_s + annotation.duration_s
            rows.append(Row(start_s=onset_s, stop_s=stop_s, label=_code(text), place=f"{path.name} at {onset_s:g} s"))
    return rows


def _code(text: str) -> str:
    """The code of an event type: one of TUSZ's own, or SzCORE's; other texts come back as they are."""
    text = text.strip()
    if text.lower() in SEIZURE_CODES or text.lower() in OTHER_CODES or text.lower() == "nesz":
        return text.lower()
    return szcore_code(_SPOKEN.get(text.lower(), text)) or text
