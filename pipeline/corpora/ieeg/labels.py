"""SOZ and resection of a patient's contacts: one set for all of the patient's recordings (spec soz.md, 8 and 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.corpora.ieeg.adapter import Adapter, LabelRule
from pipeline.corpora.ieeg.side_record import SideRecord
from pipeline.findings import Findings

Labels = Mapping[str, bool | None]  # contact (label of channels.tsv) -> yes, no, unknown


@dataclass(frozen=True, kw_only=True)
class PatientLabels:
    """Labels of all contacts of a patient; `disputed` are those on which the recordings disagree."""

    soz: Labels
    resected: Labels
    disputed: frozenset[str]

    @property
    def labelled(self) -> bool:
        """Whether the adapter found an SOZ at all: else nobody is negative either."""
        return any(self.soz.values())


def patient_labels(
    records: Sequence[SideRecord], electrodes: Mapping[str, Mapping[str, str]], adapter: Adapter, findings: Findings
) -> PatientLabels:
    """Labels by the first recording (in order of preference) that marks any SOZ; later ones add contacts it lacks.

    `electrodes` are lines of electrodes.tsv by the label in channels.tsv. A later recording that says otherwise is a
    finding of its own.
    """
    ordered = sorted(records, key=lambda record: record.preference)
    soz, disputed = _settled(ordered, electrodes, adapter.soz, findings)
    if not any(soz.values()):
        soz = dict.fromkeys(soz, None)
    resected = _settled(ordered, electrodes, adapter.resected, None)[0]
    return PatientLabels(soz=soz, resected=resected, disputed=frozenset(disputed))


def _settled(
    ordered: Sequence[SideRecord],
    electrodes: Mapping[str, Mapping[str, str]],
    rule: LabelRule | None,
    findings: Findings | None,
) -> tuple[dict[str, bool | None], set[str]]:
    """One label a contact, and the contacts that recordings label differently; None writes no finding."""
    if rule is None:
        return {label: None for record in ordered for label in record.rows}, set()
    read = [(record, _labels(record, electrodes, rule, findings)) for record in ordered]
    with_tokens = [pair for pair in read if any(pair[1].values())] or read
    settled: dict[str, bool | None] = dict(with_tokens[0][1]) if with_tokens else {}
    for _, labels in with_tokens[1:]:
        settled |= {label: value for label, value in labels.items() if label not in settled}
    disputed: set[str] = set()
    for record, labels in read:
        settled |= {label: None for label in labels if label not in settled}
        differing = sorted(label for label, value in labels.items() if value != settled[label])
        if differing and any(settled.values()) and findings is not None:
            disputed |= set(differing)
            _note_disagreement(record, labels, settled, with_tokens[0][0], findings)
    return settled, disputed


def _labels(
    record: SideRecord, electrodes: Mapping[str, Mapping[str, str]], rule: LabelRule, findings: Findings | None
) -> dict[str, bool | None]:
    """Labels of one recording by one rule; cells that the rule does not know are a finding."""
    lines = record.rows if rule.table == "channels" else {label: electrodes.get(label, {}) for label in record.rows}
    cells = {label: row.get(rule.column, "n/a") or "n/a" for label, row in lines.items()}
    labels = {label: rule.label(cell) for label, cell in cells.items()}
    unknown = sorted({cells[label] for label, value in labels.items() if value is None and cells[label] != "n/a"})
    own = findings.for_recording(record.files.recording) if findings is not None else None
    if own is not None and lines and not any(rule.column in row for row in lines.values()):
        message = f"{record.files.edf}: no column {rule.column} in {rule.table}.tsv; its contacts are unlabelled"
        own.add("side_file_missing", message, value=rule.column)
    elif own is not None and unknown:
        message = f"{record.files.edf}: {rule.column} holds {len(unknown)} texts that the adapter does not know"
        own.add("unknown_label", message, action="note", value=unknown[0][:40])
    return labels


def _note_disagreement(
    record: SideRecord, labels: Labels, settled: Labels, first: SideRecord, findings: Findings
) -> None:
    """One finding a recording; a recording without any SOZ mark is merely unlabelled, which is no contradiction."""
    own = sum(value is True for value in labels.values())
    set_size = sum(settled[label] is True for label in labels)
    contradicts = own > 0
    message = (
        f"{record.files.edf}: {own} contacts marked as SOZ, {set_size} in {first.files.recording}; "
        "the latter's count for all recordings"
    )
    findings.for_recording(record.files.recording).add(
        "label_run_disagreement", message, severity="warn" if contradicts else "info", value=own, expected=set_size
    )
