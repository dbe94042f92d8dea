"""Files of a simulated corpus: each whole or absent, its bytes and its time a function of the content alone."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.edf import Channel, FileFields, Scale, write_edf
from pipeline.corpora.scalp.recording import Recording
from pipeline.store import digest_file, replacing, write_json

FILE_TIME_NS = 1_420_070_400 * 10**9  # 1 January 2015: the corpus has no clock
MIDNIGHT = "00.00.00"
READ_ME = """SYNTHETIC EEG. Nothing here was recorded from a person.

Made by Ictograph's built-in simulator (pipeline/corpora/simulated_scalp.py, docs/simulator.md) in the file layout of
{corpus}. Scores on these files say how software behaves, never how well it would do in a clinic.
"""


@dataclass(frozen=True)
class Written:
    """What the files that a patient's recordings share need to know of one of them. `events`: per derivation."""

    files: RecordingFiles
    session: int
    labels: tuple[str, ...]
    rate_hz: int
    duration_s: float
    events: list[Event]


class Writer(Protocol):
    """A format: pipeline/corpora/scalp/{tusz,bids,chbmit,siena}_files.py."""

    def write_recording(
        self, root: Path, files: RecordingFiles, made: Recording, session: int, *, dummies: bool
    ) -> Written:  # fmt: skip
        """Write the EDF and the annotations that are its own."""

    def write_case(self, root: Path, case: Sequence[Written]) -> None:
        """Write what the recordings of one patient share."""

    def write_tree(self, root: Path, listed: Sequence[RecordingFiles]) -> None:
        """Write what the whole corpus shares; `listed` are all its recordings."""


def write_signals(path: Path, channels: Sequence[Channel], *, scale: Scale, clock: str) -> None:
    """Write an EDF that says that it is synthetic."""
    fields = FileFields("X X X synthetic", "Startdate 01-JAN-2015 X X synthetic", clock, scale)
    _write(path, lambda temporary: write_edf(temporary, list(channels), fields))


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    write_bytes(path, text.encode("ascii"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes."""
    _write(path, lambda temporary: temporary.write_bytes(content))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """A time that stands for the content: a manifest (sizes and times) then changes whenever a file's bytes do."""
    with replacing(path) as temporary:
        write(temporary)
        time_ns = FILE_TIME_NS + int(digest_file(temporary)[:8], 16) * 1000
        os.utime(temporary, ns=(time_ns, time_ns))


def write_truth(truth: Path, files: RecordingFiles, made: Recording, montage: str) -> None:
    """Write the hidden truth of one recording below `truth`."""
    hidden = truth / files.patient / f"{files.recording}.json"
    write_json(hidden, {"recording": files.recording, "patient": files.patient, "montage": montage, **made.truth})


def write_splits(root: Path, listed: Sequence[RecordingFiles]) -> None:
    """`splits.tsv` (splits.source: file), for a corpus whose folders tell no split."""
    rows = sorted({(files.patient, files.split) for files in listed})
    lines = ["patient\tsplit\tremark", *(f"{patient}\t{split}\tsynthetic" for patient, split in rows)]
    write_text(root / "splits.tsv", "\n".join(lines) + "\n")
