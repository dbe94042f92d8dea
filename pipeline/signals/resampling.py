"""Another sampling rate: by polyphase filter, streamed in blocks, or by FFT over the whole record as published.

Both give `seconds * rate` samples for a record of whole seconds. The polyphase filter is that of
`scipy.signal.resample_poly` (Kaiser window, beta 5, 10 samples of the lower rate to each side) but for a gain of
exactly one at 0 Hz; the record is continued beyond its ends by its first and last sample, so that an offset leaves no
step there.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
import scipy.fft
import scipy.signal

HALF_WIDTH = 10  # samples of the lower rate to each side (scipy.signal.resample_poly)
KAISER_BETA = 5.0  # the same
MAX_FACTOR = 50_000  # beyond this the ratio is rounded: less than 1e-9 of it, 40 µs in a day


def rate_ratio(rate_hz: Fraction, target_hz: float) -> Fraction:
    """Target rate over rate, e.g. 25/32 from 256 to 200 Hz; rates need not be whole numbers (399.832 Hz)."""
    ratio = Fraction(str(target_hz)) / rate_hz
    rounded = ratio.limit_denominator(MAX_FACTOR)
    return rounded if rounded > 0 else ratio


@cache
def _filter(up: int, down: int) -> np.ndarray:
    """Taps of the anti-aliasing low-pass filter at `up` times the rate; float32.

    Each of the `up` phases is scaled to sum to one. As scipy leaves them, a constant of 5 mV (electrode offset) turns
    into 2 µV at 50 Hz when 250 Hz become 200.
    """
    widest = max(up, down)
    taps = scipy.signal.firwin(2 * HALF_WIDTH * widest + 1, 1.0 / widest, window=("kaiser", KAISER_BETA))
    phases = np.arange(len(taps)) % up
    return (taps / np.bincount(phases, weights=taps)[phases]).astype(np.float32)


def polyphase(
    read: Callable[[int, int], np.ndarray], n_samples: int, ratio: Fraction, first: int, stop: int
) -> np.ndarray:  # fmt: skip
    """Samples (n, first..stop) of the resampled record, float32, from the input that they need and no more.

    Parameters
    ----------
    read
        Input samples (n, low..high), float32; asked only within 0..n_samples.
    n_samples
        Length of the whole input.
    ratio
        Output rate over input rate.
    first, stop
        Range of output samples; output sample m lies at the time of input sample m / ratio.
    """
    if ratio == 1:
        return read(first, stop)
    up, down = ratio.numerator, ratio.denominator
    taps = _filter(up, down)
    half = len(taps) // 2
    low = -((half - first * down) // up)  # ceil((first * down - half) / up): the first input sample within reach
    high = ((stop - 1) * down + half) // up + 1
    inside = read(max(low, 0), min(high, n_samples))
    padded = np.pad(inside, ((0, 0), (max(-low, 0), max(high - n_samples, 0))), mode="edge")
    # Output m is at m * down on the fine grid, input k at k * up. Zeros before the taps bring the first output that is
    # wanted onto a multiple of `down` counted from the first input sample handed over.
    shift = first * down - low * up + half
    lead = -shift % down
    skipped = (shift + lead) // down
    filtered = scipy.signal.upfirdn(np.concatenate([np.zeros(lead, np.float32), taps]), padded, up, down)
    return filtered[:, skipped : skipped + stop - first]


def by_fft(signal: np.ndarray, n_out: int) -> np.ndarray:
    """Band-limited resampling of a whole record (s,) to `n_out` samples, as `scipy.signal.resample`; float32.

    The mean is taken out and put back, for the sake of rounding; the transforms are in float64.
    """
    n_in = len(signal)
    if n_in == n_out:
        return signal.astype(np.float32)
    mean = float(signal.mean(dtype=np.float64))
    spectrum = scipy.fft.rfft(signal.astype(np.float64) - mean)
    kept = min(n_in, n_out)
    spectrum = spectrum[: kept // 2 + 1].copy()
    if kept % 2 == 0:  # the bin at the lower Nyquist frequency stands for both signs
        spectrum[kept // 2] *= 2.0 if n_out < n_in else 0.5
    resampled = scipy.fft.irfft(spectrum, n_out) * (n_out / n_in)
    return (resampled + mean).astype(np.float32)
