"""Log amplitude of the Fourier transform of one second (Tang et al. 2022, section 3.1 and appendix B).

In: samples (n, s) in µV. Out: one frame a second (t, n, f), f = the bins 0, 1, … Hz below Nyquist: 0-99 at 200 Hz.
f_k = ln |FFT(x)_k|, rectangular window, mean kept; an amplitude of exactly zero becomes `floor_amplitude` first.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft

from pipeline.settings.features import FeatureSettings

BLOCK_SECONDS = 32  # one block's spectra stay in the processor's cache: half a MB for 19 electrodes
WORKERS = min(4, os.cpu_count() or 1)  # blocks are independent: their number changes no value


def frames(signal: np.ndarray, rate_hz: float, settings: FeatureSettings) -> np.ndarray:
    """Frames (t, n, f) float32 of `signal` (n, s) in µV; a last second that is not whole is left out."""
    rate = round(rate_hz)
    n, seconds = signal.shape[0], signal.shape[1] // rate
    windows = signal[:, : seconds * rate].reshape(n, seconds, rate).swapaxes(0, 1)  # (t, n, samples of one second)
    made = np.empty((seconds, n, rate // 2), dtype=np.float32)

    def transform(worker: int) -> None:
        for start in range(worker * BLOCK_SECONDS, seconds, WORKERS * BLOCK_SECONDS):
            block = slice(start, start + BLOCK_SECONDS)
            log_amplitude(windows[block], settings.floor_amplitude, out=made[block])

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(transform, range(WORKERS)))
    return made


def log_amplitude(windows: np.ndarray, floor: float, *, out: np.ndarray) -> None:
    """ln |FFT| of the last axis of `windows`, without the Nyquist bin, into `out` (float32)."""
    spectrum = scipy.fft.rfft(np.asarray(windows, dtype=np.float32), axis=-1)
    np.abs(spectrum[..., : out.shape[-1]], out=out)
    out[out == 0.0] = floor
    np.log(out, out=out)
