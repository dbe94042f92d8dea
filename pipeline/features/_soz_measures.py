"""Plain measures of each channel of a clip, which the baselines rank contacts by (spec soz.md, section 7).

line_length in µV/s; spike_rate and hfo_rate in events a minute; high_gamma_ratio, ln of the energy of 80-152 Hz over
that of 0-32 Hz. Events stand out from the channel's own background, so that no unit and no amplitude is asked for.
"""

import numpy as np
import scipy.fft

from pipeline.features._soz_tokens import MAD_TO_SD

MEASURES = ["line_length", "spike_rate", "hfo_rate", "high_gamma_ratio"]
SPIKE_HZ = (10.0, 60.0)  # Janca et al. 2015
HFO_HZ = (80.0, 250.0)  # ripples
TOP_SHARE = 0.45  # of the recorded rate: nothing above is trusted
EVENT_SD = 5.0  # robust deviations of the envelope above its median; Gaussian noise: about 0.1 a minute
SPIKE_S, HFO_S = 0.0, 0.02  # the least length: two cycles at 100 Hz
APART_S = 0.1  # events closer than this are one
BACKGROUND_STEP = 4  # every fourth sample of an envelope is enough for its median
GAMMA_HZ, LOW_HZ = (80.0, 152.0), (0.0, 32.0)  # whole bands, off the mains at 60 Hz and below


def channel_measures(
    signal: np.ndarray, energy: np.ndarray, *, rate_hz: float, recorded_hz: float, margin: int
) -> dict[str, np.ndarray]:
    """MEASURES (c,) of channels (c, s), of which `margin` samples at both ends do not count; energy (c, k, t).

    NaN where the recorded rate does not hold the band.
    """
    kept = slice(margin, signal.shape[1] - margin)
    held_hz = min(recorded_hz, rate_hz)
    top = min(HFO_HZ[1], TOP_SHARE * held_hz)
    spectrum = scipy.fft.rfft(signal, axis=-1)
    minutes = (kept.stop - kept.start) / rate_hz / 60
    unknown = np.full(len(signal), np.nan)

    def rate(band_hz: tuple[float, float], least_s: float) -> np.ndarray:
        envelope = _envelope(spectrum, band_hz, n=signal.shape[1], rate_hz=rate_hz)[:, kept]
        return _events(envelope, round(least_s * rate_hz), round(APART_S * rate_hz)) / minutes

    return {
        "line_length": np.abs(np.diff(signal[:, kept], axis=1)).mean(axis=1, dtype=np.float64) * rate_hz,
        "spike_rate": rate(SPIKE_HZ, SPIKE_S),
        "hfo_rate": rate((HFO_HZ[0], top), HFO_S) if top > HFO_HZ[0] else unknown,
        "high_gamma_ratio": _high_gamma(energy, rate_hz) if GAMMA_HZ[1] <= held_hz / 2 else unknown,
    }


def _high_gamma(energy: np.ndarray, rate_hz: float) -> np.ndarray:
    """ln of the ratio of mean energies (c,) of two ranges of bands; NaN for a silent channel."""
    bands = energy.shape[1]
    low_edge = np.arange(bands) * rate_hz / (2 * bands)
    means = [energy[:, (low_edge >= low) & (low_edge < high)].mean(axis=(1, 2), dtype=np.float64)
             for low, high in (GAMMA_HZ, LOW_HZ)]  # fmt: skip
    ratio = np.divide(means[0], means[1], out=np.full(len(energy), np.nan), where=means[1] > 0)
    return np.log(ratio, out=np.full(len(energy), np.nan), where=ratio > 0)


def _envelope(spectrum: np.ndarray, band_hz: tuple[float, float], *, n: int, rate_hz: float) -> np.ndarray:
    """Amplitude (c, s) of the analytic signal within a band, from the half spectrum of real channels of n samples."""
    f = np.arange(spectrum.shape[1]) * rate_hz / n
    inside = (f >= band_hz[0]) & (f < band_hz[1])
    analytic = np.zeros((len(spectrum), n), spectrum.dtype)
    analytic[:, : spectrum.shape[1]] = np.where(inside, 2 * spectrum, 0)
    return np.abs(scipy.fft.ifft(analytic, axis=-1, overwrite_x=True))


def _events(envelope: np.ndarray, least: int, apart: int) -> np.ndarray:
    """How often (c,) the envelope rises above its own background for at least `least` samples; near events are one."""
    some = np.ascontiguousarray(envelope[:, ::BACKGROUND_STEP])
    middle = np.median(some, axis=1, keepdims=True)
    spread = MAD_TO_SD * np.median(np.abs(some - middle), axis=1, keepdims=True)
    above = (envelope > middle + EVENT_SD * spread) & (spread > 0)
    edges = np.diff(np.pad(above, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    stop = np.nonzero(edges == -1)[1]
    long = stop - start >= max(least, 1)
    row, start, stop = row[long], start[long], stop[long]
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (start[1:] - stop[:-1] >= apart)
    return np.bincount(row[new], minlength=len(envelope)).astype(np.float64)
