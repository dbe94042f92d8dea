"""The table of contacts of a run (channel_soz.tsv), typed, and what its models say of one patient together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.training.soz_abstention import abstention

NUMBERS = (
    "contact", "x", "y", "z", "p_raw", "p_cal", "ci_low", "ci_high", "rank", "p_ictal", "p_interictal",
    "n_clips_ictal", "n_clips_interictal", "seed_sd", "fold",
)  # fmt: skip
TEXTS = ("participant_id", "channel", "shaft", "hemisphere", "region", "implant", "model_hash", "flags")
LABELS = ("label_soz", "resected")
TRUTHS = {"1": True, "true": True, "0": False, "false": False}
NO_SHAFT = "no shaft"


class UnfitChannels(ValueError):
    """A table of contacts that lacks a column, or holds a value that is none."""


def read_channels(path: Path) -> pd.DataFrame:
    """All rows of channel_soz.tsv, n/a as missing; `patient` is participant_id without `sub-`. Raises UnfitChannels."""
    table = pd.read_csv(path, sep="\t", dtype="string", na_values=["n/a"], keep_default_na=False)
    if missing := [name for name in (*NUMBERS, *TEXTS, *LABELS) if name not in table.columns]:
        raise UnfitChannels(f"{path}: no column {', '.join(missing)}; build channel_soz.tsv anew")
    for name in NUMBERS:
        table[name] = table[name].astype("Float64").astype("float64")
    for name in LABELS:
        words = table[name].str.lower()
        if strange := sorted(set(words.dropna()) - set(TRUTHS)):
            raise UnfitChannels(f"{path}: {name} is {strange[0]!r}; it is 0, 1 or n/a")
        table[name] = words.map(TRUTHS).astype("boolean")
    for name in ("shaft", "hemisphere", "region", "flags", "implant", "model_hash"):
        table[name] = table[name].fillna("")
    return table.assign(patient=table["participant_id"].str.removeprefix("sub-"))


def of_patient(channels: pd.DataFrame, patient: str) -> pd.DataFrame:
    """The rows of one patient, with `line`: hemisphere and shaft as they are drawn; in the order of the table."""
    own = channels[channels["patient"] == patient.removeprefix("sub-")].reset_index(drop=True)
    return own.assign(line=shaft_lines(own))


def shaft_lines(table: pd.DataFrame) -> list[str]:
    """Hemisphere and shaft of each row, as `L AMY`; NO_SHAFT where the name has none."""
    pairs = zip(table["hemisphere"].fillna(""), table["shaft"].fillna(""), strict=True)
    return [f"{side} {shaft}".strip() if shaft else NO_SHAFT for side, shaft in pairs]


@dataclass(frozen=True)
class Answer:
    """What the models that test a patient say together.

    `called`: contacts whose p_cal reaches the threshold; `most`: models that call the contact called by most.
    """

    threshold: float
    highest: float
    called: int
    most: int
    n_models: int
    abstained: str  # why there is no answer; empty: there is one


def answer(channels: pd.DataFrame, by_model: pd.DataFrame, thresholds: Mapping[tuple[int, int], float]) -> Answer:
    """`channels`: of one patient; `by_model`: fold, seed, channel, p_cal; `thresholds` by (fold, seed)."""
    p = channels["p_cal"].to_numpy(dtype=float)
    highest = float(np.nanmax(p)) if np.isfinite(p).any() else np.nan
    threshold = float(np.mean(list(thresholds.values()))) if thresholds else np.nan
    limits = [thresholds[key] for key in zip(by_model["fold"], by_model["seed"], strict=True)]
    votes = (by_model["p_cal"] >= limits).groupby(by_model["channel"]).sum() if len(by_model) else pd.Series(dtype=int)
    most = int(votes.max()) if len(votes) else 0
    told = abstention(highest, threshold, most, len(thresholds))
    return Answer(threshold, highest, int((p >= threshold).sum()), most, len(thresholds), told)
