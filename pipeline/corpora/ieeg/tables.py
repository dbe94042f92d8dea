"""Rows of the index of an intracranial corpus: recordings, contacts, patients, seizures (docs/soz.md, Index).

One patient at a time, from the manifest's files. With `signals` false the EDFs are not opened: places, rates and
durations are then what the side files state.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any, Literal

from pipeline.corpora._event_rules import DISAGREE_S
from pipeline.corpora.ieeg.adapter import Adapter
from pipeline.corpora.ieeg.checks import check_conditions, check_patient, check_record
from pipeline.corpora.ieeg.contacts import PatientContacts, patient_contacts
from pipeline.corpora.ieeg.events import read_seizures
from pipeline.corpora.ieeg.participants import patient_row
from pipeline.corpora.ieeg.recorded import Recorded, check_header, match_names, read_recorded
from pipeline.corpora.ieeg.side_record import SideRecord, read_side_record
from pipeline.corpora.ieeg.sidecars import SideFileError, stated
from pipeline.corpora.ieeg.tree import side_files
from pipeline.corpora.records import Event, RecordingFiles, path_to_text
from pipeline.findings import Findings, Rejected
from pipeline.signals.edf_header import reject

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How side files are read: `soz.reading`, and whether the EDFs are opened."""

    adapter: Adapter
    soz_bad: Literal["drop", "keep"]
    low_rate_hz: float
    signals: bool


@dataclass(frozen=True)
class IndexRows:
    """Rows of the four tables."""

    recordings: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    patients: list[Row] = field(default_factory=list)
    seizures: list[Row] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """One recording that can be used: side files, EDF (None: not opened) and its contacts' places in it."""

    side: SideRecord
    recorded: Recorded | None
    places: Mapping[str, int]
    duration_s: float
    rate_hz: float
    events: list[Event]
    empty: Collection[str]  # contacts whose range is empty


def index_patient(
    root: Path,
    listed: Sequence[RecordingFiles],
    participant: Mapping[str, str],
    reading: Reading,
    into: IndexRows,
    findings: Findings,
) -> None:
    """Add one patient's rows. A recording that cannot be used is left out with a finding (faults.md, section 1)."""
    sides = []
    for files in listed:
        own = findings.for_recording(files.recording)
        try:
            sides.append(read_side_record(root, files, reading.adapter, own))
        except Rejected as rejected:
            own.extend([rejected.finding])
    sides.sort(key=lambda side: side.preference)
    if not sides:
        return
    patient, first = listed[0].patient, findings.for_recording(sides[0].files.recording)
    contacts = patient_contacts(root, sides, reading.adapter, findings)
    check_patient(patient, sides, contacts, reading.adapter, first)
    check_conditions(patient, [side.condition for side in sides], reading.adapter, first)
    implant = sides[0].implant
    row = patient_row(patient, participant, reading.adapter, implant=implant, frame=contacts.frame)
    before = len(into.recordings)
    for side in sorted(sides, key=lambda side: side.files.recording):
        own = findings.for_recording(side.files.recording)
        try:
            read = _read(root, side, contacts, reading, own)
        except Rejected as rejected:
            own.extend([rejected.finding])
            continue
        into.recordings.append(_recording_row(read, contacts, str(row["implant"])))
        into.seizures.extend(_seizure_row(side.files.recording, event) for event in read.events)
        into.contacts.extend(_contact_rows(read, contacts, reading))
    if len(into.recordings) > before:
        into.patients.append(row)


def _read(root: Path, side: SideRecord, contacts: PatientContacts, reading: Reading, findings: Findings) -> _Read:
    """Read the EDF's header, unless there is none to be read, and the events. Raises Rejected."""
    recorded: Recorded | None = None
    places: dict[str, int] = dict.fromkeys(side.rows, -1)
    duration_s, rate_hz, empty = side.stated_duration_s, side.usual_rate_hz, set[str]()
    if reading.signals:
        recorded = read_recorded(root, side.files.edf, findings)
        places = match_names(recorded, list(side.rows), findings)
        kept = {label: place for label, place in places.items() if contacts.usable(side, label)}
        empty = check_header(recorded, kept, {label: side.rate_hz(label) for label in kept}, findings)
        duration_s = _duration(side, recorded, findings)
        rates = [recorded.rate_hz(place) for place in kept.values()]
        rate_hz = max(rates, key=lambda rate: (rates.count(rate), rate), default=rate_hz)
    events = _events(root, side, duration_s, reading.adapter, findings)
    check_record(side, events, rate_hz, reading.low_rate_hz, findings)
    return _Read(
        side=side, recorded=recorded, places=places, duration_s=duration_s, rate_hz=rate_hz, events=events, empty=empty
    )


