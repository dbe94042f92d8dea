"""One recording: background, seizures, hard negatives and artefacts, referenced, labelled, with its hidden truth.

Every part draws from its own stream, named by (seed, patient, session, part): what one part draws moves no other.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.records import Event
from pipeline.corpora.scalp.artefacts import artefacts
from pipeline.corpora.scalp.background import background
from pipeline.corpora.scalp.discharge import AFTER_S, Discharge, integrate, potentials
from pipeline.corpora.scalp.edf import Channel
from pipeline.corpora.scalp.head import ELECTRODES, Head, nearest_electrode
from pipeline.corpora.scalp.negatives import hard_negatives
from pipeline.corpora.scalp.patient import Patient
from pipeline.corpora.scalp.seizures import draw_seizure_like, draw_seizures
from pipeline.corpora.scalp.streams import generator
from pipeline.corpora.scalp.visibility import Truth, label_seizures
from pipeline.corpora.scalp.waves import Mark, band_noise, tapered
from pipeline.settings.simulation import SimulationSettings
from pipeline.signals.montages import MONTAGES

Array = NDArray[np.floating]
STREAMS = (
    "background", "seizures", "like", "discharges", "like_discharges", "negatives", "artefacts", "muscle", "files",
)  # fmt: skip
MIDLINE = ("FZ", "PZ")
UNDER_ELECTRODE_M = 0.020  # sources this near to an electrode's foot decide when it is recruited


@dataclass(frozen=True)
class Recording:
    """What is written to disk. `brain`, `seizure` (21, n) in µV, unreferenced, stay in memory for the tests."""

    channels: list[Channel]
    events: list[Event]
    derivations: tuple[str, ...]
    reference: str  # REF or LE
    duration_s: float
    truth: dict[str, Any]
    brain: Array
    seizure: Array


def simulate_recording(
    settings: SimulationSettings, patient: Patient, head: Head, *, key: tuple[int, int], montage: str
) -> Recording:
    """Simulate one recording; `key` is the patient's number and the session, and with the seed all that it hangs on."""
    rate, total_s = patient.rate_hz, float(int(settings.minutes * 60))
    n = int(total_s * rate)
    streams = {name: generator(settings.seed, *key, name) for name in STREAMS}
    brain = background(streams["background"], patient, head, n)
    seizures = draw_seizures(streams["seizures"], patient, head, settings.seizures[patient.kind], total_s)
    expected = settings.hard_negatives.seizure_like * total_s / 240.0
    like = draw_seizure_like(streams["like"], patient, head, expected, total_s, settings.ratio)
    seizure = _discharges(streams["discharges"], head, seizures, rate, n, apart_from=[])
    alike = _discharges(streams["like_discharges"], head, like, rate, n, apart_from=seizures)
    like = [one for one in like if not _meets(one, seizures)]
    brain *= _background_gain(head, seizures, rate, n)
    negatives, marks = hard_negatives(streams["negatives"], patient, head, n, settings.hard_negatives, settings.ratio)
    noise, heart, more = artefacts(streams["artefacts"], patient, head, n)
    _add_seizure_muscle(streams["muscle"], seizures, noise, rate)
    derivations = MONTAGES[montage]
    truths = [Truth(one.code, one.onset_s, one.onset_s + one.duration_s + AFTER_S) for one in seizures]
    total = reference(brain + seizure + alike + negatives + noise, montage)
    return Recording(
        channels=_channels(streams["files"], settings, total, heart, rate, montage),
        events=label_seizures(seizure, brain, rate, truths, derivations),
        derivations=derivations,
        reference="LE" if "_le" in montage else "REF",
        duration_s=total_s,
        truth=_truth(patient, head, seizures, like, marks + more),
        brain=brain,
        seizure=seizure,
    )


def reference(potential: Array, montage: str) -> Array:
    """Potentials (21, n) against the average of the 19 scalp electrodes, or against linked ears (`_le`)."""
    if "_le" in montage:
        return potential - potential[19:].mean(0)
    return potential - potential[:19].mean(0)


def _meets(one: Discharge, others: list[Discharge]) -> bool:
    return any(
        one.onset_s < other.onset_s + other.duration_s + 3 and other.onset_s < one.onset_s + one.duration_s + 3
        for other in others
    )


def _discharges(
    draw: np.random.Generator,
    head: Head,
    discharges: list[Discharge],
    rate: int,
    n: int,
    *,
    apart_from: list[Discharge],
) -> Array:
    """Potentials (21, n) of all discharges but those that meet others.

    Those are made as well, and not used: where no seizure is, a recording is the same to the bit as one without any.
    """
    field = np.zeros((len(ELECTRODES), n), np.float32)
    envelopes = integrate(draw, head, discharges) if discharges else []
    for one, envelope in zip(discharges, envelopes, strict=True):
        start = int(one.onset_s * rate)
        wave = potentials(draw, head, one, envelope, rate)[:, : n - start]
        if not _meets(one, apart_from):
            field[:, start : start + wave.shape[1]] += wave
    return field


