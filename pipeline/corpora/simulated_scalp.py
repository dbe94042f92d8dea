"""The built-in synthetic scalp-EEG corpus: who is in it, and what it is called on disk.

`patients` and `files_of` are pure functions of the settings and need only the standard library: Snakemake calls the
first while it parses. `write_patient` loads the physics (pipeline/corpora/scalp/). Docs: docs/simulator.md.
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.streams import generator, number
from pipeline.findings import CorpusError
from pipeline.settings.simulation import SimulationSettings, Split

YEAR = 2015  # of every session; the corpus has no clock
ID_SPACE = 10_000_000  # 9 + seven digits (v1: real ids begin with 0000), syn + five letters (v2)
OFFICIAL: dict[str, dict[Split, str]] = {
    "tusz_v1": {"train": "train", "validation": "train", "test": "dev"},  # v1.5.2 has no validation folder
    "tusz_v2": {"train": "train", "validation": "dev", "test": "eval"},
}
EXTENSIONS = {"tusz_v1": ("tse", "tse_bi", "lbl", "lbl_bi"), "tusz_v2": ("csv", "csv_bi")}
KINDS = ("CF", "GN", "AB", "CT")
READ_ME = """SYNTHETIC EEG. Nothing here was recorded from a person.

Made by Ictograph's built-in simulator (pipeline/corpora/simulated_scalp.py, docs/simulator.md) in the file layout of
the TUH EEG Seizure Corpus. Scores on these files say how software behaves, never how well it would do in a clinic.
"""


@dataclass(frozen=True)
class SimulatedPatient:
    """One invented patient. `number` seeds the physics, so that both corpus layouts hold the same recordings."""

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
                found.append(SimulatedPatient(_patient_id(one, settings.format), split, kind, one))
    return found


def _free_number(seed: int, kind: str, split: str, place: int, taken: set[int]) -> int:
    attempt = 0
    while (one := number(seed, "patient", kind, split, place, attempt, below=ID_SPACE)) in taken:
        attempt += 1
    taken.add(one)
    return one


def _patient_id(one: int, layout: str) -> str:
    if layout == "tusz_v1":
        return f"9{one:07d}"
    letters = ""
    for _ in range(5):
        one, letter = divmod(one, 26)
        letters = chr(ord("a") + letter) + letters
    return f"syn{letters}"


def files_of(settings: SimulationSettings, patient: SimulatedPatient, session: int) -> RecordingFiles:
    """Where recording number `session` (from 1) of a patient lies below the corpus root, in the layout's folders."""
    montage = _montage(settings, patient, session)
    official = OFFICIAL[settings.format][patient.split]
    recording = f"{patient.patient}_s{session:03d}_t000"
    if settings.format == "tusz_v1":
        bucket, folder = patient.patient[3:6], f"s{session:03d}_{YEAR}_01_{session:02d}"
        stem = f"edf/{official}/{montage}/{bucket}/{patient.patient}/{folder}/{recording}"
    else:
        stem = f"edf/{official}/{patient.patient}/s{session:03d}_{YEAR}/{montage}/{recording}"
    return RecordingFiles(
        recording=recording,
        patient=patient.patient,
        session=f"s{session:03d}",
        montage=montage,
        edf=f"{stem}.edf",
        annotations=tuple(f"{stem}.{extension}" for extension in EXTENSIONS[settings.format]),
        official=official,
        split=patient.split,
    )


def _montage(settings: SimulationSettings, patient: SimulatedPatient, session: int) -> str:
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


def write_read_me(root: Path) -> None:
    """Say at the top of the tree that it is synthetic."""
    from pipeline.corpora.scalp.files import write_text

    write_text(root / "README.txt", READ_ME)


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
    from pipeline.corpora.scalp.files import write_recording
    from pipeline.corpora.scalp.head import build_head
    from pipeline.corpora.scalp.patient import draw_patient
    from pipeline.corpora.scalp.recording import simulate_recording

    physiology = draw_patient(generator(settings.seed, patient.number, "physiology"), patient.kind, settings.ratio)
    head = build_head(
        radius_factor=physiology.radius_factor,
        skull_factor=physiology.skull_factor,
        jitter_m=physiology.jitter_m,
    )
    written = []
    for session in range(1, settings.recordings_per_patient + 1):
        files = files_of(settings, patient, session)
        made = simulate_recording(settings, physiology, head, key=(patient.number, session), montage=files.montage)
        write_recording(root, truth, files, made)
        written.append(files)
    return written
