"""Localisation and metrics over several corpora whose patients are disjoint (issue 2, acceptance 7)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.answers import difference
from pipeline.explain.localisation_summary import main_case
from pipeline.explain.measured import mean_of, measured
from pipeline.metrics.evaluation import OVER_SEEDS, of_list
from pipeline.settings.experiments import ExperimentSettings

NULLS = {
    "null_electrodes": "the same seconds on permuted electrodes",
    "null_seconds": "the same electrodes in permuted seconds",
}


def localisation_answers(tables: Sequence[pd.DataFrame], settings: ExperimentSettings) -> Iterator[dict[str, Any]]:
    """Does localisation on focal seizures beat its nulls? One localisation table for each corpus and run.

    The mean is over all clips; patients are redrawn within each corpus.
    """
    rng = np.random.default_rng(settings.seed)
    whole = pd.concat([table.assign(corpus=corpus) for corpus, table in enumerate(tables)], ignore_index=True)
    rule, policy = main_case(whole)
    chosen = whole[(whole["rule"] == rule) & (whole["fz_pz"] == policy) & (whole["focal"] == "focal")].dropna(
        subset=["localisation"]
    )
    length_s = chosen["clip"].str.rsplit("+", n=1).str[-1]  # a clip's name ends in +<length>
    for (run, length), rows in chosen.groupby(["run", length_s], sort=True):  # type: ignore[misc]
        for null, words in NULLS.items():
            gap = (rows["localisation"] - rows[null]).to_numpy(dtype=float)
            owners = rows["corpus"].astype(str) + ":" + rows["patient"].astype(str)
            found = measured(
                mean_of(gap),
                owners.to_numpy(dtype=object).astype(str),
                strata=rows["corpus"].to_numpy(),
                draws=settings.bootstrap,
                confidence=settings.confidence,
                rng=rng,
            )
            yield difference(
                f"Does {run} look where focal seizures are ({length}-s clips), more than with {words}?",
                found,
                what="Localisation less that of the null",
            )


def pooled_metrics(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean of every metric over the corpora (run, task, length_s, metric, class, value, lowest, highest, n_corpora)."""
    whole = pd.concat(tables, ignore_index=True)
    whole = of_list(whole[whole["seed"] == OVER_SEEDS])
    keys = ["run", "task", "length_s", "metric", "class"]
    found = whole.groupby(keys, sort=True)["value"].agg(value="mean", lowest="min", highest="max", n_corpora="count")
    return found.reset_index()
