"""One recording of an invented patient, in µV: resting activity, events of every kind, a seizure, and faulty contacts.

A recording depends on (seed, patient, run) and on nothing else; each part has a stream of its own. What the side files
mark as SOZ is not looked at here.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.corpora.ieeg_made.activity import (
    BURST_HZ,
    DECOY_BURST_HZ,
    Array,
    Signal,
    add_artefacts,
    add_bursts,
    add_spikes,
    decoy_rates,
    focus_rates,
)
from pipeline.corpora.ieeg_made.background import background, channel_profiles
from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.ieeg_made.runs import Run
from pipeline.corpora.ieeg_made.seizure import Seizure, add_muscle, add_seizure, draw_delays
from pipeline.corpora.scalp.streams import generator
from pipeline.settings.ieeg_simulation import IeegSimulationSettings

HEART_UV = 600.0


@dataclass(frozen=True)
class Made:
    """Signals (contact, sample) and (extra, sample) in µV; delays (contact,) in s after the onset, inf: spared."""

    contacts: Signal
    extra: Signal
    delay_s: Array | None
    spikes: int  # of the focus alone
    bursts: int


def make_recording(settings: IeegSimulationSettings, patient: MadePatient, run: Run, *, extra: int) -> Made:
    """Simulate a run; `extra` channels beside the contacts show the heart."""
    key = (settings.seed, patient.number, "ieeg", run.task, run.number)
    n = run.duration_s * patient.rate_hz
    profile = channel_profiles(generator(settings.seed, patient.number, "ieeg", "profile"), patient)
    signal = background(generator(*key, "background"), patient, profile, n)
    signal *= np.float32(np.exp(generator(*key, "state").normal(0, 0.1)))
    own, others = focus_rates(patient, settings.effect), decoy_rates(patient)
    spikes = add_spikes(generator(*key, "focus spikes"), signal, patient, own.spikes)
    bursts = add_bursts(generator(*key, "focus bursts"), signal, patient, own.bursts, BURST_HZ)
    add_spikes(generator(*key, "decoy spikes"), signal, patient, others.spikes)
    add_bursts(generator(*key, "decoy bursts"), signal, patient, others.bursts, DECOY_BURST_HZ)
    delay_s = None
    if run.seizure_s > 0:
        delay_s = draw_delays(generator(*key, "delays"), patient, settings.effect)
        seizure = Seizure(run.onset_s, run.offset_s, delay_s)
        add_seizure(generator(*key, "seizure"), signal, patient, seizure, loudness=patient.strength)
        add_muscle(generator(*key, "muscle"), signal, patient, seizure)
    add_artefacts(generator(*key, "artefacts"), signal, patient)
    _spoil(generator(*key, "bad"), signal, patient)
    return Made(signal, _heart(generator(*key, "heart"), patient.rate_hz, n, extra), delay_s, spikes, bursts)


def _spoil(draw: np.random.Generator, signal: Signal, patient: MadePatient) -> None:
    """Contacts of bad status, in place: noisy, or nearly without contact."""
    for row in np.flatnonzero(patient.bad):
        noise = draw.standard_normal(signal.shape[1], dtype=np.float32)
        if draw.uniform() < 0.6:
            signal[row] += np.float32(draw.uniform(80, 250)) * noise
        else:
            signal[row] = np.float32(0.02) * signal[row] + np.float32(draw.uniform(0.5, 2)) * noise


def _heart(draw: np.random.Generator, rate_hz: int, n: int, channels: int) -> Signal:
    """Heartbeats (channel, sample): what the extra channels show, whatever they are called."""
    beats = np.cumsum(draw.normal(0.85, 0.04, int(n / rate_hz / 0.5) + 2))
    time = np.arange(-int(0.1 * rate_hz), int(0.4 * rate_hz)) / rate_hz
    wave = np.exp(-0.5 * (time / 0.012) ** 2) + 0.2 * np.exp(-0.5 * ((time - 0.25) / 0.05) ** 2)
    heart = np.zeros(n, np.float32)
    for beat in beats[beats * rate_hz < n - len(time)]:
        start = int(beat * rate_hz)
        heart[start : start + len(time)] += (HEART_UV * wave).astype(np.float32)
    sizes = draw.uniform(0.5, 1.0, channels).astype(np.float32)[:, None]
    return np.asarray(sizes * heart + 5 * draw.standard_normal((channels, n), dtype=np.float32))
