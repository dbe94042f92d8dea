"""Time-stamped annotation lists of EDF+ (Kemp and Olivan 2003, section 2.2): onsets of records, and annotations.

All times are seconds after the first sample of the file, the clock of every table of the project.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from pipeline.findings import Findings
from pipeline.signals.edf_header import EdfHeader, reject
from pipeline.signals.edf_samples import blocks, mapped_records

_SECONDS = rb"\d{1,12}(?:\.\d{0,12})?"
_STAMP = re.compile(rb"([+-]%b)(?:\x15([^\x14]*))?\x14" % _SECONDS)
_DURATION = re.compile(_SECONDS)
_TIME_KEEPING = re.compile(rb"([+-]%b)\x14(?:[\x14\0]|\Z)" % _SECONDS)  # first in a record: its onset, and no text
_RECORDS = 4096  # mapped at a time
JITTER_S = Fraction(1, 200)  # onsets are often rounded to milliseconds; half a sample at 100 Hz is no gap
DRIFT_S = Fraction(1, 10)  # a stretch whose clock has run off by this is cut, so that annotations stay where they are


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A text at a time; `duration_s` is None where none is given, or one that is no number."""

    onset_s: float
    duration_s: float | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Records first..stop that follow each other without a gap; `start_s` after the first sample of the file."""

    first: int
    stop: int
    start_s: float


def stretches(header: EdfHeader, findings: Findings) -> list[Stretch]:
    """The contiguous pieces of a recording: one, but for an EDF+D with gaps (finding `discontinuous`).

    An EDF+C whose last record starts later than it can is read as an EDF+D: its record onsets tell the gaps.
    A record that starts within JITTER_S (or half a sample) of its predecessor's end follows it, up to a drift of
    DRIFT_S. Raises Rejected where an EDF+D does not say when its records start, or where they overlap in time.
    Finding `onset_missing` where record 0 of an EDF+C does not (see `annotations`).
    """
    if header.continuous and not _has_gaps_nevertheless(header):
        _note_missing_onset(header, findings)
        return [Stretch(first=0, stop=header.n_records, start_s=0.0)]
    onsets = _record_onsets(header)
    fastest = max((signal.samples_per_record for signal in header.signals if not signal.is_annotation), default=1)
    slack = max(header.record_s / (2 * max(fastest, 1)), JITTER_S)
    pieces, first = [], 0
    for record in range(1, header.n_records + 1):
        ends = record == header.n_records
        step = Fraction(0) if ends else onsets[record] - onsets[record - 1] - header.record_s
        drift = Fraction(0) if ends else onsets[record] - onsets[first] - (record - first) * header.record_s
        if step < -slack:
            message = f"{header.path.name}: record {record} starts {float(-step):.3f} s before record {record - 1} ends"
            raise reject("header_invalid", message, value=float(onsets[record]), expected="records in order of time")
        if ends or step > slack or abs(drift) > DRIFT_S:
            pieces.append(Stretch(first=first, stop=record, start_s=float(onsets[first] - onsets[0])))
            first = record
    if len(pieces) > 1:
        missing = float(onsets[-1] - onsets[0] - (header.n_records - 1) * header.record_s)
        message = f"{header.path.name}: {len(pieces) - 1} gaps; cut into {len(pieces)} segments"
        findings.add("discontinuous", message, value=len(pieces), expected=1, seconds_affected=missing)
    return pieces


def annotations(header: EdfHeader) -> list[Annotation]:
    """The annotations of an EDF+, in order of onset; time-keeping entries left out.

    Onsets are told from the onset of record 0. Where an EDF+C does not tell that one, the first onset that is told less
    the length of the records before it; where none is, the header's start. Raises Rejected for an EDF+D without it.
    """
    found: list[Annotation] = []
    zero = _zero(header)
    for _, lists in _lists(header, 0, header.n_records):
        for content in lists:
            for onset, duration, texts in _entries(content):
                seconds = None if duration is None else float(duration)
                found += [Annotation(onset_s=float(onset - zero), duration_s=seconds, text=t) for t in texts if t]
    return sorted(found, key=lambda annotation: annotation.onset_s)


def _zero(header: EdfHeader) -> Fraction:
    """When record 0 starts, on the clock of the annotations."""
    record, onset = _first_onset(header) or (0, Fraction(0))
    if record and not header.continuous:
        raise _no_onset(header, 0)
    return onset - record * header.record_s


def _onset(lists: list[bytes]) -> Fraction | None:
    """When a record starts: the time-keeping entry that opens its first annotation signal."""
    stamp = _TIME_KEEPING.match(lists[0])
    return Fraction(stamp[1].decode()) if stamp else None


def _first_onset(header: EdfHeader) -> tuple[int, Fraction] | None:
    """The first record that tells its onset, and the onset."""
    onsets = ((record, _onset(lists)) for record, lists in _lists(header, 0, header.n_records))
    return next(((record, onset) for record, onset in onsets if onset is not None), None)


def _note_missing_onset(header: EdfHeader, findings: Findings) -> None:
    """A finding where there are annotation signals, but record 0 does not tell its onset in them."""
    first = next(_lists(header, 0, min(header.n_records, 1)), None)
    if first is None or _onset(first[1]) is not None:
        return
    found = _first_onset(header)
    zero = "the start of the header is taken" if found is None else f"told from that of record {found[0]}"
    message = f"{header.path.name}: record 0 does not tell its onset, from which annotations count; {zero}"
    findings.add("onset_missing", message, value="none" if found is None else found[0], expected=0)


def _has_gaps_nevertheless(header: EdfHeader) -> bool:
    """Whether the first and the last onset leave room for a gap (files with annotation signals only)."""
    first = _first_onset(header)
    last = [_onset(lists) for _, lists in _lists(header, header.n_records - 1, header.n_records)]
    if first is None or not last or last[0] is None:
        return False
    return last[0] - first[1] - (header.n_records - 1 - first[0]) * header.record_s > DRIFT_S


def _no_onset(header: EdfHeader, record: int) -> Exception:
    message = f"{header.path.name}: record {record} of a discontinuous file has no onset"
    return reject("header_invalid", message, value=record)


def _record_onsets(header: EdfHeader) -> list[Fraction]:
    onsets = []
    for record, lists in _lists(header, 0, header.n_records):
        onset = _onset(lists)
        if onset is None:
            raise _no_onset(header, record)
        onsets.append(onset)
    if len(onsets) != header.n_records:
        raise reject("header_invalid", f"{header.path.name}: a discontinuous file (EDF+D) without annotation channel")
    return onsets


def _lists(header: EdfHeader, low: int, high: int) -> Iterator[tuple[int, list[bytes]]]:
    """Records low..high: number, and the bytes of each annotation signal."""
    spans = [(s.offset, s.offset + s.samples_per_record) for s in header.signals if s.is_annotation]
    if not spans:
        return
    for first, stop in blocks(low, high, _RECORDS):
        records = mapped_records(header, first, stop)
        for record in range(first, stop):
            yield record, [records[record - first, start:end].tobytes() for start, end in spans]


def _entries(content: bytes) -> Iterator[tuple[Fraction, Fraction | None, list[str]]]:
    """Onset, duration and texts of each list in one annotation signal of one record; lists without onset are left."""
    for entry in content.split(b"\0"):
        stamp = _STAMP.match(entry)
        if stamp is None:
            continue
        texts = entry[stamp.end() :].decode("utf-8", "replace").split("\x14")
        told = _DURATION.fullmatch(stamp[2] or b"")
        duration = Fraction(told[0].decode()) if told else None
        yield Fraction(stamp[1].decode()), duration, [text.strip() for text in texts]
