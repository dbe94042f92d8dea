"""Log amplitude of the Fourier transform of one second (Tang et al. 2022, section 3.1 and appendix B).

In: samples (n, s) in µV. Out: one frame a second (t, n, f), f = the bins 0, 1, … Hz below Nyquist: 0-99 at 200 Hz.
f_k = ln |FFT(x)_k|, rectangular window, mean kept; an amplitude of exactly zero becomes `floor_amplitude` first.
"""

import numpy as np
import scipy.fft

from pipeline.settings.features import FeatureSettings

BLOCK_SECONDS = 64  # one block's spectra stay in the processor's cache: about 1 MB for 19 electrodes


def frames(signal: np.ndarray, rate_hz: float, settings: FeatureSettings) -> np.ndarray:
    """Frames (t, n, f) float32 of `signal` (n, s) in µV; a last second that is not whole is left out."""
    rate = round(rate_hz)
    n, seconds, bins = signal.shape[0], signal.shape[1] // rate, rate // 2
    made = np.empty((seconds, n, bins), dtype=np.float32)
    for start in range(0, seconds, BLOCK_SECONDS):
        block = signal[:, start * rate : (start + BLOCK_SECONDS) * rate]
        block = block[:, : block.shape[1] // rate * rate].reshape(n, -1, rate).swapaxes(0, 1)
        spectrum = scipy.fft.rfft(np.ascontiguousarray(block, dtype=np.float32), axis=-1)
        _log_amplitude(spectrum[..., :bins], settings.floor_amplitude, out=made[start : start + BLOCK_SECONDS])
    return made


def _log_amplitude(spectrum: np.ndarray, floor: float, *, out: np.ndarray) -> None:
    np.abs(spectrum, out=out)
    out[out == 0.0] = floor
    np.log(out, out=out)
