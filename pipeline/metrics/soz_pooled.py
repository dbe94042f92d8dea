"""What is pooled over the contacts of all tested patients: calibration, and AUROC as a secondary number.

Whole patients are redrawn, with all of their contacts, and whole folds left out (spec soz.md, sections 5 and 7). Axes:
d draw, k fold, s seed, i contact, o owner (patient).
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.calibration import equal_mass
from pipeline.metrics.clip_metrics import Floats, auroc, ratio
from pipeline.metrics.patient_auroc import patient_auroc
from pipeline.metrics.soz_cohort import UNDEFINED, Estimate, estimate_of, weights_of
from pipeline.settings.soz import SozEvaluation

BINS = 10  # of equal mass (spec, section 5)
POOLED = ("pooled_auroc", "ece_raw", "ece_cal", "brier_raw", "brier_cal")
NO_PROBABILITY = "the score is no probability"


def pooled_estimates(contacts: pd.DataFrame, settings: SozEvaluation) -> dict[str, Estimate]:
    """POOLED, of the labelled contacts of one system and condition (soz_contacts.contact_scores), over seeds."""
    known = contacts[contacts["soz"].notna()].sort_values(["seed", "patient", "channel"])
    found = {"pooled_auroc": _pooled_auroc(known, settings)}
    for kind in ("raw", "cal"):
        errors = _errors(known, f"p_{kind}", settings)
        found |= {f"{name}_{kind}": estimate for name, estimate in errors.items()}
    return {name: found[name] for name in POOLED}


def _errors(known: pd.DataFrame, column: str, settings: SozEvaluation) -> dict[str, Estimate]:
    folds = owner_folds(known)
    n = len(folds)
    if known.empty or known[column].isna().any():
        why = UNDEFINED if known.empty else NO_PROBABILITY
        return dict.fromkeys(("ece", "brier"), Estimate(None, None, None, n, why))
    stacks = drawn_errors(known, column, np.concatenate([np.ones((1, n)), weights_of(folds, settings)]))
    return {name: estimate_of(float(own[:, 0].mean()), own[:, 1:], folds, settings) for name, own in stacks.items()}


def owner_folds(known: pd.DataFrame) -> NDArray[np.int64]:
    """The fold (o,) in which each patient, by name, was tested."""
    return known.drop_duplicates("patient").sort_values("patient")["fold"].to_numpy(dtype=np.int64)


def drawn_errors(known: pd.DataFrame, column: str, weights: Floats) -> dict[str, Floats]:
    """`ece` and `brier` (s, d) of labelled contacts, whose patients, by name, were drawn weights (d, o) times."""
    names = np.unique(known["patient"].to_numpy(dtype=object).astype(str))
    values: dict[str, list[Floats]] = {"ece": [], "brier": []}
    for _, own in known.groupby("seed", sort=True):
        owner = np.searchsorted(names, own["patient"].to_numpy(dtype=object).astype(str))
        positive, p = own["soz"].to_numpy(dtype=bool), own[column].to_numpy(dtype=np.float64)
        for name, found in calibration_draws(positive, p, owner, weights).items():
            values[name].append(found)
    return {name: np.stack(found) for name, found in values.items()}


def calibration_draws(
    positive: NDArray[np.bool_], p: Floats, owner: NDArray[np.integer], weights: Floats
) -> dict[str, Floats]:
    """`ece` and `brier` (d,) of contacts (i,), where patient o was drawn weights (d, o) times.

    The same as calibration_error and binary_brier of calibration.py, from sums by patient: a bin's n |mean p - share|
    is |sum of p - positives|. Bins are of equal mass, made once from all contacts, as there.
    """
    n_owners, cell = weights.shape[1], owner * BINS + equal_mass(p, BINS)
    gaps = np.bincount(cell, weights=p - positive, minlength=n_owners * BINS).reshape(n_owners, BINS)
    squares = np.bincount(owner, weights=(p - positive) ** 2, minlength=n_owners)
    n = weights @ np.bincount(owner, minlength=n_owners)
    return {"ece": ratio(np.abs(weights @ gaps).sum(axis=1), n), "brier": ratio(weights @ squares, n)}


def _pooled_auroc(known: pd.DataFrame, settings: SozEvaluation) -> Estimate:
    """By p_cal, which folds share; by the score where there is no probability."""
    folds = owner_folds(known)
    weights = weights_of(folds, settings)
    column = "logit" if known["p_cal"].isna().any() else "p_cal"
    plain, samples = [], []
    for _, own in known.groupby("seed", sort=True):
        positive, scores = own["soz"].to_numpy(dtype=bool), own[column].to_numpy(dtype=np.float64)
        plain.append(auroc(positive, scores, np.ones((1, len(scores))))[0] if len(scores) else np.nan)
        patients = own["patient"].to_numpy(dtype=object).astype(str)
        samples.append(patient_auroc(positive, scores, patients, weights))
    if not plain:
        return Estimate(None, None, None, len(folds), UNDEFINED)
    return estimate_of(float(np.mean(plain)), np.stack(samples), folds, settings)


def reliability_table(contacts: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """Of each bin of equal mass of the probabilities `column`: mean probability, share of SOZ, contacts."""
    known = contacts[contacts["soz"].notna() & contacts[column].notna()]
    p, positive = known[column].to_numpy(dtype=np.float64), known["soz"].to_numpy(dtype=bool)
    place = equal_mass(p, BINS)
    return [
        {
            "bin": int(number),
            "predicted": float(p[place == number].mean()),
            "observed": float(positive[place == number].mean()),
            "n_contacts": int((place == number).sum()),
        }
        for number in np.unique(place)
    ]
