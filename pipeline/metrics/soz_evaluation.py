"""The metrics of a run beside its baselines: patients, cohort, strata, paired comparisons (docs/soz.md).

A system is the run itself (MODEL) or a baseline by its name. Everything takes plain tables; stages read and write.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.comparisons import holm
from pipeline.metrics.soz_cohort import Estimate, mean_estimate, paired, separation, table_of
from pipeline.metrics.soz_contacts import BOTH, CONDITIONS
from pipeline.metrics.soz_patients import COUNTS, RESECTION
from pipeline.metrics.soz_pooled import pooled_estimates
from pipeline.metrics.soz_ranking import RANKING
from pipeline.settings.soz import SozEvaluation

MODEL = "model"
ALL = "all"
FACTORS = ("outcome", "implant", "lesion", "rate_hz")
COMPARED = ("auroc", "auprc", "recall_at_soz")
NO_SHARES = frozenset(["n_contacts", "n_soz", "auprc_ratio", "mm_to_soz"])  # the others lie between 0 and 1
PATIENT_METRICS = (*COUNTS, *RANKING, *RESECTION)
METRICS = {
    "system": "string", "scope": "string", "condition": "string", "factor": "string", "level": "string",
    "patient": "string", "fold": "int64", "seed": "int64", "metric": "string", "value": "float64", "low": "float64",
    "high": "float64", "n_patients": "int64", "n_excluded": "int64", "reason": "string",
}  # fmt: skip
COMPARISONS = {
    "first": "string", "second": "string", "condition": "string", "metric": "string", "value_first": "float64",
    "value_second": "float64", "difference": "float64", "low": "float64", "high": "float64", "p": "float64",
    "p_holm": "float64", "n_comparisons": "int64", "n_patients": "int64", "n_differ": "int64", "reason": "string",
}  # fmt: skip


def metrics_table(
    rows: Mapping[str, pd.DataFrame],
    contacts: Mapping[str, pd.DataFrame],
    facts: pd.DataFrame,
    settings: SozEvaluation,
) -> pd.DataFrame:
    """Columns METRICS: scope `patient` (each seed, and their mean as seed -1) and `cohort`.

    rows: patient_rows of each system; contacts: their contact_scores; facts: patient, fold and FACTORS (text, empty
    unknown).
    """
    parts = []
    for system, own in rows.items():
        levels = _levels(facts, FACTORS if system == MODEL else ())
        cohort = [_cohort(own, condition, levels, facts, settings) for condition in CONDITIONS]
        found = [_of_patients(own), *cohort, _pooled(contacts[system], settings)]
        if system == MODEL:
            found.append(_outcome(own, facts, settings))
        parts.append(pd.concat(found, ignore_index=True).assign(system=system))
    table = pd.concat(parts, ignore_index=True)
    return table[list(METRICS)].astype(METRICS)


def _of_patients(own: pd.DataFrame) -> pd.DataFrame:
    """Rows of every seed, and their means as seed -1."""
    mean = own.groupby(["patient", "fold", "condition", "metric"], sort=False)
    over = mean.agg(value=("value", "mean"), reason=("reason", "first")).reset_index().assign(seed=-1)
    table = pd.concat([over, own], ignore_index=True)
    known = table["value"].notna().astype(int)
    filled: dict[str, Any] = {"scope": "patient", "factor": ALL, "level": "", "low": np.nan, "high": np.nan}
    return table.assign(**filled, n_patients=known, n_excluded=1 - known)


def _levels(facts: pd.DataFrame, factors: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Factor, level and the patients of it, everybody first."""
    groups = [(ALL, "", sorted(facts["patient"]))]
    for factor in factors:
        known = facts[factor].replace("", "unknown")
        groups += [(factor, str(level), sorted(own["patient"])) for level, own in facts.groupby(known, sort=True)]
    return groups


def _cohort(
    own: pd.DataFrame,
    condition: str,
    levels: Sequence[tuple[str, str, list[str]]],
    facts: pd.DataFrame,
    settings: SozEvaluation,
) -> pd.DataFrame:
    """Of every level: factor, level and its patients; the first holds everybody."""
    rows, everybody = own[own["condition"] == condition], levels[0][2]
    folds = _folds(facts, everybody)
    tables, parts = {metric: table_of(rows, metric, everybody) for metric in PATIENT_METRICS}, []
    for factor, level, patients in levels:
        inside = np.isin(everybody, patients)
        estimates = {
            metric: mean_estimate(table[:, inside], folds[inside], settings) for metric, table in tables.items()
        }
        found = [_estimated(metric, one, len(patients)) for metric, one in estimates.items()]
        parts.append(_of_cohort(found, condition, factor, level))
    return pd.concat(parts, ignore_index=True)


def _folds(table: pd.DataFrame, patients: Sequence[str]) -> NDArray[np.int64]:
    """The fold in which each of `patients` was tested, of a table with patient and fold."""
    known = table.drop_duplicates("patient").set_index("patient")["fold"]
    return known.loc[list(patients)].to_numpy(dtype=np.int64)


