"""The built-in synthetic scalp-EEG corpus: who is in it, and what it is called on disk.

`patients` and `files_of` are pure functions of the settings and need only the standard library: Snakemake calls the
first while it parses. `write_patient` loads the physics (pipeline/corpora/scalp/). Docs: docs/simulator.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.layouts import ID_SPACE, patient_id, recording_files
from pipeline.corpora.scalp.streams import generator, number
from pipeline.findings import CorpusError
from pipeline.settings.simulation import SimulationSettings, Split

if TYPE_CHECKING:
    from pipeline.corpora.scalp.files import Writer

SETTINGS = SimulationSettings
KINDS = ("CF", "GN", "AB", "CT")


@dataclass(frozen=True)
class SimulatedPatient:
    """One invented patient. `number` seeds the physics, so that every corpus format holds the same recordings."""

    patient: str
    split: Split
    kind: str  # CF GN AB CT
    number: int


def patients(settings: SimulationSettings) -> list[SimulatedPatient]:
    """The cohort. A patient's id depends on (seed, kind, split, place in the cohort): a larger cohort keeps the others.

    Raises CorpusError for a kind that the simulator does not know.
    """
    found: list[SimulatedPatient] = []
    taken: set[int] = set()
    for kind in sorted(settings.cohort):
        if kind not in KINDS:
            raise CorpusError(f"simulate.cohort: no seizure class {kind!r}; there are {', '.join(KINDS)}")
        for split, count in sorted(settings.cohort[kind].items()):
            for place in range(count):
                one = _free_number(settings.seed, kind, split, place, taken)
                found.append(SimulatedPatient(patient_id(one, settings.format), split, kind, one))
    return found


def _free_number(seed: int, kind: str, split: str, place: int, taken: set[int]) -> int:
    attempt = 0
    while (one := number(seed, "patient", kind, split, place, attempt, below=ID_SPACE)) in taken:
        attempt += 1
    taken.add(one)
    return one


def files_of(settings: SimulationSettings, patient: SimulatedPatient, session: int) -> RecordingFiles:
    """Where recording number `session` (from 1) of a patient lies below the corpus root, in the format's folders."""
    montage = montage_of(settings, patient, session)
    return recording_files(settings.format, patient.patient, session, split=patient.split, montage=montage)


def montage_of(settings: SimulationSettings, patient: SimulatedPatient, session: int) -> str:
    """The patient's montage; a patient with trap T01 has another one from the second recording on."""
    names = sorted(name for name, share in settings.montages.items() if share > 0)
    total = sum(settings.montages[name] for name in names)
    draw = number(settings.seed, patient.number, "montage", below=2**32) / 2**32 * total
    place = 0
    while place < len(names) - 1 and draw >= settings.montages[names[place]]:
        draw -= settings.montages[names[place]]
        place += 1
    trapped = number(settings.seed, patient.number, "trap", below=2**32) / 2**32 < settings.traps.two_montages
    return names[(place + (trapped and session > 1)) % len(names)]


def write_tree(root: Path, settings: SimulationSettings) -> None:
    """Write what the whole corpus shares: the read-me that says that it is synthetic, and the format's lists."""
    sessions = range(1, settings.recordings_per_patient + 1)
    listed = [files_of(settings, patient, session) for patient in patients(settings) for session in sessions]
    _writer(settings).write_tree(root, listed)


def write_patient(
    root: Path, truth: Path, settings: SimulationSettings, patient: SimulatedPatient
) -> list[RecordingFiles]:
    """Simulate and write every recording of a patient below `root`, and the hidden truth below `truth`.

    Each file is written whole or not at all, with the same bytes and the same time stamp whenever it is made.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # bytes must not depend on how many threads a product is split into
        return _write_patient(root, truth, settings, patient)


def _write_patient(
    root: Path, truth: Path, settings: SimulationSettings, patient: SimulatedPatient
) -> list[RecordingFiles]:
    from pipeline.corpora.scalp.files import write_truth
    from pipeline.corpora.scalp.head import build_head
    from pipeline.corpora.scalp.patient import draw_patient
    from pipeline.corpora.scalp.recording import simulate_recording

    physiology = draw_patient(generator(settings.seed, patient.number, "physiology"), patient.kind, settings.ratio)
    head = build_head(
        radius_factor=physiology.radius_factor,
        skull_factor=physiology.skull_factor,
        jitter_m=physiology.jitter_m,
    )
    writer, case = _writer(settings), []
    for session in range(1, settings.recordings_per_patient + 1):
        files, montage = files_of(settings, patient, session), montage_of(settings, patient, session)
        made = simulate_recording(settings, physiology, head, key=(patient.number, session), montage=montage)
        dummies = _has_dummies(settings, patient, session)
        case.append(writer.write_recording(root, files, made, session, dummies=dummies))
        write_truth(truth, files, made, montage)
    writer.write_case(root, case)
    return [one.files for one in case]


def _has_dummies(settings: SimulationSettings, patient: SimulatedPatient, session: int) -> bool:
    draw = number(settings.seed, patient.number, session, "dummy", below=2**32) / 2**32
    return draw < settings.traps.dummy_channels


def _writer(settings: SimulationSettings) -> "Writer":
    from pipeline.corpora.scalp import bids_files, chbmit_files, siena_files, tusz_files

    writers: dict[str, Writer] = {
        "tusz_v1": tusz_files, "tusz_v2": tusz_files, "bids": bids_files, "chbmit": chbmit_files, "siena": siena_files,
    }  # fmt: skip
    return writers[settings.format]
