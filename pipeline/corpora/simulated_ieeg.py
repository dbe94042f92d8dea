"""The built-in synthetic intracranial corpus: who is in it, and what it is called on disk (docs/soz.md).

`patients` needs only the standard library: Snakemake calls it while it parses. `write_patient` loads the physics
(pipeline/corpora/ieeg_made/). The tree is that of ds004100 (soz.md, sections 8 and 10).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.corpora.ieeg.tree import PARTICIPANTS, find_listed
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.layouts import ID_SPACE
from pipeline.corpora.scalp.streams import number
from pipeline.settings.ieeg_simulation import IeegSimulationSettings

if TYPE_CHECKING:
    from pipeline.corpora.ieeg_made.patient import MadePatient

SETTINGS = IeegSimulationSettings
SPLIT: Literal["train"] = "train"  # of all patients: folds decide who is tested
README = "README.txt"


@dataclass(frozen=True)
class IeegPatient:
    """One invented patient; `number` seeds what is drawn, `place` in the cohort says which traps lie in wait."""

    patient: str
    split: Literal["train"]
    kind: str  # SEEG ECOG
    number: int
    place: int


def patients(settings: IeegSimulationSettings) -> list[IeegPatient]:
    """The cohort. Numbers follow one another, so that a larger cohort keeps the others."""
    found = []
    for place, kind in enumerate(settings.kinds):
        one = _number(settings, place)
        found.append(IeegPatient(f"syn{one:07d}", SPLIT, kind, one, place))
    return found


def absent(settings: IeegSimulationSettings) -> str | None:
    """The participant who is listed and has no folder, where traps are planted."""
    return f"sub-syn{_number(settings, settings.patients):07d}" if settings.traps else None


def _number(settings: IeegSimulationSettings, place: int) -> int:
    return (number(settings.seed, "ieeg", below=ID_SPACE) + place) % ID_SPACE


def write_tree(root: Path, settings: IeegSimulationSettings) -> None:
    """Write what the whole corpus shares: participants, description, and that it is synthetic."""
    from pipeline.corpora.ieeg_made import side_files
    from pipeline.corpora.scalp.files import write_bytes

    people = [_drawn(settings, one) for one in patients(settings)]
    write_bytes(root / README, side_files.READ_ME.encode())
    write_bytes(root / "dataset_description.json", side_files.description_text().encode())
    write_bytes(root / PARTICIPANTS, side_files.participants_text(people, absent(settings)).encode())


def write_patient(
    root: Path, truth: Path, settings: IeegSimulationSettings, patient: IeegPatient
) -> list[RecordingFiles]:
    """Simulate and write every recording of a patient below `root`, and the hidden truth below `truth`.

    `truth/traps.tsv` lists the faults of the whole corpus; every patient's job writes the same one.
    """
    from threadpoolctl import threadpool_limits

    from pipeline.corpora.ieeg_made import files, planting, traps
    from pipeline.corpora.scalp.files import write_bytes

    people = [_drawn(settings, one) for one in patients(settings)]
    listed = planting.planted_traps(settings, people, absent(settings))
    write_bytes(truth / "traps.tsv", traps.as_text(listed).encode())
    with threadpool_limits(1):  # bytes must not depend on how many threads a product is split into
        written = files.write_recordings(root, truth, settings, people[patient.place])
    edfs = [name for name in written if name.endswith(".edf")]
    return [replace(one, split=SPLIT) for one in find_listed(root, edfs)]


def _drawn(settings: IeegSimulationSettings, one: IeegPatient) -> "MadePatient":
    from pipeline.corpora.ieeg_made.patient import draw_patient

    return draw_patient(settings, patient=one.patient, number=one.number, place=one.place, kind=one.kind)
