"""Siena Scalp EEG: `PNxx/PNxx-n.edf` and `PNxx/Seizures-list-PNxx.txt` (formats.md, section 11; docs/corpora.md).

Seizures are given by the clock: their onset is the difference to the start of the registration, modulo 24 hours (T37).
No types: every seizure is `seiz` on the whole recording. A time that cannot be right is never guessed at: the recording
is left out with the line to be corrected, since the corpus has a few such lines (T38) and a wrong label costs more than
a recording. Of `subject_info.csv` only the ids are read.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.corpora._event_rules import DISAGREE_S, Row, refused, stated_seizures, to_events
from pipeline.corpora._events_tsv import check_listed
from pipeline.corpora._tree import folders, safe_name, text_lines
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Findings
from pipeline.signals.labels import shown_number

VERSIONS = ("auto", "1.0.0")
FILE_NAMES = "needed"  # codes, by which events are found: docs/privacy.md
SUBJECTS = "subject_info.csv"
LABEL = "seiz"
DAY_S = 24 * 3600
LONGEST_S = 30 * 60.0  # T38: a seizure over half an hour is taken for a slip of the pen
_STEM = re.compile(r"(PN\d+)-[\d.]+")
_KEY = re.compile(r"(file\s*name|(?:registration\s+|seizure\s+)?(?:start|end)\s+time)\s*:(.*)", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2})\s*[.:]\s*(\d{1,2})\s*[.:]\s*(\d{1,2})")
_CLOCK_LIKE = r"(?<!\d)\d{1,2}[.:]\d\d[.:]\d\d(?!\d)"
_TIME = re.compile(  # a line that says when something was, in words that are no key
    rf"\btime\b.*\d|seizure\s(?:start|end|onset|offset)\b.*\d|{_CLOCK_LIKE}", re.IGNORECASE
)
_OF_SEIZURE = re.compile(rf"seizure|{_CLOCK_LIKE}", re.IGNORECASE)
_FILE_LIKE = re.compile(r"\.edf|^\W*f\w{0,5}\s?name", re.IGNORECASE)  # a name line that is misspelt
_NAMED = re.compile(r"PN[\w.-]*\.edf", re.IGNORECASE)
_TITLE = re.compile(r"seizure\s?n?\W{0,3}\d", re.IGNORECASE)


@dataclass
class _Registration:
    """What the list says of one EDF: times of the clock in seconds, and the lines that cannot be read."""

    start_s: int | None = None
    end_s: int | None = None
    seizures: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, line of the start
    problems: list[str] = field(default_factory=list)
    open_start: tuple[int, int] | None = None  # of a seizure whose end is still to come: time, line
    fresh: bool = False  # whether the file was just named, and no registration given since
    titled: bool = False  # whether a title stands after the name: `Seizure n 2` of the next block, or of this one

    @property
    def speaks(self) -> bool:
        """Whether anything is said of a seizure, readable or not."""
        return bool(self.seizures or self.problems or self.open_start)


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The recordings below `root`, by name only; no file is opened. Raises CorpusError for an EDF of another name."""
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of the Siena corpus; known are {', '.join(VERSIONS)}")
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
        raise CorpusError(f"{path}: the Siena corpus has PNxx/PNxx-n.edf; move it away, or use reader: folder")
    own = f"Seizures-list-{match[1]}.txt"
    own = next((name for name in sorted(names) if name.lower() == own.lower()), own)
    return RecordingFiles(
        recording=safe_name(stem, path),
        patient=match[1],
        session="",
        montage="",
        edf=path,
        annotations=(
            *(("/".join((*folder, own)),) if own in names else ()),
            *((SUBJECTS,) if SUBJECTS in top else ()),
        ),
    )


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording; None, with a finding, where the list does not name it or gives no seizure for it.

    Raises Rejected where a line about the recording cannot be read (`annotation_invalid`) or gives a seizure of over
    30 minutes (`seizure_implausible`).
    """
    if SUBJECTS in files.annotations:
        check_listed(Path(root, SUBJECTS), "patient_id", wanted=files.patient, findings=findings)
    path = next((own for own in files.annotations if own.lower().endswith(".txt")), None)
    registration = _own(Path(root), path, files, findings) if path else None
    if registration is None or not registration.speaks:
        place = PurePosixPath(path).name if path else f"Seizures-list-{files.patient}.txt (which is not there)"
        message = f"{files.edf}: {place} gives no seizure for it and does not say that there is none"
        findings.add("annotation_missing", f"{message}; used without labels", action="note")
        return None
    place = PurePosixPath(path or "").name
    _refuse_problems(registration, place, files, duration_s)
    rows = [_row(registration, times, place, files) for times in registration.seizures]
    _compare_duration(registration, place, duration_s, findings)
    return to_events(stated_seizures(rows, duration_s, findings))


def _refuse_problems(registration: _Registration, place: str, files: RecordingFiles, duration_s: float) -> None:
    problems = list(registration.problems)
    if registration.start_s is None and not problems:
        problems.append("no registration start time for this file")
    if registration.open_start is not None:
        problems.append(f"line {registration.open_start[1]}: a seizure without an end time")
    if duration_s > DAY_S:
        problems.append("times of day do not place a seizure in a recording of over 24 hours")
    if problems:
        message = f"{files.edf}: {place}, {'; '.join(problems)}; correct the list and run again (docs/corpora.md)"
        raise refused("annotation_invalid", message, problems[0])


def _row(registration: _Registration, times: tuple[int, int, int], place: str, files: RecordingFiles) -> Row:
    """A seizure in seconds from the start of the registration (T37)."""
    start_s, end_s, line = times
    length_s = (end_s - start_s) % DAY_S
    if length_s > LONGEST_S:
        message = (
            f"{files.edf}: {place}, line {line}: a seizure of {length_s} s, over {LONGEST_S:.0f} s; correct the time "
            "that is wrong and run again (docs/corpora.md)"
        )
        raise refused("seizure_implausible", message, f"{length_s} s")
    onset_s = (start_s - (registration.start_s or 0)) % DAY_S
    return Row(start_s=onset_s, stop_s=onset_s + length_s, label=LABEL, place=f"{place}, line {line}")


def _compare_duration(registration: _Registration, place: str, duration_s: float, findings: Findings) -> None:
    """The data may be longer than the listed registration, by 20 s in some; the EDF decides (T39)."""
    if registration.end_s is None or registration.start_s is None:
        return
    stated_s = (registration.end_s - registration.start_s) % DAY_S
    if abs(stated_s - duration_s) > DISAGREE_S:
        message = f"{place}: a registration of {stated_s} s, the EDF has {duration_s:.2f} s"
        findings.add("duration_disagrees", message, action="note", value=stated_s, expected=duration_s)


def _own(root: Path, path: str, files: RecordingFiles, findings: Findings) -> _Registration | None:
    """What the list says of this EDF. A name that no EDF bears as written is matched leniently, with a finding."""
    listed = _read_list(Path(root, path))
    name = PurePosixPath(files.edf).name
    nameless = listed.pop("")
    if nameless.speaks:
        why = next(iter(nameless.problems), "times before the first `File name:`")
        message = (
            f"{files.edf}: {PurePosixPath(path).name}, {why}: they may be of any file; correct the list and run again"
        )
        raise refused("annotation_invalid", message, why)
    beside = {own.name for own in Path(root, files.edf).parent.iterdir() if own.suffix.lower() == ".edf"}
    meant = [own for own in listed if own not in beside and _is_meant(own, name, alone=len(beside) == 1)]
    if name in listed or len(meant) == 1:
        chosen = name if name in listed else meant[0]
        rest = [own for own, block in listed.items() if own not in {chosen, *beside} and block.speaks]
        _refuse_doubtful([own for own in rest if own in meant or not _is_known(own)], PurePosixPath(path).name, files)
    if name in listed or len(meant) != 1:
        return listed.get(name)
    message = f"{PurePosixPath(path).name}: {meant[0]!r} is taken for {name}"
    findings.add("annotation_repaired", message, value=meant[0], expected=name)
    return listed[meant[0]]


def _refuse_doubtful(names: list[str], place: str, files: RecordingFiles) -> None:
    """Seizures under a name that is no EDF's may be further ones of this file: none of it is then background."""
    if names:
        why = f"seizures under the name {shown_number(names[0])!r}, which may be this file's"
        raise refused("annotation_invalid", f"{files.edf}: {place}, {why}; correct the list and run again", why)


