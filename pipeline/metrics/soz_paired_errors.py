"""Paired differences of calibration: two runs, the same patients, all of their contacts (spec soz.md, section 13).

What a calibrator changes. Both runs are redrawn with the same patients, and lose the same folds. Axes: d draw, s seed,
o owner (patient).
"""

import numpy as np
import pandas as pd

from pipeline.metrics.clip_metrics import Floats
from pipeline.metrics.soz_cohort import (
    NO_CHANGE,
    SAME,
    UNDEFINED,
    Estimate,
    Paired,
    estimate_of,
    weights_of,
    wilcoxon_p,
)
from pipeline.metrics.soz_pooled import drawn_errors, owner_folds
from pipeline.settings.soz import SozEvaluation

ERRORS = {"ece_cal": "ece", "brier_cal": "brier"}


def paired_errors(first: pd.DataFrame, second: pd.DataFrame, settings: SozEvaluation) -> dict[str, Paired]:
    """ERRORS of `first` less `second`, contact_scores of one condition, over the patients with a label in both.

    p is Wilcoxon's over the patients' own Brier scores; a calibration error needs the contacts of many patients, so it
    has an interval alone. Seeds are paired where both have as many, as in soz_cohort.paired.
    """
    labelled = [own[own["soz"].notna()] for own in (first, second)]
    patients = sorted(set(labelled[0]["patient"]) & set(labelled[1]["patient"]))
    n = len(patients)
    if not n:
        return dict.fromkeys(ERRORS, Paired(None, None, Estimate(None, None, None, 0, UNDEFINED), None, 0, UNDEFINED))
    folds = owner_folds(labelled[0][labelled[0]["patient"].isin(patients)])
    # everybody, one by one, and what intervals are made from
    weights = np.concatenate([np.ones((1, n)), np.eye(n), weights_of(folds, settings)])
    errors = [drawn_errors(own[own["patient"].isin(patients)], "p_cal", weights) for own in labelled]
    moved = _differences(*(own["brier"][:, 1 : n + 1] for own in errors)).mean(axis=0)
    p, found = wilcoxon_p(moved)[0], {}
    for name, error in ERRORS.items():
        one, other = (own[error] for own in errors)
        differences = _differences(one, other)
        estimate = estimate_of(float(differences[:, 0].mean()), differences[:, n + 1 :], folds, settings)
        n_differ = int((np.abs(moved) > SAME).sum())
        why = estimate.reason if n_differ else NO_CHANGE
        values = float(one[:, 0].mean()), float(other[:, 0].mean())
        found[name] = Paired(*values, estimate, p if error == "brier" else None, n_differ, why)
    return found


def _differences(first: Floats, second: Floats) -> Floats:
    return first - (second if len(first) == len(second) else second.mean(axis=0))
