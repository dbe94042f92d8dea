"""A simulated recording as the TUH EEG Seizure Corpus has it, either generation (formats.md, sections 1-5)."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.annotations import annotation_text
from pipeline.corpora.scalp.edf import Scale
from pipeline.corpora.scalp.files import MIDNIGHT, READ_ME, Written, write_signals, write_text
from pipeline.corpora.scalp.recording import Recording

SCALE = Scale(("-3276.7", "3276.7"), (-32767, 32767))  # 0.1 µV a step


def write_recording(root: Path, files: RecordingFiles, made: Recording, session: int, *, dummies: bool) -> Written:
    """The EDF as simulated, and an annotation file of every kind. `dummies` belong to CHB-MIT."""
    write_signals(root / files.edf, made.channels, scale=SCALE, clock=MIDNIGHT)
    for annotation in files.annotations:
        text = annotation_text(
            Path(annotation).suffix.removeprefix("."),
            made.events,
            stem=Path(files.edf).stem,
            duration_s=made.duration_s,
            derivations=made.derivations,
            reference=made.reference,
        )
        write_text(root / annotation, text)
    labels = tuple(channel.label for channel in made.channels)
    return Written(files, session, labels, made.channels[0].rate_hz, made.duration_s, made.events)


def write_case(root: Path, case: Sequence[Written]) -> None:
    """Nothing: TUSZ has no file for a patient."""


def write_tree(root: Path, listed: Sequence[RecordingFiles]) -> None:
    """Say at the top of the tree that it is synthetic."""
    write_text(root / "README.txt", READ_ME.format(corpus="the TUH EEG Seizure Corpus"))