def _is_known(listed: str) -> bool:
    """Whether a name is a file's of the corpus, which may not be here."""
    return _STEM.fullmatch(_upper_stem(listed)) is not None


def _upper_stem(listed: str) -> str:
    return listed.upper().removesuffix(".EDF").replace("O", "0").rstrip("-")


def _is_meant(listed: str, name: str, *, alone: bool) -> bool:
    """Whether a misspelt name stands for an EDF: letter O for zero, or a patient without number and with one EDF."""
    text = _upper_stem(listed)
    stem = name[: -len(".edf")].upper()
    return text == stem or (alone and text == stem.split("-")[0])


def _read_list(path: Path) -> dict[str, _Registration]:
    """The list by file name, "" for what stands under none. A block without registration times has those that its file
    had before (PN12)."""
    listed: dict[str, _Registration] = {}
    current = listed[""] = _Registration()
    for number, line in text_lines(path):
        match = _KEY.fullmatch(line)
        if match is None:
            current = _other_line(line, number, current, listed)
            continue
        key, text = " ".join(match[1].lower().split()), match[2].strip()
        if key.startswith("file"):
            current = listed.setdefault(text, _Registration())
            current.fresh, current.titled = True, False
            continue
        time_s = _seconds_of_day(text)
        if time_s is None:
            current.problems.append(f"line {number}: {key} is no hh.mm.ss but {shown_number(text)!r}")
        else:
            _take(current, key, time_s, number)
    return listed


