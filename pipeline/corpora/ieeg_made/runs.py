"""The recordings of an invented patient: which there are, how long they last, and the trap that each bears.

Known without simulating anything, so that the list of traps is.
"""

from dataclasses import dataclass

from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.scalp.streams import generator
from pipeline.settings.ieeg_simulation import IeegSimulationSettings, RunSettings

SESSION = "presurgery"
EXTRA_S = 10  # of a recording that is there for a trap alone
EXTRA_TRAPS = ("name_order_stop", "annex_pointer", "duplicate_labels")  # each in a recording of its own
SHORT_S = 35  # a seizure below this does not fill an ictal clip


@dataclass(frozen=True)
class Run:
    """One recording. `seizure_s` is its seizure's duration, 0 between seizures; `trap` a key of traps.py or nothing."""

    task: str  # ictal interictal
    number: int
    duration_s: int
    onset_s: float = 0.0
    seizure_s: float = 0.0
    trap: str = ""

    @property
    def offset_s(self) -> float:
        """End of the seizure, s after the recording's start."""
        return self.onset_s + self.seizure_s


def runs_of(settings: IeegSimulationSettings, patient: MadePatient) -> list[Run]:
    """Ictal runs, then interictal ones, each counted from 1."""
    draw = generator(settings.seed, patient.number, "ieeg", "runs")
    ictal = int(draw.integers(settings.runs.ictal[0], settings.runs.ictal[1] + 1))
    between = int(draw.integers(settings.runs.interictal[0], settings.runs.interictal[1] + 1))
    lengths_s = [round(float(draw.uniform(*settings.runs.seizure_s)), 1) for _ in range(ictal)]
    if "ictal_missing" in patient.traps:
        lengths_s = []
    if "interictal_missing" in patient.traps:
        between = 0
    if "label_run_disagreement" in patient.traps:
        between = max(between, 2)
    found = [_ictal(number, length_s, settings.runs) for number, length_s in enumerate(lengths_s, start=1)]
    found += [Run("interictal", number, settings.runs.interictal_s) for number in range(1, between + 1)]
    extra = [trap for trap in EXTRA_TRAPS if trap in patient.traps]
    return found + [Run("interictal", between + i, EXTRA_S, trap=trap) for i, trap in enumerate(extra, start=1)]


def _ictal(number: int, seizure_s: float, settings: RunSettings) -> Run:
    duration_s = int(settings.before_onset_s + seizure_s + settings.after_offset_s)
    return Run("ictal", number, duration_s, float(settings.before_onset_s), seizure_s)


def stem(patient: MadePatient, run: Run) -> str:
    """Name of a recording, without what its files end in."""
    kind = patient.implant.kind.lower()
    return f"{patient.participant}_ses-{SESSION}_task-{run.task}_acq-{kind}_run-{run.number:02d}"


def folder(patient: MadePatient) -> str:
    """Where the patient's recordings lie, relative to the corpus root."""
    return f"{patient.participant}/ses-{SESSION}/ieeg"
