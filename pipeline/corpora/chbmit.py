"""CHB-MIT: `chbNN/chbNN_MM.edf`, `.edf.seizures` and `chbNN-summary.txt` (formats.md, section 10; docs/corpora.md).

The recordings hold derivations: `channels.montage: bipolar` uses them, a model of electrodes refuses them (T36). No
types, no channels: every seizure is `seiz` on the whole recording. A recording is free of seizures only where something
says so; ages and sexes (`SUBJECT-INFO`) are not read.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.corpora._event_rules import DISAGREE_S, Row, disagreement_s, refused, seizures, to_events
from pipeline.corpora._tree import folders, safe_name, text_lines
from pipeline.corpora._wfdb import WfdbError, read_wfdb
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Findings

VERSIONS = ("auto", "1.0.0")
FILE_NAMES = "needed"  # codes, by which events are found: docs/privacy.md
SAME_PATIENT = {"chb21": "chb01"}  # the same girl, a year and a half later (T35)
ALL, WITH_SEIZURES = "RECORDS", "RECORDS-WITH-SEIZURES"
LABEL = "seiz"
_STEM = re.compile(r"(chb\d+)[a-z]?_\d+\+?")
_FILE = re.compile(r"File\s*Name\s*:\s*(\S+)", re.IGNORECASE)
_FILE_LIKE = re.compile(r"\.edf|^\W*f\w{0,5}\s?name", re.IGNORECASE)  # a name line that is misspelt
_COUNT = re.compile(r"Number\s+of\s+Seizures\s+in\s+File\s*:\s*(\d{1,9})(?!\d)", re.IGNORECASE)
_EDGE = re.compile(  # both spellings (T33); to the end of the line: `00:10:05` is not 0 s
    r"Seizure\s?\d*\s?(Start|End)\s?Time\s?:\s?([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(?:s|secs?|seconds?)?\s?", re.IGNORECASE
)
_SEIZURE = re.compile(r"seizure|\d\s?sec", re.IGNORECASE)  # a line that says when, however it is spelt


@dataclass
class _Account:
    """What one source says of a recording: its seizures, or why it cannot be read."""

    place: str
    rows: list[Row] = field(default_factory=list)
    problem: str = ""


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The recordings below `root`, by name only; no file is opened. Raises CorpusError for an EDF that fits no case."""
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of CHB-MIT; known are {', '.join(VERSIONS)}")
    found = []
    top: set[str] = set()
    for folder, names in folders(Path(root)):
        top = top if folder else names
        found += [_recording(folder, name, names, top) for name in sorted(names) if name.lower().endswith(".edf")]
    return sorted(found, key=lambda files: files.recording)


def _recording(folder: tuple[str, ...], name: str, names: set[str], top: set[str]) -> RecordingFiles:
    path, stem = "/".join((*folder, name)), name[: -len(".edf")]
    match = _STEM.fullmatch(stem)
    if match is None or len(folder) > 1 or (folder and folder[0] != match[1]):
        raise CorpusError(f"{path}: CHB-MIT has chbNN/chbNN_MM.edf; move it away, or use reader: folder")
    case = match[1]
    beside = [own for own in (f"{name}.seizures", f"{case}-summary.txt") if own in names]
    return RecordingFiles(
        recording=safe_name(stem, path),
        patient=SAME_PATIENT.get(case, case),
        session="",
        montage="",
        edf=path,
        annotations=(
            *("/".join((*folder, own)) for own in beside),
            *(own for own in (ALL, WITH_SEIZURES) if own in top),
        ),
    )


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording, from `.edf.seizures` or else from the summary; None, with a finding, where nothing
    mentions the recording.

    Raises Rejected where the sources contradict each other, or where the seizures that there are cannot be placed.
    """
    binary = _binary_account(Path(root), files)
    summary = _summary_account(Path(root), files)
    listed = _listed(Path(root), files)
    for account in (binary, summary):
        if account is not None and account.problem:
            message = f"{account.place}: {account.problem}; not used"
            findings.add("annotation_invalid", message, action="skip", value=account.problem[:80])
        elif account is not None:
            _place(account, duration_s, findings)
    rows = _settled(binary, summary, listed, files, findings)
    return None if rows is None else to_events(rows)


def _place(account: _Account, duration_s: float, findings: Findings) -> None:
    """Clip the account's seizures to the recording. None of them left is a problem, not no seizure."""
    rows = seizures(account.rows, duration_s, findings)
    if account.rows and not rows:
        account.problem = f"no time of its {len(account.rows)} seizures can be right"
        message = f"{account.place}: {account.problem}; not used"
        findings.add("annotation_invalid", message, action="skip", value=account.problem)
    account.rows = rows


def _settled(
    binary: _Account | None, summary: _Account | None, listed: bool | None, files: RecordingFiles, findings: Findings
) -> list[Row] | None:
    """One list of seizures out of what the sources say; the binary file's times count where it can be read."""
    readable = [account for account in (binary, summary) if account is not None and not account.problem]
    if not readable:
        return _without_times(binary, summary, listed, files, findings)
    chosen = readable[0]
    claims = [bool(account.rows) for account in readable]
    claims += [True] if binary is not None and binary.problem else []  # such a file exists where there is a seizure
    claims += [True] if listed else []
    if len(set(claims)) > 1:
        message = f"{files.edf}: its sources disagree on whether there is a seizure ({_told(binary, summary, listed)})"
        raise refused("annotation_disagrees", f"{message}; correct the wrong one")
    if listed is False and chosen.rows:
        message = f"{files.edf}: {chosen.place} has seizures, {WITH_SEIZURES} does not list it"
        findings.add("annotation_disagrees", message, action="note", value=WITH_SEIZURES)
    if len(readable) > 1:
        _compare(readable[0], readable[1], findings)
    elif binary is None and chosen.rows:
        message = f"{files.edf}: no .seizures file beside it; the times are those of {chosen.place}"
        findings.add("annotation_missing", message, action="note", value=chosen.place)
    return chosen.rows


