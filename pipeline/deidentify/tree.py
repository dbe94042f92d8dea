"""A folder of EDFs, or one EDF, as a copy without personal data: all of it, verified, or nothing.

What comes out is one folder a patient, `sub-<pseudonym>/sub-<pseudonym>_rec-<pseudonym>_eeg.edf`, with a table of
events where a readable one lay beside the EDF. Everything else is left out and listed (docs/privacy.md).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from pipeline.corpora._events_tsv import write_events
from pipeline.corpora._pseudonyms import Pseudonyms
from pipeline.corpora._tree import folders
from pipeline.corpora.records import WHOLE_RECORDING, Event, RecordingFiles
from pipeline.deidentify.edf import copy_edf
from pipeline.deidentify.search import Searches, leak_in, wanted_texts
from pipeline.findings import CorpusError, Finding, Findings, Rejected
from pipeline.plugins import load_plugin
from pipeline.signals.edf_annotations import stretches
from pipeline.signals.edf_header import FIXED_BYTES, read_header, reject

REPORTS = (".txt", ".doc", ".docx", ".pdf", ".rtf")  # free text about a patient (formats.md, T03): never copied
REPORT_BYTES = 1 << 20  # of a report in plain text, read for the words that must not come out
LEAST_DAYS, MOST_DAYS = 366, 3650  # by which a patient's dates move into the past


class NothingWritten(CorpusError):
    """No copy was made; the findings say what was met until then."""

    def __init__(self, message: str, findings: Findings) -> None:
        super().__init__(message)
        self.findings = findings


class Leak(NothingWritten):
    """A text that was to be removed stands in the copy; `text` is for the owner's eyes, not for a log."""

    def __init__(self, message: str, findings: Findings, text: bytes) -> None:
        super().__init__(message, findings)
        self.text = text


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The EDFs of a source, as a reader finds them by name; `root` is the source, or the folder of a single EDF."""

    source: Path
    root: Path
    corpus: ModuleType
    found: list[RecordingFiles]


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One EDF of the output: its pseudonyms, where it was, by how many days its patient's dates moved."""

    recording: str
    patient: str
    file: str
    patient_was: str
    shift_days: int


@dataclass
class Outcome:
    """What was copied, what was not and why, and the texts that must be nowhere in the copy."""

    copied: list[Copied] = field(default_factory=list)
    findings: Findings = field(default_factory=lambda: Findings(corpus="deidentify"))
    texts: list[str] = field(default_factory=list)


def shift_of(names: Pseudonyms, patient: str) -> int:
    """By how many days the dates of a patient move: a year to ten years back, the same for all of the recordings."""
    return -(LEAST_DAYS + names.number("days", patient) % (MOST_DAYS - LEAST_DAYS + 1))


def planned(source: Path, *, reader: str, version: str) -> Plan:
    """What `reader` and `version` find in `source` (docs/corpora.md). Raises CorpusError where that is nothing."""
    root = source if source.is_dir() else source.parent
    corpus = load_plugin("corpora", reader)
    found = [files for files in corpus.find(root, version) if source.is_dir() or files.edf == source.name]
    if not found:
        raise CorpusError(f"{source}: no EDF; name an EDF or a folder of them")
    return Plan(source=source, root=root, corpus=corpus, found=found)


