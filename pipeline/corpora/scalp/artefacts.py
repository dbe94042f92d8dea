"""What is not brain: eyes, muscles, heart, mains, electrodes, movement (spec simulator.md, section 6).

Drawn without a look at the seizures, so artefacts fall into them as often as beside them.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.scalp.head import ELECTRODES, Head, electrode_index
from pipeline.corpora.scalp.patient import Patient
from pipeline.corpora.scalp.waves import Mark, band_noise, random_spans, tapered

Array = NDArray[np.floating]
MUSCLE_SITES = ("T3", "T4", "FP1", "FP2", "F7", "F8")
BLINK_AXIS = np.array([0.0, 0.5, 0.87])  # a blink moves the field up and forward
GAZE_AXIS = np.array([1.0, 0.0, 0.0])


def artefacts(draw: np.random.Generator, patient: Patient, head: Head, n: int) -> tuple[Array, Array, list[Mark]]:
    """Potentials (21, n) float32 in µV of all artefacts, the EKG channel (n,), and what happened when."""
    field = np.zeros((len(ELECTRODES), n), np.float32)
    marks = _eyes(draw, patient, head, field)
    marks += _muscle_bursts(draw, patient, field)
    marks += _electrodes(draw, patient, field)
    _muscle_tone_and_mains(draw, patient, field)
    return field, _heart(draw, patient, field), marks


def _eyes(draw: np.random.Generator, patient: Patient, head: Head, field: Array) -> list[Mark]:
    """Blinks (both eyes up) and saccades (steps to a side that decay as an amplifier's high-pass does)."""
    rate, n = patient.rate_hz, field.shape[1]
    time = np.arange(int(1.2 * rate)) / rate
    blink = np.exp(-0.5 * ((time - 0.2) / 0.07) ** 2) - 0.12 * np.exp(-0.5 * ((time - 0.5) / 0.15) ** 2)
    saccade = np.clip(time / 0.03, 0, 1) * np.exp(-time / 0.45) * tapered(len(time), rate, 0.1)
    marks = []
    for kind, axis, wave, share in (("blink", BLINK_AXIS, blink, 1.0), ("saccade", GAZE_AXIS, saccade, 0.5)):
        map_ = head.eyes.sum(1) @ axis
        map_ = (map_ / np.abs(map_[:19]).max()).astype(np.float32)
        size_uv = draw.uniform(50, 140) * (1.0 if kind == "blink" else 0.5)
        count = draw.poisson(share * patient.blinks_per_minute * n / rate / 60)
        for start in draw.integers(0, n - len(wave), count):
            amplitude = size_uv * draw.lognormal(0, 0.25) * (1 if kind == "blink" else draw.choice([-1, 1]))
            field[:, start : start + len(wave)] += map_[:, None] * (amplitude * wave).astype(np.float32)
            marks.append(_mark(kind, start, len(wave), rate))
    return marks


def _muscle_bursts(draw: np.random.Generator, patient: Patient, field: Array) -> list[Mark]:
    """Bursts of 20-80 Hz on one or both sides."""
    rate, n, marks = patient.rate_hz, field.shape[1], []
    for start_s, stop_s in random_spans(draw, 1.5 * n / rate / 60, (0.5, 6.0), n / rate):
        start, long = int(start_s * rate), int((stop_s - start_s) * rate)
        sites = list(draw.choice(MUSCLE_SITES, draw.integers(1, 5), replace=False))
        noise = band_noise(draw, long, rate, 20.0, 80.0, rows=len(sites)) * tapered(long, rate, 0.2)
        rows = [electrode_index(site) for site in sites]
        field[rows, start : start + long] += (noise.T * draw.uniform(8, 40, len(sites))).T
        marks.append(_mark("muscle", start, long, rate, sites))
    return marks


def _electrodes(draw: np.random.Generator, patient: Patient, field: Array) -> list[Mark]:
    """Pops (a step that decays), movement drifts over neighbouring leads, an electrode that goes flat for a while."""
    rate, n, marks = patient.rate_hz, field.shape[1], []
    time = np.arange(int(3 * rate)) / rate
    pop = np.exp(-time / 0.35) * tapered(len(time), rate, 0.01)
    for start in draw.integers(0, n - len(pop), draw.poisson(0.6 * n / rate / 60)):
        row = draw.integers(0, 19)
        field[row, start : start + len(pop)] += (draw.choice([-1, 1]) * draw.uniform(60, 400) * pop).astype(np.float32)
        marks.append(_mark("pop", start, len(pop), rate, [ELECTRODES[row]]))
    for start_s, stop_s in random_spans(draw, 0.5 * n / rate / 60, (1.5, 6.0), n / rate):
        start, long = int(start_s * rate), int((stop_s - start_s) * rate)
        noise = band_noise(draw, long, rate, 0.3, 1.2)[0] * tapered(long, rate, 0.5)
        sizes = draw.exponential(35.0, len(ELECTRODES)) * (draw.random(len(ELECTRODES)) < 0.4)
        field[:, start : start + long] += np.outer(sizes, noise).astype(np.float32)
        marks.append(_mark("movement", start, long, rate))
    return marks


def _muscle_tone_and_mains(draw: np.random.Generator, patient: Patient, field: Array) -> None:
    rate, n = patient.rate_hz, field.shape[1]
    tone = band_noise(draw, n, rate, 20.0, 90.0, rows=4)  # four muscle groups, mixed into the electrodes
    mixture = draw.normal(0.0, 0.5, (len(ELECTRODES), 4)) * patient.muscle_uv[:, None]
    field += mixture.astype(np.float32) @ tone
    phase = 2 * np.pi * patient.mains_hz * np.arange(n) / rate + draw.uniform(0, 2 * np.pi)
    field += patient.mains_uv[:, None].astype(np.float32) * np.sin(phase).astype(np.float32)


def _heart(draw: np.random.Generator, patient: Patient, field: Array) -> Array:
    """The EKG channel (n,) in µV; its field, a slope from left to right, is added to the electrodes."""
    rate, n = patient.rate_hz, field.shape[1]
    period = draw.uniform(0.6, 1.1)
    beats = np.cumsum(period * draw.lognormal(0, 0.04, int(n / rate / period * 1.3) + 2))
    train = np.zeros(n, np.float32)
    places = (beats[beats < n / rate] * rate).astype(int)
    train[places] = 1.0
    time = np.arange(int(0.6 * rate)) / rate - 0.2
    complex_ = (
        np.exp(-0.5 * (time / 0.012) ** 2)
        - 0.25 * np.exp(-0.5 * ((time - 0.035) / 0.014) ** 2)
        + 0.22 * np.exp(-0.5 * ((time - 0.25) / 0.045) ** 2)
    )
    trace = np.zeros(n + len(complex_), np.float32)
    for place in places:
        trace[place : place + len(complex_)] += complex_.astype(np.float32)
    slope = draw.normal(0.0, 0.3, len(ELECTRODES)) + np.array(
        [-1.0 if name[-1] in "13579" else 0.6 for name in ELECTRODES]
    )
    field += (patient.ecg_uv * slope).astype(np.float32)[:, None] * trace[:n]
    return 600.0 * trace[:n] + 12.0 * draw.standard_normal(n, dtype=np.float32)


def _mark(kind: str, start: int, long: int, rate: int, electrodes: list[str] | None = None) -> Mark:
    names = tuple(str(name) for name in electrodes or ())
    return Mark(kind=kind, start_s=start / rate, stop_s=(start + long) / rate, electrodes=names)
