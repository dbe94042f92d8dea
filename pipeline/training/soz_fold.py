"""What the training of one fold may see: the clips of its training and inner patients that teach, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings.soz_jobs import SozJob
from pipeline.store import read_table
from pipeline.training.soz_data import SozData, SozScaler, fit_scaler, load_clips
from pipeline.training.soz_folds import fold_hash, members, teachers


class UnfitData(ValueError):
    """The fold does not allow training; the message says what is missing."""


@dataclass(frozen=True)
class Inputs:
    """Token stores and tables of rows of all shards, in one order; the folds; an encoder, if any."""

    tokens: Sequence[Path]
    rows: Sequence[Path]
    folds: Path
    encoder: Path | None = None  # its card lies beside it, under the same name


@dataclass(frozen=True)
class Fold:
    """The patients of one fold, the clips of those who teach, and what is fitted on them before any training."""

    patients: dict[str, list[str]]  # of each part, whether they teach or not
    teaching: dict[str, list[str]]
    hash: str
    data: SozData
    scaler: SozScaler
    counts: tuple[int, int]  # labelled contacts of the teaching training patients: negative, positive


def read_fold(inputs: Inputs, settings: SozJob, *, shifted: bool = True) -> Fold:
    """Read what the training of this fold may see. Raises UnfitData where a part has no patient that teaches.

    Pre-ictal clips teach only a model that is told the phase: another would take them for ictal or interictal ones.
    """
    table = read_table(inputs.folds)
    patients = members(table, settings.fold)
    teaching = {part: teachers(table, settings.fold, part, settings.labels) for part in ("train", "inner")}
    for part, names in teaching.items():
        if not names:
            raise UnfitData(
                f"fold {settings.fold}: no {part} patient has contacts of both classes (labels: {settings.labels}); "
                "set soz.folds.outer or seed otherwise, or add labelled patients"
            )
    seen = [*teaching["train"], *teaching["inner"]]
    data = load_clips(
        inputs.tokens, inputs.rows, patients=seen, labels=settings.labels, shifted=shifted,
        pre_ictal=settings.model.phase,
    )  # fmt: skip
    if foreign := set(data.clips["patient"]) & set(patients["test"]):
        raise UnfitData(f"patient {min(foreign)} is tested in fold {settings.fold}: nothing may see it")
    own = table[table["fold"] == settings.fold]
    counts = class_counts(data, teaching["train"])
    return Fold(patients, teaching, fold_hash(own), data, fit_scaler(data, teaching["train"]), counts)


def class_counts(data: SozData, patients: Sequence[str]) -> tuple[int, int]:
    """Labelled contacts of each class, each contact of a patient once however many clips it has."""
    known = data.rows.assign(label=data.labels)[["patient", "channel", "label"]]
    known = known[known["patient"].isin(list(patients)) & (known["label"] >= 0)].drop_duplicates(["patient", "channel"])
    return int((known["label"] == 0).sum()), int((known["label"] == 1).sum())
