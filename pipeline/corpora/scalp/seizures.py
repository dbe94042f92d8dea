"""Seizures by type, and the events that only look like them (spec simulator.md, sections 4, 5 and 11)."""

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.scalp.discharge import Component, Discharge
from pipeline.corpora.scalp.head import ELECTRODES, Head, electrode_index, nearest_source
from pipeline.corpora.scalp.patient import Patient
from pipeline.corpora.scalp.recruitment import scattered_arrival, scattered_sites, spread

Array = NDArray[np.floating]
THETA = (1.0, 0.35, 0.12)  # strengths of the harmonics
SPIKE_WAVE = (1.0, 0.7, 0.5, 0.35, 0.22, 0.12)
CLONIC = (1.0, 0.85, 0.7, 0.5, 0.35, 0.22, 0.12)
IRREGULAR = (1.0, 0.45, 0.2)
FOCAL_CODES = ("fnsz", "cpsz", "spsz")
STAYS_FOCAL = 0.35  # share of the fnsz and cpsz that never leave the region where they began
TONIC_CLONIC = 0.6  # share of the seizures of a patient with tonic and tonic-clonic seizures; the others are tonic
GENERALISED_GAIN = 1.8  # generalised discharges are larger than focal ones
MYOCLONIC = 0.06  # share of the seizures of a generalised patient
DURATION_S = {
    "fnsz": (20.0, 65.0), "cpsz": (25.0, 70.0), "spsz": (15.0, 45.0), "gnsz": (14.0, 45.0), "absz": (5.0, 20.0),
    "tnsz": (12.0, 28.0), "tcsz": (25.0, 50.0), "mysz": (11.0, 18.0),
}  # fmt: skip
GAP_S = 12.0  # shortest time between two seizures
FIRST_S = 4.0  # no seizure begins earlier


def draw_seizures(
    draw: np.random.Generator, patient: Patient, head: Head, counts: list[int], total_s: float
) -> list[Discharge]:
    """The seizures of one recording, in order; those that do not fit into `total_s` are left out."""
    count = int(draw.choice(counts))
    codes = [_code(draw, patient) for _ in range(count)]
    durations = [float(draw.uniform(*DURATION_S[code])) for code in codes]
    room = total_s - FIRST_S - 2.0
    while codes and sum(durations) + GAP_S * len(durations) > room:
        codes.pop()
        durations.pop()
    slack = room - sum(durations) - GAP_S * len(durations)
    pauses = draw.dirichlet(np.ones(len(codes) + 1)) * slack
    found, time = [], FIRST_S
    for code, duration, pause in zip(codes, durations, pauses, strict=False):
        time += float(pause)
        found.append(_seizure(draw, patient, head, code, time, duration))
        time += duration + GAP_S
    return found


def draw_seizure_like(
    draw: np.random.Generator, patient: Patient, head: Head, expected: float, total_s: float, ratio: tuple[float, float]
) -> list[Discharge]:
    """Evolving discharges that join electrodes of which no two are neighbours; to one channel they are seizures."""
    found = []
    for _ in range(draw.poisson(expected)):
        duration = min(float(draw.uniform(18.0, 60.0)), total_s / 2)
        sites = scattered_sites(draw, head, int(draw.integers(2, 7)))
        early, late = float(draw.uniform(5.0, 7.5)), float(draw.uniform(2.3, 3.6))
        fast = float(draw.uniform(15.0, 25.0)) * bool(draw.random() < 0.35)
        found.append(
            Discharge(
                code="",
                onset_s=float(draw.uniform(FIRST_S, total_s - duration - 2.5)),
                duration_s=duration,
                arrival_s=scattered_arrival(draw, head, sites, patch_m=float(draw.uniform(0.010, 0.018))),
                lag_s=_lags(draw, head, nearest_source(head, sites[0])),
                weights=np.ones(len(head.sources)),
                growth=2.0,
                components=_focal_components(duration, early, late, fast),
                amplitude_uv=float(draw.uniform(*ratio)) * patient.background_uv,
                electrodes=tuple(ELECTRODES[site] for site in sites),
            )
        )
    return found


def _code(draw: np.random.Generator, patient: Patient) -> str:
    if patient.kind == "CT":
        return "tcsz" if draw.random() < TONIC_CLONIC else "tnsz"
    return "mysz" if patient.kind == "GN" and draw.random() < MYOCLONIC else patient.code


def _seizure(
    draw: np.random.Generator, patient: Patient, head: Head, code: str, onset_s: float, duration_s: float
) -> Discharge:
    make = _focal if code in FOCAL_CODES else _generalised
    return make(draw, patient, head, code, onset_s, duration_s)


def _focal(
    draw: np.random.Generator, patient: Patient, head: Head, code: str, onset_s: float, duration_s: float
) -> Discharge:
    electrode = electrode_index(patient.focus)
    focus = int(np.abs(head.reach[electrode] - patient.focus_offset_m).argmin())
    stays = code == "spsz" or bool(draw.random() < STAYS_FOCAL)
    arrival = spread(
        draw,
        head,
        focus,
        speed_m_s=patient.speed_m_s * float(draw.lognormal(0.0, 0.2)),
        patch_m=float(draw.uniform(0.010, 0.018)),
        barrier_m=float(draw.uniform(0.025, 0.040)) if stays else None,
    )
    early, late = (hz * float(draw.lognormal(0.0, 0.06)) for hz in (patient.early_hz, patient.late_hz))
    return Discharge(
        code=code,
        onset_s=onset_s,
        duration_s=duration_s,
        arrival_s=arrival,
        lag_s=_lags(draw, head, focus),
        weights=np.ones(len(head.sources)),
        growth=2.0,
        components=_focal_components(duration_s, early, late, patient.fast_onset_hz),
        amplitude_uv=_amplitude(draw, patient),
        electrodes=(patient.focus,),
        stays_focal=stays,
        flattening=0.4 if patient.fast_onset_hz else 0.0,
    )


