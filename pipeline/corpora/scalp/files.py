"""A simulated recording on disk: EDF, annotations, hidden truth. Each file whole or absent, bytes and times fixed."""

import os
from pathlib import Path

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.annotations import annotation_text
from pipeline.corpora.scalp.edf import write_edf
from pipeline.corpora.scalp.recording import Recording
from pipeline.store import digest_file, replacing, write_json

FILE_TIME_NS = 1_420_070_400 * 10**9  # 1 January 2015: the corpus has no clock


def write_recording(root: Path, truth: Path, files: RecordingFiles, made: Recording) -> None:
    """Write every file of one recording below `root`, and its hidden truth below `truth`."""
    with replacing(root / files.edf) as temporary:
        write_edf(temporary, made.channels, patient="X X X synthetic", recording="Startdate 01-JAN-2015 X X synthetic")
        _set_time(temporary)
    stem = Path(files.edf).stem
    for annotation in files.annotations:
        extension = Path(annotation).suffix.removeprefix(".")
        text = annotation_text(
            extension,
            made.events,
            stem=stem,
            duration_s=made.duration_s,
            derivations=made.derivations,
            reference=made.reference,
        )
        write_text(root / annotation, text)
    hidden = truth / files.patient / f"{files.recording}.json"
    write_json(hidden, {"recording": files.recording, "patient": files.patient, "montage": files.montage, **made.truth})


def write_text(path: Path, text: str) -> None:
    """Write a text file with the corpus's fixed time."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="ascii", newline="\n")
        _set_time(temporary)


def _set_time(path: Path) -> None:
    """A time that stands for the content: a manifest (sizes and times) then changes whenever a file's bytes do."""
    time_ns = FILE_TIME_NS + int(digest_file(path)[:8], 16) * 1000
    os.utime(path, ns=(time_ns, time_ns))
