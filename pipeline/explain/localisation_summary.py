"""Localisation over clips: means, share precisely localised and differences to the nulls, with patient intervals.

Tang et al. 2022, figure 4. The unit is a clip (of one seed); an interval resamples patients with all their clips. Clips
whose seizures are focal and generalised (`mixed`) belong to neither group and are counted apart.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.localisation import Policy, Rule, cases
from pipeline.explain.measured import mean_of, measured
from pipeline.settings.evaluation import LocalisationSettings

COLUMNS = [
    "run", "seed", "clip", "patient", "focal", "rule", "fz_pz", "coverage", "localisation",
    "null_electrodes", "null_seconds", "n_annotated", "n_marked", "reason",
]  # fmt: skip
GROUPS = ("focal", "generalised", "all")


def summarise(table: pd.DataFrame, settings: LocalisationSettings) -> dict[str, Any]:
    """Summary of a localisation table (COLUMNS) as JSON: overall counts, and one entry for each case and group."""
    rng = np.random.default_rng(settings.seed)
    counted = cases(direct=main_case(table)[0] == "edges")
    clips = table.drop_duplicates(["seed", "clip"])
    entries = [
        {"rule": rule, "fz_pz": policy, "group": group, **_entry(_select(table, rule, policy, group), settings, rng)}
        for rule, policy in counted
        for group in GROUPS
    ]
    return {
        "n_clips": len(clips),
        "n_patients": int(clips["patient"].nunique()),
        "n_seeds": int(clips["seed"].nunique()),
        "n_flat": int((clips["reason"] == "flat map").sum()),
        "n_mixed": int((clips["focal"] == "mixed").sum()),
        "cases": entries,
    }


def main_case(table: pd.DataFrame) -> tuple[Rule, Policy]:
    """(rule, policy) that figures and sentences are about (spec dcrnn.md, ambiguities; formats.md T22).

    Any annotated derivation counts for its two electrodes, FZ and PZ left out; for maps of derivations, themselves.
    """
    direct = len(table) > 0 and not (table["rule"] == "any").any()
    return cases(direct=direct)[0]


def _select(table: pd.DataFrame, rule: str, policy: str, group: str) -> pd.DataFrame:
    rows = table[(table["rule"] == rule) & (table["fz_pz"] == policy)]
    return rows if group == "all" else rows[rows["focal"] == group]


def _entry(rows: pd.DataFrame, settings: LocalisationSettings, rng: np.random.Generator) -> dict[str, Any]:
    """Counts, and each quantity as {value, low, high, n_clips, n_patients}; null where no clip defines it."""
    found = rows["localisation"]
    quantities = {
        "coverage": rows["coverage"],
        "localisation": found,
        "precise": (found > settings.precise).astype(float).where(found.notna()),
        "above_electrodes": found - rows["null_electrodes"],
        "above_seconds": found - rows["null_seconds"],
    }
    reasons = rows.loc[rows["reason"] != "", "reason"].value_counts()
    return {
        "n_clips": len(rows),
        "n_patients": int(rows["patient"].nunique()),
        "undefined": {str(reason): int(count) for reason, count in sorted(reasons.items())},
        **{name: mean_interval(values, rows["patient"], settings, rng) for name, values in quantities.items()},
        "per_seed": {str(seed): _mean(part) for seed, part in found.groupby(rows["seed"])},
    }


def mean_interval(
    values: pd.Series, patients: pd.Series, settings: LocalisationSettings, rng: np.random.Generator
) -> dict[str, Any]:
    """Mean over the clips that define it, with its patient-bootstrap interval."""
    defined = values.notna().to_numpy()
    kept, owners = values.to_numpy(dtype=float)[defined], patients.to_numpy()[defined]
    return measured(mean_of(kept), owners, draws=settings.bootstrap, confidence=settings.confidence, rng=rng)


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None
