"""Folds of a cross-validation over the patients of a corpus: who is tested, who validates, who trains.

Tang et al. 2022, table 3, use the three folds of Asif et al. (2020), which a user gives as a file; without one,
patients are dealt here. Dealing is stratified: patients stand in the order of their rarest seizure type, rarest first,
within a type in the order of a seeded hash, and go round the folds in turn; so each type is spread evenly.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.clips import SEIZURE_CODES, seizure_events
from pipeline.corpora.shards import stable_share
from pipeline.findings import CorpusError

LEFT_OUT = "none"  # in a user's file: the patient takes no part
MOST_NAMED = 5  # patients that a message names


def patient_codes(recordings: pd.DataFrame, seizures: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Seizure types (TUSZ codes) of every patient of the index; empty for one without seizures."""
    patient = recordings.set_index("recording")["patient"]
    events = seizure_events(seizures)
    events = events[events["recording"].isin(patient.index)]
    found = events.groupby(events["recording"].map(patient))["code"].agg(frozenset)
    return {name: found.get(name, frozenset()) for name in sorted(patient.unique())}


def deal_folds(codes: dict[str, frozenset[str]], *, count: int, seed: int) -> dict[str, int]:
    """The fold (0 to `count` - 1) of every patient, from the seizure types of all."""
    return {patient: place % count for place, patient in enumerate(_stratified(codes, "fold", seed))}


def _stratified(codes: dict[str, frozenset[str]], *salt: object) -> list[str]:
    """Patients by their rarest seizure type, rarest first, then by hash; those without seizures come last."""
    patients_with = Counter(code for own in codes.values() for code in own)

    def rank(patient: str) -> tuple[int, int, float]:
        number, place = min(
            ((patients_with[code], SEIZURE_CODES.index(code)) for code in codes[patient]),
            default=(len(codes) + 1, 0),
        )
        return number, place, stable_share(*salt, patient)

    return sorted(codes, key=rank)


def read_folds(path: Path, patients: set[str], *, count: int) -> dict[str, int]:
    """The folds that a user's TSV (columns patient, fold) gives; patients with fold `none` are absent.

    Raises CorpusError for a patient that is not in the corpus, one that has no line or two, and a fold out of range.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not rows or [name.strip() for name in rows[0][:2]] != ["patient", "fold"]:
        raise CorpusError(f"{path}: the first line must be: patient<TAB>fold")
    known = {str(fold): fold for fold in range(count)}
    listed: dict[str, int | None] = {}
    for number, row in enumerate(rows[1:], start=2):
        patient, fold = (cell.strip() for cell in (*row, "")[:2])
        if fold not in known and fold != LEFT_OUT:
            wanted = f"needs a number from 0 to {count - 1}, or {LEFT_OUT}"
            raise CorpusError(f"{path}, row {number}: patient {patient!r} has fold {fold!r}; {wanted}")
        if patient in listed:
            raise CorpusError(f"{path}, row {number}: patient {patient!r} stands twice; leave one line")
        listed[patient] = known.get(fold)
    for names, problem in (
        (listed.keys() - patients, "not in the corpus; write names as index/*.recordings.parquet has them"),
        (patients - listed.keys(), f"without a line; give each a fold, or {LEFT_OUT}"),
    ):
        if names:
            shown = ", ".join(sorted(names)[:MOST_NAMED])
            raise CorpusError(f"{path}: {len(names)} patients are {problem}: {shown}{' …' if len(names) > 5 else ''}")
    return {patient: fold for patient, fold in listed.items() if fold is not None}


def assignment(
    folds: dict[str, int], codes: dict[str, frozenset[str]], *, fold: int, validation_share: float, seed: int
) -> pd.DataFrame:
    """patient, fold, split, codes: those of `fold` are tested, a stratified share of the others validates.

    Raises CorpusError where a split would be empty.
    """
    others = _stratified({name: codes[name] for name, own in folds.items() if own != fold}, "validation", seed, fold)
    splits = dict.fromkeys(folds, "test") | dict.fromkeys(others, "train")
    splits |= {others[place]: "validation" for place in _every(len(others), validation_share)}
    rows = [(name, folds[name], splits[name], ",".join(sorted(codes[name]))) for name in sorted(folds)]
    table = pd.DataFrame(rows, columns=["patient", "fold", "split", "codes"]).astype({"fold": "int64"})
    for split in ("train", "validation", "test"):
        if not (table["split"] == split).any():
            raise CorpusError(f"fold {fold}: no {split} patient among {len(table)}; use fewer folds or more patients")
    return table.astype({"patient": "string", "split": "string", "codes": "string"})


def _every(number: int, share: float) -> list[int]:
    """Evenly spaced places, `share` of `number` in all and at least one: a stratified list keeps its proportions."""
    wanted = max(1, round(number * share)) if number else 0
    return [int((k + 0.5) * number / wanted) for k in range(wanted)]


def with_splits(segments: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table with `patient` and `split` whose patient takes part in the fold, `split` as the fold has it."""
    split = segments["patient"].map(folds.set_index("patient")["split"])
    return segments.assign(split=split.astype("string"))[split.notna()].reset_index(drop=True)
