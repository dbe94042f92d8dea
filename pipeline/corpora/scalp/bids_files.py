"""A simulated recording as BIDS-EEG with HED-SCORE events (formats.md, section 12).

19 electrodes against their average, at the rate that was simulated (the SzCORE standard has 256 Hz; resampling is the
reader's task). The events: a row for each seizure (channels n/a), then a row for each set of derivations on which it
begins and ends together.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.corpora._szcore import BACKGROUND, COLUMNS, EVENT_TYPE, UNKNOWN
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.edf import Channel
from pipeline.corpora.scalp.files import MIDNIGHT, READ_ME, Written, write_signals, write_splits, write_text
from pipeline.corpora.scalp.layouts import TASK
from pipeline.corpora.scalp.recording import Recording
from pipeline.corpora.scalp.signals import electrodes, heart, spelled
from pipeline.corpora.scalp.tusz_files import SCALE

ORDER = (
    "FP1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "FZ", "CZ", "PZ", "FP2", "F4", "C4", "P4", "O2", "F8", "T4", "T6",
)  # fmt: skip
START = "2015-01-01 00:00:00"


def write_recording(root: Path, files: RecordingFiles, made: Recording, session: int, *, dummies: bool) -> Written:
    """EDF, its sidecar, its events. `dummies` belong to CHB-MIT."""
    channels = _channels(made)
    labels = tuple(channel.label for channel in channels)
    rate_hz = channels[0].rate_hz
    write_signals(root / files.edf, channels, scale=SCALE, clock=MIDNIGHT)
    sidecar = {
        "TaskName": TASK,
        "Manufacturer": "synthetic",
        "EEGReference": "average of the EEG channels",
        "SamplingFrequency": rate_hz,
        "PowerLineFrequency": "n/a",
        "SoftwareFilters": "n/a",
        "RecordingDuration": made.duration_s,
        "RecordingType": "continuous",
        "EEGChannelCount": len(labels) - 1,
        "ECGChannelCount": 1,
    }
    write_text((root / files.edf).with_suffix(".json"), json.dumps(sidecar, indent=1) + "\n")
    write_text(root / files.annotations[0], _events(made))
    return Written(files, session, labels, rate_hz, made.duration_s, made.events)


def _channels(made: Recording) -> list[Channel]:
    """`Fp1-Avg` … in SzCORE's order. What was recorded against linked ears is referenced anew, to what is there."""
    present = electrodes(made)
    names = [name for name in ORDER if name in present]
    samples = [present[name].samples for name in names]
    if made.reference == "LE":
        mean = sum(samples[1:], samples[0]) / len(samples)
        samples = [row - mean for row in samples]
    rows = zip(names, samples, strict=True)
    channels = [replace(present[name], label=f"{spelled(name)}-Avg", samples=row) for name, row in rows]
    return [*channels, replace(heart(made), label="EKG")]


def _events(made: Recording) -> str:
    """The seven columns of HED-SCORE, seconds with two decimals."""
    whole = [(*_span(event), UNKNOWN) for event in whole_events(made.events, binary=False)]
    together: dict[tuple[float, float, str], list[str]] = {}
    for event in made.events:
        together.setdefault(_span(event), []).append(event.channel)
    details = [(*span, ",".join(channels)) for span, channels in sorted(together.items())]
    rows = [
        (onset_s, offset_s - onset_s, EVENT_TYPE[code], channels)
        for onset_s, offset_s, code, channels in [*whole, *details]
    ]
    lines = [
        f"{onset_s:.2f}\t{length_s:.2f}\t{kind}\t{UNKNOWN}\t{channels}\t{START}\t{made.duration_s:.2f}"
        for onset_s, length_s, kind, channels in rows or [(0.0, made.duration_s, BACKGROUND, UNKNOWN)]
    ]
    return "\n".join(["\t".join(COLUMNS), *lines]) + "\n"


def _span(event: Event) -> tuple[float, float, str]:
    return round(event.onset_s, 2), round(event.offset_s, 2), event.code


def write_case(root: Path, case: Sequence[Written]) -> None:
    """Nothing: BIDS has no file for a patient."""


def write_tree(root: Path, listed: Sequence[RecordingFiles]) -> None:
    """Description, participants, splits, read-me."""
    write_text(root / "README.txt", READ_ME.format(corpus="BIDS-EEG with HED-SCORE events"))
    description = {
        "Name": "synthetic scalp EEG",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "Authors": ["Ictograph's built-in simulator"],
    }
    write_text(root / "dataset_description.json", json.dumps(description, indent=1) + "\n")
    people = sorted({files.patient for files in listed})
    rows = ["participant_id\tremark", *(f"sub-{patient}\tsynthetic" for patient in people)]
    write_text(root / "participants.tsv", "\n".join(rows) + "\n")
    write_text(root / ".bidsignore", "# synthetic; not of BIDS:\nsplits.tsv\n")
    write_splits(root, listed)
