"""Missing electrodes from their neighbours, by spherical splines (Perrin et al. 1989) as MNE-Python computes them."""

from collections.abc import Sequence
from functools import cache

import numpy as np

_MNE_NAMES = {"FP1": "Fp1", "FP2": "Fp2", "FZ": "Fz", "CZ": "Cz", "PZ": "Pz"}  # of MNE's colin27_1020


def interpolation_matrix(present: Sequence[str], missing: Sequence[str]) -> np.ndarray:
    """Weights (missing, present), float32: missing electrodes = weights @ present electrodes."""
    return _weights(tuple(present), tuple(missing))


@cache
def _weights(present: tuple[str, ...], missing: tuple[str, ...]) -> np.ndarray:
    """Interpolation is linear: MNE is asked for the response to a unit signal on each present electrode in turn."""
    import mne

    names = [_MNE_NAMES.get(electrode, electrode) for electrode in (*present, *missing)]
    info = mne.create_info(names, sfreq=1.0, ch_types="eeg", verbose="error")
    units = np.eye(len(present))
    evoked = mne.EvokedArray(np.vstack([units, np.zeros((len(missing), len(present)))]), info, verbose="error")
    evoked.set_montage("colin27_1020", verbose="error")
    evoked.info["bads"] = names[len(present) :]
    evoked.interpolate_bads(reset_bads=False, method="spline", verbose="error")
    return evoked.data[len(present) :].astype(np.float32)
