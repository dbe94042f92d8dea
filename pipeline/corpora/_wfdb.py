"""WFDB annotation files (MIT format), as CHB-MIT's `.edf.seizures` are written (formats.md, T34).

Pairs of bytes, little-endian: six bits of code, ten of time in samples since the annotation before. Special codes carry
longer times (SKIP), and texts (AUX); source: PhysioNet, WFDB Applications Guide, annot(5).
"""

import re
from dataclasses import dataclass
from fractions import Fraction

SEIZURE_ONSET, SEIZURE_END = 32, 33
RESOLUTION_HZ = Fraction(256)  # of CHB-MIT, where no note states one
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_RESOLUTION = re.compile(rb"## time resolution: ([0-9]+(?:\.[0-9]+)?)")


class WfdbError(ValueError):
    """Bytes that are no whole annotation file; the message says where."""


@dataclass(frozen=True)
class WfdbAnnotations:
    """(sample, code) of each annotation in order of the file, and samples per second."""

    rate_hz: Fraction
    annotations: tuple[tuple[int, int], ...]

    def spans_s(self) -> list[tuple[float, float]]:
        """Onset and end (s) of each seizure. Raises WfdbError where onsets and ends do not alternate."""
        spans: list[tuple[float, float]] = []
        onset: int | None = None
        for sample, code in self.annotations:
            if code == SEIZURE_ONSET and onset is None:
                onset = sample
            elif code == SEIZURE_END and onset is not None:
                spans.append((float(onset / self.rate_hz), float(sample / self.rate_hz)))
                onset = None
            elif code in (SEIZURE_ONSET, SEIZURE_END):
                raise WfdbError(f"code {code} at sample {sample}: onsets (32) and ends (33) do not alternate")
        if onset is not None:
            raise WfdbError(f"the seizure from sample {onset} on has no end (code 33)")
        return spans


def read_wfdb(content: bytes) -> WfdbAnnotations:
    """Decode a whole annotation file. Raises WfdbError for one that is cut or goes on after its end."""
    rate_hz, time, found, place = RESOLUTION_HZ, 0, [], 0
    while True:
        word = int.from_bytes(_take(content, place, 2), "little")
        code, value = word >> 10, word & 0x3FF
        place += 2
        if code == _SKIP:
            high, low = (int.from_bytes(_take(content, at, 2), "little") for at in (place, place + 2))
            time += ((high << 16 | low) ^ 1 << 31) - (1 << 31)  # a signed long, its high half first
            place += 4
        elif code == _AUX:
            text = _take(content, place, value)
            place += value + value % 2
            if note := _RESOLUTION.match(text):
                rate_hz = Fraction(note[1].decode())
        elif word == 0:
            break
        elif code not in (_NUM, _SUB, _CHN):
            time += value
            found.append((time, code))
    if any(content[place:]):
        raise WfdbError(f"{len(content) - place} bytes after the end mark at byte {place - 2}")
    if rate_hz <= 0 or any(sample < 0 for sample, code in found if code in (SEIZURE_ONSET, SEIZURE_END)):
        raise WfdbError(f"a time before the start, or a resolution of {float(rate_hz):g} per second")
    return WfdbAnnotations(rate_hz, tuple(found))


def _take(content: bytes, place: int, size: int) -> bytes:
    taken = content[place : place + size]
    if len(taken) < size:
        raise WfdbError(f"cut at byte {len(content)}, before the end mark")
    return taken
