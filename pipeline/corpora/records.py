"""What a corpus reader finds on disk and reads from annotations. Standard library only: imported at parse time."""

import os
import re
from dataclasses import dataclass

WHOLE_RECORDING = "TERM"  # the channel of an event that concerns all channels, as TUSZ v2 writes it


@dataclass(frozen=True, kw_only=True)
class RecordingFiles:
    """One EDF and its annotation files, by name only; paths are POSIX and relative to the corpus root.

    `official` is the folder that the corpus puts the patient in (`train`, `dev` …, empty: none); `split` is ours
    (`train`, `validation`, `test`), set by `pipeline.corpora.shards.deal`.
    """

    recording: str  # unique in the corpus: letters, digits, `_`, `-`, `.`
    patient: str
    session: str
    montage: str  # e.g. 03_tcp_ar_a; empty: unknown
    edf: str
    annotations: tuple[str, ...] = ()
    official: str = ""
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A seizure, from `onset_s` to `offset_s` (s after the first sample), on one derivation or on all (`TERM`)."""

    onset_s: float
    offset_s: float
    code: str  # fnsz … (docs/corpora.md)
    channel: str = WHOLE_RECORDING
    confidence: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One file of a shard. Size and time say whether it changed since the last look."""

    recording: str
    patient: str
    session: str
    split: str
    montage: str
    role: str  # edf | annotation
    path: str
    size: int
    mtime_ns: int


def path_to_text(path: str) -> str:
    """A path as text that any table can hold: bytes that are no UTF-8 become `%XX`, `%` becomes `%25`."""
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    return re.sub("[%\udc80-\udcff]", lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)


def text_to_path(text: str) -> str:
    """The path that `path_to_text` made this text of."""
    parts = re.split("%([0-9A-F]{2})", text)
    raw = b"".join(bytes.fromhex(part) if i % 2 else part.encode() for i, part in enumerate(parts))
    return os.fsdecode(raw)
