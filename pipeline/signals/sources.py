"""Which of the electrodes that a file names can be used: unit, range and rate known, neither flat nor saturated.

What cannot be used counts as missing, each with a finding (faults.md, rows 5, 6, 10-12).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pipeline.findings import CODES, Finding, Findings
from pipeline.settings.signals import QualitySettings, SignalSettings
from pipeline.signals.channels import electrodes_of_labels
from pipeline.signals.edf_annotations import Stretch
from pipeline.signals.edf_header import EdfHeader, EdfSignal, reject
from pipeline.signals.edf_samples import Scale, scale_of
from pipeline.signals.quality import ChannelQuality, fault_of, looks_white, measure


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an electrode's samples come from."""

    signal: EdfSignal
    scale: Scale
    rate_hz: Fraction


def note_empty(header: EdfHeader, electrodes: Sequence[str], findings: Findings) -> None:
    """A finding for each electrode's channel that has no samples; it counts as missing."""
    named = electrodes_of_labels([signal.label for signal in header.signals])
    for signal, electrode in zip(header.signals, named, strict=True):
        if not signal.samples_per_record and not signal.is_annotation and electrode in electrodes:
            message = f"{header.path.name}: channel {signal.label!r} has 0 samples a record; treated as missing"
            findings.add("empty_channel", message, action="skip", channel=signal.label, value=0, expected="> 0")


def readable_sources(
    header: EdfHeader, found: dict[str, EdfSignal], quality: QualitySettings, findings: Findings, *, one_rate: bool
) -> dict[str, Source]:  # fmt: skip
    """Electrodes whose scale and rate are known. `one_rate`: only those with the rate of the first, as published (D1).

    Raises Rejected (`unit_unknown`, `scale_invalid`, `rate_implausible`) where none is left.
    """
    name, before = header.path.name, len(findings)
    sources = {}
    for electrode, signal in found.items():
        scale = scale_of(signal, name, findings)
        if scale is not None and _is_plausible_rate(header, signal, quality, findings):
            sources[electrode] = Source(signal=signal, scale=scale, rate_hz=header.rate_hz(signal))
    if not sources:
        raise _none_left(header, list(findings)[before:])
    rates = {electrode: source.rate_hz for electrode, source in sources.items()}
    if len(set(rates.values())) > 1:
        text = ", ".join(f"{float(rate):g}" for rate in sorted(set(rates.values())))
        action = "those unlike the first are zero (compat.zero_unreadable)" if one_rate else "each resampled by itself"
        findings.add("mixed_rate", f"{name}: electrodes at {text} Hz; {action}", value=text)
        if one_rate:
            first = next(iter(rates.values()))
            sources = {electrode: source for electrode, source in sources.items() if source.rate_hz == first}
    return sources


def _is_plausible_rate(header: EdfHeader, signal: EdfSignal, quality: QualitySettings, findings: Findings) -> bool:
    rate_hz, low, high = float(header.rate_hz(signal)), quality.rate_low_hz, quality.rate_high_hz
    if low <= rate_hz <= high:
        return True
    message = f"{header.path.name}: channel {signal.label!r} at {rate_hz:g} Hz; EEG has {low:g} to {high:g}"
    limits = f"{low:g}..{high:g}"
    findings.add("rate_implausible", message, action="skip", channel=signal.label, value=rate_hz, expected=limits)
    return False


def _none_left(header: EdfHeader, reasons: list[Finding]) -> Exception:
    """Why no electrode can be read, by the code of the most frequent reason."""
    code, _ = Counter(row.code for row in reasons if row.action == "skip").most_common(1)[0]
    example = next(row for row in reasons if row.code == code)
    message = f"{header.path.name}: no electrode has a usable unit, range and rate ({CODES[code]})"
    return reject(code, message, value=example.value, expected=example.expected)


def good_sources(
    header: EdfHeader, sources: dict[str, Source], pieces: list[Stretch], signals: SignalSettings, findings: Findings
) -> dict[str, Source]:
    """Electrodes that are neither flat nor saturated nor nothing but mains; what the whole recording looks like."""
    name = header.path.name
    qualities: dict[str, ChannelQuality] = {}
    chosen = [source.signal for source in sources.values()], [source.scale for source in sources.values()]
    measured = measure(header, *chosen, pieces, block_s=signals.block_s)
    for electrode, quality in zip(sources, measured, strict=True):
        fault = fault_of(quality, signals.quality)
        if fault is None:
            qualities[electrode] = quality
            continue
        kind, value, limit = fault
        message = f"{name}: {electrode} is {kind} ({value:.3g}, limit {limit:.3g}); treated as missing"
        findings.add("bad_channel", message, action="skip", channel=electrode, value=f"{value:.3g}", expected=limit)
    if not qualities:
        raise reject("bad_channel", f"{name}: every electrode is flat, saturated or mains only")
    if signals.quality.white_noise == "skip" and looks_white(list(qualities.values())):
        message = f"{name}: every electrode has the flat spectrum of white noise; no EEG (signals.quality.white_noise)"
        raise reject("fixture", message)
    rms_uv = float(np.median([quality.std_uv for quality in qualities.values()]))
    low, high = signals.quality.plausible_low_uv, signals.quality.plausible_high_uv
    if not low <= rms_uv <= high:
        message = f"{name}: median RMS of {rms_uv:.3g} uV; is the unit right?"
        findings.add("amplitude_implausible", message, action="note", value=f"{rms_uv:.3g}", expected=f"{low}..{high}")
    return {electrode: sources[electrode] for electrode in qualities}
