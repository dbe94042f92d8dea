"""Side files of a simulated intracranial recording, as ds004100 has them; text alone, no signal."""

import json
from collections.abc import Sequence

from pipeline.corpora.ieeg_made.channels import Row, contact_names, extra_names, without_coordinates
from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.ieeg_made.runs import Run

CHANNEL_COLUMNS = (
    "name", "type", "units", "low_cutoff", "high_cutoff", "description", "sampling_frequency", "status",
    "status_description",
)  # fmt: skip
PERSON_COLUMNS = (
    "participant_id", "age", "sex", "hand", "outcome", "engel", "therapy", "implant", "target", "lesion_status",
    "age_onset",
)  # fmt: skip
FRAME, OTHER_FRAME = "MNI152NLin2009bAsym", "fsaverage"
READ_ME = """SYNTHETIC intracranial EEG. Nothing here was recorded from a person.

Made by Ictograph's built-in simulator (pipeline/corpora/simulated_ieeg.py, docs/soz.md) in the file layout of
OpenNeuro's ds004100. Scores on these files say how software behaves, never how well it would do in a clinic.
Electrode coordinates are in MNI space.
"""
BOM = "\ufeff"


def channels_text(rows: Sequence[Row], patient: MadePatient, *, foreign: bool) -> str:
    """channels.tsv; `foreign`: as a spreadsheet saves it (BOM, CRLF, quoted lists, 512.0)."""
    ending = ".0" if foreign else ""
    quote = '"' if foreign else ""
    lines = ["\t".join(CHANNEL_COLUMNS)]
    for row in rows:
        told = ",".join(row.labels)
        told = f"{quote}{told}{quote}" if "," in told else told or "n/a"
        status = "bad" if row.bad else "good"
        rate = f"{row.times_rate * patient.rate_hz}{ending}"
        cells = (row.name, row.kind, "µV", "0", str(patient.rate_hz // 2), "synthetic", rate, status, told)
        lines.append("\t".join(cells))
    return BOM + "\r\n".join(lines) + "\r\n" if foreign else "\n".join(lines) + "\n"


def events_text(run: Run, rate_hz: int) -> str:
    """events.tsv of an ictal run: onset and offset of its seizure."""
    rows = [(run.onset_s, "sz onset", 2), (run.offset_s, "sz offset", 1)]
    lines = ["onset\tduration\ttrial_type\tvalue\tsample"]
    lines += [f"{at_s:.3f}\t0.0\t{name}\t{value}\t{round(at_s * rate_hz)}" for at_s, name, value in rows]
    return "\n".join(lines) + "\n"


def electrodes_text(patient: MadePatient) -> str:
    """electrodes.tsv, in mm; n/a for what lies outside the brain, and where the trap leaves a place out."""
    lines = ["name\tx\ty\tz\tsize"]
    places = zip(contact_names(patient), patient.implant.xyz_mm, without_coordinates(patient), strict=True)
    for name, xyz, left_out in places:
        cells = ["n/a"] * 3 if left_out else [f"{value:.3f}" for value in xyz]
        lines.append("\t".join([name, *cells, "n/a"]))
    lines += [f"{name}\tn/a\tn/a\tn/a\tn/a" for name in extra_names(patient)]
    return "\n".join(lines) + "\n"


def frame_of(patient: MadePatient) -> str:
    """The space that the patient's coordinate files are named after; the trap says another than the read-me."""
    return OTHER_FRAME if "coord_frame" in patient.traps else FRAME


def coordsystem_text(patient: MadePatient) -> str:
    """coordsystem.json; the trap claims metres for what is in mm."""
    values = {
        "iEEGCoordinateSystem": frame_of(patient),
        "iEEGCoordinateUnits": "m" if "coord_units" in patient.traps else "mm",
    }
    return _json(values)


def ieeg_text(rows: Sequence[Row], patient: MadePatient, run: Run) -> str:
    """The recording's JSON."""
    kinds = [row.kind for row in rows]
    values = {
        "TaskName": run.task,
        "Manufacturer": "synthetic",
        "PowerLineFrequency": patient.background.mains_hz,
        "SamplingFrequency": patient.rate_hz,
        "SoftwareFilters": "n/a",
        "RecordingDuration": run.duration_s,
        "RecordingType": "continuous",
        "iEEGReference": "a common reference, not known",
        "ECOGChannelCount": kinds.count("ECOG"),
        "SEEGChannelCount": kinds.count("SEEG"),
        "EEGChannelCount": 0,
        "EOGChannelCount": 0,
        "ECGChannelCount": kinds.count("ECG"),
        "EMGChannelCount": 0,
        "MiscChannelCount": 0,
        "TriggerChannelCount": 0,
    }
    return _json(values)


def participants_text(people: Sequence[MadePatient], absent: str | None) -> str:
    """participants.tsv; `absent` is listed and has no folder. A trap adds a space to an id."""
    lines = ["\t".join(PERSON_COLUMNS)]
    for one in people:
        who, space = one.person, " " if "text_format" in one.traps else ""
        cells = (
            one.participant + space, who.age, who.sex, who.hand, who.outcome, who.engel, who.therapy, one.implant.kind,
            who.target, who.lesion, who.age_onset,
        )  # fmt: skip
        lines.append("\t".join(map(str, cells)))
    if absent is not None:
        lines.append("\t".join([absent, *["n/a"] * (len(PERSON_COLUMNS) - 1)]))
    return "\n".join(lines) + "\n"


def description_text() -> str:
    """dataset_description.json."""
    return _json(
        {
            "Name": "synthetic intracranial EEG, not recorded from any person",
            "BIDSVersion": "1.8.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["Ictograph's built-in simulator"],
        }
    )


def _json(values: object) -> str:
    return json.dumps(values, indent=1) + "\n"
