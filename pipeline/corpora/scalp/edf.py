"""Writing plain EDF: 16 bit, one-second records, any number of rates (Kemp et al. 1992).

Bytes depend on the content alone: the start date is fixed and no library version is written.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

START_DATE = "01.01.15"


@dataclass(frozen=True)
class Scale:
    """Limits of a signal: physical ones as the header's text, in the signal's unit, and the digital ones."""

    physical: tuple[str, str]
    digital: tuple[int, int]


@dataclass(frozen=True)
class Channel:
    """One signal: label as TUSZ writes it, samples in `unit`, and how many make a second. `scale` None: the file's."""

    label: str
    samples: NDArray[np.floating]
    rate_hz: int
    unit: str = "uV"
    scale: Scale | None = None


@dataclass(frozen=True)
class FileFields:
    """What a file says beside its signals: two free header fields (80 characters), clock `hh.mm.ss`, usual limits."""

    patient: str
    recording: str
    clock: str
    scale: Scale


def write_edf(path: Path, channels: list[Channel], fields: FileFields) -> None:
    """Write the whole seconds of `channels`."""
    seconds = min(len(channel.samples) // channel.rate_hz for channel in channels)
    scales = [channel.scale or fields.scale for channel in channels]
    digital = [_digital(channel, scale)[:seconds] for channel, scale in zip(channels, scales, strict=True)]
    records = np.concatenate(digital, axis=1)
    header = _header(channels, scales, seconds, fields)
    with open(path, "wb") as file:
        file.write(header)
        file.write(records.tobytes())


def _digital(channel: Channel, scale: Scale) -> NDArray[np.int16]:
    """Samples as 16-bit numbers, one row a second. A scale of equal limits has room for nothing but its limit."""
    whole = len(channel.samples) // channel.rate_hz
    (low, high), (bottom, top) = map(float, scale.physical), scale.digital
    gain = (top - bottom) / (high - low)
    scaled = channel.samples[: whole * channel.rate_hz] * np.float32(gain) + np.float32(bottom - low * gain)
    return np.clip(np.rint(scaled), bottom, top).astype("<i2").reshape(whole, channel.rate_hz)


def _header(channels: list[Channel], scales: list[Scale], seconds: int, of: FileFields) -> bytes:
    n = len(channels)
    fixed = [
        ("0", 8), (of.patient, 80), (of.recording, 80), (START_DATE, 8), (of.clock, 8),
        (str(256 * (n + 1)), 8), ("", 44), (str(seconds), 8), ("1", 8), (str(n), 4),
    ]  # fmt: skip
    columns: list[tuple[list[str], int]] = [
        ([channel.label for channel in channels], 16),
        ([""] * n, 80),
        ([channel.unit for channel in channels], 8),
        ([scale.physical[0] for scale in scales], 8),
        ([scale.physical[1] for scale in scales], 8),
        ([str(scale.digital[0]) for scale in scales], 8),
        ([str(scale.digital[1]) for scale in scales], 8),
        ([""] * n, 80),
        ([str(channel.rate_hz) for channel in channels], 8),
        ([""] * n, 32),
    ]
    fields = fixed + [(text, width) for texts, width in columns for text in texts]
    return b"".join(_padded(text, width) for text, width in fields)


def _padded(text: str, width: int) -> bytes:
    if len(text) > width:
        raise ValueError(f"EDF header: {text!r} is longer than {width} characters")
    return text.encode("ascii").ljust(width)
