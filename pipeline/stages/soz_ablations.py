"""Runs of soz.ablations beside soz.run on the same folds: ablations.tsv (spec soz.md, section 13).

In: metrics.parquet of every run, soz.run first. Out: one row a run and metric: its mean over patients and seeds, the
difference from soz.run with its interval over patients and seeds, Wilcoxon's p and Holm's over the runs.
"""

from pathlib import Path

import pandas as pd

from pipeline.metrics.soz_contacts import BOTH
from pipeline.metrics.soz_evaluation import MODEL, comparisons_table, headline, patient_values
from pipeline.metrics.soz_ranking import RANKING
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz import SozEvaluation
from pipeline.stages import command
from pipeline.store import read_table, write_tsv

POOLED = ("ece_cal", "brier_cal")
COLUMNS = ["run", "metric", "value", "low", "high", "reference", "difference", "difference_low", "difference_high",
           "p", "p_holm", "n_comparisons", "n_patients", "n_differ", "n_seeds", "reason"]  # fmt: skip


class Settings(Section):
    """What this stage uses."""

    run: str
    ablations: list[str]
    evaluation: SozEvaluation


def check_folds(rows: dict[str, pd.DataFrame], reference: str) -> None:
    """Raise StageError where a run tested another patient, or one in another fold, than the run of reference."""
    folds = {run: dict(zip(own["patient"], own["fold"], strict=True)) for run, own in rows.items()}
    for run, found in folds.items():
        if found != folds[reference]:
            differ = sorted(str(name) for name, _ in set(found.items()) ^ set(folds[reference].items()))
            raise command.StageError(
                f"{run} and {reference} have other folds (first patient that differs: {differ[0]}); take the run out "
                "of soz.ablations, or give it the folds of soz.run"
            )


def ablation_table(metrics: dict[str, pd.DataFrame], reference: str, settings: SozEvaluation) -> pd.DataFrame:
    """Columns COLUMNS: the run of reference first, the others as they are named; metrics of ranking, then pooled."""
    rows = {run: patient_values(table) for run, table in metrics.items()}
    check_folds(rows, reference)
    compared = comparisons_table(rows, reference, settings, metrics=RANKING, conditions=(BOTH,))
    found = []
    for run, table in metrics.items():
        seeds = rows[run]["seed"].nunique()
        for metric in (*RANKING, *POOLED):
            own = headline(table, metric)
            row = {"run": run, "metric": metric, "n_seeds": seeds} | {k: own[k] for k in ("value", "low", "high")}
            paired = compared[(compared["second"] == run) & (compared["metric"] == metric)]
            found.append(row | (_difference(paired.iloc[0]) if len(paired) else {"n_patients": own["n_patients"]}))
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def _difference(pair: pd.Series) -> dict[str, object]:
    """The comparison turned round: this run less the run of reference."""
    return {
        "reference": pair["value_first"], "difference": -pair["difference"], "difference_low": -pair["high"],
        "difference_high": -pair["low"],
        **{name: pair[name] for name in ("p", "p_holm", "n_comparisons", "n_patients", "n_differ", "reason")},
    }  # fmt: skip


def main() -> None:
    """Read, compare, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--metrics", type=Path, nargs="+", required=True, help="soz.run first, then soz.ablations")
    parser.add_argument("--out", type=Path, required=True, help="ablations.tsv")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    names = [settings.run, *settings.ablations]
    if len(names) != len(arguments.metrics):
        raise command.StageError(f"{len(arguments.metrics)} metrics files for {len(names)} runs ({', '.join(names)})")
    metrics = {run: read_table(path) for run, path in zip(names, arguments.metrics, strict=True)}
    for run, table in metrics.items():
        if not (table["system"] == MODEL).any():
            raise command.StageError(f"{run}: its metrics.parquet has no rows of the run itself; evaluate it anew")
    table = ablation_table(metrics, settings.run, settings.evaluation)
    write_tsv(arguments.out, table)
    for row in table[table["metric"] == "auroc"].to_dict("records"):
        log.info("%s: AUROC %.3f, difference %.3f", row["run"], row["value"], row["difference"])


if __name__ == "__main__":
    command.run(main)
