"""Writing plain EDF: 16 bit, ±3276.7 µV, one-second records, any number of rates (Kemp et al. 1992).

Bytes depend on the content alone: the start date is fixed and no library version is written.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PHYSICAL_UV = 3276.7
DIGITAL = 32767
START = ("01.01.15", "00.00.00")


@dataclass(frozen=True)
class Channel:
    """One signal: label as TUSZ writes it, samples in `unit`, and how many make a second."""

    label: str
    samples: NDArray[np.floating]
    rate_hz: int
    unit: str = "uV"


def write_edf(path: Path, channels: list[Channel], *, patient: str, recording: str) -> None:
    """Write the whole seconds of `channels`; `patient` and `recording` are the free header fields (80 characters)."""
    seconds = min(len(channel.samples) // channel.rate_hz for channel in channels)
    records = np.concatenate([_digital(channel)[:seconds] for channel in channels], axis=1)
    header = _header(channels, seconds, patient, recording)
    with open(path, "wb") as file:
        file.write(header)
        file.write(records.tobytes())


def _digital(channel: Channel) -> NDArray[np.int16]:
    """Samples as 16-bit numbers, one row a second."""
    whole = len(channel.samples) // channel.rate_hz
    scaled = np.rint(channel.samples[: whole * channel.rate_hz] * np.float32(DIGITAL / PHYSICAL_UV))
    return np.clip(scaled, -DIGITAL, DIGITAL).astype("<i2").reshape(whole, channel.rate_hz)


def _header(channels: list[Channel], seconds: int, patient: str, recording: str) -> bytes:
    n = len(channels)
    fixed = [
        ("0", 8), (patient, 80), (recording, 80), (START[0], 8), (START[1], 8),
        (str(256 * (n + 1)), 8), ("", 44), (str(seconds), 8), ("1", 8), (str(n), 4),
    ]  # fmt: skip
    columns: list[tuple[list[str], int]] = [
        ([channel.label for channel in channels], 16),
        ([""] * n, 80),
        ([channel.unit for channel in channels], 8),
        ([f"-{PHYSICAL_UV}"] * n, 8),
        ([f"{PHYSICAL_UV}"] * n, 8),
        ([f"-{DIGITAL}"] * n, 8),
        ([f"{DIGITAL}"] * n, 8),
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
