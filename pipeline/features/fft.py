"""Log amplitude of the Fourier transform of one second (Tang et al. 2022, section 3.1 and appendix B).

In: samples (n, s) in µV. Out: one frame a second (t, n, f), f = the bins 0, 1, … Hz below Nyquist: 0-99 at 200 Hz.
f_k = ln |FFT(x)_k|, rectangular window, mean kept; an amplitude of exactly zero becomes `floor_amplitude` first.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft

from pipeline.settings.features import FeatureSettings

BLOCK_SECONDS = 128  # larger leaves the processor's cache, smaller has the threads wait for one another
WORKERS = min(4, os.cpu_count() or 1)  # blocks are independent: their number changes no value


def frames(signal: np.ndarray, rate_hz: float, settings: FeatureSettings) -> np.ndarray:
    """Frames (t, n, f) float32 of `signal` (n, s) in µV; a last second that is not whole is left out."""
    rate = round(rate_hz)
    n, seconds = signal.shape[0], signal.shape[1] // rate
    windows = signal[:, : seconds * rate].reshape(n, seconds, rate).swapaxes(0, 1)  # (t, n, samples of one second)
    made = np.empty((seconds, n, rate // 2), dtype=np.float32)
    workers = max(1, min(WORKERS, seconds // BLOCK_SECONDS))

    def transform(worker: int) -> None:
        amplitude = np.empty((BLOCK_SECONDS, n, rate // 2 + 1), dtype=np.float32)  # of all blocks: no new memory each
        for start in range(worker * BLOCK_SECONDS, seconds, workers * BLOCK_SECONDS):
            block = slice(start, start + BLOCK_SECONDS)
            log_amplitude(windows[block], settings.floor_amplitude, amplitude, out=made[block])

    if workers == 1:
        transform(0)
        return made
    with ThreadPoolExecutor(workers - 1) as pool:
        others = [pool.submit(transform, worker) for worker in range(1, workers)]
        transform(0)  # this thread works too: the pool wakes one fewer
        for other in others:
            other.result()
    return made


def log_amplitude(windows: np.ndarray, floor: float, scratch: np.ndarray, *, out: np.ndarray) -> None:
    """ln |FFT| of the last axis of `windows` (t, n, s), without the Nyquist bin, into `out` (float32).

    `scratch` (>= t, n, s // 2 + 1) float32 takes the amplitudes of every bin: whole arrays go faster than rows less
    their last bin.
    """
    spectrum = scipy.fft.rfft(np.asarray(windows, dtype=np.float32), axis=-1)
    amplitude = np.abs(spectrum, out=scratch[: len(windows)])
    amplitude[amplitude == 0.0] = floor
    np.log(amplitude[..., : out.shape[-1]], out=out)
