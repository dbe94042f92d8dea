"""The table of contacts of a run (channel_soz.tsv), typed, and what its models say of one patient together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.metrics.soz_channels import COLUMNS, read_channels
from pipeline.training.soz_abstention import abstention

NO_SHAFT = "no shaft"


class UnfitChannels(ValueError):
    """A table of contacts that lacks a column."""


def read_run(path: Path) -> pd.DataFrame:
    """All rows of channel_soz.tsv; numbers as floats, labels as booleans, `patient`: participant_id without `sub-`.

    `line`: hemisphere and shaft as they are drawn. Raises UnfitChannels.
    """
    header = pd.read_csv(path, sep="\t", dtype="string", nrows=0).columns
    if missing := [name for name in COLUMNS if name not in header]:
        raise UnfitChannels(f"{path}: no column {', '.join(missing)}; build channel_soz.tsv anew")
    table = read_channels(path)
    table = table.astype({"label_soz": "boolean", "resected": "boolean", "contact": "float64", "rank": "float64"})
    for name in ("shaft", "hemisphere", "region", "flags", "implant", "model_hash"):
        table[name] = table[name].fillna("")
    return table.assign(patient=table["participant_id"].str.removeprefix("sub-"), line=shaft_lines(table))


def of_patient(channels: pd.DataFrame, patient: str) -> pd.DataFrame:
    """The scored rows of one patient, in the order of the table."""
    own = (channels["patient"] == patient.removeprefix("sub-")) & channels["p_cal"].notna()
    return channels[own].reset_index(drop=True)


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
