"""A small strict parser of EDF and EDF+ headers (Kemp et al. 1992; Kemp and Olivan 2003).

The sizes are checked before anything is believed, so that a broken file costs one read of 256 bytes. Names, dates and
ids in the header are not kept: dates may be wrong (T29) and decide nothing, names are private; all that is asked of
them is whether they say "synthetic". Labels that are no words of the field become `ch NN` (docs/privacy.md).
Whatever is corrected on the way is a finding; what cannot be corrected raises `Rejected` (faults.md, rows 1-3, 5, 6).
"""

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from pipeline.findings import Finding, Findings, Rejected
from pipeline.signals.labels import ANNOTATIONS, shown_label, shown_number, shown_unit

FIXED_BYTES = 256  # of the first part of the header, and of each signal's entry
SAMPLE_BYTES = 2
_IDENTITY = slice(8, 168)  # the patient and the recording field
FIELD_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Of label, transducer, unit, physical and digital limits, prefilter, samples a record, reserved field."""
_LABEL, _UNIT, _PMIN, _PMAX, _DMIN, _DMAX, _SAMPLES = 0, 2, 3, 4, 5, 6, 8
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d\d?)?", re.IGNORECASE)  # 1e999999 would be a million digits


@dataclass(frozen=True, kw_only=True)
class EdfSignal:
    """One signal of an EDF. Ranges are None where the header holds no finite number."""

    index: int
    label: str
    unit: str
    physical_min: float | None
    physical_max: float | None
    digital_min: float | None
    digital_max: float | None
    samples_per_record: int
    offset: int  # of its first sample within a data record, in samples

    @property
    def is_annotation(self) -> bool:
        """Whether it holds time-stamped annotation lists rather than samples."""
        return self.label == ANNOTATIONS


@dataclass(frozen=True, kw_only=True)
class EdfHeader:
    """What is needed to read samples. `n_records` are whole records that are there and that the header counts."""

    path: Path
    header_bytes: int
    n_records: int
    record_s: Fraction
    continuous: bool  # False: EDF+D, records have their own onsets
    synthetic: bool  # the patient or recording field says so, in any case of letters
    signals: tuple[EdfSignal, ...]

    @property
    def record_samples(self) -> int:
        """Samples of all signals in one data record."""
        return sum(signal.samples_per_record for signal in self.signals)

    def rate_hz(self, signal: EdfSignal) -> Fraction:
        """Samples per second of a signal, exactly as the header states it."""
        return signal.samples_per_record / self.record_s

    @property
    def duration_s(self) -> float:
        """Seconds of data (gaps of an EDF+D not counted)."""
        return float(self.n_records * self.record_s)


def reject(code: str, message: str, *, value: object = "", expected: object = "") -> Rejected:
    """The exception by which a file is left out."""
    finding = Finding(
        code=code, severity="error", action="skip", message=message, value=str(value), expected=str(expected)
    )
    return Rejected(finding)


def read_header(path: Path | str, findings: Findings) -> EdfHeader:
    """Read and check the header of an EDF.

    Raises Rejected (`header_invalid`, `file_unreadable`) for a file that cannot be used.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            fixed = file.read(FIXED_BYTES)
            n_signals, header_bytes = _checked_sizes(fixed, size, path.name)
            samples = _samples_per_record(file, n_signals, path.name)
            _check_a_record_fits(samples, size - header_bytes, path.name)
            file.seek(FIXED_BYTES)
            entries = file.read(header_bytes - FIXED_BYTES)
    except OSError as error:
        raise reject("file_unreadable", f"{path.name}: {error.strerror or error}; check the disk and rights") from None
    reader = _Fields(path.name, findings)
    signals = _signals(entries, samples, reader)
    record_s = reader.duration(fixed[244:252], only_annotations=all(signal.is_annotation for signal in signals))
    reserved = fixed[192:197].decode("latin-1")
    record_bytes = SAMPLE_BYTES * sum(signal.samples_per_record for signal in signals)
    n_records = _count_records(reader, fixed[236:244], size - header_bytes, record_bytes, record_s)
    return EdfHeader(
        path=path,
        header_bytes=header_bytes,
        n_records=n_records,
        record_s=record_s,
        continuous=reserved != "EDF+D",
        synthetic=b"synthetic" in fixed[_IDENTITY].lower(),
        signals=signals,
    )


def _checked_sizes(fixed: bytes, size: int, name: str) -> tuple[int, int]:
    """Number of signals and header bytes, once they agree with each other and with the size of the file."""
    if size < 2 * FIXED_BYTES or len(fixed) < FIXED_BYTES:
        raise reject("header_invalid", f"{name}: {size} bytes are no EDF header; fetch the file anew", value=size)
    if fixed[:8].strip(b" \0") != b"0":
        raise reject("header_invalid", f"{name}: version {shown_number(fixed[:8])} is no EDF; convert it")
    n_signals, header_bytes = _integer(fixed[252:256]), _integer(fixed[184:192])
    if n_signals is None or n_signals <= 0:
        raise reject("header_invalid", f"{name}: {shown_number(fixed[252:256])} is no number of signals")
    wanted = FIXED_BYTES * (n_signals + 1)
    if header_bytes != wanted:
        message = f"{name}: header of {shown_number(fixed[184:192])} bytes, but {n_signals} signals need {wanted}"
        raise reject("header_invalid", message, value=header_bytes, expected=wanted)
    if wanted > size:
        message = f"{name}: the header of {n_signals} signals needs {wanted} bytes, the file has {size}"
        raise reject("header_invalid", message, value=size, expected=wanted)
    return n_signals, wanted