def _background_gain(head: Head, seizures: list[Discharge], rate: int, n: int) -> Array:
    """Factor (21, n) on the background: flat near a focus at the onset, suppressed after a tonic-clonic one."""
    gain = np.ones((1, n), np.float32)
    if any(one.flattening for one in seizures):
        gain = np.ones((len(ELECTRODES), n), np.float32)
    for one in seizures:
        start, stop = int(one.onset_s * rate), int((one.onset_s + one.duration_s) * rate)
        if one.flattening:
            focus = ELECTRODES.index(one.electrodes[0])
            near = np.exp(-0.5 * (head.reach[:, head.reach[focus].argmin()] / 0.05) ** 2)
            dip = tapered(min(4 * rate, n - start), rate, 0.8)
            gain[:, start : start + len(dip)] *= (1 - one.flattening * np.outer(near, dip)).astype(np.float32)
        if one.suppression_s:
            dip = tapered(min(int(one.suppression_s * rate), n - stop), rate, 1.5)
            gain[:, stop : stop + len(dip)] *= (1 - 0.7 * dip).astype(np.float32)
    return gain


def _add_seizure_muscle(draw: np.random.Generator, seizures: list[Discharge], field: Array, rate: int) -> None:
    """Muscle activity of tonic and tonic-clonic seizures, everywhere; it is no part of what makes a label."""
    for one in seizures:
        if not one.muscle_ratio:
            continue
        first, last = int(one.onset_s * rate), int((one.onset_s + one.duration_s) * rate)
        noise = band_noise(draw, last - first, rate, 20.0, 80.0, rows=len(ELECTRODES))
        sizes = one.muscle_ratio * one.amplitude_uv * draw.lognormal(0, 0.4, len(ELECTRODES))
        field[:, first:last] += (sizes[:, None] * noise * tapered(last - first, rate, 3.0)).astype(np.float32)


def _channels(
    draw: np.random.Generator, settings: SimulationSettings, total: Array, heart: Array, rate: int, montage: str
) -> list[Channel]:
    """Channels as TUSZ names them; `_a` montages have no ear electrodes, and traps may take or add some."""
    suffix = "LE" if "_le" in montage else "REF"
    missing = MIDLINE if draw.random() < settings.traps.missing_midline else ()
    extra = draw.random() < settings.traps.one_hz_channel
    names = ELECTRODES[:19] if montage.endswith("_a") else ELECTRODES
    kept = [(name, row) for name, row in zip(names, total, strict=False) if name not in missing]
    channels = [Channel(f"EEG {name}-{suffix}", row, rate) for name, row in kept]
    channels.append(Channel(f"EEG EKG1-{suffix}", heart, rate))
    if extra:
        channels.append(Channel("IBI", draw.uniform(600, 1100, int(settings.minutes * 60)), 1, "ms"))
    return channels


def _truth(
    patient: Patient, head: Head, seizures: list[Discharge], like: list[Discharge], marks: list[Mark]
) -> dict[str, Any]:
    """The hidden truth, for scores of localisation; never copied into an annotation."""
    return {
        "synthetic": True,
        "kind": patient.kind,
        "ratio": round(patient.ratio, 4),
        "background_uv": round(patient.background_uv, 3),
        "seizures": [_discharge_truth(head, one) for one in seizures],
        "seizure_like": [_discharge_truth(head, one) for one in like],
        "marks": [asdict(mark) for mark in sorted(marks, key=lambda mark: (mark.start_s, mark.kind))],
    }


def _discharge_truth(head: Head, one: Discharge) -> dict[str, Any]:
    """One discharge: focus, and when each source and each scalp electrode joined (None: never)."""
    near = np.where(head.reach[:19] < UNDER_ELECTRODE_M, one.arrival_s, np.inf).min(1)
    first = int(one.arrival_s.argmin())
    return {
        "code": one.code,
        "onset_s": round(one.onset_s, 4),
        "offset_s": round(one.onset_s + one.duration_s, 4),
        "amplitude_uv": round(one.amplitude_uv, 3),
        "stays_focal": one.stays_focal,
        "electrodes": list(one.electrodes) or [ELECTRODES[nearest_electrode(head, first)]],
        "electrode_recruitment_s": {
            name: _seconds(time, one.duration_s) for name, time in zip(ELECTRODES[:19], near, strict=True)
        },
        "source_recruitment_s": [_seconds(time, one.duration_s) for time in one.arrival_s],
    }


def _seconds(time: float, duration_s: float) -> float | None:
    return round(float(time), 3) if time < duration_s else None
