"""Baselines of the SOZ arm on the same folds: what ranks contacts without an encoder (spec soz.md, section 7).

Plain measures are taken as they are, high meaning SOZ: line length, band power, high gamma, spikes, high-frequency
oscillations. `coordinates`, `logistic` and `boosting` are fitted on the fold's training patients and calibrated on its
inner ones; every patient and class counts alike. No pre-training and no attention are runs, not baselines.

Hyper-parameters are the libraries' defaults but for what is named here: nothing is tuned, so that nothing leaks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.findings import CorpusError
from pipeline.metrics.calibration import rescaled
from pipeline.store import read_table
from pipeline.training.soz_calibration import Calibrator, fit_calibrator
from pipeline.training.soz_data import SozData, load_clips
from pipeline.training.soz_folds import members, teachers
from pipeline.training.soz_predicting import COLUMNS
from pipeline.training.soz_scores import channel_logits

Floats = NDArray[np.float64]
TEACHING = "soz"  # under labels: strict, too: there is one set of baselines for every run on the same folds
PLAIN = {"line_length": "line_length", "high_gamma": "high_gamma_ratio", "spike_rate": "spike_rate",
         "hfo_rate": "hfo_rate"}  # fmt: skip
BAND_POWER = "band_power"
PREVALENCE = "prevalence"
FITTED = ("coordinates", "logistic", "boosting")
BASELINES = (PREVALENCE, *PLAIN, BAND_POWER, *FITTED)
BOOSTING = {
    "max_iter": 100,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 40,
    "early_stopping": False,
}
LOGISTIC = {"C": 0.1, "max_iter": 1000}  # 129 features that hang together: ten times the default penalty
ROW = ["clip", "patient", "condition", "phase", "channel", "soz", "resected"]


class Fitted(Protocol):
    """What scikit-learn's classifiers offer."""

    def fit(self, x: Floats, y: Floats, sample_weight: Floats) -> Any: ...

    def decision_function(self, x: Floats) -> Floats: ...


@dataclass(frozen=True)
class Features:
    """Rows (r) of unshifted clips that are scored: ROW, label (0, 1, -1) and measures; x (r, 129), NaN unknown."""

    rows: pd.DataFrame
    x: Floats
    xyz: Floats


def load_features(tokens: Sequence[Path], rows: Sequence[Path], patients: Sequence[str]) -> Features:
    """Features of all patients, one shard in memory at a time."""
    found = [_of_shard(*pair, patients) for pair in zip(tokens, rows, strict=True)]
    table = pd.concat([one.rows for one in found], ignore_index=True)
    order = table.sort_values(["patient", "clip", "channel"], kind="stable").index.to_numpy()
    x, xyz = (np.concatenate([getattr(one, name) for one in found])[order] for name in ("x", "xyz"))
    return Features(table.iloc[order].reset_index(drop=True), x, xyz)


def _of_shard(tokens: Path, rows: Path, patients: Sequence[str]) -> Features:
    data = load_clips([tokens], [rows], patients=patients, labels=TEACHING, shifted=False)
    scored = (data.rows["phase"] != "pre").to_numpy(dtype=bool)
    x = token_statistics(data)
    measured = read_table(rows, ["clip", "channel", *PLAIN.values()]).drop_duplicates(["clip", "channel"])
    table = data.rows.merge(measured, on=["clip", "channel"], how="left")
    table = table.assign(label=data.labels, **{BAND_POWER: _mean(x[:, : data.tokens.shape[1]])})
    xyz = data.rows[["x_mm", "y_mm", "z_mm"]].to_numpy(np.float64, na_value=np.nan)
    kept = [*ROW, "label", *PLAIN.values(), BAND_POWER]
    return Features(table.loc[scored, kept].reset_index(drop=True), x[scored], xyz[scored])


def token_statistics(data: SozData) -> Floats:
    """(r, 4 k + 1): of each band the mean and deviation of z over seconds, the level, the ratio to the baseline, and
    whether the clip is ictal. NaN for bands that the recording does not have, and ratios without a baseline."""
    usable = np.repeat(data.band_mask, data.clips["length"], axis=0)
    parts = [data.tokens.mean(axis=2, dtype=np.float64), data.tokens.std(axis=2, dtype=np.float64), data.level]
    known = [np.where(usable, part, np.nan) for part in (*parts, data.ratio)]
    ictal = (data.rows["phase"] == "ictal").to_numpy(dtype=np.float64)
    return np.concatenate([*known, ictal[:, None]], axis=1)


def _mean(values: Floats) -> Floats:
    """Mean (r,) of (r, k) over what is known; NaN where nothing is."""
    n = np.isfinite(values).sum(axis=1)
    return np.divide(np.nansum(values, axis=1), n, out=np.full(len(values), np.nan), where=n > 0)


