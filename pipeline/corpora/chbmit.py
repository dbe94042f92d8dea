"""CHB-MIT: `chbNN/chbNN_MM.edf`, `.edf.seizures` and `chbNN-summary.txt` (formats.md, section 10; docs/corpora.md).

The recordings hold derivations: `channels.montage: bipolar` uses them, a model of electrodes refuses them (T36). No
types, no channels: every seizure is `seiz` on the whole recording. A recording is free of seizures only where something
says so; ages and sexes (`SUBJECT-INFO`) are not read.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.corpora._chbmit_summary import file_key, read_summary, shown_name
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
    rows = _settled(binary, summary, root=Path(root), listed=listed, files=files, findings=findings)
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
    binary: _Account | None, summary: _Account | None, *, root: Path, listed: bool | None, files: RecordingFiles,
    findings: Findings,
) -> list[Row] | None:  # fmt: skip
    """One list of seizures out of what the sources say; the binary file's times count where it can be read."""
    readable = [account for account in (binary, summary) if account is not None and not account.problem]
    if not readable:
        return _without_times(root, (binary, summary), listed, files, findings)
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
    root: Path, accounts: tuple[_Account | None, _Account | None], listed: bool | None, files: RecordingFiles,
    findings: Findings,
) -> list[Row] | None:  # fmt: skip
    problems = [f"{account.place}: {account.problem}" for account in accounts if account is not None]
    if problems or listed:
        told = "; ".join(problems) or f"{WITH_SEIZURES} lists it, no file has the times"
        message = f"{files.edf}: its seizures cannot be placed ({told}); fetch or correct the annotation"
        raise refused("annotation_invalid" if problems else "annotation_missing", message)
    if listed is False:
        _refuse_doubtful(root, files)
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
    """What the case's summary says of the recording; None where it does not name it."""
    path = next((own for own in files.annotations if own.endswith("-summary.txt")), None)
    if path is None:
        return None
    place, name = PurePosixPath(path).name, PurePosixPath(files.edf).name
    blocks = read_summary(Path(root, path))
    known = _known_names(root, files)
    key = file_key(name)
    meant = [own for own, block in blocks.items() if block.speaks and own not in known and file_key(own) == key]
    if meant:
        return _Account(place, problem=f"seizures under the name {shown_name(meant[0])}, which may be this file's")
    if name not in blocks:
        return None
    block = blocks[name]
    if problem := block.problem or block.pairing_problem():
        return _Account(place, problem=problem)
    rows = [Row(start_s=a, stop_s=b, label=LABEL, place=f"{place}, line {line}") for a, b, line in block.spans()]
    return _Account(place, rows)


def _refuse_doubtful(root: Path, files: RecordingFiles) -> None:
    """Raise Rejected where the summary has seizures that may be of a file which it does not name.

    They stand under a name that no EDF bears, under none, or in a part that holds more than one file's. That
    RECORDS-WITH-SEIZURES does not list the file is then not enough: the two contradict each other.
    """
    path = next((own for own in files.annotations if own.endswith("-summary.txt")), None)
    if path is None:
        return
    known = _known_names(root, files)
    others = {file_key(name) for name in known} - {file_key(PurePosixPath(files.edf).name)}
    for name, block in read_summary(Path(root, path)).items():
        if block.speaks and (block.mixed or (name not in known and file_key(name) not in others)):
            why = f"{PurePosixPath(path).name}: seizures under {shown_name(name)}, which may be this file's"
            raise refused("annotation_invalid", f"{files.edf}: {why}; correct the summary and run again", why)


def _known_names(root: Path, files: RecordingFiles) -> set[str]:
    """Names of EDFs: this one, those beside it, and those of the corpus's own list."""
    path = Path(root, files.edf)
    beside = {path.name, *(own.name for own in path.parent.iterdir() if own.suffix.lower() == ".edf")}
    return beside | (_names(root / ALL) if ALL in files.annotations else set())


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
