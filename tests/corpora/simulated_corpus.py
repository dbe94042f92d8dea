"""What the tests of the simulator share: settings as in config.yaml, and recordings that stay in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.head import Head, build_head
from pipeline.corpora.scalp.patient import Patient, draw_patient
from pipeline.corpora.scalp.recording import Recording, simulate_recording
from pipeline.corpora.scalp.streams import generator
from pipeline.corpora.simulated_scalp import SimulatedPatient, files_of, patients
from pipeline.settings.simulation import SimulationSettings

REPOSITORY = Path(__file__).parents[2]


def simulation(**changes: Any) -> SimulationSettings:
    """The settings of the built-in corpus, changed at the top level."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["corpora"]["synthetic"]["simulate"]
    return SimulationSettings.model_validate({**values, **changes})


@dataclass(frozen=True)
class Case:
    """One recording with what the simulator knows about its patient."""

    who: SimulatedPatient
    patient: Patient
    head: Head
    made: Recording

    @property
    def scalp(self) -> np.ndarray:
        """Samples (19, n) in µV, as in the file."""
        return np.array([channel.samples for channel in self.made.channels[:19]])

    def ictal_seconds(self) -> np.ndarray:
        """Seconds (t,) that a seizure touches."""
        seconds = np.zeros(int(self.made.duration_s), bool)
        for event in whole_events(self.made.events, binary=True):
            seconds[int(event.onset_s) : int(np.ceil(event.offset_s))] = True
        return seconds


def head_of(patient: Patient) -> Head:
    return build_head(radius_factor=patient.radius_factor, skull_factor=patient.skull_factor, jitter_m=patient.jitter_m)


def cases(settings: SimulationSettings) -> Iterator[Case]:
    """Every recording of a corpus, without writing any."""
    for who in patients(settings):
        patient = draw_patient(generator(settings.seed, who.number, "physiology"), who.kind, settings.ratio)
        head = head_of(patient)
        for session in range(1, settings.recordings_per_patient + 1):
            montage = files_of(settings, who, session).montage
            made = simulate_recording(settings, patient, head, key=(who.number, session), montage=montage)
            yield Case(who, patient, head, made)
