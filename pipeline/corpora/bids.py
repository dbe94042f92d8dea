"""BIDS-EEG with events of SzCORE / HED-SCORE (formats.md, section 12; docs/corpora.md).

`sub-<label>/[ses-<label>/]eeg/<entities>_eeg.edf`, with `<entities>_events.tsv` beside it: files are paired by name, so
that it does not matter whether runs are counted from 00 or from 01 (T43). Of `participants.tsv` only the ids are read;
the JSON files say nothing that the EDF does not say better, and are not opened.
"""

import re
from pathlib import Path

from pipeline.corpora._event_rules import DISAGREE_S, refused, settle_types, stated_seizures, to_events
from pipeline.corpora._events_tsv import (
    EventTable,
    EventTableError,
    check_listed,
    event_rows,
    listed_code,
    note_without_rows,
    read_table,
    settled,
    stated_duration,
)
from pipeline.corpora._tree import folders, safe_name
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Findings

VERSIONS = ("auto",)
FILE_NAMES = "needed"  # codes, by which events are found: docs/privacy.md
PARTICIPANTS = "participants.tsv"
_NAME = re.compile(r"sub-([A-Za-z0-9+]+)(?:_ses-([A-Za-z0-9+]+))?(?:_[a-z]+-[A-Za-z0-9+]+)*_eeg\.edf", re.IGNORECASE)
_SIDE_FILE = re.compile(r".*_eeg\.(?:json|tsv|tsv\.gz|txt|md|html|pdf|png)", re.IGNORECASE)
_ASIDE = ("derivatives", "sourcedata", "code")  # of BIDS, beside the recordings
_OTHER_DATA = ("ieeg", "meg", "anat", "func", "beh", "motion", "nirs")  # of BIDS: not this reader's


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The EEG recordings below `root`, by name only; no file is opened.

    The folders derivatives, sourcedata and code, and other kinds of data (ieeg, meg …), are not entered. Raises
    CorpusError for an EEG file elsewhere that fits no BIDS name or is no EDF: it would else be lost in silence.
    """
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of a BIDS corpus; known is {', '.join(VERSIONS)}")
    found = []
    top: set[str] = set()
    for folder, names in folders(Path(root)):
        top = top if folder else names
        if not folder or (folder[0] not in _ASIDE and folder[-1] not in _OTHER_DATA):
            found += [_recording(folder, name, names, top) for name in sorted(names) if _is_eeg(folder, name)]
    return sorted(found, key=lambda files: files.recording)


def _is_eeg(folder: tuple[str, ...], name: str) -> bool:
    if name.lower().endswith(".edf"):
        return True
    if "_eeg." in name.lower() and _SIDE_FILE.fullmatch(name) is None:
        raise CorpusError(f"{'/'.join((*folder, name))}: only EDF is read; convert it, or move it away")
    return False


def _recording(folder: tuple[str, ...], name: str, names: set[str], top: set[str]) -> RecordingFiles:
    path, match = "/".join((*folder, name)), _NAME.fullmatch(name)
    if match is None:
        raise CorpusError(f"{path}: no BIDS name (sub-…_eeg.edf); rename it, or use reader: folder")
    patient, session = match[1], match[2] or ""
    expected = (f"sub-{patient}", *((f"ses-{session}",) if session else ()), "eeg")
    if folder != expected:
        raise CorpusError(f"{path}: belongs into {'/'.join(expected)}; move it there, or use reader: folder")
    stem = name[: -len("_eeg.edf")]
    events = f"{stem}_events.tsv"
    return RecordingFiles(
        recording=safe_name(stem, path),
        patient=safe_name(patient, patient),
        session=safe_name(session, session),
        montage="",
        edf=path,
        annotations=(
            *(("/".join((*folder, events)),) if events in names else ()),
            *((PARTICIPANTS,) if PARTICIPANTS in top else ()),
        ),
    )


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording; None, with a finding, where no table says whether there are any.

    Raises Rejected (`annotation_invalid`, with the line) for a row that cannot be read or whose type is not in the
    standard: which seconds are a seizure is then unknown, and a wrong label is worse than one recording less.
    """
    if PARTICIPANTS in files.annotations:
        check_listed(Path(root, PARTICIPANTS), "participant_id", wanted=files.edf.split("/", 1)[0], findings=findings)
    path = next((Path(root, own) for own in files.annotations if own.endswith("_events.tsv")), None)
    if path is None:
        message = f"{files.edf}: no {files.edf.rsplit('/', 1)[-1][: -len('_eeg.edf')]}_events.tsv; used without labels"
        findings.add("annotation_missing", message, action="note")
        return None
    try:
        table = read_table(path)
        table.require("onset", "duration")
        if table.type_column is None:
            table.require("eventType")
        rows = settled([event_rows(table, number, cells, listed_code) for number, cells in table.lines])
    except EventTableError as problem:
        message = f"{problem}; correct it and run again"
        raise refused("annotation_invalid", message) from None
    note_without_rows(table, findings)
    _compare_duration(table, duration_s, findings)
    return to_events(settle_types(stated_seizures(rows, duration_s, findings), findings))


def _compare_duration(table: EventTable, duration_s: float, findings: Findings) -> None:
    """The EDF decides on the duration (T15)."""
    stated = stated_duration(table, findings)
    if stated is not None and abs(stated - duration_s) > DISAGREE_S:
        message = f"{table.name}: recordingDuration {stated:.2f} s, the EDF has {duration_s:.2f} s"
        findings.add("duration_disagrees", message, action="note", value=stated, expected=duration_s)
