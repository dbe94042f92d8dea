"""Raw samples as features (Tang et al. 2022, Table 4): the frame of a second holds its samples in µV.

In: samples (n, s). Out: (t, n, f) with f = samples per second, 200 at 200 Hz.
"""

import numpy as np

from pipeline.settings.features import FeatureSettings


def frames(signal: np.ndarray, rate_hz: float, settings: FeatureSettings) -> np.ndarray:
    """Frames (t, n, f) float32 of `signal` (n, s) in µV; a last second that is not whole is left out."""
    rate = round(rate_hz)
    n, seconds = signal.shape[0], signal.shape[1] // rate
    whole = signal[:, : seconds * rate].reshape(n, seconds, rate)
    return np.ascontiguousarray(whole.swapaxes(0, 1), dtype=np.float32)
