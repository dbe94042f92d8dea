"""The resting brain: coupled pink noise, alpha, spindles, vertex waves (spec simulator.md, section 4).

Made directly at the electrodes: the sources' covariance is K = exp(-D/λ), so the potentials' is L K Lᵀ, and its
Cholesky factor times 21 rows of noise has the distribution of 400 coupled sources.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.scalp.head import Head, electrode_index, nearest_source, patch
from pipeline.corpora.scalp.patient import Patient
from pipeline.corpora.scalp.waves import band_noise, pink_shape, shaped_noise, tapered, telegraph

Array = NDArray[np.floating]


def mixing(head: Head, coupling_m: float) -> Array:
    """Factor (21, 21) that turns unit noise into potentials whose mean variance is one against the average."""
    covariance = head.lead @ np.exp(-head.distance / coupling_m) @ head.lead.T
    centred = covariance - covariance.mean(0) - covariance.mean(1)[:, None] + covariance.mean()
    return np.linalg.cholesky(covariance / np.trace(centred) * len(covariance))


def background(draw: np.random.Generator, patient: Patient, head: Head, n: int) -> Array:
    """Potentials (21, n) float32 in µV of the resting brain, unreferenced, with sensor noise."""
    rate = patient.rate_hz
    noise = shaped_noise(draw, len(head.positions), n, rate, pink_shape(n, rate, patient.exponent))
    level = patient.background_uv * draw.lognormal(0.0, 0.1)
    brain = (mixing(head, patient.coupling_m) * level).astype(np.float32) @ noise
    brain += (level * patient.sensor_share) * draw.standard_normal(brain.shape, dtype=np.float32)
    _add_alpha(draw, patient, head, brain)
    if patient.drowsy > 0:
        _add_sleep(draw, patient, head, brain)
    return brain


def _add_alpha(draw: np.random.Generator, patient: Patient, head: Head, brain: Array) -> None:
    """Occipital alpha in both hemispheres, half of it shared, switching on and off."""
    n, rate = brain.shape[1], patient.rate_hz
    waves = band_noise(draw, n, rate, patient.alpha_hz - 0.7, patient.alpha_hz + 0.7, rows=3)
    gate = telegraph(draw, n, rate, on_s=6.0, off_s=5.0) * patient.alpha_ratio * patient.background_uv
    for side, electrode in enumerate(("O1", "O2")):
        field = patch(head, nearest_source(head, electrode_index(electrode)), 0.022)
        wave = (gate * (0.7 * waves[2] + 0.7 * waves[side])).astype(np.float32)
        brain += field.astype(np.float32)[:, None] * wave


def _add_sleep(draw: np.random.Generator, patient: Patient, head: Head, brain: Array) -> None:
    """Spindles (12-14 Hz, about a second) and vertex waves over the centre."""
    n, rate = brain.shape[1], patient.rate_hz
    field = patch(head, nearest_source(head, electrode_index("CZ")), 0.028)
    for _ in range(draw.poisson(5.0 * patient.drowsy * n / rate / 60)):
        long = int(draw.uniform(0.6, 1.8) * rate)
        start = int(draw.uniform(0, n - long))
        time = np.arange(long) / rate
        spindle = np.sin(2 * np.pi * draw.uniform(12, 14) * time) * tapered(long, rate, 0.4)
        _add(brain, field, start, spindle * draw.uniform(0.6, 1.5) * patient.background_uv)
        if draw.random() < 0.5:
            sharp = _vertex_wave(rate) * draw.uniform(1.5, 3.5) * patient.background_uv
            _add(brain, field, int(draw.uniform(0, n - len(sharp))), sharp)


def _vertex_wave(rate_hz: int) -> Array:
    time = np.arange(int(0.5 * rate_hz)) / rate_hz - 0.15
    return -np.exp(-0.5 * (time / 0.035) ** 2) + 0.45 * np.exp(-0.5 * ((time - 0.14) / 0.07) ** 2)


def _add(target: Array, field: Array, start: int, wave: Array) -> None:
    """Add `field` (21,) times `wave` (m,) from sample `start`."""
    target[:, start : start + len(wave)] += np.outer(field, wave).astype(np.float32)
