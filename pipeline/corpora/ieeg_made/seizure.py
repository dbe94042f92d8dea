"""A seizure: low-voltage fast onset in the focus, spread along and between shafts, rhythmic discharge, silence after.

Recruitment times are shortest paths over the contacts: along a shaft at one speed, to other shafts slower and after a
fixed wait; some ways are blocked. With `effect` below 1 a random origin takes a share of each delay; at 0 all of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import cdist

from pipeline.corpora.ieeg_made.patient import Bools, MadePatient

Array = NDArray[np.float64]
Signal = NDArray[np.float32]
ALONG_MM_S = (4.0, 14.0)  # speed along a shaft
BETWEEN_MM_S = (8.0, 30.0)  # between shafts that lie within REACH_MM
REACH_MM = 35.0
WAIT_S = (0.5, 8.0)  # before a seizure leaves a shaft
START_S = 2.5  # within which the contacts of the focus begin, each at its own time
GAIN_SPREAD = 0.6  # of ln amplitude, between contacts
BLOCKED = 0.3  # share of the ways between shafts that do not conduct
LATEST_S = 60.0  # what would be recruited later is spared
FAST_UV, SLOW_UV = (9.0, 24.0), (90.0, 220.0)  # amplitudes, by seizure
MUSCLE_SHARE, MUSCLE_UV = 0.25, (2.0, 9.0)  # share of the shafts with muscle in them while the patient moves
FAST_S = 7.0  # duration of the fast onset
EARLY_S = 2.0  # contacts recruited later than this have less and less of the fast onset
FADING_S = 5.0  # time constant of that
LAG_MM_S = 500.0  # conduction: neighbours keep a constant lag


@dataclass(frozen=True)
class Seizure:
    """One seizure: s after the recording's start, and s after its onset at each contact (inf: spared)."""

    onset_s: float
    offset_s: float
    delay_s: Array


def draw_delays(draw: np.random.Generator, patient: MadePatient, effect: float) -> Array:
    """Recruitment times (n,) in s after the onset; inf where the seizure never comes."""
    ways = _ways(draw, patient)
    other = np.zeros(len(patient.implant), bool)
    other[int(draw.integers(len(other)))] = True
    share = min(effect, 1.0)
    starts = draw.uniform(0, START_S, len(other))  # contacts of the focus do not begin at one instant
    real, random = (_reached(ways, origin, starts) for origin in (patient.focus, other))
    delay = real if share == 1 else random if share == 0 else share * real + (1 - share) * random
    return np.where(delay <= LATEST_S, delay, np.inf)


def _ways(draw: np.random.Generator, patient: MadePatient) -> Array:
    """Seconds from contact to contact (n, n); 0 where there is no way."""
    xyz, shafts = patient.implant.xyz_mm, np.array(patient.implant.shafts)
    away, same = cdist(xyz, xyz), shafts[:, None] == shafts
    along = away / draw.uniform(*ALONG_MM_S)
    between = away / draw.uniform(*BETWEEN_MM_S) + draw.uniform(*WAIT_S, away.shape)
    blocked = (away > REACH_MM) | (draw.uniform(size=away.shape) < BLOCKED)
    return np.where(same, along, np.where(blocked, 0.0, between))


def _reached(ways: Array, origin: Bools, starts: Array) -> Array:
    """Earliest arrival (n,) from the contacts of `origin`, the first of which begins at 0."""
    first = np.flatnonzero(origin)
    begin = starts[first] - starts[first].min()
    return np.asarray((dijkstra(ways, indices=first) + begin[:, None]).min(0))


