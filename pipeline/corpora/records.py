"""What a corpus reader finds on disk and reads from annotations. Standard library only: imported at parse time."""

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
