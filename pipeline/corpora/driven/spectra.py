"""What every electrode's spectrum looks like: 1/f, a band that follows the envelope, and the mark of a group.

Amplitude spectra are in µV on the scale of the EDF; marks and envelopes act on the natural logarithm of the amplitude.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.driven import DrivenSettings

Array = NDArray[np.floating]
EXPONENT = 1.1  # of the amplitude spectrum (spec simulator.md, section 3: 1.0-1.3)
LEVEL_UV = 20.0  # RMS of the whole signal (ibid., section 9: 10-30)
FLAT_BELOW_HZ = 1.0


def amplitude(frequencies: Array) -> Array:
    """Background amplitude spectrum of `frequencies` (f,) in Hz, without a unit."""
    shape: Array = np.maximum(frequencies, FLAT_BELOW_HZ) ** -EXPONENT
    return shape


def within(frequencies: Array, band_hz: tuple[float, float]) -> NDArray[np.bool_]:
    """Whether a frequency lies in a band, its upper end left out."""
    found: NDArray[np.bool_] = (frequencies >= band_hz[0]) & (frequencies < band_hz[1])
    return found


def marks(settings: DrivenSettings, electrodes: Sequence[str], frequencies: Array) -> Array:
    """Marks (n, f) of the electrodes' groups, in ln amplitude; 0 elsewhere. The same in every class."""
    found = np.zeros((len(electrodes), len(frequencies)))
    for group in settings.groups.values():
        if group.mark_hz is None:
            continue
        for name in group.electrodes:
            found[electrodes.index(name), within(frequencies, group.mark_hz)] = settings.mark
    return found


def gains(draw: np.random.Generator, settings: DrivenSettings, n: int) -> Array:
    """Gains (n,) in ln amplitude of one recording's electrodes, beside the patient's own."""
    found: Array = draw.normal(0.0, settings.gain[1], n)
    return found
