"""The channels of a recording as its EDF and its side files name them, with the traps that lie in names and labels."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.corpora.ieeg_made.implants import Implant
from pipeline.corpora.ieeg_made.patient import MadePatient
from pipeline.corpora.ieeg_made.runs import Run
from pipeline.corpora.scalp.streams import generator

SECOND_RUN_SOZ = 2  # SOZ contacts that are left in a run that disagrees (HUP180 has 2 instead of 8)
MISSING_SHARE = 0.2  # of the contacts without coordinates
UNPARSED = "LAMY"  # a contact with no number
ACCENT = "é"  # of a shaft whose EDF labels are Latin-1
UNPARSED_PLACE, MIXED_PLACE, EMPTY_PLACE, FLAT_PLACE = 0, 1, 2, -1  # of `plain_contact`
HEART, SCALP = ("EKG1", "EKG2"), "FZ"


@dataclass(frozen=True)
class Row:
    """One line of channels.tsv."""

    name: str
    kind: str  # SEEG ECOG ECG
    bad: bool
    labels: tuple[str, ...] = ()  # resect, soz
    times_rate: int = 1  # of the patient's rate


def contact_names(patient: MadePatient) -> tuple[str, ...]:
    """Names of the contacts in EDF, channels.tsv and electrodes.tsv."""
    names = list(patient.implant.names)
    if "name_parse" in patient.traps:
        names[plain_contact(patient, UNPARSED_PLACE)] = _styled(UNPARSED, patient.implant)
    if "label_text" in patient.traps:
        shaft = patient.implant.shafts[0]
        first = [own == shaft for own in patient.implant.shafts]
        names = [name.replace(shaft, shaft + ACCENT) if own else name for name, own in zip(names, first, strict=True)]
    return tuple(names)


def extra_names(patient: MadePatient) -> tuple[str, ...]:
    """Names of the channels beside the contacts: the heart, and, where it is the trap, one of the scalp."""
    names = (*HEART, SCALP) if "nonbrain_named" in patient.traps else HEART
    return tuple(_styled(name, patient.implant) for name in names)


def rows_of(patient: MadePatient, run: Run, marked: tuple[bool, ...]) -> list[Row]:
    """Lines of a run's channels.tsv, in the EDF's order."""
    kind, as_brain = patient.implant.kind, "nonbrain_named" in patient.traps
    rows = [
        Row(name, kind, bool(bad), tuple(label for label, on in (("resect", resected), ("soz", soz)) if on))
        for name, bad, resected, soz in zip(contact_names(patient), patient.bad, patient.resected, marked, strict=True)
    ]
    if is_faulty(patient, run, "mixed_rates"):
        place = plain_contact(patient, MIXED_PLACE)
        rows[place] = replace(rows[place], times_rate=2)
    heart = [Row(name, kind if as_brain else "ECG", as_brain) for name in extra_names(patient)[: len(HEART)]]
    rows += heart + [Row(name, kind, False) for name in extra_names(patient)[len(HEART) :]]
    if run.trap == "name_order_stop":
        last = -len(HEART) - 1  # bad, so that it is not missed among the coordinates, too
        rows[last] = replace(rows[last], name=wrong_name(patient), bad=True)
    return rows[::-1] if reversed_order(patient, run) else rows


def wrong_name(patient: MadePatient) -> str:
    """A name that is in the side file and not in the EDF."""
    last = patient.implant.shafts[-1]
    return _styled(f"{last}99", patient.implant)


def reversed_order(patient: MadePatient, run: Run) -> bool:
    """Whether this run's channels.tsv counts from the EDF's last channel."""
    return "name_order" in patient.traps and (run.task, run.number) == ("ictal", 1)


def is_foreign(patient: MadePatient, run: Run) -> bool:
    """Whether this run's channels.tsv was saved by a spreadsheet."""
    return "text_format" in patient.traps and run.number == 1


def marked_in(patient: MadePatient, run: Run) -> tuple[bool, ...]:
    """The SOZ as this run's channels.tsv has it."""
    marked = patient.marked
    if "label_run_disagreement" in patient.traps and (run.task, run.number) == ("interictal", 2):
        marked = marked & (np.cumsum(marked) <= SECOND_RUN_SOZ)
    return tuple(bool(one) for one in marked)


def without_coordinates(patient: MadePatient) -> tuple[bool, ...]:
    """Contacts whose coordinates the trap leaves out; drawn from all contacts alike."""
    n = len(patient.implant)
    if "xyz_missing" not in patient.traps:
        return (False,) * n
    draw = generator(patient.number, "ieeg", "missing")
    left_out = np.isin(np.arange(n), draw.choice(n, max(2, round(MISSING_SHARE * n)), replace=False))
    left_out[plain_contact(patient, UNPARSED_PLACE)] = True  # good: the check counts good contacts
    return tuple(bool(one) for one in left_out)


def is_faulty(patient: MadePatient, run: Run, trap: str) -> bool:
    """Whether a fault of single contacts is in this run: in the first of each task."""
    return trap in patient.traps and run.number == 1


def plain_contact(patient: MadePatient, place: int) -> int:
    """A contact that is neither bad nor marked, counted among these."""
    return int(np.flatnonzero(~patient.bad & ~patient.marked)[place])


def _styled(name: str, implant: Implant) -> str:
    return f"EEG {name}-Ref" if implant.style == "clinical" else name
