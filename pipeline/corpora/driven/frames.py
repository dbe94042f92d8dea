"""The planted-graph corpus without EDFs: log-amplitude frames of clips, as the features of the files would be.

For tests and for trying a corpus out: one second's amplitude in a bin is the spectrum at the mean power of the second
times a Rayleigh variable, independent from bin to bin (what the Fourier transform of Gaussian noise has).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.driven.envelopes import ENVELOPE_HZ, Planted, envelopes
from pipeline.corpora.driven.spectra import amplitude, gains, marks, within
from pipeline.settings.driven import LEAD_S, DrivenSettings

BEFORE_S = 2.0  # a clip begins so long before its event (clips.before_onset_s)


def planted_frames(
    settings: DrivenSettings, electrodes: Sequence[str], *, clips: int, length_s: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Frames (b, t, n, f) in ln amplitude, f = rate_hz / 2, and class numbers (b,), classes in turn."""
    draw = np.random.default_rng(seed)
    names, frequencies = list(settings.graphs), np.arange(settings.rate_hz // 2, dtype=np.float64)
    still = np.log(amplitude(frequencies)) + marks(settings, electrodes, frequencies)
    driven = within(frequencies, settings.band_hz)
    labels = np.arange(clips) % len(names)
    found = np.empty((clips, length_s, len(electrodes), len(frequencies)), np.float32)
    for clip, label in zip(found, labels, strict=True):
        onset_s = LEAD_S + draw.uniform()
        event = Planted(names[label], onset_s, onset_s - BEFORE_S + length_s, float(draw.uniform(*settings.lag_s)))
        whole = envelopes(draw, settings, electrodes, [event], event.offset_s + 1)
        first = round((onset_s - BEFORE_S) * ENVELOPE_HZ)
        own = whole[:, first : first + length_s * ENVELOPE_HZ].reshape(len(electrodes), length_s, ENVELOPE_HZ)
        power = 0.5 * np.log(np.exp(2 * settings.depth * own).mean(-1)).T  # t, n: ln amplitude
        clip[...] = still + draw.normal(0.0, settings.gain[0]) + gains(draw, settings, len(electrodes))[:, None]
        clip[:, :, driven] += power[:, :, None]
        clip += np.log(draw.rayleigh(np.sqrt(0.5), clip.shape))
    return found, labels
