"""What is pooled over the contacts of all tested patients: calibration, and AUROC as a secondary number.

Whole patients are redrawn, with all of their contacts (spec soz.md, sections 5 and 7). Axes: d draw, s seed, i contact,
m bin.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.calibration import binary_brier, calibration_error, equal_mass
from pipeline.metrics.clip_metrics import Floats, auroc
from pipeline.metrics.intervals import patient_weights
from pipeline.metrics.patient_auroc import patient_auroc
from pipeline.metrics.soz_cohort import UNDEFINED, Estimate, draws_of, estimate_of
from pipeline.settings.soz import SozEvaluation

BINS = 10  # of equal mass (spec, section 5)
POOLED = ("pooled_auroc", "ece_raw", "ece_cal", "brier_raw", "brier_cal")
NO_PROBABILITY = "the score is no probability"

Statistic = Callable[[NDArray[np.bool_], Floats, Floats], Floats]  # of labels (i,), p (i,) and weights (d, i): (d,)


def pooled_estimates(contacts: pd.DataFrame, settings: SozEvaluation) -> dict[str, Estimate]:
    """POOLED, of the labelled contacts of one system and condition (soz_contacts.contact_scores), over seeds."""
    known = contacts[contacts["soz"].notna()]
    found = {"pooled_auroc": _pooled_auroc(known, settings)}
    for kind in ("raw", "cal"):
        found[f"ece_{kind}"] = _pooled(known, f"p_{kind}", _ece, settings)
        found[f"brier_{kind}"] = _pooled(known, f"p_{kind}", binary_brier, settings)
    return {name: found[name] for name in POOLED}


def _ece(positive: NDArray[np.bool_], p: Floats, weights: Floats) -> Floats:
    return calibration_error(positive, p, weights, equal_mass(p, BINS))


def _pooled(known: pd.DataFrame, column: str, statistic: Statistic, settings: SozEvaluation) -> Estimate:
    n = known["patient"].nunique()
    if known.empty or known[column].isna().any():
        return Estimate(None, None, None, n, UNDEFINED if known.empty else NO_PROBABILITY)
    plain, samples = [], []
    for _, own in known.groupby("seed", sort=True):
        own = own.sort_values(["patient", "channel"])
        positive, p = own["soz"].to_numpy(dtype=bool), own[column].to_numpy(dtype=np.float64)
        plain.append(statistic(positive, p, np.ones((1, len(p))))[0])
        rng = np.random.default_rng(settings.seed)
        blocks = patient_weights(own["patient"].to_numpy(dtype=object).astype(str), draws=settings.bootstrap, rng=rng)
        samples.append(np.concatenate([statistic(positive, p, weights) for weights in blocks]))
    return estimate_of(float(np.mean(plain)), np.stack(samples), n, settings)


def _pooled_auroc(known: pd.DataFrame, settings: SozEvaluation) -> Estimate:
    """By p_cal, which folds share; by the score where there is no probability."""
    n = known["patient"].nunique()
    weights = draws_of(n, settings)
    column = "logit" if known["p_cal"].isna().any() else "p_cal"
    plain, samples = [], []
    for _, own in known.groupby("seed", sort=True):
        positive, scores = own["soz"].to_numpy(dtype=bool), own[column].to_numpy(dtype=np.float64)
        plain.append(auroc(positive, scores, np.ones((1, len(scores))))[0] if len(scores) else np.nan)
        patients = own["patient"].to_numpy(dtype=object).astype(str)
        samples.append(patient_auroc(positive, scores, patients, weights))
    if not plain:
        return Estimate(None, None, None, n, UNDEFINED)
    return estimate_of(float(np.mean(plain)), np.stack(samples), n, settings)


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
