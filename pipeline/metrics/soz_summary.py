"""cohort.json: what the page of the cohort tells beside the tables of metrics (docs/soz.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.soz_channels import USE
from pipeline.metrics.soz_contacts import BOTH, CONDITIONS
from pipeline.metrics.soz_evaluation import ALL, FACTORS, MODEL, PATIENT_METRICS
from pipeline.metrics.soz_pooled import reliability_table
from pipeline.settings.soz import SozEvaluation

TOP = 5
WORST = 5  # patients of the failure gallery


def cohort_summary(
    *,
    metrics: pd.DataFrame,
    contacts: pd.DataFrame,
    channels: pd.DataFrame,
    facts: pd.DataFrame,
    abstained: Mapping[str, str],
    index: pd.DataFrame,
    settings: SozEvaluation,
) -> dict[str, Any]:
    """Of the run itself: headline numbers, patients, who is excluded and why, reliability, failures.

    contacts: contact_scores; channels: channel_soz.tsv; abstained: by patient, why the models name no contact; index:
    the contacts of the index.
    """
    patients = _patients(metrics, channels, facts, abstained)
    return {
        "use": USE,
        "evaluation": settings.model_dump(mode="json"),
        "headline": _headline(metrics),
        "patients": patients,
        "excluded": _excluded(metrics),
        "contacts": _counts(channels, index),
        "reliability": {
            condition: {
                kind: reliability_table(contacts[contacts["condition"] == condition], f"p_{kind}")
                for kind in ("raw", "cal")
            }
            for condition in CONDITIONS
        },
        "worst": [one["patient"] for one in sorted(patients, key=_badness) if one["auroc"] is not None][:WORST],
        "abstained": sum(bool(one["abstained"]) for one in patients),
    }


def _badness(patient: dict[str, Any]) -> tuple[float, str]:
    return np.inf if patient["auroc"] is None else patient["auroc"], patient["patient"]


def _headline(metrics: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """condition -> metric -> value, low, high, n_patients, n_excluded, reason; of everybody, by the run itself."""
    own = metrics[(metrics["system"] == MODEL) & (metrics["scope"] == "cohort") & (metrics["factor"] == ALL)]
    found: dict[str, dict[str, dict[str, Any]]] = {condition: {} for condition in CONDITIONS}
    for row in own.to_dict("records"):
        numbers = {name: plain(row[name]) for name in ("value", "low", "high", "n_patients", "n_excluded", "reason")}
        found[row["condition"]][row["metric"]] = numbers
    return found


def _patients(
    metrics: pd.DataFrame,
    channels: pd.DataFrame,
    facts: pd.DataFrame,
    abstained: Mapping[str, str],
) -> list[dict[str, Any]]:
    own = metrics[
        (metrics["system"] == MODEL) & (metrics["scope"] == "patient") & (metrics["seed"] == -1)
        & (metrics["condition"] == BOTH)
    ]  # fmt: skip
    values = {str(patient): dict(zip(rows["metric"], rows["value"], strict=True))
              for patient, rows in own.groupby("patient")}  # fmt: skip
    ranked = channels[channels["rank"].notna()].sort_values(["participant_id", "rank"])
    tops = {str(name): rows.head(TOP) for name, rows in ranked.groupby("participant_id")}
    found = []
    for fact in facts.sort_values("patient").to_dict("records"):
        patient, top = str(fact["patient"]), tops.get("sub-" + str(fact["patient"]).removeprefix("sub-"))
        found.append(
            {"patient": patient, "fold": int(fact["fold"])}
            | {name: str(fact[name]) for name in FACTORS}
            | {name: plain(values[patient][name]) for name in PATIENT_METRICS}
            | {"top": [] if top is None else _top(top)}
            | {"abstained": abstained.get(patient, "")}
        )
    return found


def _top(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"channel": str(row["channel"]), "p_cal": plain(row["p_cal"]), "soz": plain(row["label_soz"])}
        for row in rows.to_dict("records")
    ]


def _excluded(metrics: pd.DataFrame) -> list[dict[str, str]]:
    """Who has no AUROC in a condition, and why."""
    own = metrics[
        (metrics["system"] == MODEL) & (metrics["scope"] == "patient") & (metrics["seed"] == -1)
        & (metrics["metric"] == "auroc") & metrics["value"].isna()
    ]  # fmt: skip
    rows: Sequence[Any] = own.sort_values(["condition", "patient"]).to_dict("records")
    return [{name: str(row[name]) for name in ("patient", "condition", "reason")} for row in rows]


def _counts(channels: pd.DataFrame, index: pd.DataFrame) -> dict[str, int | float | None]:
    """Contacts that were scored and labelled; SOZ contacts that could not be (bad, dropped by name, flat)."""
    scored = channels[channels["p_cal"].notna()]
    labelled = scored[scored["label_soz"].notna()]
    marked = index[index["soz"].astype("boolean").fillna(False)].drop_duplicates(["patient", "channel"])
    n_soz = int((labelled["label_soz"] == 1).sum())
    return {
        "scored": len(scored),
        "labelled": len(labelled),
        "soz": n_soz,
        "prevalence": n_soz / len(labelled) if len(labelled) else None,
        "soz_in_index": len(marked),
        "not_scored": int(channels["p_cal"].isna().sum()),
    }


def findings_by_code(findings: pd.DataFrame) -> dict[str, int]:
    """How many findings there are of each check."""
    return dict(sorted(Counter(findings["code"].astype(str)).items()))


def plain(value: Any) -> Any:
    """For JSON: None where nothing is known, else a number or text of Python's own."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