def _duration(side: SideRecord, recorded: Recorded, findings: Findings) -> float:
    """The EDF decides on the duration."""
    stated_s = side.stated_duration_s
    if abs(stated_s - recorded.duration_s) > DISAGREE_S:
        message = f"{side.files.edf}: RecordingDuration {stated_s:.2f} s, the EDF has {recorded.duration_s:.2f} s"
        findings.add("duration_disagrees", message, action="note", value=stated_s, expected=recorded.duration_s)
    return recorded.duration_s


def _events(root: Path, side: SideRecord, duration_s: float, adapter: Adapter, findings: Findings) -> list[Event]:
    """Seizures of one recording; an ictal one without a table is a finding, an interictal one is free of them."""
    paths = side_files(side.files, "events.tsv")
    if adapter.events is None:
        return []
    if not paths:
        if side.condition == "ictal":
            message = f"{side.files.edf}: no events.tsv; when the seizure began is unknown"
            findings.add("annotation_missing", message, action="note")
        return []
    try:
        until_s = float("inf") if isnan(duration_s) else duration_s
        return read_seizures(root / paths[-1], adapter.events.tokens, until_s, findings)
    except SideFileError as problem:
        raise reject("side_file_invalid", f"{problem}; correct it", value=paths[-1]) from None


def _recording_row(read: _Read, contacts: PatientContacts, implant: str) -> Row:
    side, recorded = read.side, read.recorded
    signals = [recorded.header.signals[index] for index in recorded.listed] if recorded is not None else []
    return {
        "recording": side.files.recording,
        "patient": side.files.patient,
        "session": side.files.session,
        "split": side.files.split,
        "montage": side.files.montage,
        "path": path_to_text(side.files.edf),
        "duration_s": read.duration_s,
        "rate_hz": read.rate_hz,
        "n_signals": len(signals) if recorded is not None else len(side.rows),
        "labels": [signal.label for signal in signals] if recorded is not None else list(side.rows),
        "labelled": contacts.labels.labelled,
        "synthetic": recorded is not None and recorded.header.synthetic,
        "task": side.condition,
        "run": side.name.entities.get("run", ""),
        "implant": implant,
        "mains_hz": side.mains_hz,
    }


def _seizure_row(recording: str, event: Event) -> Row:
    return {
        "recording": recording,
        "channel": event.channel,
        "onset_s": event.onset_s,
        "offset_s": event.offset_s,
        "code": event.code,
        "confidence": event.confidence,
    }


def _contact_rows(read: _Read, contacts: PatientContacts, reading: Reading) -> list[Row]:
    """One row a channel of the side file, in canonical order."""
    labels = sorted(read.side.rows, key=lambda label: contacts.order[label])
    return [_contact_row(label, read, contacts, reading) for label in labels]


def _contact_row(label: str, read: _Read, contacts: PatientContacts, reading: Reading) -> Row:
    side, name, xyz = read.side, contacts.names[label], contacts.xyz[label]
    brain, good = contacts.usable(side, label), side.good(label)
    soz = contacts.labels.soz[label] if brain else None
    kept = brain and (good or reading.soz_bad == "keep")  # whatever the label: else "bad" would mean SOZ
    recorded = read.recorded
    return {
        "recording": side.files.recording,
        "patient": side.files.patient,
        "channel": name.name,
        "label": recorded.labels[read.places[label]] if recorded is not None else label,
        "edf_row": read.places[label],
        "good": brain and good,
        "used": kept and label not in read.empty,
        "soz": soz,
        "resected": contacts.labels.resected[label] if brain else None,
        "shaft": name.shaft,
        "contact": name.contact,
        "hemisphere": contacts.hemisphere[label],
        "x_mm": xyz[0],
        "y_mm": xyz[1],
        "z_mm": xyz[2],
        "region": stated(contacts.electrodes.get(label, {}), reading.adapter.region),
        "flags": ",".join(_flags(label, read, contacts, soz=soz)),
        "order": contacts.order[label],
        "status": "good" if good else "bad",
        "intracranial": side.intracranial(label),
    }


def _flags(label: str, read: _Read, contacts: PatientContacts, *, soz: bool | None) -> list[str]:
    """Checks that concern this contact, sorted."""
    brain = contacts.usable(read.side, label)
    found = {
        "edf_header": label in read.empty,
        "label_run_disagreement": label in contacts.labels.disputed,
        "name_parse": brain and contacts.names[label].contact is None,
        "nonbrain_named": label in contacts.nonbrain,
        "soz_bad": bool(soz) and not read.side.good(label),
        "xyz_missing": brain and contacts.lacks_place(label),
    }
    return [check for check, applies in found.items() if applies]