def _other_line(line: str, number: int, current: _Registration, listed: dict[str, _Registration]) -> _Registration:
    """A line that is no `key: value`; returns the block that goes on after it.

    What looks like the name of a file ends the block: its seizures would else be given to the file before. They are a
    problem of the file that it names, or of every file where it names none.
    """
    if _FILE_LIKE.search(line):
        named = _NAMED.search(line)
        current = listed.setdefault(named[0] if named else "", _Registration())
        current.problems.append(f"line {number}: a file name that is no `File name:`")
    elif _TIME.search(line):
        preamble = current is listed[""] and not current.titled  # `Total time of the recordings: 15 hours`
        if not preamble or _OF_SEIZURE.search(line):
            current.problems.append(f"line {number}: a time that no known key stands before")
    elif _TITLE.match(line):
        current.titled = True
    return current


def _take(current: _Registration, key: str, time_s: int, line: int) -> None:
    """Put a time where it belongs; a bare `start time` is a seizure's (PN01).

    A title with the times of a seizure and no name goes on with the file before, whose registration it shares (T38);
    one with a registration of its own is another file's, whose name is lost.
    """
    if current.titled and key.startswith("registration"):
        current.problems.append(f"line {line}: the title before it has no `File name:`")
        current.titled = False
    if key == "registration start time":
        if not current.fresh:
            current.problems.append(f"line {line}: a registration without a `File name:` before it")
        current.fresh = False
        if current.start_s not in (None, time_s):
            current.problems.append(f"line {line}: another registration start for the same file")
        current.start_s = time_s
    elif key == "registration end time":
        current.end_s = time_s
    elif key.endswith("start time"):
        if current.open_start is not None:
            current.problems.append(f"line {current.open_start[1]}: a seizure without an end time")
        current.open_start = (time_s, line)
    elif current.open_start is None:
        current.problems.append(f"line {line}: the end of a seizure that has no start time")
    else:
        current.seizures.append((current.open_start[0], time_s, current.open_start[1]))
        current.open_start = None


def _seconds_of_day(text: str) -> int | None:
    """`19.58.36` or `19:58:36`, blanks allowed beside the marks; None for anything else."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 60 else None
