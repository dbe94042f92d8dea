"""The TUH EEG Seizure Corpus, v1.5.x and v2.0.x (formats.md, sections 1-7; docs/corpora.md).

`find` looks at names only. The generation shows in the shape of the paths (v1: montage above the patient; v2: below the
session, T04) and in the extensions of the annotations. Clinical reports (`.txt`, T03) are never opened.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.corpora._event_rules import (
    DISAGREE_S,
    SEIZURE_CODES,
    Row,
    disagreement_s,
    refused,
    seizures,
    to_events,
    whole_recording,
)
from pipeline.corpora._tree import folders
from pipeline.corpora._tusz_labels import LabelFile, read_label_file
from pipeline.corpora.records import WHOLE_RECORDING, Event, RecordingFiles
from pipeline.findings import CorpusError, Finding, Findings, Rejected

EXTENSIONS = {"v1": (".tse", ".tse_bi", ".lbl", ".lbl_bi"), "v2": (".csv", ".csv_bi")}
VERSIONS = ("auto", *EXTENSIONS)
FILE_NAMES = "coded"  # docs/privacy.md
_MONTAGE = re.compile(r"\d\d_tcp_[a-z_]+")
_ID = re.compile(r"[A-Za-z0-9]+")
_STEM = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What a path says about a file."""

    generation: str
    official: str
    patient: str
    session: str
    montage: str


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The recordings below `root` (the corpus folder or its `edf`), by name only; no file is opened.

    `version`: `v1` or `v2` takes that generation alone; `auto` takes what is there and raises CorpusError if both are
    (T05: ids differ between them and no public map exists).
    """
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of a TUSZ corpus; known are {', '.join(VERSIONS)}")
    found: dict[str, list[RecordingFiles]] = {"v1": [], "v2": []}
    for parts, names in folders(Path(root)):
        folder = "".join(f"{part}/" for part in parts)
        annotated = {name for name in names if os.path.splitext(name)[1] in (*EXTENSIONS["v1"], *EXTENSIONS["v2"])}
        for name in sorted(names):
            stem, extension = os.path.splitext(name)
            if extension.lower() == ".edf":
                place = _place(f"{folder}{name}")
                own = {ext for ext in (*EXTENSIONS["v1"], *EXTENSIONS["v2"]) if f"{stem}{ext}" in annotated}
                generations = {place.generation, *(g for g, known in EXTENSIONS.items() if own & set(known))}
                for generation in generations:
                    found[generation].append(_recording(folder, stem, name, place, own & set(EXTENSIONS[generation])))
    chosen = [generation for generation, files in found.items() if files]
    if version == "auto" and len(chosen) > 1:
        examples = " and ".join(found[generation][0].edf for generation in chosen)
        raise CorpusError(f"{root} holds TUSZ v1 and v2 ({examples}); name one: version: v1 or version: v2")
    return _unique(found[version] if version != "auto" else found[chosen[0]] if chosen else [])


def _place(path: str) -> _Place:
    parts = path.split("/")
    at = next((i for i, part in enumerate(parts) if _MONTAGE.fullmatch(part)), -1)
    if 0 < at == len(parts) - 5:  # split / montage / bucket / patient / session / file
        generation, official, patient, session = "v1", parts[at - 1], parts[at + 2], parts[at + 3]
    elif 2 < at == len(parts) - 2:  # split / patient / session / montage / file
        generation, official, patient, session = "v2", parts[at - 3], parts[at - 2], parts[at - 1]
    else:
        raise CorpusError(f"{path}: fits neither layout of TUSZ (docs/corpora.md); move it away or use reader: folder")
    if not _ID.fullmatch(patient):
        raise CorpusError(f"{path}: {patient!r} is no patient id (letters and digits)")
    official = "dev" if official == "dev_test" else official  # v1.5.0
    session = session.split("_")[0]  # the rest is a date
    return _Place(generation=generation, official=official, patient=patient, session=session, montage=parts[at])


def _recording(folder: str, stem: str, name: str, place: _Place, extensions: set[str]) -> RecordingFiles:
    if not _STEM.fullmatch(stem):
        raise CorpusError(f"{folder}{name}: letters, digits and _ only in a file name")
    return RecordingFiles(
        recording=stem,
        patient=place.patient,
        session=place.session,
        montage=place.montage,
        edf=f"{folder}{name}",
        annotations=tuple(f"{folder}{stem}{extension}" for extension in sorted(extensions)),
        official=place.official,
    )


def _unique(found: list[RecordingFiles]) -> list[RecordingFiles]:
    """Recordings by id; files of one stem in several folders bear the folder in their id (T01, T02)."""
    counts = Counter(files.recording for files in found)
    named = [
        replace(files, recording=f"{files.recording}_{files.official}_{files.montage}")
        if counts[files.recording] > 1
        else files
        for files in found
    ]
    repeated = [name for name, count in Counter(files.recording for files in named).items() if count > 1]
    if repeated:
        raise CorpusError(f"recording {repeated[0]} is there twice in one split and montage; remove one")
    return sorted(named, key=lambda files: files.recording)


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event]:
    """Seizures of a recording: file-level ones (channel `TERM`) and, where the corpus has them, per derivation.

    Raises Rejected for annotations that cannot belong to the EDF or place no seizure that they state, and where there
    is none that is whole: no file and an empty one are not the same as no seizure, which a row of `bckg` says (T12).
    """
    read = {Path(path).suffix: read_label_file(Path(root, path), findings) for path in files.annotations}
    if not read:
        message = f"{files.edf}: no annotation file beside it; fetch it, or read the folder with reader: folder"
        raise Rejected(Finding(code="annotation_missing", severity="error", action="skip", message=message))
    _compare_durations(read, files, duration_s, findings)
    read = _whole_files(read, files, duration_s, findings)
    rows = {extension: seizures(file.rows, duration_s, findings) for extension, file in read.items()}
    merge = _merge_v2 if ".csv" in rows or ".csv_bi" in rows else _merge_v1
    events = to_events(merge(rows, files, findings))
    stated = [row for ext, file in read.items() if not rows[ext] for row in file.rows if row.label in SEIZURE_CODES]
    if stated and not events:
        message = f"{stated[0].place}: a seizure is stated, and no time that can be right; correct it and run again"
        raise refused("annotation_invalid", message)
    return events


def _whole_files(
    read: dict[str, LabelFile], files: RecordingFiles, duration_s: float, findings: Findings
) -> dict[str, LabelFile]:  # fmt: skip
    """The files that say something of the whole recording. Raises Rejected where none does.

    A file that was cut off or emptied is silent on seizures that the recording may have: it is no list of none.
    """
    problems = {}
    for extension, file in read.items():
        if not file.rows:
            problems[extension] = "no row that can be read; a recording without seizures has one of bckg"
        elif file.lost and not any(row.label in SEIZURE_CODES for row in file.rows):
            problems[extension] = f"rows that cannot be read and may be seizures: {file.lost}; no other row is one"
        elif extension.startswith(".tse"):
            problems[extension] = _gaps(file.rows, f"{files.recording}{extension}", duration_s, findings)
    wrong = [f"{files.recording}{extension}: {problem}" for extension, problem in problems.items() if problem]
    whole = {extension: file for extension, file in read.items() if not problems.get(extension)}
    if not whole:
        raise refused("annotation_invalid", f"{'; '.join(wrong)}; fetch or correct the annotation and run again")
    for message in wrong:
        findings.add("annotation_invalid", f"{message}; not used, another file is", action="skip")
    return whole


def _gaps(rows: Sequence[Row], name: str, duration_s: float, findings: Findings) -> str:
    """What is wrong with a `.tse` that ends early: its rows cover the recording, background included (section 3).

    Seconds between two rows that no row covers are background, with a finding: a row there was dropped or lost.
    """
    spans = sorted((row.start_s, row.stop_s) for row in rows if row.start_s < row.stop_s)
    end_s = 0.0
    for start_s, stop_s in spans:
        if min(start_s, duration_s) - end_s > DISAGREE_S:
            message = f"{name}: no row covers {end_s:.4f}-{start_s:.4f} s; read as background"
            lost_s = start_s - end_s
            findings.add("annotation_invalid", message, action="note", value=f"{lost_s:g} s", seconds_affected=lost_s)
        end_s = max(end_s, stop_s)
    if duration_s - end_s > DISAGREE_S:
        return f"its rows end at {end_s:.2f} s of {duration_s:.2f} s, and must cover the recording"
    return ""


def _compare_durations(
    read: dict[str, LabelFile], files: RecordingFiles, duration_s: float, findings: Findings
) -> None:  # fmt: skip
    """The EDF decides (T15). `.lbl` files end with their last label, so they say nothing about the duration."""
    for extension, file in read.items():
        stated = file.duration_s
        if stated is not None and "lbl" not in extension and abs(stated - duration_s) > DISAGREE_S:
            message = f"{files.recording}{extension}: {stated:.2f} s, the EDF has {duration_s:.2f} s"
            findings.add("duration_disagrees", message, action="note", value=stated, expected=duration_s)


def _merge_v1(rows: dict[str, list[Row]], files: RecordingFiles, findings: Findings) -> list[Row]:
    """File level from `.tse`, channels from `.lbl`; a `_bi` file (no types) only stands in for a missing one."""
    channels = [row for row in rows.get(".lbl", rows.get(".lbl_bi", [])) if row.channel != WHOLE_RECORDING]
    whole = rows.get(".tse", rows.get(".tse_bi"))
    if whole is None:
        return [*whole_recording(rows.get(".lbl", rows.get(".lbl_bi", []))), *channels]
    for extension in (".tse_bi", ".lbl", ".lbl_bi"):
        if extension in rows:
            _report_disagreement(whole, rows[extension], files, extension, findings)
    return [*whole, *channels]


def _merge_v2(rows: dict[str, list[Row]], files: RecordingFiles, findings: Findings) -> list[Row]:
    """File level is the union over the channels of `.csv` (T16), which has the types; else `.csv_bi`."""
    if not rows.get(".csv"):
        whole = rows.get(".csv_bi", [])
        if ".csv" in rows:
            _report_disagreement([], whole, files, ".csv_bi", findings)
        return whole
    channels = [row for row in rows[".csv"] if row.channel != WHOLE_RECORDING]
    whole = whole_recording(rows[".csv"])
    if ".csv_bi" in rows:
        _report_disagreement(whole, rows[".csv_bi"], files, ".csv_bi", findings)
    return [*whole, *channels]


def _report_disagreement(
    whole: list[Row], other: list[Row], files: RecordingFiles, extension: str, findings: Findings
) -> None:  # fmt: skip
    seconds = disagreement_s(whole, other)
    if seconds > DISAGREE_S:
        message = f"{files.recording}{extension}: differs by {seconds:.2f} s of seizure from the file-level events"
        text = " ".join(f"{row.start_s:.4f}-{row.stop_s:.4f}" for row in other)
        findings.add("annotation_disagrees", message, action="note", value=text[:200], seconds_affected=seconds)
