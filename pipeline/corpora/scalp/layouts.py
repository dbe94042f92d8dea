"""Where each corpus keeps a recording, and what it calls its patients: names only (formats.md, sections 1, 2, 10-12).

Standard library only: called while Snakemake parses. Ids can be told from real ones by their form, so that no table of
real patients (chb01 = chb21, the five of TUSZ v1.5.2) ever names an invented one.
"""

from collections.abc import Callable

from pipeline.corpora.records import RecordingFiles
from pipeline.settings.simulation import Split

YEAR = 2015  # of every session; the corpus has no clock
ID_SPACE = 10_000_000  # seven digits, or five letters
OFFICIAL: dict[str, dict[Split, str]] = {
    "tusz_v1": {"train": "train", "validation": "train", "test": "dev"},  # v1.5.2 has no validation folder
    "tusz_v2": {"train": "train", "validation": "dev", "test": "eval"},
}
EXTENSIONS = {"tusz_v1": ("tse", "tse_bi", "lbl", "lbl_bi"), "tusz_v2": ("csv", "csv_bi")}
TASK = "szMonitoring"


def patient_id(number: int, layout: str) -> str:
    """9 and seven digits where the corpus numbers its patients (real: 0000…, chb01-24, PN00-17), else syn…."""
    prefix = {"tusz_v1": "9", "chbmit": "chb9", "siena": "PN9"}.get(layout)
    if prefix is not None:
        return f"{prefix}{number:07d}"
    letters = ""
    for _ in range(5):
        number, letter = divmod(number, 26)
        letters = chr(ord("a") + letter) + letters
    return f"syn{letters}"


def recording_files(layout: str, patient: str, session: int, *, split: Split, montage: str) -> RecordingFiles:
    """The names of recording number `session` (from 1); `montage` is part of them in TUSZ alone.

    A CHB-MIT recording with seizures has an `.edf.seizures` as well, which only the writing can tell.
    """
    return _LAYOUTS[layout](patient, session, split, montage)


def _tusz_v1(patient: str, session: int, split: Split, montage: str) -> RecordingFiles:
    official, folder = OFFICIAL["tusz_v1"][split], f"s{session:03d}_{YEAR}_01_{session:02d}"
    above = f"edf/{official}/{montage}/{patient[3:6]}/{patient}/{folder}"
    return _tusz("tusz_v1", above, patient, session, split, montage)


def _tusz_v2(patient: str, session: int, split: Split, montage: str) -> RecordingFiles:
    above = f"edf/{OFFICIAL['tusz_v2'][split]}/{patient}/s{session:03d}_{YEAR}/{montage}"
    return _tusz("tusz_v2", above, patient, session, split, montage)


def _tusz(layout: str, above: str, patient: str, session: int, split: Split, montage: str) -> RecordingFiles:
    recording = f"{patient}_s{session:03d}_t000"
    return RecordingFiles(
        recording=recording,
        patient=patient,
        session=f"s{session:03d}",
        montage=montage,
        edf=f"{above}/{recording}.edf",
        annotations=tuple(f"{above}/{recording}.{extension}" for extension in EXTENSIONS[layout]),
        official=OFFICIAL[layout][split],
        split=split,
    )


def _bids(patient: str, session: int, split: Split, _: str) -> RecordingFiles:
    recording = f"sub-{patient}_ses-{session:02d}_task-{TASK}_run-00"
    above = f"sub-{patient}/ses-{session:02d}/eeg"
    return RecordingFiles(
        recording=recording,
        patient=patient,
        session=f"{session:02d}",
        montage="",
        edf=f"{above}/{recording}_eeg.edf",
        annotations=(f"{above}/{recording}_events.tsv",),
        split=split,
    )


def _chbmit(patient: str, session: int, split: Split, _: str) -> RecordingFiles:
    recording = f"{patient}_{session:02d}"
    return RecordingFiles(
        recording=recording,
        patient=patient,
        session="",
        montage="",
        edf=f"{patient}/{recording}.edf",
        annotations=(f"{patient}/{patient}-summary.txt",),
        split=split,
    )


def _siena(patient: str, session: int, split: Split, _: str) -> RecordingFiles:
    recording = f"{patient}-{session}"
    return RecordingFiles(
        recording=recording,
        patient=patient,
        session="",
        montage="",
        edf=f"{patient}/{recording}.edf",
        annotations=(f"{patient}/Seizures-list-{patient}.txt",),
        split=split,
    )


_LAYOUTS: dict[str, Callable[[str, int, Split, str], RecordingFiles]] = {
    "tusz_v1": _tusz_v1, "tusz_v2": _tusz_v2, "bids": _bids, "chbmit": _chbmit, "siena": _siena,
}  # fmt: skip
