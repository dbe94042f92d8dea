"""One EDF as clean segments: the wanted electrodes, in order, in microvolts, at one rate, in whole seconds.

`open_recording` decides everything that can be decided without resampling (header, channels, quality) and raises
`Rejected` where the recording cannot be used; `CleanRecording.blocks` then streams each segment in bounded memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.findings import Findings
from pipeline.settings.base import SettingsError
from pipeline.settings.signals import ChannelSettings, SignalCompat, SignalSettings
from pipeline.signals.channels import find_electrodes, missing_electrodes
from pipeline.signals.derivations import Montage, find_derivations, flat_differences, settle_montage
from pipeline.signals.edf_annotations import Stretch, stretches
from pipeline.signals.edf_header import EdfHeader, read_header, reject
from pipeline.signals.edf_samples import decode, decode_span
from pipeline.signals.interpolation import interpolation_matrix
from pipeline.signals.resampling import by_fft, polyphase, rate_ratio
from pipeline.signals.sources import Source, good_sources, note_empty, readable_sources


@dataclass(frozen=True, kw_only=True)
class CleanSegment:
    """A stretch without gaps; `n_samples` at the target rate, `start_s` after the first sample of the file."""

    name: str
    stretch: Stretch
    start_s: float
    n_samples: int


@dataclass(frozen=True, kw_only=True)
class CleanRecording:
    """A recording that can be used. `sources` has the electrodes that are there; `missing` are interpolated or zero.

    With `montage`, the nodes are derivations, and `sources` the channels that they are made of.
    """

    header: EdfHeader
    settings: SignalSettings
    electrodes: tuple[str, ...]  # names of the rows: electrodes, or derivations
    sources: dict[str, Source]
    montage: Montage | None  # None: referential
    missing: tuple[str, ...]
    zeroed: bool  # compat.zero_unreadable: the missing are zero rather than interpolated
    squeezed: bool  # compat.resample_length: the last fraction of a second is squeezed into the whole ones, not cut
    segments: tuple[CleanSegment, ...]

    def block_samples(self, segment: CleanSegment) -> int:
        """Samples of one block: the segment in equal parts of at most `block_s`, each a whole number of seconds."""
        rate = self.settings.rate_hz
        parts = int(-(-segment.n_samples // (self.settings.block_s * rate)))
        seconds = -(-segment.n_samples // (parts * rate))
        return int(min(seconds * rate, segment.n_samples))

    def blocks(self, segment: CleanSegment) -> Iterator[tuple[int, np.ndarray]]:
        """First sample and samples (n, s), float32 µV, of one block after the other."""
        if self.settings.resampling == "fft":
            yield 0, self._complete({name: self._by_fft(source, segment) for name, source in self.sources.items()})
            return
        size = self.block_samples(segment)
        for first in range(0, segment.n_samples, size):
            stop = min(first + size, segment.n_samples)
            rows: dict[str, np.ndarray] = {}
            for names in self._groups():
                rows.update(zip(names, self._polyphase(names, segment, first, stop), strict=True))
            yield first, self._complete(rows)

    def _groups(self) -> list[list[str]]:
        """Electrodes by rate: those of one rate are decoded and filtered together."""
        groups: dict[int, list[str]] = {}
        for name, source in self.sources.items():
            groups.setdefault(source.signal.samples_per_record, []).append(name)
        return list(groups.values())

    def _polyphase(self, names: list[str], segment: CleanSegment, first: int, stop: int) -> np.ndarray:
        signals = [self.sources[name].signal for name in names]
        scales = [self.sources[name].scale for name in names]
        per_record = signals[0].samples_per_record

        def read(low: int, high: int) -> np.ndarray:
            """Input samples low..high of the segment (n, s)."""
            return decode_span(self.header, signals, scales, segment.stretch.first, low, high)

        rate_hz = self.sources[names[0]].rate_hz
        n_in = self._input_samples(segment, per_record, rate_hz)
        return polyphase(read, n_in, rate_ratio(rate_hz, self.settings.rate_hz), first, stop)

    def _input_samples(self, segment: CleanSegment, per_record: int, rate_hz: Fraction) -> int:
        """Input samples in the segment's whole seconds."""
        available = (segment.stretch.stop - segment.stretch.first) * per_record
        seconds = Fraction(segment.n_samples) / Fraction(str(self.settings.rate_hz))
        return min(int(seconds * rate_hz), available)

    def _by_fft(self, source: Source, segment: CleanSegment) -> np.ndarray:
        stretch = segment.stretch
        whole = decode(self.header, [source.signal], [source.scale], stretch.first, stretch.stop)[0]
        if not self.squeezed:
            whole = whole[: self._input_samples(segment, source.signal.samples_per_record, source.rate_hz)]
        return by_fft(whole, segment.n_samples)

    def _complete(self, rows: dict[str, np.ndarray]) -> np.ndarray:
        """All electrodes, or derivations, (n, s) in order from what is there."""
        if self.montage is not None:
            return self.montage.nodes(rows)
        present = list(rows)
        if self.missing and not self.zeroed:
            filled = interpolation_matrix(present, self.missing) @ np.stack([rows[name] for name in present])
            rows = {**rows, **dict(zip(self.missing, filled, strict=True))}
        empty = np.zeros_like(rows[present[0]])
        return np.stack([rows.get(name, empty) for name in self.electrodes])