def add_seizure(
    draw: np.random.Generator, signal: Signal, patient: MadePatient, seizure: Seizure, *, loudness: float
) -> None:
    """Turn the resting activity (contact, sample) down and add the discharge, contact by contact, in place."""
    rate = patient.rate_hz
    length_s = seizure.offset_s - seizure.onset_s
    fast = _fast(draw, rate, length_s) * draw.uniform(*FAST_UV)
    slow = _slow(draw, rate, length_s) * draw.uniform(*SLOW_UV)
    first = np.flatnonzero(patient.focus)[0]
    lags_s = cdist(patient.implant.xyz_mm[[first]], patient.implant.xyz_mm)[0] / LAG_MM_S
    gains = np.exp(draw.normal(0, GAIN_SPREAD, (2, len(lags_s))))
    begin, after = round(seizure.onset_s * rate), int(10 * rate)
    time = np.arange(len(fast)) / rate
    for i in np.flatnonzero(seizure.delay_s < length_s):
        late, row = seizure.delay_s[i], signal[i]
        early = np.exp(-max(0.0, late - EARLY_S) / FADING_S)
        skip = round((late + lags_s[i]) * rate)
        if (left := len(fast) - skip) < rate:
            continue
        here = time[:left]
        span = slice(begin + skip, begin + skip + left)
        row[span] *= _quiet(here, early).astype(np.float32)
        added = loudness * gains[0, i] * early * fast[:left] + gains[1, i] * _grown(here) * slow[skip : skip + left]
        row[span] += added.astype(np.float32)
        row[span.stop : span.stop + after] *= np.float32(0.45)


def _quiet(since: Array, early: float) -> Array:
    """Factor on the resting activity: flattened while the fast onset lasts."""
    return np.asarray(1 - 0.5 * early * np.clip(since / 0.5, 0, 1) * np.clip((FAST_S + 2 - since) / 2, 0, 1))


def _grown(since: Array) -> Array:
    """Envelope of the rhythmic discharge: it begins 3 s after recruitment and grows for 8 s."""
    return np.asarray(np.clip((since - 3) / 8, 0, 1))


def _fast(draw: np.random.Generator, rate_hz: int, length_s: float) -> Array:
    """Fast onset (s,), amplitude 1: a noisy chirp that falls from the gamma band to the beta band."""
    time = np.arange(int(length_s * rate_hz)) / rate_hz
    top, bottom = min(draw.uniform(60, 110), 0.4 * rate_hz), draw.uniform(16, 26)
    pitch = (
        bottom + (top - bottom) * np.exp(-time / 3.0) + 2 * np.cumsum(draw.normal(0, np.sqrt(1 / rate_hz), len(time)))
    )
    window = np.clip(time / 0.3, 0, 1) * np.clip((FAST_S - time) / 2, 0, 1)
    return np.asarray(window * np.sin(2 * np.pi * np.cumsum(pitch) / rate_hz))


def _slow(draw: np.random.Generator, rate_hz: int, length_s: float) -> Array:
    """Rhythmic discharge (s,), amplitude about 1: from theta to delta, sharp on one side."""
    time = np.arange(int(length_s * rate_hz)) / rate_hz
    share = time / max(length_s, 1.0)
    pitch = draw.uniform(5, 8) * (1 - share) + draw.uniform(1.8, 3) * share
    pitch = pitch + 0.3 * np.cumsum(draw.normal(0, np.sqrt(1 / rate_hz), len(time)))
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    return np.asarray(np.sin(phase) + 0.5 * np.sin(2 * phase + 0.6) + 0.25 * np.sin(3 * phase + 1.1))


def add_muscle(draw: np.random.Generator, signal: Signal, patient: MadePatient, seizure: Seizure) -> None:
    """The patient moves: muscle activity on some shafts, wherever the seizure is, from its onset on."""
    rate, shafts = patient.rate_hz, np.array(patient.implant.shafts)
    for shaft in sorted(set(patient.implant.shafts)):
        if draw.uniform() > MUSCLE_SHARE:
            continue
        rows = np.flatnonzero(shafts == shaft)
        begin = round((seizure.onset_s + draw.uniform(0, 12)) * rate)
        length = min(int(draw.uniform(5, 20) * rate), signal.shape[1] - begin)
        noise = np.diff(draw.standard_normal((len(rows), length + 1), dtype=np.float32), axis=1)
        sizes = draw.uniform(*MUSCLE_UV) * np.exp(draw.normal(0, 0.5, (len(rows), 1)))
        signal[rows, begin : begin + length] += (sizes * np.hanning(length)).astype(np.float32) * noise