def check_target(target: Path) -> None:
    """Raise CorpusError where the output would meet files of somebody."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CorpusError(f"{target}: is there already; name a new folder")


def deidentify(plan: Plan, target: Path, *, names: Pseudonyms, words: frozenset[str]) -> Outcome:
    """Copy the files of `plan` to the new folder `target`.

    Raises CorpusError where `target` is in use; NothingWritten where no EDF can be copied; Leak where a text that was
    removed is found in the copy. Then nothing is left of it.
    """
    check_target(target)
    outcome = Outcome()
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        for files in plan.found:
            _copy(plan, files, work, names, words, outcome)
        if plan.source.is_dir():
            _note_left_out(plan.root, plan.found, outcome)
        if not outcome.copied:
            message = f"{plan.source}: none of {len(plan.found)} EDFs can be copied; the findings say why"
            raise NothingWritten(message, outcome.findings)
        _verify(plan, work, words, outcome)
        work.chmod(0o755)
        os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return outcome


def _copy(
    plan: Plan, files: RecordingFiles, work: Path, names: Pseudonyms, words: frozenset[str], outcome: Outcome
) -> None:
    """One EDF and its events; a file that cannot be copied leaves a finding (for the owner: it names the file)."""
    patient, recording = names.patient(files.patient), names.recording(files.patient, files.edf)
    place = work / files.official / patient
    own = outcome.findings.for_recording(files.edf)
    outcome.texts += [part for part in files.edf.split("/") if part != files.official]
    outcome.texts.append(files.edf.rpartition("/")[2][: -len(".edf")])
    try:
        _write(plan, files, place / recording, shift_of(names, files.patient), words, outcome)
    except Rejected as rejected:
        own.extend([rejected.finding])
        for part in place.glob(f"{recording}_*"):
            part.unlink()
        return
    days = shift_of(names, files.patient)
    outcome.copied.append(
        Copied(recording=recording, patient=patient, file=files.edf, patient_was=files.patient, shift_days=days)
    )


def _write(plan: Plan, files: RecordingFiles, stem: Path, days: int, words: frozenset[str], outcome: Outcome) -> None:
    """The EDF and, where a table lay beside it, its seizures: times and types only. Those inside an EDF+ stay inside.

    The copy says the same about seizures as the source. Where its reader leaves it open whether there was one, and what
    is kept would tell, no text is kept. Raises Rejected where they differ all the same.
    """
    own, source = outcome.findings.for_recording(files.edf), plan.root / files.edf
    edf, table = stem.with_name(f"{stem.name}_eeg.edf"), stem.with_name(f"{stem.name}_events.tsv")
    duration_s = _duration_s(source)
    beside = bool(files.annotations)
    told = _told(plan.corpus, plan.root, files, duration_s, own if beside else Findings(), refuse=beside)
    outcome.texts += copy_edf(source, edf, shift_days=days, words=words, findings=own).texts
    if beside and told is not None:
        write_events(table, told, duration_s, shortest_s=0.0)
    if _agree(told, _told_by_copy(edf, table, duration_s)):
        return
    if not told:
        outcome.texts += copy_edf(source, edf, shift_days=days, words=frozenset(), findings=Findings()).texts
    if not _agree(told, _told_by_copy(edf, table, duration_s)):
        message = f"{files.edf}: its copy would say something else about seizures, without the texts that are removed"
        raise reject("annotation_invalid", f"{message}; write a <stem>_events.tsv beside it")


def _duration_s(path: Path) -> float:
    """From the first sample to the end of the last, gaps included."""
    header = read_header(path, Findings())
    last = stretches(header, Findings())[-1]
    return last.start_s + float((last.stop - last.first) * header.record_s)


def _told(
    corpus: ModuleType, root: Path, files: RecordingFiles, duration_s: float, findings: Findings, *, refuse: bool
) -> list[Event] | None:
    """What a reader tells about seizures; None: nothing. A refusal is raised (`refuse`), or tells nothing."""
    try:
        events: list[Event] | None = corpus.read_events(root, files, duration_s, findings)
    except Rejected:
        if refuse:
            raise
        return None
    return events


def _told_by_copy(edf: Path, table: Path, duration_s: float) -> list[Event] | None:
    """What the reader of plain folders, which is for the output, tells about one file of it."""
    beside = (table.name,) if table.exists() else ()
    files = RecordingFiles(recording=edf.stem, patient="", session="", montage="", edf=edf.name, annotations=beside)
    return _told(load_plugin("corpora", "folder"), edf.parent, files, duration_s, Findings(), refuse=False)


def _agree(one: list[Event] | None, other: list[Event] | None) -> bool:
    """Whether both tell nothing, or the same seconds of seizure, to the two hundredths that a table may round off."""
    if one is None or other is None:
        return one is None and other is None
    spans, others = _spans(one), _spans(other)
    pairs = zip(spans, others, strict=False)
    return len(spans) == len(others) and all(abs(a - b) <= 2 for pair in pairs for a, b in zip(*pair, strict=True))


def _spans(events: list[Event]) -> list[tuple[int, int]]:
    """From when to when the whole recording has a seizure, in hundredths of a second; what touches is joined."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(
        (round(100 * e.onset_s), round(100 * e.offset_s)) for e in events if e.channel == WHOLE_RECORDING
    ):
        if joined and start <= joined[-1][1] + 4:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _note_left_out(root: Path, found: list[RecordingFiles], outcome: Outcome) -> None:
    """A finding for every file that is not copied; the words of reports in plain text are looked for, too."""
    known = {path for files in found for path in (files.edf, *files.annotations)}
    for path in _others(root, known):
        report = Path(path).suffix.lower() in REPORTS
        outcome.texts += [Path(part).stem for part in path.split("/")]
        if path.lower().endswith(".txt"):
            with open(root / path, "rb") as text:
                outcome.texts.append(text.read(REPORT_BYTES).decode("latin-1"))
        message = f"{path}: {'a report' if report else 'neither an EDF nor its table of events'}; not copied"
        finding = Finding(code="not_copied", severity="info", action="skip", recording=path, message=message)
        outcome.findings.extend([finding])


def _others(root: Path, known: set[str]) -> Iterator[str]:
    for parts, files in folders(root):
        yield from sorted(path for name in files if (path := "/".join((*parts, name))) not in known)


def _verify(plan: Plan, work: Path, words: frozenset[str], outcome: Outcome) -> None:
    """Raise Leak where a text that was taken out stands in what was written, or in a name, or a date did not move."""
    searches = Searches(wanted_texts(outcome.texts, words), words)
    made_of = {row.recording: row for row in outcome.copied}
    for path in sorted(path for path in work.rglob("*") if path.is_file()):
        row = made_of[path.name.rpartition("_")[0]]
        with open(plan.root / row.file, "rb") as source:
            was = source.read(FIXED_BYTES)
        leak = leak_in(path, path.relative_to(work).as_posix(), searches, was=was, shift_days=row.shift_days)
        if leak is not None:
            message = f"{path.name}: a text that was to be removed stands in the {leak[0]}; nothing was written"
            raise Leak(message, outcome.findings, leak[1])
