"""Checks of a patient's side files, each by its name in the findings (spec soz.md, section 8).

What concerns a patient is written once, under the patient's first recording; what concerns a recording under its own.
All are warnings but for names that could be taken apart (`name_parse`, info): a style is no fault.
The checks of coordinates, labels, names against the EDF and the EDF itself stand where those are read.
"""

from collections.abc import Mapping, Sequence

from pipeline.corpora.ieeg.adapter import Adapter
from pipeline.corpora.ieeg.contacts import PatientContacts
from pipeline.corpora.ieeg.participants import note_marks
from pipeline.corpora.ieeg.side_record import SideRecord
from pipeline.corpora.ieeg.sidecars import named
from pipeline.corpora.records import Event
from pipeline.findings import Findings

SHORT_S = 35.0  # spec soz.md, section 8: shorter seizures do not fill a clip


def check_patient(
    patient: str, records: Sequence[SideRecord], contacts: PatientContacts, adapter: Adapter, findings: Findings
) -> None:
    """All checks that need the side files of one patient; `findings` is of the patient's first recording."""
    _check_names(patient, records, contacts, findings)
    _check_nonbrain(patient, records, contacts, findings)
    _check_soz(patient, records, contacts, adapter, findings)
    _check_places(patient, records, contacts, findings)
    note_marks(contacts.marks, findings)


def check_conditions(patient: str, present: Sequence[str], adapter: Adapter, findings: Findings) -> None:
    """`condition_missing`, of the conditions that the corpus has."""
    for condition in sorted(set(adapter.conditions) - set(present)):
        message = f"{patient}: no {condition} recording; judged by the other condition alone"
        findings.add("condition_missing", message, action="note", value=condition)


def check_record(
    record: SideRecord, events: Sequence[Event], rate_hz: float, low_hz: float, findings: Findings
) -> None:
    """`short_seizure` and `low_rate` of one recording."""
    for event in events:
        length_s = event.offset_s - event.onset_s
        if length_s < SHORT_S:
            message = f"{record.files.edf}: the seizure at {event.onset_s:.1f} s lasts {length_s:.1f} s"
            findings.add("short_seizure", message, action="note", value=f"{length_s:.1f}", expected=SHORT_S)
    if rate_hz < low_hz:
        message = f"{record.files.edf}: {rate_hz:g} Hz; bands above {rate_hz / 2:g} Hz are masked"
        findings.add("low_rate", message, action="note", value=f"{rate_hz:g}", expected=f"{low_hz:g}")


def in_use(records: Sequence[SideRecord], contacts: PatientContacts) -> dict[str, bool]:
    """Whether a contact of the brain is good in some recording, for every one of the patient."""
    found: dict[str, bool] = {}
    for record in records:
        for label in record.rows:
            if contacts.usable(record, label):
                found[label] = found.get(label, False) or record.good(label)
    return found


def _check_names(patient: str, records: Sequence[SideRecord], contacts: PatientContacts, findings: Findings) -> None:
    brain = [contacts.names[label] for label in in_use(records, contacts)]
    styles = sorted({style for one in brain for style in one.styles} - {"unparsed"})
    if styles:
        first = next(one for one in brain if styles[0] in one.styles)
        message = (
            f"{patient}: names written with {', '.join(_STYLES[style] for style in styles)}; {first.label!r} is "
            f"contact {first.contact} of {first.shaft or 'no shaft'}"
        )
        findings.add("name_parse", message, severity="info", action="note", value=",".join(styles))
    unparsed = sorted(one.label for one in brain if one.contact is None)
    if unparsed:
        message = f"{patient}: {len(unparsed)} names without shaft and number: {', '.join(named(unparsed))}"
        findings.add("name_parse", message, action="note", value="unparsed", expected=len(unparsed))


_STYLES: Mapping[str, str] = {
    "prefix": "prefix or reference",
    "hyphen": "a hyphen, which is no derivation",
    "padded": "leading zeros",
}


def _check_nonbrain(patient: str, records: Sequence[SideRecord], contacts: PatientContacts, findings: Findings) -> None:
    found = sorted(contacts.nonbrain)
    if not found:
        return
    good = sorted(label for label in found if any(record.good(label) for record in records if label in record.rows))
    ending = f"; status good: {', '.join(named(good))}" if good else "; all have the status bad"
    message = f"{patient}: {len(found)} scalp or auxiliary channels typed as intracranial are dropped by name: "
    message += ", ".join(named(found)) + ending
    findings.add("nonbrain_named", message, channel=good[0] if good else "", value=len(found), expected=0)


def _check_soz(
    patient: str, records: Sequence[SideRecord], contacts: PatientContacts, adapter: Adapter, findings: Findings
) -> None:
    if not contacts.labels.labelled:
        rule = adapter.soz
        told = f"no contact bears {' or '.join(rule.positive)} in {rule.column}" if rule else "the corpus marks no SOZ"
        message = f"{patient}: {told}; unlabelled, not all-negative"
        findings.add("soz_unlabelled", message, action="note")
        return
    use = in_use(records, contacts)
    soz = sorted(label for label in use if contacts.labels.soz[label])
    bad = [label for label in soz if not use[label]]
    if bad:
        message = f"{patient}: {len(bad)} of {len(soz)} SOZ contacts are bad: {', '.join(named(bad))}"
        findings.add("soz_bad", message, action="note", value=len(bad), expected=len(soz))


def _check_places(patient: str, records: Sequence[SideRecord], contacts: PatientContacts, findings: Findings) -> None:
    """Of the contacts with the status good, those that are then dropped by name included."""
    good = dict.fromkeys(
        label for record in records for label in record.rows if record.intracranial(label) and record.good(label)
    )
    lacking = sorted(label for label in good if contacts.lacks_place(label))
    if lacking:
        message = f"{patient}: {len(lacking)} of {len(good)} good contacts without coordinates: "
        findings.add(
            "xyz_missing", message + ", ".join(named(lacking)), action="note", value=len(lacking), expected=len(good)
        )
