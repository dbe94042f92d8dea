"""The planted-graph corpus: who is in it, and what it is called on disk (docs/sglc.md, The planted graph).

A class is a graph of whose band power follows whose, 1-3 s later; every electrode has one spectrum in all classes.
`patients` needs only the standard library: Snakemake calls it while it parses. Files are written as the scalp
simulator writes TUSZ, so that the whole graph runs on them from the EDF.
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.layouts import ID_SPACE, patient_id, recording_files
from pipeline.corpora.scalp.streams import generator, number
from pipeline.settings.driven import KIND, DrivenSettings, Split

SETTINGS = DrivenSettings
MONTAGE = "03_tcp_ar_a"


@dataclass(frozen=True)
class DrivenPatient:
    """One invented patient; `number` seeds what is drawn."""

    patient: str
    split: Split
    kind: str
    number: int


def patients(settings: DrivenSettings) -> list[DrivenPatient]:
    """The cohort. Numbers follow one another within a split, so that a larger cohort keeps the others."""
    found: list[DrivenPatient] = []
    step = ID_SPACE // 4
    for part, split in enumerate(sorted(settings.patients)):
        first = number(settings.seed, "driven", below=step)
        for place in range(settings.patients[split]):
            one = (part * step + (first + place) % step) % ID_SPACE
            found.append(DrivenPatient(patient_id(one, settings.format), split, KIND, one))
    return found


def files_of(settings: DrivenSettings, patient: DrivenPatient, session: int) -> RecordingFiles:
    """Where recording number `session` (from 1) of a patient lies below the corpus root."""
    return recording_files(settings.format, patient.patient, session, split=patient.split, montage=MONTAGE)


def write_tree(root: Path, settings: DrivenSettings) -> None:
    """Say at the top of the tree that it is synthetic."""
    from pipeline.corpora.scalp import tusz_files

    tusz_files.write_tree(root, [])


def write_patient(root: Path, truth: Path, settings: DrivenSettings, patient: DrivenPatient) -> list[RecordingFiles]:
    """Simulate and write every recording of a patient below `root`, and the hidden truth below `truth`."""
    from threadpoolctl import threadpool_limits

    from pipeline.corpora.driven.recording import driven_recording
    from pipeline.corpora.scalp import tusz_files
    from pipeline.corpora.scalp.files import write_truth

    own = generator(settings.seed, patient.number, "patient")
    lag_s, gain = float(own.uniform(*settings.lag_s)), float(own.normal(0.0, settings.gain[0]))
    written = []
    with threadpool_limits(1):  # bytes must not depend on how many threads a product is split into
        for session in range(1, settings.recordings_per_patient + 1):
            draw = generator(settings.seed, patient.number, session, "recording")
            made = driven_recording(draw, settings, lag_s=lag_s, patient_gain=gain)
            files = files_of(settings, patient, session)
            tusz_files.write_recording(root, files, made, session, dummies=False)
            write_truth(truth, files, made, MONTAGE)
            written.append(files)
    return written
