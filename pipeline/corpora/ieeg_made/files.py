"""Files of an invented intracranial patient: EDFs, side files, the hidden truth, and the list of what was planted."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from pipeline.corpora.ieeg_made import side_files
from pipeline.corpora.ieeg_made.channels import (
    EMPTY_PLACE,
    FLAT_PLACE,
    MIXED_PLACE,
    contact_names,
    extra_names,
    is_faulty,
    is_foreign,
    marked_in,
    plain_contact,
    reversed_order,
    rows_of,
    without_coordinates,
)
from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.ieeg_made.recording import Made, make_recording
from pipeline.corpora.ieeg_made.runs import Run, folder, runs_of, stem
from pipeline.corpora.scalp.edf import Channel, Scale
from pipeline.corpora.scalp.files import MIDNIGHT, write_bytes, write_signals
from pipeline.settings.ieeg_simulation import IeegSimulationSettings
from pipeline.store import write_json

SCALE = Scale(("-3276.7", "3276.7"), (-32767, 32767))  # 0.1 µV a step
LABELS_AT, LABEL_BYTES = 256, 16  # of an EDF header


def write_recordings(root: Path, truth: Path, settings: IeegSimulationSettings, patient: MadePatient) -> list[str]:
    """Write every file of a patient; returns the paths of the EDFs below `root`, and of all other files."""
    written = []
    for run in runs_of(settings, patient):
        written += _write_run(root, truth, settings, patient, run)
    base = f"{folder(patient)}/{patient.participant}_ses-presurgery_acq-{patient.implant.kind.lower()}"
    space = f"{base}_space-{side_files.frame_of(patient)}"
    written.append(_text(root, f"{space}_electrodes.tsv", side_files.electrodes_text(patient)))
    written.append(_text(root, f"{space}_coordsystem.json", side_files.coordsystem_text(patient)))
    write_json(truth / patient.patient / "patient.json", _patient_truth(patient))
    return written


def _write_run(root: Path, truth: Path, settings: IeegSimulationSettings, patient: MadePatient, run: Run) -> list[str]:
    name = f"{folder(patient)}/{stem(patient, run)}"
    rows = rows_of(patient, run, marked_in(patient, run))
    written = [
        _text(root, f"{name}_channels.tsv", side_files.channels_text(rows, patient, foreign=is_foreign(patient, run))),
        _text(root, f"{name}_ieeg.json", side_files.ieeg_text(rows, patient, run)),
    ]
    if run.task == "ictal":
        written.append(_text(root, f"{name}_events.tsv", side_files.events_text(run, patient.rate_hz)))
    edf = root / f"{name}_ieeg.edf"
    if run.trap == "annex_pointer":
        _dangling_link(edf)
    else:
        made = make_recording(settings, patient, run, extra=len(extra_names(patient)))
        _write_edf(edf, patient, run, made)
        write_json(truth / patient.patient / f"{stem(patient, run)}.json", _run_truth(patient, run, made))
    return [f"{name}_ieeg.edf", *written]


def _text(root: Path, name: str, text: str) -> str:
    write_bytes(root / name, text.encode())
    return name


def _dangling_link(path: Path) -> None:
    """What git-annex leaves of a file whose content was not fetched."""
    key = f"MD5E-s1048576--{hashlib.md5(path.name.encode(), usedforsecurity=False).hexdigest()}.edf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.symlink(f"../../../.git/annex/objects/{key[-7:-5]}/{key[-9:-7]}/{key}/{key}", path)


def _write_edf(path: Path, patient: MadePatient, run: Run, made: Made) -> None:
    labels = [*contact_names(patient), *extra_names(patient)]
    if run.trap == "duplicate_labels":
        labels[1] = labels[0]
    plain = [label.encode("ascii", "replace").decode() for label in labels]
    rows = [*made.contacts, *made.extra]
    channels = [Channel(label, row, patient.rate_hz) for label, row in zip(plain, rows, strict=True)]
    for trap, place, change in FAULTS:
        if is_faulty(patient, run, trap):
            host = plain_contact(patient, place)
            channels[host] = change(channels[host])
    write_signals(path, channels, scale=SCALE, clock=MIDNIGHT)
    if plain != labels:
        content = bytearray(path.read_bytes())
        fields = b"".join(label.encode("latin-1").ljust(LABEL_BYTES) for label in labels)
        content[LABELS_AT : LABELS_AT + len(fields)] = fields
        write_bytes(path, bytes(content))


def _flat(channel: Channel) -> Channel:
    return replace(channel, samples=np.zeros_like(channel.samples))


def _twice_as_fast(channel: Channel) -> Channel:
    """The same signal at twice the rate."""
    samples = resample_poly(channel.samples, 2, 1).astype(np.float32)
    return replace(channel, samples=samples, rate_hz=2 * channel.rate_hz)


def _without_range(channel: Channel) -> Channel:
    """Digital limits that are one number: how much a step is cannot be known."""
    return replace(channel, scale=Scale(SCALE.physical, (0, 0)))


FAULTS: tuple[tuple[str, int, Callable[[Channel], Channel]], ...] = (
    ("flat_signal", FLAT_PLACE, _flat),
    ("mixed_rates", MIXED_PLACE, _twice_as_fast),
    ("empty_range", EMPTY_PLACE, _without_range),
)


def _patient_truth(patient: MadePatient) -> dict[str, object]:
    implant = patient.implant
    return {
        "synthetic": True,
        "participant": patient.participant,
        "implant": implant.kind,
        "style": implant.style,
        "rate_hz": patient.rate_hz,
        "mains_hz": patient.background.mains_hz,
        "engel": patient.person.engel,
        "strength": patient.strength,
        "traps": sorted(patient.traps),
        "labels": list(contact_names(patient)),
        "shafts": list(implant.shafts),
        "contacts": list(implant.contacts),
        "hemispheres": list(implant.hemispheres),
        "regions": list(implant.regions),
        "xyz_mm": implant.xyz_mm.tolist(),
        "focus": _numbers(patient.focus),
        "silent": _numbers(patient.silent),
        "soz": _numbers(patient.marked),
        "resected": _numbers(patient.resected),
        "bad": _numbers(patient.bad),
        "without_coordinates": list(without_coordinates(patient)),
    }


def _numbers(chosen: NDArray[np.bool_]) -> list[bool]:
    return [bool(one) for one in chosen]


def _run_truth(patient: MadePatient, run: Run, made: Made) -> dict[str, object]:
    """Delays in s after the onset; null: spared."""
    delays = None
    if made.delay_s is not None:
        delays = [round(float(one), 4) if np.isfinite(one) else None for one in made.delay_s]
    return {
        "synthetic": True,
        "recording": stem(patient, run),
        "patient": patient.patient,
        "task": run.task,
        "duration_s": run.duration_s,
        "onset_s": run.onset_s if run.seizure_s else None,
        "offset_s": run.offset_s if run.seizure_s else None,
        "delay_s": delays,
        "focus_spikes": made.spikes,
        "focus_bursts": made.bursts,
        "reversed_side_file": reversed_order(patient, run),
        "trap": run.trap,
    }