def place_features(xyz: Floats) -> Floats:
    """(r, 7): x, y, z, their squares and |x|, in cm; NaN where unknown."""
    cm = xyz / 10
    return np.concatenate([cm, cm**2, np.abs(cm[:, :1])], axis=1)


def baseline_table(features: Features, folds: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Columns of predictions and `baseline`, of the inner and test patients of every fold."""
    found = [_of_fold(features, folds, fold, seed) for fold in sorted(set(folds["fold"].tolist()))]
    return pd.concat(found, ignore_index=True).astype(COLUMNS | {"baseline": "string"})


def _of_fold(features: Features, folds: pd.DataFrame, fold: int, seed: int) -> pd.DataFrame:
    parts, table = members(folds, fold), features.rows
    part = {patient: name for name in ("inner", "test") for patient in parts[name]}
    chosen = table["patient"].isin(list(part)).to_numpy(dtype=bool)
    train, inner = (
        (table["patient"].isin(teachers(folds, fold, name, TEACHING)) & (table["label"] >= 0)).to_numpy(dtype=bool)
        for name in ("train", "inner")
    )
    if table.loc[train, "label"].nunique() < 2:
        raise CorpusError(f"fold {fold}: the training patients' contacts are of one class; no baseline can be fitted")
    head = table.loc[chosen, ROW].assign(part=table.loc[chosen, "patient"].map(part), fold=fold, seed=seed)
    made = []
    for name in BASELINES:
        logit, calibrator = _scores(name, features, train, inner, seed)
        p_raw = p_cal = np.full(int(chosen.sum()), np.nan)
        if calibrator is not None:
            p_raw, p_cal = rescaled(logit[chosen], 1.0), calibrator(logit[chosen])
        made.append(head.assign(baseline=name, logit=logit[chosen], p_raw=p_raw, p_cal=p_cal))
    return pd.concat(made, ignore_index=True)[[*COLUMNS, "baseline"]]


def _scores(
    name: str, features: Features, train: NDArray[np.bool_], inner: NDArray[np.bool_], seed: int
) -> tuple[Floats, Callable[[Floats], Floats] | None]:
    """Score of every row, and how it becomes a probability; None: it is none."""
    table = features.rows
    if name in PLAIN or name == BAND_POWER:
        return table[PLAIN.get(name, name)].to_numpy(dtype=np.float64, na_value=np.nan), None
    if name == PREVALENCE:
        share = float(table.loc[train].drop_duplicates(["patient", "channel"])["label"].mean())
        return np.full(len(table), np.log(share / (1 - share))), lambda logits: rescaled(logits, 1.0)
    model, x = classifier(name, features, train, seed)
    labels = table["label"].to_numpy(dtype=np.float64)
    with _one_thread():
        model.fit(x[train], labels[train], sample_weight=balanced(table[train]))
        logit = model.decision_function(x)
    return logit, _calibrator(table[inner].assign(logit=logit[inner]))


def _calibrator(inner: pd.DataFrame) -> Calibrator:
    """Platt's line (few patients: temperature) on the contacts of the inner patients."""
    channels = channel_logits(inner)
    return fit_calibrator("platt", channels["logit"].to_numpy(), channels["label"].to_numpy(), channels["patient"])


def classifier(name: str, features: Features, train: NDArray[np.bool_], seed: int) -> tuple[Fitted, Floats]:
    """A new classifier and its inputs: standardised by the training rows, unknown values at their mean (logistic,
    coordinates), or as they are (boosting; 0 where no training row has a value, as ratios without a seizure)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if name == "boosting":
        known = np.isfinite(features.x[train]).any(axis=0)  # of a column without a number it can make no bins
        return HistGradientBoostingClassifier(random_state=seed, **BOOSTING), np.where(known, features.x, 0.0)
    x = place_features(features.xyz) if name == "coordinates" else features.x
    return LogisticRegression(**LOGISTIC), standardised(x, train)


def standardised(x: Floats, train: NDArray[np.bool_]) -> Floats:
    """x by the mean and deviation of its training rows; 0 where unknown, or where nothing varies."""
    known = np.isfinite(x)
    n = np.maximum(known[train].sum(axis=0), 1)
    mean = np.where(known, x, 0)[train].sum(axis=0) / n
    std = np.sqrt(np.where(known, (x - mean) ** 2, 0)[train].sum(axis=0) / n)
    varies = known & (std > 1e-9)
    return np.where(varies, (np.where(known, x, 0) - mean) / np.where(std > 1e-9, std, 1), 0.0)


def balanced(rows: pd.DataFrame) -> Floats:
    """Weights by which every patient and class counts alike; their mean is 1."""
    size = rows.groupby(["patient", "label"])["label"].transform("size").to_numpy(dtype=np.float64)
    groups = rows[["patient", "label"]].drop_duplicates().shape[0]
    return len(rows) / (groups * size)


def _one_thread() -> Any:
    """Sums of several threads depend on how many there are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
