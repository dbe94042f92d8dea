"""Resting activity: noise that falls with frequency, correlated over millimetres, common reference, mains and floor.

Drawn as a spectrum and brought to time by one inverse FFT, in blocks of contacts, in float32; correlation between
contacts, the common reference and the mains are one matrix product.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial.distance import cdist

from pipeline.corpora.ieeg_made.patient import Background, MadePatient

Signal = NDArray[np.float32]
Array = NDArray[np.float64]
BLOCK = 16  # contacts whose spectra are held at a time
KNEE_HZ = 1.0  # below it the spectrum is flat
PASS_SHARE = 0.45  # of the sampling rate: the amplifier's filter falls off above
RHYTHMS = ((6.0, 1.0), (9.0, 1.2), (18.0, 3.0), (24.0, 3.0))  # centre and width of rhythms that a contact may have, Hz
HARMONICS = ((1, 1.0), (2, 0.15), (3, 0.35), (4, 0.05))  # of the mains, and their amplitudes


def channel_profiles(draw: np.random.Generator, patient: MadePatient) -> dict[str, Array]:
    """What each contact keeps over a patient's recordings: slope, gain, rhythm and mains; arrays (n,) or (n, 2)."""
    n, made = len(patient.implant), patient.background
    profile: dict[str, Array] = {
        "slope": draw.normal(made.slope, made.slope_spread, n),
        "gain": np.asarray(made.rms_uv * np.exp(draw.normal(0, 0.25, n))),
        "rhythm": draw.integers(len(RHYTHMS), size=n).astype(float),
        "rhythm_depth": np.asarray(draw.exponential(0.6, n) * (draw.uniform(size=n) < 0.5)),
        "mains": np.asarray(made.mains_uv * np.exp(draw.normal(0, 0.5, n))),
        "mains_phase": draw.uniform(-0.6, 0.6, n),
    }
    return profile


def background(draw: np.random.Generator, patient: MadePatient, profile: dict[str, Array], n: int) -> Signal:
    """Resting activity (contact, sample) in µV, `n` samples at the patient's rate."""
    made, rate = patient.background, patient.rate_hz
    contacts, padded = len(patient.implant), fft.next_fast_len(n, real=True)
    frequencies = fft.rfftfreq(padded, 1 / rate)
    sources = np.empty((contacts + 3, n), np.float32)
    for first in range(0, contacts, BLOCK):
        rows = slice(first, min(first + BLOCK, contacts))
        shape = amplitudes(frequencies, rate, made, {key: value[rows] for key, value in profile.items()})
        sources[rows] = _coloured(draw, shape, padded)[:, :n]
    sources[contacts] = _coloured(draw, _falling(frequencies, np.array([1.6]), rate), padded)[0, :n]
    sources[contacts + 1 :] = _mains(made.mains_hz, rate, n)
    return np.asarray(_mixing(patient, profile) @ sources)


def amplitudes(frequencies: Array, rate_hz: float, made: Background, profile: dict[str, Array]) -> Array:
    """Amplitude spectra (contact, frequency), unit power over the contact's gain: slope, rhythm, floor."""
    centre, width = (np.array([rhythm[i] for rhythm in RHYTHMS]) for i in (0, 1))
    chosen = profile["rhythm"].astype(int)
    distance = (frequencies - centre[chosen, None]) / width[chosen, None]
    power = _falling(frequencies, profile["slope"], rate_hz) ** 2
    power *= 1 + 6 * profile["rhythm_depth"][:, None] * np.exp(-0.5 * distance**2)
    power /= power.mean(1, keepdims=True)
    return np.sqrt(power + (made.floor_uv / profile["gain"][:, None]) ** 2 * passed(frequencies, rate_hz) ** 2)


def passed(frequencies: Array, rate_hz: float) -> Array:
    """The amplifier's low pass: 1 below PASS_SHARE of the rate, near 0 at half of it."""
    edge = PASS_SHARE * rate_hz
    return 1 / np.sqrt(1 + (frequencies / edge) ** 24)


def _falling(frequencies: Array, slope: Array, rate_hz: float) -> Array:
    """Amplitude spectra (row, frequency) whose power falls as f ** -slope, without an offset; mean power 1."""
    over = np.maximum(frequencies, KNEE_HZ)
    shape = over ** (-slope[:, None] / 2) * passed(frequencies, rate_hz) * np.minimum(frequencies / 0.3, 1.0)
    return np.asarray(shape / np.sqrt((shape**2).mean(1, keepdims=True)))


def _coloured(draw: np.random.Generator, shape: Array, n: int) -> Signal:
    """Gaussian noise (row, n) with these amplitude spectra; rms 1 where their mean square is 1."""
    spectrum = draw.standard_normal((*shape.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectrum *= (shape * np.sqrt(n / 2)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, n, axis=1, workers=1))


def _mains(mains_hz: int, rate_hz: int, n: int) -> Signal:
    """The mains and its harmonics below half the rate, in phase and a quarter behind: (2, n), amplitude 1."""
    time = np.arange(n) / rate_hz
    below = [(k, size) for k, size in HARMONICS if k * mains_hz < PASS_SHARE * rate_hz]
    angle = 2 * np.pi * mains_hz * time
    sine = sum((size * np.sin(k * angle) for k, size in below), np.zeros(n))
    cosine = sum((size * np.cos(k * angle) for k, size in below), np.zeros(n))
    return np.stack([sine, cosine]).astype(np.float32)


def _mixing(patient: MadePatient, profile: dict[str, Array]) -> Signal:
    """Matrix (contact, source): correlation that decays with distance, then reference and mains."""
    xyz, made = patient.implant.xyz_mm, patient.background
    correlation = np.exp(-cdist(xyz, xyz) / made.correlation_mm) + 1e-6 * np.eye(len(xyz))
    mixed = np.linalg.cholesky(correlation) * profile["gain"][:, None]
    reference = np.full((len(xyz), 1), made.reference_uv)
    phase = profile["mains"][:, None] * np.stack([np.cos(profile["mains_phase"]), np.sin(profile["mains_phase"])], 1)
    return np.concatenate([mixed, reference, phase], 1).astype(np.float32)