def _without_times(
    binary: _Account | None, summary: _Account | None, listed: bool | None, files: RecordingFiles, findings: Findings
) -> list[Row] | None:
    if binary is not None or summary is not None or listed:
        problems = [f"{account.place}: {account.problem}" for account in (binary, summary) if account is not None]
        told = "; ".join(problems) or f"{WITH_SEIZURES} lists it, no file has the times"
        message = f"{files.edf}: its seizures cannot be placed ({told}); fetch or correct the annotation"
        raise refused("annotation_invalid" if problems else "annotation_missing", message)
    if listed is False:
        return []
    message = f"{files.edf}: neither a .seizures file nor summary or lists name it; used without labels"
    findings.add("annotation_missing", message, action="note")
    return None


def _told(binary: _Account | None, summary: _Account | None, listed: bool | None) -> str:
    said = [
        f"{account.place}: {account.problem or len(account.rows)}"
        for account in (binary, summary)
        if account is not None
    ]
    return ", ".join([*said, *([] if listed is None else [f"{WITH_SEIZURES}: {'listed' if listed else 'not listed'}"])])


def _compare(binary: _Account, summary: _Account, findings: Findings) -> None:
    seconds = disagreement_s(binary.rows, summary.rows)
    if seconds > DISAGREE_S:
        message = f"{summary.place}: differs by {seconds:.2f} s of seizure from {binary.place}, which counts"
        text = " ".join(f"{row.start_s:g}-{row.stop_s:g}" for row in summary.rows)
        findings.add("annotation_disagrees", message, action="note", value=text[:200], seconds_affected=seconds)


def _binary_account(root: Path, files: RecordingFiles) -> _Account | None:
    """What `.edf.seizures` says; None where there is no such file."""
    path = next((own for own in files.annotations if own.endswith(".seizures")), None)
    if path is None:
        return None
    account = _Account(PurePosixPath(path).name)
    try:
        spans = read_wfdb(Path(root, path).read_bytes()).spans_s()
    except WfdbError as problem:
        account.problem = str(problem)
        return account
    account.rows = [Row(start_s=start, stop_s=stop, label=LABEL, place=account.place) for start, stop in spans]
    return account


def _summary_account(root: Path, files: RecordingFiles) -> _Account | None:
    """What the case's summary says of the recording; None where it does not name it.

    `Channels changed:` and the times of day (hours of one digit, or over 23) are passed over (T32, T33).
    """
    path = next((own for own in files.annotations if own.endswith("-summary.txt")), None)
    if path is None:
        return None
    place, name = PurePosixPath(path).name, PurePosixPath(files.edf).name
    inside, named, counted = False, False, False
    stated: list[int] = []
    edges: list[tuple[str, float, int]] = []
    for number, line in text_lines(Path(root, path)):
        if match := _FILE.match(line):
            inside, counted = match[1] == name, False
            named = named or inside
        elif _FILE_LIKE.search(line):
            inside = False
            if name.lower() in line.lower():
                return _Account(place, problem=f"line {number} names the file, and is no `File Name:`")
        elif inside and (match := _COUNT.match(line)):
            if counted:
                return _Account(place, problem=f"line {number}: a second number of seizures for one file name")
            stated.append(int(match[1]))
            counted = True
        elif inside and (match := _EDGE.fullmatch(line)):
            edges.append((match[1].lower(), float(match[2]), number))
        elif inside and _SEIZURE.search(line):
            return _Account(place, problem=f"line {number} gives no time in seconds")
    return _paired(place, stated, edges) if named else None


def _paired(place: str, stated: list[int], edges: list[tuple[str, float, int]]) -> _Account:
    """Starts with their ends; the number of seizures must be the one that is stated."""
    starts, ends = edges[::2], edges[1::2]
    if [edge[0] for edge in edges] != ["start", "end"] * len(ends) or len(starts) != len(ends):
        return _Account(place, problem=f"line {edges[-1][2]}: start and end times do not alternate")
    if sum(stated) != len(ends) or not stated:
        said = sum(stated) if stated else "no number of"
        return _Account(place, problem=f"says {said} seizures and has the times of {len(ends)}")
    pairs = list(zip(starts, ends, strict=True))
    if wrong := next((end for start, end in pairs if end[1] <= start[1]), None):
        return _Account(place, problem=f"line {wrong[2]}: a seizure that ends at or before its start")
    return _Account(
        place,
        [Row(start_s=a[1], stop_s=b[1], label=LABEL, place=f"{place}, line {a[2]}") for a, b in pairs],
    )


def _listed(root: Path, files: RecordingFiles) -> bool | None:
    """Whether RECORDS-WITH-SEIZURES lists the recording; None where neither it nor RECORDS speaks of it."""
    if WITH_SEIZURES not in files.annotations:
        return None
    name = PurePosixPath(files.edf).name
    if name in _names(root / WITH_SEIZURES):
        return True
    return False if ALL in files.annotations and name in _names(root / ALL) else None


def _names(path: Path) -> set[str]:
    return {PurePosixPath(line).name for _, line in text_lines(path)}
