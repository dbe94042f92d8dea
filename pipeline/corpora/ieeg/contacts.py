"""The contacts of one patient: names, places, labels and order, from the side files alone (spec soz.md, section 8)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.corpora.ieeg.adapter import Adapter
from pipeline.corpora.ieeg.labels import PatientLabels, patient_labels
from pipeline.corpora.ieeg.names import ContactName, canonical_key, nonbrain, parse_names
from pipeline.corpora.ieeg.positions import NOWHERE, Positions, Xyz, hemispheres, read_positions
from pipeline.corpora.ieeg.side_record import SideRecord
from pipeline.findings import Findings


@dataclass(frozen=True, kw_only=True)
class PatientContacts:
    """What is known of every channel that a patient's side files name, by its label in channels.tsv."""

    names: Mapping[str, ContactName]
    nonbrain: frozenset[str]  # typed as intracranial, and by name a scalp or auxiliary channel
    labels: PatientLabels
    xyz: Mapping[str, Xyz]  # mm
    hemisphere: Mapping[str, str]
    electrodes: Mapping[str, Mapping[str, str]]  # lines of electrodes.tsv
    order: Mapping[str, int]  # hemisphere, shaft, contact, name
    frame: str
    marks: Mapping[str, Mapping[str, str]]  # path -> what was normalised, over all side files of the patient

    def usable(self, record: SideRecord, label: str) -> bool:
        """Whether a recording's channel is a contact of the brain by type and name, whatever its status."""
        return record.intracranial(label) and label not in self.nonbrain

    def lacks_place(self, label: str) -> bool:
        """Whether a contact has no coordinates."""
        return math.isnan(self.xyz[label][0])


def patient_contacts(
    root: Path, records: Sequence[SideRecord], adapter: Adapter, findings: Findings
) -> PatientContacts:
    """Read what the side files of a patient's recordings say of the contacts; `records` must not be empty."""
    names = parse_names(dict.fromkeys(label for record in records for label in record.rows))
    typed = {label for record in records for label in record.rows if record.intracranial(label)}
    positions = _positions(root, records, findings)
    entries = {label: _entry(one, positions) for label, one in names.items()}
    xyz = {label: found[0].xyz[found[1]] if found else NOWHERE for label, found in entries.items()}
    electrodes = {label: found[0].cells[found[1]] for label, found in entries.items() if found}
    sides = hemispheres(names, xyz)
    ranked = sorted(names, key=lambda label: canonical_key(sides[label], names[label]))
    marks = {path: marks for record in records for path, marks in record.marks.items()}
    return PatientContacts(
        names=names,
        nonbrain=frozenset(nonbrain(names) & typed),
        labels=patient_labels(records, electrodes, adapter, findings),
        xyz=xyz,
        hemisphere=sides,
        electrodes=electrodes,
        order={label: place for place, label in enumerate(ranked)},
        frame=next((one.frame for one in positions if one.frame), ""),
        marks=marks | {path: marks for one in positions for path, marks in one.marks.items()},
    )


def _positions(root: Path, records: Sequence[SideRecord], findings: Findings) -> list[Positions]:
    """Positions of each session, once, in the order of its first recording."""
    found: dict[str, Positions] = {}
    for record in records:
        if record.files.session not in found:
            own = findings.for_recording(record.files.recording)
            found[record.files.session] = read_positions(root, record.files, own)
    return list(found.values())


def _entry(name: ContactName, positions: Sequence[Positions]) -> tuple[Positions, str] | None:
    """Where a contact stands in the electrodes tables: in the first session that has it."""
    for one in positions:
        entry = one.entry(name)
        if entry is not None:
            return one, entry
    return None
