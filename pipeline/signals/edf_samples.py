"""Samples of an EDF in microvolts, decoded with numpy from a memory map, block by block.

Each block of records is mapped by itself and let go, so that memory is bounded by the block and not by the file.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from pipeline.findings import Findings
from pipeline.signals.edf_header import SAMPLE_BYTES, EdfHeader, EdfSignal, reject

# By upper case, which turns both micro signs into a Greek capital; the last is a micro sign that was written as UTF-8.
MICROVOLTS = {"V": 1e6, "MV": 1e3, "UV": 1.0, "\u039cV": 1.0, "\xc2\u039cV": 1.0, "NV": 1e-3}
LARGEST_UV = 1e12  # a million volts; beyond, float32 would overflow in squares
LONG_RECORD = 1 << 16  # samples of one signal: records beyond this (whole files in one record exist) are read in parts
MAPPED_BYTES = 1 << 26  # mapped at a time: pages of a map that were touched count as memory of the process
CACHE_RECORDS = 96  # decoded at a time: what a block's channels share stays in the processor's cache (speed.md)


class Scale:
    """The line from digital to physical values of one signal: physical = gain * digital + offset, in µV."""

    def __init__(self, gain: float, offset: float) -> None:
        self.gain, self.offset = gain, offset


def scale_of(signal: EdfSignal, name: str, findings: Findings) -> Scale | None:
    """How to bring a signal to µV; None (with a finding) where its ranges or unit do not say.

    An inverted range is applied as written (faults.md, row 6); a unit of mV, V or nV is converted.
    """
    factor = unit_factor(signal.unit)
    if factor is None:
        message = f"{name}: channel {signal.label!r} is in {signal.unit!r}; known are V, mV, uV, nV"
        findings.add("unit_unknown", message, action="skip", channel=signal.label, value=signal.unit, expected="uV")
        return None
    low, high, dmin, dmax = signal.physical_min, signal.physical_max, signal.digital_min, signal.digital_max
    scale = _line(low, high, dmin, dmax, factor)
    if scale is None:
        message = f"{name}: channel {signal.label!r} has the range {low}..{high} for {dmin}..{dmax}; no scale follows"
        findings.add("scale_invalid", message, action="skip", channel=signal.label, value=f"{low} {high} {dmin} {dmax}")
        return None
    if factor != 1.0:
        message = f"{name}: channel {signal.label!r} converted from {signal.unit} to uV"
        findings.add("unit_converted", message, channel=signal.label, value=signal.unit, expected="uV")
    if scale.gain < 0:
        message = f"{name}: channel {signal.label!r} has an inverted range; the formula is applied as written"
        findings.add("inverted_polarity", message, channel=signal.label, value=f"{low} {high}")
    return scale


def _line(
    low: float | None, high: float | None, dmin: float | None, dmax: float | None, factor: float
) -> Scale | None:  # fmt: skip
    """The line through two points; None where it is none, or leads any 16-bit value beyond LARGEST_UV."""
    if low is None or high is None or dmin is None or dmax is None or low == high or dmin == dmax:
        return None
    gain = (high - low) / (dmax - dmin)
    scale = Scale(gain * factor, (low - gain * dmin) * factor)
    return scale if abs(scale.gain) * 2**15 + abs(scale.offset) < LARGEST_UV else None


def unit_factor(unit: str) -> float | None:
    """Microvolts in one of this unit; a blank unit counts as unknown."""
    return MICROVOLTS.get(unit.strip().upper())


def mapped_records(header: EdfHeader, first: int, stop: int) -> np.ndarray:
    """Digital values of records first..stop as a read-only memory map (record, sample of all signals)."""
    start = header.header_bytes + first * header.record_samples * SAMPLE_BYTES
    try:
        return np.memmap(header.path, "<i2", mode="r", offset=start, shape=(stop - first, header.record_samples))
    except (OSError, ValueError) as error:  # ValueError: the file has become shorter than it was
        raise reject("file_unreadable", f"{header.path.name}: records {first} to {stop}: {error}") from None


def _mappings(header: EdfHeader, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """Records first..stop in maps of bounded size, one after the other: (records after `first`, map)."""
    size = max(MAPPED_BYTES // (SAMPLE_BYTES * header.record_samples), 1)
    for low, high in blocks(first, stop, size):
        yield low - first, mapped_records(header, low, high)


def digital_parts(
    header: EdfHeader, signals: Sequence[EdfSignal], first: int, stop: int, *, block_s: float
) -> Iterator[list[np.ndarray]]:
    """Digital values of records first..stop, about `block_s` seconds at a time: one (s,) for each signal.

    The file is gone through once, whatever the number of signals; a record longer than that comes in parts.
    """
    parts = max(math.ceil(header.record_s / Fraction(block_s)), 1)
    for low, high in blocks(first, stop, max(int(Fraction(block_s) / header.record_s), 1)):
        if parts > 1:
            for part in range(parts):
                (record,) = mapped_records(header, low, high)  # anew: touched pages of a map count as memory
                spans = [(s.offset, s.samples_per_record * part // parts, s.samples_per_record * (part + 1) // parts)
                         for s in signals]  # fmt: skip
                yield [np.array(record[offset + start : offset + end]) for offset, start, end in spans]
            continue
        gathered = [np.empty((high - low, signal.samples_per_record), "<i2") for signal in signals]
        for after, records in _mappings(header, low, high):
            for samples, signal in zip(gathered, signals, strict=True):
                columns = records[:, signal.offset : signal.offset + signal.samples_per_record]
                samples[after : after + len(records)] = columns
        yield [samples.reshape(-1) for samples in gathered]


def digital(header: EdfHeader, signal: EdfSignal, first: int, stop: int) -> np.ndarray:
    """Digital values (s,) of one signal in records first..stop."""
    columns = slice(signal.offset, signal.offset + signal.samples_per_record)
    return mapped_records(header, first, stop)[:, columns].reshape(-1)


def decode(
    header: EdfHeader, signals: Sequence[EdfSignal], scales: Sequence[Scale], first: int, stop: int
) -> np.ndarray:  # fmt: skip
    """Records first..stop of signals of one rate, in µV: float32 (n, s)."""
    per_record = signals[0].samples_per_record
    if any(signal.samples_per_record != per_record for signal in signals):
        raise ValueError("signals of different rates are decoded apart")
    in_file = sorted(range(len(signals)), key=lambda i: signals[i].offset)
    gains = np.array([scales[i].gain for i in in_file], np.float32)[:, None, None]
    offsets = np.array([scales[i].offset for i in in_file], np.float32)[:, None, None]
    runs = _runs([signals[i].offset for i in in_file], per_record)
    decoded = np.empty((len(signals), stop - first, per_record), dtype=np.float32)
    for after, records in _mappings(header, first, stop):
        for low, high in blocks(0, len(records), CACHE_RECORDS):
            for a, b, start in runs:
                columns = records[low:high, start : start + (b - a) * per_record].reshape(high - low, b - a, per_record)
                target = decoded[a:b, after + low : after + high]
                np.multiply(columns.transpose(1, 0, 2), gains[a:b], out=target)  # (record, n, s) -> (n, record, s)
                target += offsets[a:b]
    whole = decoded.reshape(len(signals), -1)  # (n, record, s) -> (n, record * s)
    return whole if in_file == list(range(len(signals))) else whole[np.argsort(in_file)]


def decode_span(
    header: EdfHeader, signals: Sequence[EdfSignal], scales: Sequence[Scale], origin: int, low: int, high: int
) -> np.ndarray:  # fmt: skip
    """Samples low..high, counted from the start of record `origin`, of signals of one rate, in µV: float32 (n, s)."""
    n = signals[0].samples_per_record
    first, stop = low // n, -(-high // n)
    if n <= LONG_RECORD:
        return decode(header, signals, scales, origin + first, origin + stop)[:, low - first * n : high - first * n]
    parts = []
    for record in range(first, stop):
        row = mapped_records(header, origin + record, origin + record + 1)[0]
        start, end = max(low - record * n, 0), min(high - record * n, n)
        lines = [(row[s.offset + start : s.offset + end], scale) for s, scale in zip(signals, scales, strict=True)]
        parts.append(np.stack([x * np.float32(scale.gain) + np.float32(scale.offset) for x, scale in lines]))
    return np.concatenate(parts, axis=1)


def _runs(offsets: Sequence[int], per_record: int) -> list[tuple[int, int, int]]:
    """Signals that lie side by side in a record, as (first, stop, offset of the first): decoded in one go."""
    starts = [i for i, offset in enumerate(offsets) if i == 0 or offset != offsets[i - 1] + per_record]
    return [(a, b, offsets[a]) for a, b in zip(starts, [*starts[1:], len(offsets)], strict=True)]


def blocks(first: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of at most `size` records that together are first..stop."""
    for low in range(first, stop, size):
        yield low, min(low + size, stop)
