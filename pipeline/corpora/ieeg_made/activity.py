"""What happens between seizures: spikes and fast bursts in the focus and, as decoys, elsewhere; artefacts.

Every kind of event has a stream of random numbers of its own, so that more of one kind shifts no other. Decoys are
drawn from all contacts alike and know nothing of the focus.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.scalp.streams import generator

Array = NDArray[np.float64]
Signal = NDArray[np.float32]
FIELD_MM = 6.0  # a spike's amplitude falls to 1/e over this distance
WEAKEST = 0.08  # of a spike's field that is still added
FOCUS_SPIKES, FOCUS_BURSTS = 18.0, 14.0  # a minute in each contact of the focus, at effect 1 and strength 1
DECOY_SPIKES, DECOY_BURSTS = 9.0, 8.0  # a minute in each contact of a decoy
DECOY_SHARE = 0.08  # of the contacts that spike, and of those that ripple, without being the focus
EVERYWHERE = 0.5  # spikes and bursts a minute in any contact
SPIKE_UV = (60.0, 220.0)
BURST_UV = (7.0, 20.0)
BURST_HZ = (80.0, 200.0)  # fast activity; never above BURST_SHARE of the sampling rate
DECOY_BURST_HZ = (80.0, 130.0)  # ripples of healthy tissue
BURST_SHARE = 0.4
ARTEFACTS = {"pop": 0.05, "muscle": 0.1, "movement": 0.3}  # a minute: of a contact, of a shaft, of all


@dataclass(frozen=True)
class Rates:
    """Events a minute in each contact, (n,) each."""

    spikes: Array
    bursts: Array


def focus_rates(patient: MadePatient, effect: float) -> Rates:
    """What the focus adds; nothing at effect 0, and nothing in its silent contacts."""
    active = (patient.focus & ~patient.silent) * (effect * patient.strength)
    draw = generator(patient.number, "ieeg", "focus rates")
    uneven = np.exp(draw.normal(0, 0.35, (2, len(active))))
    return Rates(FOCUS_SPIKES * active * uneven[0], FOCUS_BURSTS * active * uneven[1])


def decoy_rates(patient: MadePatient) -> Rates:
    """Spiking and rippling contacts that are no sign of the focus, and a little everywhere."""
    draw = generator(patient.number, "ieeg", "decoys")
    n, away = len(patient.implant), cdist(patient.implant.xyz_mm, patient.implant.xyz_mm)
    chosen = []
    for _ in range(2):
        centres = draw.choice(n, max(1, round(DECOY_SHARE * n / 2)), replace=False)
        chosen.append((away[centres].min(0) < 1.2 * FIELD_MM) + 0.0)
    uneven = np.exp(draw.normal(0, 0.5, (2, n)))
    return Rates(
        (DECOY_SPIKES * chosen[0] + EVERYWHERE) * uneven[0], (DECOY_BURSTS * chosen[1] + EVERYWHERE) * uneven[1]
    )


def add_spikes(draw: np.random.Generator, signal: Signal, patient: MadePatient, rates: Array) -> int:
    """Add spikes (contact, sample), each with its field over the contacts nearby; returns how many."""
    times, centres = _events(draw, signal, patient, rates)
    field = np.exp(-cdist(patient.implant.xyz_mm, patient.implant.xyz_mm) / FIELD_MM)
    shapes = [_spike(patient.rate_hz, width_s) for width_s in (0.014, 0.018, 0.022, 0.028)]
    sizes = draw.uniform(*SPIKE_UV, len(times)) * np.where(draw.uniform(size=len(times)) < 0.8, -1, 1)
    kinds = draw.integers(len(shapes), size=len(times))
    for start, centre, size, kind in zip(times, centres, sizes, kinds, strict=True):
        rows = np.flatnonzero(field[centre] >= WEAKEST)
        _add(signal, rows, int(start), (size * field[centre, rows]).astype(np.float32)[:, None] * shapes[kind])
    return len(times)


def add_bursts(
    draw: np.random.Generator, signal: Signal, patient: MadePatient, rates: Array, band_hz: tuple[float, float]
) -> int:
    """Add bursts of fast activity, each in one contact; returns how many."""
    times, centres = _events(draw, signal, patient, rates)
    top = min(band_hz[1], BURST_SHARE * patient.rate_hz)
    pitch = draw.uniform(band_hz[0], top, len(times))
    sizes, lengths = draw.uniform(*BURST_UV, len(times)), draw.uniform(0.012, 0.03, len(times))
    phases = draw.uniform(0, 2 * np.pi, len(times))
    for i, start in enumerate(times):
        time = np.arange(int(6 * lengths[i] * patient.rate_hz)) / patient.rate_hz - 3 * lengths[i]
        wave = np.exp(-0.5 * (time / lengths[i]) ** 2) * np.sin(2 * np.pi * pitch[i] * time + phases[i])
        _add(signal, centres[i : i + 1], int(start), (sizes[i] * wave).astype(np.float32)[None])
    return len(times)


def add_artefacts(draw: np.random.Generator, signal: Signal, patient: MadePatient) -> None:
    """Electrode pops in single contacts, muscle on single shafts, movement in all."""
    n, rate = signal.shape[1], patient.rate_hz
    minutes, shafts = n / rate / 60, sorted(set(patient.implant.shafts))
    everyone = np.arange(len(patient.implant))
    for contact in np.repeat(everyone, draw.poisson(ARTEFACTS["pop"] * minutes, len(everyone))):
        size, wave = draw.uniform(-400, 400), np.exp(-np.arange(int(0.5 * rate)) / (0.08 * rate))
        _add(signal, np.array([contact]), int(draw.integers(n)), (size * wave).astype(np.float32)[None])
    for shaft in np.repeat(shafts, draw.poisson(ARTEFACTS["muscle"] * minutes, len(shafts))):
        rows = np.flatnonzero(np.array(patient.implant.shafts) == shaft)
        length = int(draw.uniform(0.5, 3) * rate)
        noise = draw.standard_normal((len(rows), length), dtype=np.float32)
        wave = (noise[:, 1:] - noise[:, :-1]) * np.hanning(length - 1).astype(np.float32)
        _add(signal, rows, int(draw.integers(n)), np.float32(draw.uniform(3, 12)) * wave)
    for _ in range(draw.poisson(ARTEFACTS["movement"] * minutes)):
        length = int(draw.uniform(1, 3) * rate)
        wave = np.hanning(length) * np.cumsum(draw.standard_normal(length)) / np.sqrt(length)
        sizes = draw.uniform(20, 150) * np.exp(draw.normal(0, 0.3, len(everyone)))
        _add(signal, everyone, int(draw.integers(n)), (sizes[:, None] * wave).astype(np.float32))


def _events(
    draw: np.random.Generator, signal: Signal, patient: MadePatient, rates: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts (in samples, rising) and contacts of a Poisson process with `rates` events a minute in each contact."""
    minutes = signal.shape[1] / patient.rate_hz / 60
    counts = draw.poisson(rates * minutes)
    starts = draw.integers(0, signal.shape[1], int(counts.sum()))
    order = np.argsort(starts, kind="stable")
    return starts[order], np.repeat(np.arange(len(rates)), counts)[order]


def _spike(rate_hz: int, width_s: float) -> Signal:
    """A sharp wave (1, s) of amplitude 1 and the slow wave after it."""
    time = np.arange(int(0.45 * rate_hz)) / rate_hz - 3 * width_s
    sharp = np.exp(-0.5 * (time / width_s) ** 2) - 0.45 * np.exp(-0.5 * ((time - 2.4 * width_s) / (1.3 * width_s)) ** 2)
    slow = -0.35 * np.exp(-0.5 * ((time - 0.17) / 0.06) ** 2)
    return np.asarray(sharp + slow, np.float32)[None]


def _add(signal: Signal, rows: NDArray[np.int64], start: int, wave: Signal) -> None:
    """Add `wave` (row, s) to rows of the signal from a sample on; what reaches beyond the end is cut."""
    stop = min(start + wave.shape[1], signal.shape[1])
    signal[rows, start:stop] += wave[:, : stop - start]