def _focal_components(duration_s: float, early_hz: float, late_hz: float, fast_hz: float) -> tuple[Component, ...]:
    """Theta that slows down; before it, in some patients, four seconds of low fast activity."""
    start_s = 3.0 if fast_hz else 0.0
    theta = Component(
        start_s=start_s,
        stop_s=duration_s + 1.0,
        early_hz=early_hz,
        late_hz=late_hz,
        harmonics=THETA,
        jitter_hz=0.2,
        waning=0.35,
        edge_s=1.0,
    )
    if not fast_hz:
        return (theta,)
    fast = Component(
        start_s=0.0,
        stop_s=4.5,
        early_hz=fast_hz,
        late_hz=0.8 * fast_hz,
        harmonics=(1.0,),
        jitter_hz=1.0,
        amplitude=0.45,
        edge_s=0.8,
    )
    return (fast, theta)


def _generalised(
    draw: np.random.Generator, patient: Patient, head: Head, code: str, onset_s: float, duration_s: float
) -> Discharge:
    n = len(head.sources)
    start = nearest_source(head, electrode_index(str(draw.choice(["FZ", "F3", "F4", "CZ"]))))
    within_s = {"absz": 0.05, "gnsz": float(draw.uniform(0.3, 2.0))}.get(code, float(draw.uniform(0.3, 3.0)))
    reach = head.distance[start] / head.distance[start].max()
    suppression = float(draw.uniform(5.0, 20.0)) if code == "tcsz" else 0.0
    return Discharge(
        code=code,
        onset_s=onset_s,
        duration_s=duration_s,
        arrival_s=within_s * reach * draw.uniform(0.8, 1.0, n),
        lag_s=_lags(draw, head, start) * (0.1 if code == "absz" else 1.0),
        weights=_frontal(head, 0.8 if code == "absz" else float(draw.uniform(0.0, 0.6))),
        growth=6.0 if code in ("absz", "mysz") else 2.5,
        components=_components(draw, code, duration_s),
        amplitude_uv=_amplitude(draw, patient) * GENERALISED_GAIN,
        suppression_s=suppression,
        muscle_ratio=float(draw.uniform(0.15, 0.7)) if code in ("tcsz", "tnsz") else 0.0,
    )


def _components(draw: np.random.Generator, code: str, duration_s: float) -> tuple[Component, ...]:
    """Rhythms of the generalised types."""
    stop_s = duration_s + 0.5
    if code == "absz":
        return (_rhythm(0.0, stop_s, 3.2, 2.6, SPIKE_WAVE, jitter_hz=0.08, edge_s=0.15),)
    if code == "gnsz":
        early, late = draw.uniform(2.4, 4.2), draw.uniform(1.9, 3.2)
        return (_rhythm(0.0, stop_s, early, late, IRREGULAR, jitter_hz=0.8, waning=0.7),)
    if code == "mysz":
        return (_rhythm(0.0, stop_s, 1.6, 1.2, CLONIC, jitter_hz=0.35, waning=0.4),)
    high, low = float(draw.uniform(17.0, 25.0)), float(draw.uniform(12.0, 16.0))
    if code == "tnsz":
        return (_rhythm(0.0, stop_s, high, low, (1.0, 0.15), jitter_hz=0.8, growing=True),)
    tonic_s = min(float(draw.uniform(10.0, 20.0)), 0.6 * duration_s)
    tonic = _rhythm(0.0, tonic_s + 1.0, high, low, (1.4, 0.2), jitter_hz=0.8, growing=True)
    clonic = _rhythm(tonic_s - 1.0, stop_s, 4.0, 1.2, CLONIC, jitter_hz=0.15, edge_s=1.0)
    return (tonic, clonic)


def _rhythm(
    start_s: float,
    stop_s: float,
    early_hz: float,
    late_hz: float,
    harmonics: tuple[float, ...],
    *,
    jitter_hz: float,
    waning: float = 0.25,
    growing: bool = False,
    edge_s: float = 0.4,
) -> Component:
    return Component(
        start_s=start_s,
        stop_s=stop_s,
        early_hz=float(early_hz),
        late_hz=float(late_hz),
        harmonics=harmonics,
        jitter_hz=jitter_hz,
        waning=waning,
        growing=growing,
        edge_s=edge_s,
    )


def _amplitude(draw: np.random.Generator, patient: Patient) -> float:
    """RMS in µV over the strongest electrodes: the patient's ratio, a little different each time."""
    return patient.ratio * patient.background_uv * float(draw.lognormal(0.0, 0.15))


def _lags(draw: np.random.Generator, head: Head, focus: int) -> Array:
    """Conduction lags (400,) in s at 0.3-1 m/s from the focus."""
    return head.distance[focus] / draw.uniform(0.3, 1.0)


def _frontal(head: Head, strength: float) -> Array:
    """Amplitudes (400,) that rise towards the front."""
    forward = head.sources[:, 1] / np.linalg.norm(head.sources, axis=1)
    return np.exp(1.5 * strength * forward)
