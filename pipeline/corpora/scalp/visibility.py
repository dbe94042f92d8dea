"""Labels from what can be seen, not from hidden truth (spec simulator.md, section 7).

A derivation is ictal while the seizure's amplitude there stands out against the background's. An expert could see the
same; where a seizure is too weak to be seen there is no label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.records import Event
from pipeline.corpora.scalp.head import electrode_index
from pipeline.signals.montages import electrodes_of

Array = NDArray[np.floating]
STARTS_ABOVE = 0.7  # of the ratio seizure/background, 1-s RMS
ENDS_BELOW = 0.4
SHORTEST_S = 2.0  # of a derivation's label
SHORTEST_EVENT_S = 10.0  # of the whole seizure; absences may be shorter
JOINED_S = 2.0  # labels of one seizure on one derivation that are nearer than this are one
STEP_S = 0.1  # the ratio is looked at ten times a second
NO_MINIMUM = ("absz",)


@dataclass(frozen=True)
class Truth:
    """When a seizure went on, unseen: its code, and the seconds in which its discharge exists."""

    code: str
    onset_s: float
    offset_s: float


def label_seizures(
    seizure: Array, background: Array, rate_hz: int, truths: list[Truth], derivations: tuple[str, ...]
) -> list[Event]:
    """Events per derivation, sorted by onset; `seizure`, `background` (21, n) in µV, unreferenced or referenced."""
    step = int(STEP_S * rate_hz)
    ratio = _ratio(seizure, background, rate_hz, step, derivations)
    found: list[Event] = []
    for truth in truths:
        first, last = int(truth.onset_s * rate_hz / step), int(np.ceil(truth.offset_s * rate_hz / step)) + 1
        spans = [_visible_spans(row, first, last, step / rate_hz) for row in ratio]
        shortest = 0.0 if truth.code in NO_MINIMUM else SHORTEST_EVENT_S
        whole = [piece for piece in united([span for own in spans for span in own]) if piece[1] - piece[0] >= shortest]
        found += [
            Event(onset_s=round(start, 4), offset_s=round(stop, 4), code=truth.code, channel=name)
            for name, own in zip(derivations, spans, strict=True)
            for start, stop in own
            if any(piece[0] <= start and stop <= piece[1] for piece in whole)
        ]
    return sorted(found, key=lambda event: (event.onset_s, event.offset_s, event.channel))


def _ratio(seizure: Array, background: Array, rate_hz: int, step: int, derivations: tuple[str, ...]) -> Array:
    """Ratio (derivation, time in steps) of the RMS in one second around each step."""
    plus, minus = zip(*(map(electrode_index, electrodes_of(name)) for name in derivations), strict=True)
    powers = [
        _smooth_power(signal[list(plus)] - signal[list(minus)], rate_hz, step) for signal in (seizure, background)
    ]
    return np.sqrt(powers[0] / np.maximum(powers[1], 1e-12))


def _smooth_power(signal: Array, rate_hz: int, step: int) -> Array:
    """Mean power (rows, steps) within half a second on either side of the begin of each step."""
    n = signal.shape[1]
    sums = np.zeros((signal.shape[0], n + 1))
    np.cumsum(signal**2, axis=1, out=sums[:, 1:])
    centres = np.arange(0, n, step)
    low, high = np.maximum(centres - rate_hz // 2, 0), np.minimum(centres + rate_hz // 2, n)
    return (sums[:, high] - sums[:, low]) / (high - low)


def _visible_spans(ratio: Array, first: int, last: int, step_s: float) -> list[tuple[float, float]]:
    """Spans in seconds within steps [first, last): from above 0.7 until below 0.4, joined, none under two seconds."""
    spans: list[tuple[float, float]] = []
    start: int | None = None
    last = min(last, len(ratio))
    for place in range(first, last):
        if start is None and ratio[place] > STARTS_ABOVE:
            start = place
        elif start is not None and ratio[place] < ENDS_BELOW:
            spans.append((start * step_s, place * step_s))
            start = None
    if start is not None:
        spans.append((start * step_s, (last - 1) * step_s))
    return [(start_s, stop_s) for start_s, stop_s in united(spans, gap_s=JOINED_S) if stop_s - start_s >= SHORTEST_S]


def united(spans: list[tuple[float, float]], *, gap_s: float = 0.0) -> list[tuple[float, float]]:
    """The union of spans, in order; those at most `gap_s` apart become one."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        if merged and start - merged[-1][1] <= gap_s:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged
