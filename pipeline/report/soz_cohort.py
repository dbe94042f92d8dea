"""All that the page of the cohort shows, gathered from the results of a run, and short tables of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_contacts import BOTH
from pipeline.metrics.soz_evaluation import ALL, MODEL
from pipeline.report.blocks import with_interval
from pipeline.report.picture import plural
from pipeline.report.soz_channels import read_run
from pipeline.report.tables import records
from pipeline.settings.soz import SozEvaluation
from pipeline.store import read_json, read_table, read_tables

Rows = dict[str, dict[str, Any]]  # one row a metric


@dataclass(frozen=True)
class CohortFiles:
    """Where a run's results lie; `ablations` need not be there."""

    metrics: Path
    comparisons: Path
    channels: Path
    folds: Path
    summary: Path  # cohort.json
    measures: Sequence[Path]
    faithfulness: Sequence[Path]
    patients: Sequence[Path]
    recordings: Sequence[Path]
    ablations: Path


@dataclass(frozen=True)
class CohortResults:
    """What is known of a run. `summary`: content of cohort.json; `ablations` is None where they were not run."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    channels: pd.DataFrame
    folds: pd.DataFrame
    summary: dict[str, Any]
    measures: pd.DataFrame
    faithfulness: pd.DataFrame
    facts: pd.DataFrame
    ablations: pd.DataFrame | None
    synthetic: bool

    def cohort(self, *, system: str = MODEL, condition: str = BOTH, factor: str = ALL) -> pd.DataFrame:
        """Rows of the cohort: one a metric (and level of the factor)."""
        table = self.metrics[self.metrics["scope"] == "cohort"]
        chosen = (table["system"] == system) & (table["condition"] == condition) & (table["factor"] == factor)
        return table[chosen]

    @property
    def evaluation(self) -> SozEvaluation:
        """What the run was evaluated with."""
        return SozEvaluation.model_validate(self.summary["evaluation"])

    @property
    def tested_in(self) -> dict[str, int]:
        """The fold in which each patient was tested."""
        tested = self.folds[self.folds["part"] == "test"]
        return {str(patient): int(fold) for patient, fold in zip(tested["patient"], tested["fold"], strict=True)}

    @property
    def abstained(self) -> dict[str, str]:
        """By patient with a scored contact, why the models say nothing; empty where they answer."""
        scored = set(self.channels.loc[self.channels["p_cal"].notna(), "patient"])
        return {row["patient"]: row["abstained"] for row in self.summary["patients"]
                if row["patient"].removeprefix("sub-") in scored}  # fmt: skip

    def of_patients(self, *, condition: str = BOTH) -> pd.DataFrame:
        """One row a tested patient, one column a metric of the model, mean over seeds; and `reason`, of the AUROC."""
        table = self.metrics[(self.metrics["scope"] == "patient") & (self.metrics["system"] == MODEL)]
        table = table[(table["seed"] < 0) & (table["condition"] == condition)]
        wide = table.pivot_table(index="patient", columns="metric", values="value", aggfunc="first", dropna=False)
        reasons = table[table["metric"] == "auroc"].set_index("patient")["reason"]
        return wide.assign(reason=reasons).reset_index()


def read_cohort(files: CohortFiles) -> CohortResults:
    """Everything of a run. Raises UnfitChannels, DamagedFile."""
    recordings = read_tables(list(files.recordings))
    absent = not files.ablations.is_file()
    return CohortResults(
        metrics=read_table(files.metrics),
        comparisons=read_table(files.comparisons),
        channels=read_run(files.channels),
        folds=read_table(files.folds),
        summary=read_json(files.summary),
        measures=read_tables(list(files.measures)),
        faithfulness=read_tables(list(files.faithfulness)),
        facts=read_tables(list(files.patients)).drop_duplicates("patient"),
        ablations=None if absent else pd.read_csv(files.ablations, sep="\t"),
        synthetic="synthetic" in recordings and bool(recordings["synthetic"].fillna(False).any()),
    )


def by_metric(table: pd.DataFrame) -> Rows:
    """Rows of `CohortResults.cohort` by their metric."""
    return {str(row["metric"]): row for row in records(table)}


def against_half(value: float, low: float, high: float) -> str:
    """What an interval of an AUROC says of 0.5, in words; every outcome has its own. It is no test (docs/soz.md)."""
    if not np.isfinite(value):
        return "undefined"
    if not (np.isfinite(low) and np.isfinite(high)):
        return "without an interval: nothing follows"
    if low > 0.5:
        return "the interval lies above 0.5"
    if high < 0.5:
        return "the interval lies below 0.5"
    return "not told from 0.5: the interval holds it"


def headline_words(row: dict[str, Any]) -> str:
    """The first sentence of the page, of the cohort's row of the AUROC."""
    n, shown = plural(row["n_patients"], "patient"), with_interval(row["value"], row["low"], row["high"])
    words = against_half(row["value"], row["low"], row["high"])
    why = f" ({row['reason']})" if row["reason"] else ", which is no test (see “Intervals” at the end)"
    return f"AUROC of the ranking within a patient, mean over {n}: {shown}; {words}{why}."


def against_other(row: dict[str, Any], confidence: float) -> str:
    """What a paired difference of comparisons.parquet says, by its interval and by Holm's p; both must agree."""
    if not (np.isfinite(row["low"]) and np.isfinite(row["high"])):
        return "no interval: nothing follows"
    if row["low"] <= 0 <= row["high"]:
        return "not told apart"
    if not row["p_holm"] < 1 - confidence:
        return "not told apart after Holm"
    return "the model is higher" if row["low"] > 0 else "the model is lower"
