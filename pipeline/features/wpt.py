"""Wavelet packets: the signal split into 2 ** level bands of equal width (spec soz.md, section 2).

`packets` transforms any number of signals at once. `frames` makes features of one second each of it, for the rules
that the log-FFT features have, too: f_k = ln of the root mean square of a second's coefficients in band k.
"""

import numpy as np
import pywt

from pipeline.settings.features import FeatureSettings

MODE = "periodization"  # orthogonal: as many coefficients as samples, and the energy is kept
BLOCK_SECONDS = 256  # 19 electrodes: 4 MB, which stays near the processor's cache


def packets(signal: np.ndarray, *, wavelet: str, level: int) -> np.ndarray:
    """Coefficients (..., 2 ** level, s / 2 ** level) of signals (..., s), in the order of frequency.

    Band k of K = 2 ** level holds the frequencies [k, k + 1) times the Nyquist frequency / K. All signals and nodes of
    a level are transformed in one call, along the last axis.

    Raises ValueError where s is no multiple of 2 ** level: periodization would repeat a sample, and energy be gained.
    """
    bands = 1 << level
    if signal.shape[-1] % bands:
        raise ValueError(f"{signal.shape[-1]} samples are no multiple of {bands}")
    nodes = signal[..., None, :]  # (..., 1, s)
    for _ in range(level):
        pair = np.stack(pywt.dwt(nodes, wavelet, MODE, axis=-1), axis=-2)  # (..., m, 2, s'): low, high
        nodes = pair.reshape(*pair.shape[:-3], 2 * pair.shape[-3], pair.shape[-1])  # (..., m, 2, s') -> (..., 2m, s')
    return nodes[..., frequency_order(bands), :]


def frequency_order(bands: int) -> np.ndarray:
    """Which node of the tree (low before high) holds band k: k ^ (k >> 1), as a high pass mirrors what is below it."""
    k = np.arange(bands)
    return k ^ (k >> 1)


def frames(signal: np.ndarray, rate_hz: float, settings: FeatureSettings) -> np.ndarray:
    """Frames (t, n, f) float32 of `signal` (n, s) in µV; a last second that is not whole is left out.

    Each second is transformed by itself. It is reflected at both ends to a multiple of 2 ** level samples (at 200 Hz
    from 200 to 224), and the mean is over all coefficients of a band. Scaling a signal by c adds ln c, as for log-FFT.
    """
    assert settings.wavelet is not None  # FeatureSettings: of kind wpt
    assert settings.level is not None
    rate, bands = round(rate_hz), 1 << settings.level
    n, seconds = signal.shape[0], signal.shape[1] // rate
    windows = signal[:, : seconds * rate].reshape(n, seconds, rate).swapaxes(0, 1)  # (t, n, samples of one second)
    spare = -rate % bands
    made = np.empty((seconds, n, bands), dtype=np.float32)
    for start in range(0, seconds, BLOCK_SECONDS):
        block = np.asarray(windows[start : start + BLOCK_SECONDS], dtype=np.float32)
        padded = np.pad(block, ((0, 0), (0, 0), (spare // 2, spare - spare // 2)), mode="reflect")
        c = packets(padded, wavelet=settings.wavelet, level=settings.level)  # (t, n, f, coefficients)
        amplitude = np.sqrt(np.einsum("tnfs,tnfs->tnf", c, c) / c.shape[-1])
        amplitude[amplitude == 0.0] = settings.floor_amplitude
        np.log(amplitude, out=made[start : start + len(block)])
    return made
