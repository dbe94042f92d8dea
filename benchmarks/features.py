"""Log-FFT frames of one block of signal against a loop over its seconds.

The loop is the published one (`computeFFT` of github.com/tsy935/eeg-gnn-ssl, less the phase that nobody uses): the full
complex `scipy.fft.fft` of the electrodes of one second, in the float64 of its stored recordings.
"""

from typing import Any

import numpy as np
import scipy.fft

from benchmarks.comparing import compare
from pipeline.features import fft
from pipeline.settings.features import FeatureSettings
from pipeline.stages.features import BLOCK_SECONDS

ELECTRODES, RATE_HZ = 19, 200
TARGET = 5.0  # issue 2, acceptance 8
SETTINGS = FeatureSettings(kind="fft", floor_amplitude=1e-8)


def frames_by_second(signal: np.ndarray) -> np.ndarray:
    """(t, n, f) of `signal` (n, s), one second after another."""
    frames = []
    for start in range(0, signal.shape[1], RATE_HZ):
        spectrum = scipy.fft.fft(signal[:, start : start + RATE_HZ], n=RATE_HZ, axis=-1)
        amplitude = np.abs(spectrum[:, : RATE_HZ // 2])
        amplitude[amplitude == 0.0] = SETTINGS.floor_amplitude
        frames.append(np.log(amplitude))
    return np.stack(frames, axis=0)


def measure() -> list[dict[str, Any]]:
    """One row; both ways give the same frames."""
    signal = np.random.default_rng(0).normal(0, 30, (ELECTRODES, BLOCK_SECONDS * RATE_HZ)).astype(np.float32)
    exact = signal.astype(np.float64)
    np.testing.assert_allclose(fft.frames(signal, RATE_HZ, SETTINGS), frames_by_second(exact), atol=5e-3)
    return [
        compare(
            f"log-FFT frames, {BLOCK_SECONDS} s x {ELECTRODES} electrodes",
            lambda: fft.frames(signal, RATE_HZ, SETTINGS), lambda: frames_by_second(exact),
            target=TARGET, unit="block", repeats=15,
        )
    ]  # fmt: skip


if __name__ == "__main__":
    print(measure())