def _estimated(metric: str, estimate: Estimate, n: int) -> dict[str, Any]:
    """One row; no limit lies where the metric cannot."""
    low, high = estimate.low, estimate.high
    if low is not None and high is not None:
        low, high = max(low, 0.0), high if metric in NO_SHARES else min(high, 1.0)
    return {
        "metric": metric, "value": estimate.value, "low": low, "high": high, "n_patients": estimate.n_patients,
        "n_excluded": n - estimate.n_patients, "reason": estimate.reason,
    }  # fmt: skip


def _of_cohort(found: list[dict[str, Any]], condition: str, factor: str, level: str) -> pd.DataFrame:
    filled: dict[str, Any] = {
        "scope": "cohort",
        "condition": condition,
        "factor": factor,
        "level": level,
        "patient": "",
    }
    table = pd.DataFrame(found).assign(**filled, fold=-1, seed=-1)
    return table.astype(dict.fromkeys(("value", "low", "high"), "float64"))


def _pooled(contacts: pd.DataFrame, settings: SozEvaluation) -> pd.DataFrame:
    n = contacts["patient"].nunique()
    parts = []
    for condition in CONDITIONS:
        own = contacts[contacts["condition"] == condition]
        found = [_estimated(name, one, n) for name, one in pooled_estimates(own, settings).items()]
        parts.append(_of_cohort(found, condition, ALL, ""))
    return pd.concat(parts, ignore_index=True)


def _outcome(own: pd.DataFrame, facts: pd.DataFrame, settings: SozEvaluation) -> pd.DataFrame:
    """Whether the resected share of mass, contacts or SOZ tells Engel I from II to IV: AUROC over patients."""
    known = facts[facts["outcome"].isin(["good", "poor"])].sort_values("patient")
    good, folds = (known["outcome"] == "good").to_numpy(dtype=bool), known["fold"].to_numpy(dtype=np.int64)
    parts = []
    for condition in CONDITIONS:
        rows = own[own["condition"] == condition]
        found = []
        for metric in ("resected_mass", "resected_contacts", "resected_soz"):
            estimate = separation(table_of(rows, metric, list(known["patient"])), good, folds, settings)
            found.append(_estimated(f"outcome_auroc_{metric}", estimate, len(known)))
        parts.append(_of_cohort(found, condition, ALL, ""))
    return pd.concat(parts, ignore_index=True)


def comparisons_table(
    rows: Mapping[str, pd.DataFrame],
    first: str,
    settings: SozEvaluation,
    *,
    metrics: Sequence[str] = COMPARED,
    conditions: Sequence[str] = CONDITIONS,
) -> pd.DataFrame:
    """Columns COMPARISONS: `first` against every other of `rows` by patient; Holm within metric and condition."""
    others = [name for name in rows if name != first]
    tables = []
    for condition in conditions:
        for metric in metrics:
            found = [_compared(rows, first, other, condition, metric, settings) for other in others]
            p = [one["p"] for one in found]
            adjusted = [np.nan if value is None else value for value in holm(p)]
            known = sum(value is not None for value in p)
            tables.append(pd.DataFrame(found).assign(p_holm=adjusted, n_comparisons=known))
    table = pd.concat(tables, ignore_index=True) if others else pd.DataFrame(columns=list(COMPARISONS))
    return table[list(COMPARISONS)].astype(COMPARISONS)


def _compared(
    rows: Mapping[str, pd.DataFrame], first: str, second: str, condition: str, metric: str, settings: SozEvaluation
) -> dict[str, Any]:
    one, other = (rows[name][rows[name]["condition"] == condition] for name in (first, second))
    patients = sorted(set(one["patient"]))
    first_values, second_values = (table_of(own, metric, patients) for own in (one, other))
    found = paired(first_values, second_values, _folds(one, patients), settings)
    return {
        "first": first, "second": second, "condition": condition, "metric": metric, "value_first": found.first,
        "value_second": found.second, "difference": found.estimate.value, "low": found.estimate.low,
        "high": found.estimate.high, "p": found.p, "n_patients": found.estimate.n_patients,
        "n_differ": found.n_differ, "reason": found.reason,
    }  # fmt: skip


def patient_values(metrics: pd.DataFrame, system: str = MODEL) -> pd.DataFrame:
    """Back from a metrics table: the rows of every seed of a system, as `patient_rows` gave them."""
    own = metrics[(metrics["system"] == system) & (metrics["scope"] == "patient") & (metrics["seed"] >= 0)]
    return own[["seed", "patient", "fold", "condition", "metric", "value", "reason"]].reset_index(drop=True)


def headline(metrics: pd.DataFrame, metric: str, *, system: str = MODEL, condition: str = BOTH) -> pd.Series:
    """The one cohort row of a metric over all patients."""
    rows = metrics[
        (metrics["scope"] == "cohort") & (metrics["factor"] == ALL) & (metrics["system"] == system)
        & (metrics["condition"] == condition) & (metrics["metric"] == metric)
    ]  # fmt: skip
    return rows.iloc[0]
