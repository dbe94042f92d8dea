"""Writes small EDF files byte by byte, so that tests can break any field. The slow and obvious way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ELECTRODES = [
    "FP1",
    "FP2",
    "F3",
    "F4",
    "C3",
    "C4",
    "P3",
    "P4",
    "O1",
    "O2",
    "F7",
    "F8",
    "T3",
    "T4",
    "T5",
    "T6",
    "FZ",
    "CZ",
    "PZ",
]


@dataclass
class Channel:
    """One signal: digital samples (record, sample) or the bytes of each record, and its header fields as text."""

    label: str
    samples: np.ndarray
    unit: str = "uV"
    pmin: str = "-3276.7"
    pmax: str = "3276.7"
    dmin: str = "-32767"
    dmax: str = "32767"
    per_record: str | None = None
    transducer: str = ""
    prefilter: str = ""
    reserved: str = ""


@dataclass
class EdfFile:
    """An EDF; `fields` overrides parts of the first 256 bytes by name."""

    channels: list[Channel]
    record_s: str = "1"
    reserved: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The whole file."""
        n, records = len(self.channels), len(self.channels[0].samples)
        cells = {
            "version": "0", "patient": "X X X X", "recording": "Startdate X X X X", "date": "01.01.85",
            "time": "00.00.00", "header_bytes": str(256 * (n + 1)), "reserved": self.reserved,
            "records": str(records), "record_s": self.record_s, "signals": str(n), **self.fields,
        }  # fmt: skip
        widths = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
        fixed = "".join(text.ljust(width) for text, width in zip(cells.values(), widths, strict=True))
        columns = [
            (16, [c.label for c in self.channels]), (80, [c.transducer for c in self.channels]),
            (8, [c.unit for c in self.channels]),
            (8, [c.pmin for c in self.channels]), (8, [c.pmax for c in self.channels]),
            (8, [c.dmin for c in self.channels]), (8, [c.dmax for c in self.channels]),
            (80, [c.prefilter for c in self.channels]),
            (8, [str(c.samples.shape[1]) if c.per_record is None else c.per_record for c in self.channels]),
            (32, [c.reserved for c in self.channels]),
        ]  # fmt: skip
        entries = "".join(text.ljust(width) for width, texts in columns for text in texts)
        data = b"".join(c.samples[record].astype("<i2").tobytes() for record in range(records) for c in self.channels)
        return (fixed + entries).encode("latin-1") + data

    def write(self, path: Path) -> Path:
        """Write the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())
        return path


def eeg(rng: np.random.Generator, *, records: int, per_record: int, rms: float = 300.0) -> np.ndarray:
    """Digital samples (record, sample) of noise with more power at low frequencies, as EEG has."""
    walk = np.cumsum(rng.normal(size=records * per_record + 200))
    walk = (walk - np.convolve(walk, np.ones(101) / 101, "same"))[100:-100]
    return np.round(walk / walk.std() * rms).astype(np.int16).reshape(records, per_record)


def scalp_channels(
    rng: np.random.Generator, *, records: int = 20, per_record: int = 256, labels: Sequence[str] = ()
) -> list[Channel]:
    """The 19 electrodes as `EEG X-REF`, or channels of the given labels."""
    names = list(labels) or [f"EEG {electrode}-REF" for electrode in ELECTRODES]
    return [Channel(name, eeg(rng, records=records, per_record=per_record)) for name in names]


def annotation_channel(lists: Sequence[str], size: int = 30) -> Channel:
    """An `EDF Annotations` signal; one text of lists a record (separators written as \\x14, \\x15, \\x00)."""
    rows = [np.frombuffer(text.encode().ljust(2 * size, b"\0"), "<i2") for text in lists]
    return Channel("EDF Annotations", np.stack(rows), unit="", pmin="-1", pmax="1", dmin="-32768", dmax="32767")
