"""What the cohort page says of attention: sources beside their null within shafts, and hidden contacts; by patient."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_cohort import Estimate, mean_estimate
from pipeline.report.blocks import Block, Note, Section, Table, Text, cell, with_interval
from pipeline.report.tables import records
from pipeline.settings.soz import SozEvaluation

SOURCES = ["condition", "graph", "value", "low", "high", "n_patients", "n_mixed", "null", "above", "above_low",
           "above_high", "beyond"]  # fmt: skip
HIDDEN = ["kind", "failed", "low", "high", "n_patients", "clips", "value", "null"]
KINDS = {
    "rollout": "rollout ranks the effects of hiding single contacts",
    "largest": "hiding the contacts with the largest rollout matters more than hiding as many others",
}


def source_rows(measures: pd.DataFrame, folds: Mapping[str, int], settings: SozEvaluation) -> pd.DataFrame:
    """Columns SOURCES: of each condition and graph the source AUROC, its null, and who lies beyond the null.

    A patient has one value, the mean over layers, heads and seeds. Of the `n_mixed` patients with a shaft of both
    classes alone: `null`, mean over labels exchanged within shafts, `above` (value less null), and `beyond`, the share
    of patients whose value only 1 - confidence of the shuffles reach. folds: by patient.
    """
    known = measures[measures["source_auroc"].notna()] if len(measures) else measures
    rows = []
    for (condition, graph), own in known.groupby(["condition", "graph"], sort=True) if len(known) else ():
        one = own.groupby(["seed", "patient"], sort=True).agg(
            value=("source_auroc", "mean"), null=("source_auroc_null", "mean"), p=("source_auroc_mean_p", "first"),
            mixed=("mixed_shafts", "first"),
        )  # fmt: skip
        judged = one[(one["mixed"] > 0) & one["p"].notna()]
        value = _mean(one["value"], folds, settings)
        above = _mean(judged["value"] - judged["null"], folds, settings)
        null = judged["null"].groupby("patient").mean().mean()
        beyond = (judged["p"] <= 1 - settings.confidence).groupby("patient").mean().mean()
        rows.append((condition, graph, value.value, value.low, value.high, value.n_patients, above.n_patients,
                     null, above.value, above.low, above.high, beyond))  # fmt: skip
    numbers = dict.fromkeys(("low", "high", "above", "above_low", "above_high"), float)
    return pd.DataFrame(rows, columns=SOURCES).astype(numbers)


def _mean(values: pd.Series, folds: Mapping[str, int], settings: SozEvaluation) -> Estimate:
    """Of values with the index seed, patient."""
    wide = values.unstack("patient") if len(values) else pd.DataFrame(index=[0])
    own = np.array([folds[str(patient)] for patient in wide.columns], dtype=np.int64)
    return mean_estimate(wide.to_numpy(dtype=float), own, settings)


def hidden_rows(table: pd.DataFrame, folds: Mapping[str, int], settings: SozEvaluation) -> pd.DataFrame:
    """Columns HIDDEN: the share of clips that failed, mean over a patient's clips and seeds, then over patients."""
    judged = table[table["failed"].notna()].astype({"failed": "float64"})
    rows = []
    for kind, own in judged.groupby("kind", sort=True):
        means = own.groupby("patient", sort=True)[["failed", "value", "null_mean"]].mean()
        owners = np.array([folds[str(patient)] for patient in means.index], dtype=np.int64)
        failed = mean_estimate(means["failed"].to_numpy()[None], owners, settings)
        rows.append((kind, failed.value, failed.low, failed.high, failed.n_patients, own["clip"].nunique(),
                     means["value"].mean(), means["null_mean"].mean()))  # fmt: skip
    return pd.DataFrame(rows, columns=HIDDEN).astype({"low": float, "high": float})


def attention_section(
    measures: pd.DataFrame, faithfulness: pd.DataFrame, folds: Mapping[str, int], settings: SozEvaluation
) -> Section:
    """Who is looked at, and whether the answer depends on it; folds: in which each patient was tested."""
    sources, hidden = source_rows(measures, folds, settings), hidden_rows(faithfulness, folds, settings)
    if sources.empty and hidden.empty:
        return Section("attention", "Attention", [Note("There is no attention graph: no layer, or nobody was tested.")])
    blocks: list[Block] = []
    if len(sources):
        blocks += [Text(_null_words(settings)), _source_table(sources)]
    if len(hidden):
        rows = [[KINDS.get(row["kind"], row["kind"]), with_interval(row["failed"], row["low"], row["high"]),
                 cell(row["n_patients"]), cell(row["clips"]), cell(row["value"]), cell(row["null"])]
                for row in records(hidden)]  # fmt: skip
        heads = ["what is expected of attention", "share of clips in which it failed [interval]", "patients", "clips",
                 "value", "null"]  # fmt: skip
        caption = "Hiding contacts: mean over a patient's clips and seeds, then over patients"
        blocks.append(Table("faithfulness", caption, heads, rows, frozenset({1, 2, 3, 4, 5})))
    return Section("attention", "Attention", blocks)


def _null_words(settings: SozEvaluation) -> str:
    return (
        "Marked contacts are neighbours, and neighbours are looked at alike: chance for this AUROC is not 0.5. It is "
        "told by labels exchanged within each shaft, of patients who have a shaft of both classes. Where nothing but "
        f"place mattered, a share of at most {1 - settings.confidence:.2f} would lie beyond the exchanged labels."
    )


def _source_table(sources: pd.DataFrame) -> Table:
    rows = [_source_cells(row) for row in records(sources)]
    heads = ["condition", "graph", "source AUROC [interval]", "patients", "with mixed shafts", "labels exchanged",
             "source AUROC less that [interval]", "share of patients beyond"]  # fmt: skip
    caption = (
        "AUROC of key strength for the SOZ: are marked contacts looked at more? Mean over layers, heads and seeds, "
        "then over patients; `untrained` and controls beside it"
    )
    return Table("sources", caption, heads, rows, frozenset(range(2, 8)))


def _source_cells(row: dict[str, Any]) -> list[str]:
    return [
        row["condition"], row["graph"], with_interval(row["value"], row["low"], row["high"]), cell(row["n_patients"]),
        cell(row["n_mixed"]), cell(row["null"]), with_interval(row["above"], row["above_low"], row["above_high"]),
        cell(row["beyond"]),
    ]  # fmt: skip
