"""A corpus of many short EDFs with real bytes, in the layout of TUSZ v1.5.2: coloured noise of its own in every file.

Nothing in it is like a patient's EEG; what counts is that headers, annotations and samples are read, checked, resampled
and turned into features as those of a real corpus are.
"""

from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from tests.workflow.made_up_tusz import ELECTRODES, RATE_HZ, Made, annotations, places, write_edf

TEST_SHARE, OF_A_PATIENT = 1 / 6, 3  # recordings of a patient
POOL_S = 600
SEIZURE_S = 20.0
CODES = ("fnsz", "gnsz", "absz", "tcsz")


def make_short_edfs(root: Path, *, count: int, duration_s: int, seed: int = 0) -> list[Made]:
    """Write `count` recordings of `duration_s` below `root`/edf; every second patient has seizures. What was made."""
    rng = np.random.default_rng(seed)
    made = [_recording(number, count, duration_s) for number in range(count)]
    pool = _noise(rng, POOL_S + duration_s)
    for path, one in places(root, made):
        path.parent.mkdir(parents=True, exist_ok=True)
        at = rng.integers(POOL_S * RATE_HZ)
        own = pool[:, at : at + duration_s * RATE_HZ] * rng.uniform(0.7, 1.3)
        write_edf(path, duration_s, np.rint(10 * (own + rng.standard_normal(own.shape))))
        path.with_suffix(".tse").write_text(annotations(one))
    return made


def _recording(number: int, count: int, duration_s: int) -> Made:
    patient = number // OF_A_PATIENT
    tested = number >= round(count * (1 - TEST_SHARE))
    onset_s = 0.4 * duration_s
    ill = ((onset_s, min(onset_s + SEIZURE_S, duration_s - 1.0), CODES[patient // 2 % len(CODES)]),)
    return Made("dev" if tested else "train", f"{patient + 5000 * tested:08d}", duration_s, () if patient % 2 else ill)


def _noise(rng: np.random.Generator, seconds: int) -> np.ndarray:
    """µV (n, s): noise that falls with frequency as EEG does, electrodes alike in part."""
    white = rng.standard_normal((len(ELECTRODES) + 1, seconds * RATE_HZ))
    coloured = lfilter([1.0], [1.0, -0.95], white, axis=1) * 5.0
    return coloured[:-1] + coloured[-1:]
