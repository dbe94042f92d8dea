"""One clip as the report shows it: samples, annotation and what the model used, all on the clip's own clock."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

BAND_HZ = (1.0, 40.0)  # for the eye, without mains; the model sees the unfiltered signal


@dataclass(frozen=True)
class Span:
    """An annotated event: a derivation or `TERM` (the whole recording), seconds since the clip's start."""

    channel: str
    onset_s: float
    offset_s: float
    code: str


@dataclass(frozen=True)
class ClipView:
    """A clip of `length_s` seconds; `signal` (n, s) in µV, `occlusion` (n, t) scaled to [0, 1] within the clip."""

    clip: str
    patient: str
    signal: NDArray[np.float32]
    rate_hz: float
    electrodes: list[str]
    length_s: int
    spans: list[Span] = field(default_factory=list)
    occlusion: NDArray[np.floating] | None = None
    weights: NDArray[np.floating] | None = None  # (n, n) of the graph the model saw
    code: str = ""
    probability: float | None = None
    localisation: float | None = None
    why: str = ""  # why this clip is shown
    breaks_s: tuple[int, ...] = ()  # where one map ends and the next, scaled by itself, begins
    first_s: int = 0  # second of the clip with which this part of it begins


def for_display(signal: NDArray[np.floating], rate_hz: float) -> NDArray[np.float64]:
    """Filter traces (n, s) to 1-40 Hz without phase shift; samples that are not finite become zero."""
    clean = np.nan_to_num(np.asarray(signal, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = BAND_HZ
    stop = [low, min(high, 0.45 * rate_hz)]
    if clean.shape[-1] < 30:  # shorter than the filter's own padding
        return clean - clean.mean(axis=-1, keepdims=True)
    sections = butter(2, stop, btype="bandpass", fs=rate_hz, output="sos")
    centred = clean - np.median(clean, axis=-1, keepdims=True)
    return np.asarray(sosfiltfilt(sections, centred, axis=-1), dtype=np.float64)