def open_recording(
    path: Path | str,
    *,
    channels: ChannelSettings,
    signals: SignalSettings,
    compat: SignalCompat,
    findings: Findings,
) -> CleanRecording:
    """Decide how an EDF is used; what was noticed goes into `findings`. Raises Rejected where it cannot be used."""
    own = Findings()  # of this recording alone, for `strict`
    try:
        recording = _open(path, channels, signals, compat, own)
        if signals.strict:
            _refuse_repairs(recording.header, own)
    finally:
        findings.extend(own)
    return recording


def _open(
    path: Path | str, channels: ChannelSettings, signals: SignalSettings, compat: SignalCompat, findings: Findings
) -> CleanRecording:  # fmt: skip
    squeezed = compat.resample_length == "published"
    if squeezed and signals.resampling != "fft":
        raise SettingsError("compat.resample_length: published needs signals.resampling: fft")
    header = read_header(path, findings)
    note_empty(header, channels.electrodes, findings)
    if channels.montage == "bipolar":
        return _open_bipolar(header, channels, signals, findings, squeezed=squeezed)
    found = find_electrodes(header, channels, findings)
    pieces = stretches(header, findings)
    segments = clean_segments(header, pieces, signals.rate_hz, findings, squeezed=squeezed)
    sources = readable_sources(header, found, signals.quality, findings, one_rate=compat.zero_unreadable)
    if compat.zero_unreadable:
        missing = missing_electrodes(found, channels)
        channels = channels.model_copy(update={"missing": "skip"})  # D1 zeroes what is there and cannot be read
    else:
        sources = good_sources(header, sources, pieces, signals, findings)
        missing = missing_electrodes(sources, channels)
    _settle_missing(header, missing, channels, findings)
    return CleanRecording(
        header=header,
        settings=signals,
        electrodes=channels.electrodes,
        sources=sources,
        montage=None,
        missing=tuple(missing_electrodes(sources, channels)),
        zeroed=compat.zero_unreadable,
        squeezed=squeezed,
        segments=segments,
    )


def _open_bipolar(
    header: EdfHeader, channels: ChannelSettings, signals: SignalSettings, findings: Findings, *, squeezed: bool
) -> CleanRecording:  # fmt: skip
    """Derivations as nodes: each channel is judged as recorded, before anything is subtracted."""
    found, recipes = find_derivations(header, channels, findings)
    pieces = stretches(header, findings)
    segments = clean_segments(header, pieces, signals.rate_hz, findings, squeezed=squeezed)
    readable = readable_sources(header, found, signals.quality, findings, one_rate=False)
    sources = good_sources(header, readable, pieces, signals, findings)
    flat = flat_differences(
        header, recipes, sources, pieces, block_s=signals.block_s, flat_uv=signals.quality.flat_uv, findings=findings
    )
    return CleanRecording(
        header=header,
        settings=signals,
        electrodes=channels.nodes,
        sources=sources,
        montage=settle_montage(header, recipes, sources, flat, channels, findings),
        missing=(),
        zeroed=False,
        squeezed=squeezed,
        segments=segments,
    )


def clean_segments(
    header: EdfHeader, pieces: list[Stretch], rate_hz: float, findings: Findings, *, squeezed: bool
) -> tuple[CleanSegment, ...]:  # fmt: skip
    """Whole seconds of each stretch; stretches under one second are left out."""
    name, segments, cut_s = header.path.name, [], 0.0
    for number, piece in enumerate(pieces):
        length_s = (piece.stop - piece.first) * header.record_s
        seconds = int(length_s)
        if seconds == 0:
            message = f"{name}: {float(length_s):.3f} s from second {piece.start_s:.3f} on; left out"
            findings.add("too_short", message, action="skip", value=float(length_s), seconds_affected=float(length_s))
            continue
        cut_s += float(length_s - seconds)
        segments.append(
            CleanSegment(name=f"{number:03d}", stretch=piece, start_s=piece.start_s, n_samples=round(seconds * rate_hz))
        )
    if not segments:
        raise reject("too_short", f"{name}: {header.duration_s:.3f} s of signal; one second is the least")
    if cut_s:
        done = "squeezed into the whole seconds" if squeezed else "cut"
        message = f"{name}: {cut_s:.3f} s after the last whole second {done}"
        findings.add("fraction_cut", message, severity="info", action="note", seconds_affected=cut_s)
    return tuple(segments)


def _settle_missing(header: EdfHeader, missing: list[str], channels: ChannelSettings, findings: Findings) -> None:
    """Skip the recording, or note which electrodes are interpolated (faults.md, row 8)."""
    if not missing:
        return
    names, labels = ", ".join(missing), ", ".join(s.label for s in header.signals if not s.is_annotation)
    if channels.missing == "skip" or len(missing) > channels.max_interpolated:
        remedy = "set channels.missing: interpolate" if channels.missing == "skip" else "over channels.max_interpolated"
        message = f"{header.path.name}: no usable {names} ({remedy}); has {labels[:120]}"
        raise reject("missing_electrode", message, value=names)
    for electrode in missing:
        message = f"{header.path.name}: {electrode} is interpolated from its neighbours"
        findings.add("electrode_interpolated", message, channel=electrode)


def _refuse_repairs(header: EdfHeader, findings: Findings) -> None:
    """`strict`: a recording that needed any repair is refused."""
    repairs = sorted({finding.code for finding in findings if finding.action == "repair"})
    if repairs:
        message = f"{header.path.name}: needed repairs ({', '.join(repairs)}) and signals.strict is set"
        raise reject(repairs[0], message, value=", ".join(repairs))
