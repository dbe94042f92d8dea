"""Runs of soz.ablations beside soz.run on the same folds: ablations.tsv (spec soz.md, section 13).

In: metrics.parquet and contacts.parquet of every run, soz.run first. Out: one row a run and metric: its mean over
patients and seeds, the difference from soz.run (`reference_run`) with its interval over patients, folds and seeds,
Wilcoxon's p and Holm's over the runs. Of calibration the same patients are redrawn for both runs, with all of their
contacts.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.metrics.comparisons import holm
from pipeline.metrics.soz_contacts import BOTH
from pipeline.metrics.soz_evaluation import MODEL, comparisons_table, headline, patient_values
from pipeline.metrics.soz_paired_errors import ERRORS, paired_errors
from pipeline.metrics.soz_ranking import RANKING
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz import SozEvaluation
from pipeline.stages import command
from pipeline.store import read_table, write_tsv

COLUMNS = [
    "run", "reference_run", "metric", "value", "low", "high", "reference", "difference", "difference_low",
    "difference_high", "p", "p_holm", "n_comparisons", "n_patients", "n_differ", "n_seeds", "reason",
]  # fmt: skip
Difference = dict[str, Any]


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


def ablation_table(
    metrics: dict[str, pd.DataFrame], contacts: dict[str, pd.DataFrame], reference: str, settings: SozEvaluation
) -> pd.DataFrame:
    """Columns COLUMNS: the run of reference first, the others as they are named; metrics of ranking, then ERRORS.

    contacts: contacts.parquet of the same runs (soz_contacts.contact_scores).
    """
    rows = {run: patient_values(table) for run, table in metrics.items()}
    check_folds(rows, reference)
    compared = comparisons_table(rows, reference, settings, metrics=RANKING, conditions=(BOTH,))
    differences = {(pair["second"], pair["metric"]): _turned(pair) for pair in compared.to_dict("records")}
    differences |= error_differences(contacts, reference, settings)
    found = []
    for run, table in metrics.items():
        about = {"run": run, "reference_run": reference, "n_seeds": rows[run]["seed"].nunique()}
        for metric in (*RANKING, *ERRORS):
            own = headline(table, metric)
            row = about | {"metric": metric} | {k: own[k] for k in ("value", "low", "high", "n_patients")}
            found.append(row | differences.get((run, metric), {}))
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def _turned(pair: Mapping[Hashable, Any]) -> Difference:
    """The comparison turned round: this run less the run of reference."""
    return {
        "reference": pair["value_first"], "difference": 0.0 - pair["difference"],
        "difference_low": 0.0 - pair["high"], "difference_high": 0.0 - pair["low"],  # 0.0 - x: never -0
        **{name: pair[name] for name in ("p", "p_holm", "n_comparisons", "n_patients", "n_differ", "reason")},
    }  # fmt: skip


def error_differences(
    contacts: dict[str, pd.DataFrame], reference: str, settings: SozEvaluation
) -> dict[tuple[str, str], Difference]:
    """By run and metric of ERRORS: the run less the run of reference, with Holm's p within each metric."""
    both = {run: table[table["condition"] == BOTH] for run, table in contacts.items()}
    pairs = {run: paired_errors(own, both[reference], settings) for run, own in both.items() if run != reference}
    found = {}
    for metric in ERRORS:
        p = [pair[metric].p for pair in pairs.values()]
        for (run, pair), adjusted in zip(pairs.items(), holm(p), strict=True):
            one = pair[metric]
            found[run, metric] = {
                "reference": one.second, "difference": one.estimate.value, "difference_low": one.estimate.low,
                "difference_high": one.estimate.high, "p": one.p, "p_holm": adjusted,
                "n_comparisons": sum(value is not None for value in p), "n_patients": one.estimate.n_patients,
                "n_differ": one.n_differ, "reason": one.reason,
            }  # fmt: skip
    return found


def main() -> None:
    """Read, compare, write."""
    parser = command.parser(__doc__)
    for name in ("metrics", "contacts"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True, help="soz.run first, then soz.ablations")
    parser.add_argument("--out", type=Path, required=True, help="ablations.tsv")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    names = [settings.run, *settings.ablations]
    for name, paths in (("metrics", arguments.metrics), ("contacts", arguments.contacts)):
        if len(names) != len(paths):
            raise command.StageError(f"{len(paths)} {name} files for {len(names)} runs ({', '.join(names)})")
    metrics = {run: read_table(path) for run, path in zip(names, arguments.metrics, strict=True)}
    contacts = {run: read_table(path) for run, path in zip(names, arguments.contacts, strict=True)}
    for run, table in metrics.items():
        if not (table["system"] == MODEL).any():
            raise command.StageError(f"{run}: its metrics.parquet has no rows of the run itself; evaluate it anew")
    table = ablation_table(metrics, contacts, settings.run, settings.evaluation)
    write_tsv(arguments.out, table)
    for row in table[table["metric"] == "auroc"].to_dict("records"):
        log.info("%s: AUROC %.3f, difference %.3f", row["run"], row["value"], row["difference"])


if __name__ == "__main__":
    command.run(main)
