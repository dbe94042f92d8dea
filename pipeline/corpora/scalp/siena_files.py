"""A simulated recording as the Siena corpus has it: one list of seizures a patient, by wall clock (formats.md, 11).

19 electrodes in the reference that was simulated, which no label names, at the rate that was simulated (the corpus has
512 Hz).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.edf import Scale
from pipeline.corpora.scalp.files import READ_ME, Written, write_signals, write_splits, write_text
from pipeline.corpora.scalp.head import ELECTRODES
from pipeline.corpora.scalp.recording import Recording
from pipeline.corpora.scalp.signals import electrodes, heart, spelled
from pipeline.corpora.scalp.wall_clock import clock, started_s

SCALE = Scale(("-4096", "4095.875"), (-32768, 32767))  # 0.125 µV a step
INFO = (
    "patient_id, age_years, gender, seizure, localization, lateralization, eeg_channel, number_seizures, "
    "rec_time_minutes"
)


def write_recording(root: Path, files: RecordingFiles, made: Recording, session: int, *, dummies: bool) -> Written:
    """The EDF; the list of seizures belongs to the patient. `dummies` belong to CHB-MIT."""
    present = electrodes(made)
    names = [name for name in ELECTRODES[:19] if name in present]
    channels = [replace(present[name], label=f"EEG {spelled(name)}") for name in names]
    channels.append(replace(heart(made), label="EKG EKG"))
    write_signals(root / files.edf, channels, scale=SCALE, clock=clock(started_s(session), "."))
    labels = tuple(channel.label for channel in channels)
    return Written(files, session, labels, channels[0].rate_hz, made.duration_s, made.events)


def write_case(root: Path, case: Sequence[Written]) -> None:
    """The list of seizures of a patient. It has no words for a recording without one, which is not named."""
    patient = case[0].files.patient
    lines = [patient, "", f"Data Sampling Rate: {case[0].rate_hz} Hz", "# synthetic", "", "Channels in EDF files:"]
    lines += [f"Channel {place}: {label.split()[-1]}" for place, label in enumerate(case[0].labels, start=1)]
    lines += ["", ""]
    number = 0
    for one in case:
        for event in whole_events(one.events, binary=True):
            number += 1
            start_s = started_s(one.session)
            lines += [f"Seizure n {number}", *_registration(one)]
            lines.append(f"Seizure start time: {clock(start_s + event.onset_s, '.')}")
            lines += [f"Seizure end time: {clock(start_s + event.offset_s, '.')}", ""]
    write_text(root / case[0].files.annotations[0], "\n".join(lines))


def _registration(one: Written) -> list[str]:
    start_s = started_s(one.session)
    return [
        f"File name: {Path(one.files.edf).name}",
        f"Registration start time: {clock(start_s, '.')}",
        f"Registration end time:  {clock(start_s + one.duration_s, '.')}",
    ]


def write_tree(root: Path, listed: Sequence[RecordingFiles]) -> None:
    """Subjects (T40: the names of the columns have leading blanks), splits, read-me."""
    write_text(root / "README.txt", READ_ME.format(corpus="the Siena Scalp EEG Database"))
    people = sorted({files.patient for files in listed})
    rows = [INFO, *(f"{patient},n/a,n/a,synthetic,n/a,n/a,19,n/a,n/a" for patient in people)]
    write_text(root / "subject_info.csv", "\n".join(rows) + "\n")
    write_splits(root, listed)
