"""What was planted in a corpus, as the list truth/traps.tsv has it: one row a fault, by the check that must find it."""

from collections.abc import Sequence

import numpy as np

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
    without_coordinates,
)
from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.ieeg_made.runs import SHORT_S, Run, folder, runs_of, stem
from pipeline.corpora.ieeg_made.traps import Trap
from pipeline.settings.ieeg_simulation import IeegSimulationSettings

PARTICIPANTS = "participants.tsv"
SPELLINGS = {"plain": "", "padded": "padded", "clinical": "padded,prefix", "region": "hyphen"}  # of implants.STYLES
FAULTS = {  # of single contacts: which one, and what is wrong with it
    "flat_signal": (FLAT_PLACE, "flat"), "mixed_rates": (MIXED_PLACE, "rates"), "empty_range": (EMPTY_PLACE, "range"),
}  # fmt: skip
FOREIGN = ("bom", "crlf", "number", "quoted")  # what must be read leniently in a table that a spreadsheet saved


def planted_traps(settings: IeegSimulationSettings, people: Sequence[MadePatient], absent: str | None) -> list[Trap]:
    """All faults of the corpus; known without simulating a signal."""
    found = [Trap(absent, PARTICIPANTS, "subject_absent", "no folder")] if absent is not None else []
    for patient in people:
        runs = runs_of(settings, patient)
        found += _of_patient(patient) + _of_coordinates(patient) + _of_text(patient, runs)
        for run in runs:
            found += _of_run(patient, run)
    return found


def _of_patient(patient: MadePatient) -> list[Trap]:
    """Faults that are in all of a patient's recordings, or in the lack of them; `file` is the folder."""
    made, who, where = patient.traps, patient.participant, folder(patient)
    found = []
    if "soz_bad" in made:
        found.append(Trap(who, where, "soz_bad", str(int((patient.marked & patient.bad).sum()))))
    if "nonbrain_named" in made:
        found.append(Trap(who, where, "nonbrain_named", ",".join(extra_names(patient))))
    if "name_parse" in made:
        names = zip(contact_names(patient), patient.implant.names, strict=True)
        found.append(Trap(who, where, "name_parse", ",".join(name for name, usual in names if name != usual)))
    style = SPELLINGS[patient.implant.style]
    if style and not (style == "hyphen" and patient.implant.kind == "ECOG"):  # G1, AST1: words without a hyphen
        found.append(Trap(who, where, "name_parse", style))
    for task in ("ictal", "interictal"):
        if f"{task}_missing" in made:
            found.append(Trap(who, where, "condition_missing", task))
    return found


def _of_coordinates(patient: MadePatient) -> list[Trap]:
    base = f"{folder(patient)}/{patient.participant}_ses-presurgery_acq-{patient.implant.kind.lower()}"
    base += f"_space-{side_files.frame_of(patient)}"
    found = []
    for check, detail in (("coord_units", "m"), ("coord_frame", side_files.frame_of(patient))):
        if check in patient.traps:
            found.append(Trap(patient.participant, f"{base}_coordsystem.json", check, detail))
    count = int((np.array(without_coordinates(patient)) & ~patient.bad).sum())
    count += "nonbrain_named" in patient.traps  # the scalp electrode, which is said to be a contact and good
    if count:
        found.append(Trap(patient.participant, f"{base}_electrodes.tsv", "xyz_missing", str(count)))
    return found


def _of_text(patient: MadePatient, runs: Sequence[Run]) -> list[Trap]:
    """Files that a spreadsheet saved; `detail` names what must be read leniently."""
    if "text_format" not in patient.traps:
        return []
    found = [Trap(patient.participant, PARTICIPANTS, "text_format", "blank")]
    for run in runs:
        if is_foreign(patient, run):
            name = f"{folder(patient)}/{stem(patient, run)}_channels.tsv"
            found += [Trap(patient.participant, name, "text_format", kind) for kind in FOREIGN]
    return found


def _of_run(patient: MadePatient, run: Run) -> list[Trap]:
    """Faults of one recording."""
    name = f"{folder(patient)}/{stem(patient, run)}"
    rows = {
        ("_events.tsv", "short_seizure"): f"{run.seizure_s:g}" if 0 < run.seizure_s < SHORT_S else "",
        ("_channels.tsv", "label_run_disagreement"): _fewer(patient, run),
        ("_channels.tsv", "name_order"): _order(patient, run),
        ("_ieeg.edf", "low_rate"): _low(patient, run),
        ("_ieeg.edf", "annex_pointer"): "link" if run.trap == "annex_pointer" else "",
        ("_ieeg.edf", "edf_header"): _header(patient, run),
    }
    found = [(name + ending, check, detail) for (ending, check), detail in rows.items() if detail]
    for trap, (place, detail) in FAULTS.items():
        if is_faulty(patient, run, trap):
            host = contact_names(patient)[plain_contact(patient, place)]
            found.append((f"{name}_ieeg.edf", "edf_header", f"{detail} {host}"))
    return [Trap(patient.participant, *row) for row in found]


def _fewer(patient: MadePatient, run: Run) -> str:
    own, usual = sum(marked_in(patient, run)), int(patient.marked.sum())
    return f"{own} of {usual}" if own != usual else ""


def _low(patient: MadePatient, run: Run) -> str:
    """The rate of what can be read at all."""
    return str(patient.rate_hz) if "low_rate" in patient.traps and run.trap != "annex_pointer" else ""


def _order(patient: MadePatient, run: Run) -> str:
    if run.trap == "name_order_stop":
        return "other name"
    return "reversed" if reversed_order(patient, run) else ""


def _header(patient: MadePatient, run: Run) -> str:
    if run.trap == "duplicate_labels":
        return "duplicate"
    return "latin-1" if is_faulty(patient, run, "label_text") else ""
