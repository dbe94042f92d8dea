"""Hard negatives: rhythms and artefacts that are no seizures (spec simulator.md, sections 4 and 11).

Without them total power would solve the task. Their number does not depend on whether a recording has seizures. The
evolving seizure-like events are made like seizures, in seizures.py.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.scalp.head import ELECTRODES, Head, electrode_index, nearest_electrode, nearest_source, patch
from pipeline.corpora.scalp.patient import Patient
from pipeline.corpora.scalp.waves import Mark, band_noise, phase_of, random_spans, tapered
from pipeline.settings.simulation import HardNegativeSettings

Array = NDArray[np.floating]
PEAK_GAIN = 1.4  # a ratio is meant over several electrodes (discharge.py); these events peak at one or two
TEMPORAL = ("T3", "T4", "T5", "T6", "F7", "F8")


def hard_negatives(
    draw: np.random.Generator,
    patient: Patient,
    head: Head,
    n: int,
    rates: HardNegativeSettings,
    ratio: tuple[float, float],
) -> tuple[Array, list[Mark]]:
    """Potentials (21, n) float32 in µV of all hard negatives but the seizure-like events, and when they happen."""
    field = np.zeros((len(ELECTRODES), n), np.float32)
    marks: list[Mark] = []
    per_recording = n / patient.rate_hz / 240.0
    makers = {
        "contact": (rates.contact, (5.0, 30.0), _contact),
        "theta": (rates.theta, (2.0, 6.0), _theta),
        "chewing": (rates.chewing, (8.0, 25.0), _chewing),
        "slowing": (rates.slowing, (10.0, 40.0), _slowing),
        "spike_burst": (rates.spike_bursts, (3.0, 9.0), _spike_burst),
    }
    for kind, (rate, duration_s, make) in makers.items():
        for start_s, stop_s in random_spans(draw, rate * per_recording, duration_s, n / patient.rate_hz):
            first, last = int(start_s * patient.rate_hz), int(stop_s * patient.rate_hz)
            size_uv = PEAK_GAIN * float(draw.uniform(*ratio)) * patient.background_uv
            names = make(draw, patient, head, field[:, first:last], size_uv)
            marks.append(Mark(kind=kind, start_s=start_s, stop_s=stop_s, electrodes=names))
    if draw.random() < rates.photic_share:
        marks += _photic(draw, patient, head, field)
    _interictal_spikes(draw, patient, head, field)
    return field, marks


def _contact(draw: np.random.Generator, patient: Patient, head: Head, field: Array, size_uv: float) -> tuple[str, ...]:
    """A loose contact: one electrode swings with movement, rhythmically or not."""
    row, n = int(draw.integers(0, 19)), field.shape[1]
    low = float(draw.uniform(0.7, 4.0))
    wave = band_noise(draw, n, patient.rate_hz, low, low * float(draw.uniform(1.3, 4.0)))[0]
    field[row] += (size_uv * wave * tapered(n, patient.rate_hz, 1.0)).astype(np.float32)
    return (ELECTRODES[row],)


def _theta(draw: np.random.Generator, patient: Patient, head: Head, field: Array, size_uv: float) -> tuple[str, ...]:
    """A run of rhythmic theta of under six seconds, without evolution."""
    source = int(draw.integers(0, len(head.sources)))
    n, hz = field.shape[1], float(draw.uniform(4.5, 7.0))
    phase = phase_of(draw, np.full(n, hz), patient.rate_hz, jitter_hz=0.2)
    wave = 1.4 * size_uv * (np.cos(phase) + 0.3 * np.cos(2 * phase)) * tapered(n, patient.rate_hz, 0.5)
    _add(field, patch(head, source, float(draw.uniform(0.015, 0.03))), wave)
    return (ELECTRODES[nearest_electrode(head, source)],)


def _chewing(draw: np.random.Generator, patient: Patient, head: Head, field: Array, size_uv: float) -> tuple[str, ...]:
    """Bursts of 20-80 Hz at 1-2 Hz on both temples, with a slow jaw movement: the classical false alarm."""
    n, rate = field.shape[1], patient.rate_hz
    phase = phase_of(draw, np.full(n, float(draw.uniform(1.0, 2.0))), rate, jitter_hz=0.1)
    gate = np.clip(np.cos(phase), 0, None) ** 2 * tapered(n, rate, 0.5)
    rows = [electrode_index(name) for name in TEMPORAL]
    noise = band_noise(draw, n, rate, 20.0, 80.0, rows=len(rows))
    sizes = size_uv * draw.uniform(0.3, 1.0, len(rows))
    field[rows] += (sizes[:, None] * (noise * gate + 0.5 * np.cos(phase + 0.7) * tapered(n, rate, 0.5))).astype(
        np.float32
    )
    return TEMPORAL


def _slowing(draw: np.random.Generator, patient: Patient, head: Head, field: Array, size_uv: float) -> tuple[str, ...]:
    """Irregular temporal delta."""
    n, name = field.shape[1], str(draw.choice(TEMPORAL))
    wave = band_noise(draw, n, patient.rate_hz, 1.0, 2.8)[0] * tapered(n, patient.rate_hz, 2.0)
    _add(field, patch(head, nearest_source(head, electrode_index(name)), 0.022), size_uv * wave)
    return (name,)


def _spike_burst(
    draw: np.random.Generator, patient: Patient, head: Head, field: Array, size_uv: float
) -> tuple[str, ...]:
    """Interictal spikes in a row, irregular, at one place."""
    source, n, rate = int(draw.integers(0, len(head.sources))), field.shape[1], patient.rate_hz
    shape, wave = _spike(rate), np.zeros(n)
    place = 0.0
    while (place := place + draw.uniform(0.25, 0.9)) * rate < n - len(shape):
        start = int(place * rate)
        wave[start : start + len(shape)] += 3.0 * size_uv * draw.uniform(0.6, 1.2) * shape
    _add(field, patch(head, source, 0.016), wave)
    return (ELECTRODES[nearest_electrode(head, source)],)


def _photic(draw: np.random.Generator, patient: Patient, head: Head, field: Array) -> list[Mark]:
    """Trains of flashes at rising rates; the occipital response follows with its harmonic."""
    n, rate, marks = field.shape[1], patient.rate_hz, []
    total_s = n / rate
    begin = float(draw.uniform(0.0, max(1.0, total_s - 60.0)))
    size_uv = float(draw.uniform(0.3, 1.3)) * patient.background_uv
    fields = [patch(head, nearest_source(head, electrode_index(name)), 0.024) for name in ("O1", "O2")]
    for order, hz in enumerate((5.0, 9.0, 13.0, 17.0)):
        first, last = int((begin + 14.0 * order) * rate), int((begin + 14.0 * order + 9.0) * rate)
        if last > n:
            break
        phase = 2 * np.pi * hz * np.arange(last - first) / rate
        wave = size_uv * (np.cos(phase) + 0.5 * np.cos(2 * phase + 1.0)) * tapered(last - first, rate, 0.8)
        _add(field[:, first:last], fields[0] + fields[1], wave)
        marks.append(Mark(kind="photic", start_s=first / rate, stop_s=last / rate, electrodes=("O1", "O2")))
    return marks


def _interictal_spikes(draw: np.random.Generator, patient: Patient, head: Head, field: Array) -> None:
    """Single spikes at the patient's focus, in patients of every kind."""
    n, shape = field.shape[1], _spike(patient.rate_hz)
    map_ = patch(head, nearest_source(head, electrode_index(patient.focus)), 0.018)
    for start in draw.integers(0, n - len(shape), draw.poisson(patient.spikes_per_minute * n / patient.rate_hz / 60)):
        size_uv = draw.uniform(2.0, 5.0) * patient.background_uv
        _add(field[:, start : start + len(shape)], map_, size_uv * shape)


def _spike(rate_hz: int) -> Array:
    """A spike of 70 ms and its slow wave, peak one."""
    time = np.arange(int(0.6 * rate_hz)) / rate_hz - 0.08
    return -np.exp(-0.5 * (time / 0.018) ** 2) + 0.4 * np.exp(-0.5 * ((time - 0.16) / 0.07) ** 2)


def _add(field: Array, map_: Array, wave: Array) -> None:
    field += np.outer(map_, wave).astype(np.float32)
