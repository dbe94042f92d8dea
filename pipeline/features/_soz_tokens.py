"""Tokens of one clip: log energy of each channel, band and second, compared between channels (spec soz.md, section 2).

In: the channels of a clip (c, s) at 512 Hz, with a margin at both ends or without. Out: tokens (c, 32, 35), robust z;
level (c, 32), mean log energy. Nothing absolute enters the tokens: a signal in volts gives those of one in microvolts.

Axes: c channel, k band, t second, s sample.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal

from pipeline.features.wpt import packets
from pipeline.settings.soz_data import SozTokens

MAD_TO_SD = 1.4826  # of a normal distribution
NOTCH_Q = 30.0  # 2 Hz wide at 60 Hz


@dataclass(frozen=True)
class ClipTokens:
    """What the store holds of a clip: tokens (c, k, t), level (c, k) float32, valid (c,). Invalid rows, bands are 0."""

    tokens: np.ndarray
    level: np.ndarray
    valid: np.ndarray


def usable_bands(recorded_hz: float, *, rate_hz: float, bands: int) -> np.ndarray:
    """(k,) bands that begin below the Nyquist frequency of the recording; the others hold nothing that was recorded."""
    return np.arange(bands) * rate_hz / (2 * bands) < recorded_hz / 2


def without_mains(signal: np.ndarray, mains_hz: float, *, rate_hz: float) -> np.ndarray:
    """Channels (c, s) with a notch at the mains frequency and each harmonic, without delay; float32."""
    harmonics = np.arange(mains_hz, rate_hz / 2, mains_hz)
    sections = [scipy.signal.tf2sos(*scipy.signal.iirnotch(f, NOTCH_Q, rate_hz)) for f in harmonics]
    return scipy.signal.sosfiltfilt(np.concatenate(sections), signal, axis=-1).astype(np.float32)


def energies(signal: np.ndarray, settings: SozTokens, *, rate_hz: int, margin: int) -> np.ndarray:
    """Energy (c, k, t) of each band and frame of channels (c, s), of which `margin` samples are cropped at both ends.

    The mean square of a frame's coefficients in band k. Of white noise all bands have its variance.
    """
    bands, frame = 1 << settings.level, rate_hz * settings.frame_s
    if settings.source == "bandpower":
        return _spectral(signal[:, margin : signal.shape[1] - margin], bands, frame)
    c = packets(signal, wavelet=settings.wavelet, level=settings.level)  # c k coefficients
    spare, per_frame = margin // bands, frame // bands
    kept = c[..., spare : c.shape[-1] - spare]
    kept = kept.reshape(*kept.shape[:-1], -1, per_frame)  # c k (t u) -> c k t u
    return np.einsum("cktu,cktu->ckt", kept, kept) / per_frame


def _spectral(signal: np.ndarray, bands: int, frame: int) -> np.ndarray:
    """The same bands by the periodogram of each frame (Hann taper), scaled alike: the ablation."""
    taper = scipy.signal.windows.hann(frame, sym=False).astype(np.float32)
    framed = signal.reshape(len(signal), -1, frame)  # c (t s) -> c t s
    power = np.abs(scipy.fft.rfft(framed * taper, axis=-1)[..., :-1]) ** 2
    banded = power.reshape(*power.shape[:-1], bands, -1).mean(axis=-1)  # c t (k f) -> c t k
    return banded.swapaxes(1, 2) / np.square(taper).sum()


def clip_tokens(energy: np.ndarray, valid: np.ndarray, usable: np.ndarray, *, floor_share: float) -> ClipTokens:
    """Tokens and levels from energies (c, k, t); `valid` (c,), `usable` (k,).

    log(e + floor_share * median of e over the channel's usable bands and frames), then robust z by median and MAD of
    each band over the frames of all valid channels; where the MAD is 0, z is 0. A channel of which more than half is
    silent has no median: its mean takes the place; one that is silent altogether is not valid.
    """
    chosen = energy[:, usable].astype(np.float64)
    middle, mean = np.median(chosen, axis=(1, 2)), chosen.mean(axis=(1, 2))
    valid = valid & (mean > 0)
    scale = np.where(middle > 0, middle, mean)
    log = np.log(chosen[valid] + floor_share * scale[valid, None, None])  # v k t
    centre = np.median(log, axis=(0, 2), keepdims=True) if valid.any() else np.zeros((1, usable.sum(), 1))
    spread = MAD_TO_SD * np.median(np.abs(log - centre), axis=(0, 2), keepdims=True) if valid.any() else centre
    z = np.divide(log - centre, spread, out=np.zeros_like(log), where=spread > 0)
    tokens, level = np.zeros(energy.shape, np.float32), np.zeros(energy.shape[:2], np.float32)
    tokens[np.ix_(valid, usable)] = z
    level[np.ix_(valid, usable)] = log.mean(axis=2)
    return ClipTokens(tokens, level, valid)
