"""Building blocks in time: shaped noise, oscillations with drifting frequency, windows, event times."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.floating]
VISIBLE_HZ = (0.5, 40.0)  # the band in which amplitudes are stated


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened, for the hidden truth."""

    kind: str
    start_s: float
    stop_s: float
    electrodes: tuple[str, ...] = ()


def shaped_noise(draw: np.random.Generator, rows: int, n: int, rate_hz: int, shape: Array) -> Array:
    """Noise (rows, n) float32 whose amplitude spectrum is `shape` (n // 2 + 1,), of RMS one within 0.5-40 Hz."""
    frequencies = fft.rfftfreq(n, 1 / rate_hz)
    band = (frequencies >= VISIBLE_HZ[0]) & (frequencies <= VISIBLE_HZ[1])
    scale = n / (2 * np.sqrt((shape[band] ** 2).sum()))  # var = 4 Σ s² / n² for unit real and imaginary parts
    spectrum = draw.standard_normal((rows, len(shape), 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectrum *= (scale * shape).astype(np.float32)
    return fft.irfft(spectrum, n, axis=1)


def pink_shape(n: int, rate_hz: int, exponent: float) -> Array:
    """Amplitude spectrum (n // 2 + 1,): f^-exponent, level below 0.7 Hz and cut below 0.3 Hz like an amplifier."""
    frequencies = fft.rfftfreq(n, 1 / rate_hz)
    return np.maximum(frequencies, 0.7) ** -exponent * (frequencies**2 / (frequencies**2 + 0.3**2))


def band_noise(draw: np.random.Generator, n: int, rate_hz: int, low_hz: float, high_hz: float, rows: int = 1) -> Array:
    """Noise (rows, n) with a smooth pass band, of RMS one."""
    length = fft.next_fast_len(n, real=True)
    frequencies = fft.rfftfreq(length, 1 / rate_hz)
    top = min(high_hz, 0.45 * rate_hz)
    shape = 1 / np.sqrt((1 + (low_hz / np.maximum(frequencies, 1e-3)) ** 8) * (1 + (frequencies / top) ** 8))
    spectrum = draw.standard_normal((rows, len(shape), 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectrum *= (shape * length / (2 * np.sqrt((shape**2).sum()))).astype(np.float32)
    return fft.irfft(spectrum, length, axis=1)[:, :n]


def phase_of(draw: np.random.Generator, path_hz: Array, rate_hz: float, *, jitter_hz: float) -> Array:
    """Phase (n,) in radians of an oscillation with frequency path (n,) and slow random jitter around it."""
    n = len(path_hz)
    knots = draw.normal(0.0, jitter_hz, max(2, int(2 * n / rate_hz) + 2))  # two a second
    wander = np.interp(np.arange(n) * (len(knots) - 1) / n, np.arange(len(knots)), knots)
    return draw.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(path_hz + wander) / rate_hz


def tapered(n: int, rate_hz: int, edge_s: float) -> Array:
    """Window (n,) of ones with raised-cosine edges."""
    edge = max(1, min(int(edge_s * rate_hz), n // 2))
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    window = np.ones(n)
    window[:edge] *= ramp
    window[n - edge :] *= ramp[::-1]
    return window


def telegraph(draw: np.random.Generator, n: int, rate_hz: int, *, on_s: float, off_s: float) -> Array:
    """Envelope (n,) that switches between 0 and 1 at random, with edges of half a second."""
    total_s, time, times, levels, on = n / rate_hz, 0.0, [0.0], [0.0], bool(draw.random() < on_s / (on_s + off_s))
    levels[0] = float(on)
    while time < total_s:
        time += float(draw.exponential(on_s if on else off_s)) + 0.6
        times += [time, time + 0.5]
        levels += [float(on), float(not on)]
        on = not on
    return np.interp(np.arange(n) / rate_hz, times, levels)


def random_spans(
    draw: np.random.Generator, expected: float, duration_s: tuple[float, float], total_s: float
) -> Iterator[tuple[float, float]]:
    """Start and stop of a Poisson number of events, uniform in time and in duration."""
    for _ in range(draw.poisson(expected)):
        duration = min(float(draw.uniform(*duration_s)), total_s / 2)
        start = float(draw.uniform(0.0, total_s - duration))
        yield start, start + duration
