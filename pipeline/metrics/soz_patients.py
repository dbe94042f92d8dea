"""Metrics of each patient: ranking, and how predicted mass lies to the resection (spec soz.md, section 7).

One row a system, seed, patient, condition and metric. A patient whose contacts are of one class, unlabelled, or without
a clip of the condition has rows without a value, and a reason; nobody disappears.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.metrics.clip_metrics import auroc
from pipeline.metrics.soz_contacts import BOTH, CONDITIONS
from pipeline.metrics.soz_ranking import RANKING, ranking_metrics

COUNTS = ("n_contacts", "n_soz", "prevalence")
RESECTION = ("auroc_resected", "resected_mass", "resected_contacts", "resected_soz")
KEYS = ["seed", "patient", "fold", "condition", "metric"]
UNLABELLED = "no contact is labelled"
ONE_CLASS = "the scored contacts are of one class"
NO_CLIP = "no clip of this condition"
NOT_JUDGED = "the run is trained on and judged by the other condition alone"
NO_SCORE = "no score for any contact"
NO_RESECTION = "no contact is known to be resected"
NO_PLACE = "coordinates are unknown"
NO_PROBABILITY = "the score is no probability"
PLACE = ["x_mm", "y_mm", "z_mm"]


def patient_rows(
    contacts: pd.DataFrame, patients: pd.DataFrame, places: pd.DataFrame, *, judged: str = BOTH
) -> pd.DataFrame:
    """Columns KEYS, value, reason: of one system's `contacts` (soz_contacts.contact_scores).

    patients: patient, fold of everybody who is tested; places: patient, channel, x_mm, y_mm, z_mm. judged: the
    condition whose clips the system was given, or BOTH.
    """
    table = contacts.merge(places[["patient", "channel", *PLACE]], on=["patient", "channel"], how="left")
    seeds: Sequence[int] = sorted(set(contacts["seed"])) or [0]
    groups = dict(iter(table.groupby(["seed", "patient", "condition"], sort=False)))
    scored = set(contacts["patient"])
    rows = []
    for seed in seeds:
        for patient, fold in patients[["patient", "fold"]].itertuples(index=False):
            for condition in CONDITIONS:
                own = groups.get((seed, patient, condition))
                absent = _why_absent(patient in scored, condition, judged)
                found = _absent(absent) if own is None else _values(own)
                rows += [(seed, patient, fold, condition, name, *found[name]) for name in found]
    return pd.DataFrame(rows, columns=[*KEYS, "value", "reason"])


def _why_absent(scored: bool, condition: str, judged: str) -> str:
    if not scored:
        return NO_SCORE
    return NO_CLIP if judged in (BOTH, condition) else NOT_JUDGED


def _absent(why: str) -> dict[str, tuple[float, str]]:
    return {name: (float("nan"), why) for name in (*COUNTS, *RANKING, *RESECTION)}


def _values(own: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Value and reason of every metric, of the contacts of one patient, condition and seed."""
    known = own[own["soz"].notna()]
    positive = known["soz"].to_numpy(dtype=bool)
    n, n_soz = len(own), int(positive.sum())
    counts = {"n_contacts": n, "n_soz": n_soz, "prevalence": n_soz / len(known) if len(known) else np.nan}
    found = {name: (float(value), "" if np.isfinite(value) else UNLABELLED) for name, value in counts.items()}
    if why := UNLABELLED if not len(known) else ONE_CLASS if n_soz in (0, len(known)) else "":
        found |= {name: (float("nan"), why) for name in RANKING}
    else:
        scores, place = known["logit"].to_numpy(dtype=np.float64), known[PLACE].to_numpy(np.float64, na_value=np.nan)
        ranked = ranking_metrics(positive, scores, place)
        found |= {name: (value, "" if np.isfinite(value) else NO_PLACE) for name, value in ranked.items()}
    return found | _resection(own)


def _resection(own: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """How scores, predicted mass, contacts and SOZ contacts lie to what was resected.

    resected_mass: share of the sum of p_cal that lies in resected contacts; resected_contacts: the same if every
    contact had one probability; resected_soz: the share of SOZ contacts that was resected (no prediction enters it).
    """
    known = own[own["resected"].notna()]
    resected = known["resected"].to_numpy(dtype=bool)
    if not resected.any():
        return {name: (float("nan"), NO_RESECTION) for name in RESECTION}
    p, scores = known["p_cal"].to_numpy(dtype=np.float64), known["logit"].to_numpy(dtype=np.float64)
    soz = known["soz"].fillna(False).to_numpy(dtype=bool)
    shares = {
        "auroc_resected": (float(auroc(resected, scores, np.ones((1, len(scores))))[0]), "all contacts are resected"),
        "resected_mass": (float(p[resected].sum() / p.sum()) if p.sum() > 0 else np.nan, NO_PROBABILITY),
        "resected_contacts": (float(resected.mean()), ""),
        "resected_soz": (float(resected[soz].mean()) if soz.any() else np.nan, UNLABELLED),
    }
    return {name: (value, "" if np.isfinite(value) else why) for name, (value, why) in shares.items()}