def _integer(raw: bytes) -> int | None:
    text = raw.decode("latin-1").strip(" \0")
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None


def _samples_per_record(file: BinaryIO, n_signals: int, name: str) -> list[int]:
    """Samples a record of each signal. Read first: what they claim is checked against the size of the file."""
    width = FIELD_WIDTHS[_SAMPLES]
    file.seek(FIXED_BYTES + n_signals * sum(FIELD_WIDTHS[:_SAMPLES]))
    column = file.read(width * n_signals)
    samples = []
    for i in range(n_signals):
        raw = column[width * i : width * (i + 1)]
        number = _integer(raw)
        if number is None or number < 0:
            raise reject("header_invalid", f"{name}: {shown_number(raw)} samples a record in signal {i}")
        samples.append(number)
    return samples


def _check_a_record_fits(samples: list[int], data_bytes: int, name: str) -> None:
    record_bytes = SAMPLE_BYTES * sum(samples)
    if not 0 < record_bytes <= data_bytes:
        message = f"{name}: one data record needs {record_bytes} bytes, the file holds {data_bytes}"
        raise reject("header_invalid", message, value=data_bytes, expected=record_bytes)


def _signals(entries: bytes, samples: list[int], reader: "_Fields") -> tuple[EdfSignal, ...]:
    n = len(samples)
    starts = [n * sum(FIELD_WIDTHS[:column]) for column in range(len(FIELD_WIDTHS))]

    def cell(column: int, i: int) -> bytes:
        """Field `column` of signal i."""
        return entries[starts[column] + FIELD_WIDTHS[column] * i : starts[column] + FIELD_WIDTHS[column] * (i + 1)]

    signals, offset = [], 0
    for i in range(n):
        label = shown_label(cell(_LABEL, i).decode("latin-1").strip(" \0"), i)
        signal = EdfSignal(
            index=i,
            label=label,
            unit=shown_unit(cell(_UNIT, i).decode("latin-1").strip(" \0")),
            physical_min=reader.number(cell(_PMIN, i), label),
            physical_max=reader.number(cell(_PMAX, i), label),
            digital_min=reader.number(cell(_DMIN, i), label),
            digital_max=reader.number(cell(_DMAX, i), label),
            samples_per_record=samples[i],
            offset=offset,
        )
        signals.append(signal)
        offset += samples[i]
    return tuple(signals)


class _Fields:
    """Numbers of one header; a decimal comma is accepted with a finding."""

    def __init__(self, name: str, findings: Findings) -> None:
        self.name, self.findings = name, findings

    def _text(self, raw: bytes, channel: str) -> str:
        text = raw.decode("latin-1").strip(" \0")
        if "," in text and _NUMBER.fullmatch(text.replace(",", ".")):
            message = f"{self.name}: decimal comma in {text!r}, read as a point"
            self.findings.add("header_repaired", message, channel=channel, value=text)
        return text.replace(",", ".")

    def number(self, raw: bytes, channel: str) -> float | None:
        """A finite number, else None."""
        text = self._text(raw, channel)
        return float(text) if _NUMBER.fullmatch(text) else None

    def duration(self, raw: bytes, *, only_annotations: bool) -> Fraction:
        """Seconds of a data record, exactly as written; 0 is for files that hold annotations only."""
        text = self._text(raw, "")
        value = Fraction(text) if _NUMBER.fullmatch(text) else Fraction(-1)
        if value > 0 or (value == 0 and only_annotations):
            return value
        message = f"{self.name}: a data record of {shown_number(text)} seconds; the sampling rate cannot be known"
        raise reject("header_invalid", message, value=shown_number(text), expected="> 0")


def _count_records(reader: _Fields, raw: bytes, data_bytes: int, record_bytes: int, record_s: Fraction) -> int:
    """Whole records that may be read: the header's count, or what the file holds where that is less or unknown."""
    name, findings = reader.name, reader.findings
    whole, rest = divmod(data_bytes, record_bytes)
    stated = _integer(raw)
    if stated is None or stated <= 0:
        message = f"{name}: {shown_number(raw)} data records; the file holds {whole}"
        findings.add("nrec_unknown", message, value=shown_number(raw), expected=whole)
        stated = whole + (rest > 0)
    lost = float((stated - whole) * record_s)
    if stated > whole:
        cut = ", the last one cut short" if rest else ""
        message = f"{name}: the header promises {stated} data records, the file holds {whole}{cut}"
        findings.add("truncated", message, value=whole, expected=stated, seconds_affected=lost)
    elif stated < whole or rest:
        message = (
            f"{name}: {data_bytes - stated * record_bytes} bytes after the last of {stated} data records; not read"
        )
        findings.add("trailing_records", message, value=whole, expected=stated, seconds_affected=-lost)
    return min(stated, whole)
