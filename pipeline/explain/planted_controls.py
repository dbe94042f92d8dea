"""What of a planted-graph corpus tells its classes: not its spectra, not who goes with whom, but who follows whom.

Measured on the clips that the models saw, from their own features. Three classifiers are fitted on training clips and
scored on test clips: multinomial logistic regression on the time-averaged log spectra, on the zero-lag correlations of
band power between electrodes, and on each group's own products of its band power in neighbouring seconds, second by
second (a break in its own course). All should stay at chance. The last needs no fit but knows the planted graphs: for
each class the sum over its edges of the driver's band power times the receiver's, later by the lag. It is what a
perfect graph allows.

Axes: b clip, t second, n electrode, f bin, k class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.features._frame_store import reading_frames
from pipeline.metrics.intervals import interval, patient_weights
from pipeline.settings.driven import CODE_OF, DrivenSettings
from pipeline.store import read_table

Floats = NDArray[np.floating]
PENALTY = 0.01  # inverse strength: a thousand clips, a thousand features
CONTROLS = {
    "spectra": "time-averaged log spectra, fitted",
    "zero_lag": "zero-lag correlations of band power, fitted",
    "own": "each group's own products of neighbouring seconds, second by second, fitted",
    "lagged": "lagged products of band power along the planted edges, not fitted",
}


@dataclass(frozen=True)
class Clips:
    """Whole clips: log-amplitude frames (b, t, n, f), class names and patients (b,)."""

    frames: Floats
    classes: NDArray[np.str_]
    patients: NDArray[np.str_]


def read_clips(features: Sequence[Path], tables: Sequence[Path], split: str, length_s: int) -> Clips:
    """Clips of a split that have the full length, of any class that the corpus has."""
    frames, rows = [], []
    names = {code: name for name, code in CODE_OF.items()}
    for path, listed in zip(features, tables, strict=True):
        clips = read_table(listed)
        clips = clips[(clips["split"] == split) & (clips["length_s"] == length_s)]
        if not len(clips):
            continue
        with reading_frames(path) as store:
            places = store.rows(clips["item"], clips["frame"])[:, None] + np.arange(length_s)
            frames.append(np.asarray(store.frames[...])[places])
        rows.append(clips)
    table = pd.concat(rows, ignore_index=True)
    classes = table["code"].map(names).to_numpy(dtype=str)
    return Clips(np.concatenate(frames), classes, table["patient"].to_numpy(dtype=str))


def band_power(frames: Floats, settings: DrivenSettings) -> Floats:
    """(b, t, n): mean log amplitude of the driven band, less its mean over the clip."""
    hz = np.arange(frames.shape[-1])
    power = frames[..., (hz >= settings.band_hz[0]) & (hz < settings.band_hz[1])].mean(-1, dtype=np.float64)
    found: Floats = power - power.mean(1, keepdims=True)
    return found


def zero_lag(power: Floats) -> Floats:
    """(b, pairs): products of band power of every two electrodes at the same second, mean over the clip."""
    pairs = np.triu_indices(power.shape[2], 1)
    found: Floats = (np.einsum("bti,btj->bij", power, power) / power.shape[1])[:, *pairs]
    return found


def by_group(power: Floats, settings: DrivenSettings, electrodes: Sequence[str]) -> dict[str, Floats]:
    """Band power (b, t) of each group, mean over its electrodes."""
    return {
        name: power[:, :, [electrodes.index(one) for one in group.electrodes]].mean(-1)
        for name, group in settings.groups.items()
    }


def own_products(groups: dict[str, Floats]) -> Floats:
    """(b, g (t - 1)): each group's band power (b, t) of a second times its own of the next."""
    return np.concatenate([one[:, :-1] * one[:, 1:] for one in groups.values()], axis=1)


def lagged(power: Floats, settings: DrivenSettings, electrodes: Sequence[str], classes: Sequence[str]) -> Floats:
    """(b, k): products along the planted edges of each class, at the lag of whole seconds that gives most."""
    groups = by_group(power, settings, electrodes)
    graphs, scores = {str(name): edges for name, edges in settings.graphs.items()}, []
    for lag in range(int(settings.lag_s[0]), int(np.ceil(settings.lag_s[1])) + 1):
        scores.append([
            sum((groups[d][:, :-lag] * groups[r][:, lag:]).mean(1) for d, r in graphs[name])
            for name in classes
        ])  # fmt: skip
    found: Floats = np.max(np.array(scores), axis=0).T
    return found


def control_rows(
    train: Clips,
    test: Clips,
    settings: DrivenSettings,
    electrodes: Sequence[str],
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """One row a control: accuracy on the test clips, its interval over patients, the most frequent class's share."""
    classes = sorted(set(test.classes))
    powers = [band_power(one.frames, settings) for one in (train, test)]
    own = [own_products(by_group(power, settings, electrodes)) for power in powers]
    spectra = [one.frames.mean(1).reshape(len(one.frames), -1) for one in (train, test)]
    graphs = lagged(powers[1], settings, electrodes, classes)
    answers = {
        "spectra": _fitted(spectra[0], train.classes, spectra[1]),
        "zero_lag": _fitted(zero_lag(powers[0]), train.classes, zero_lag(powers[1])),
        "own": _fitted(own[0], train.classes, own[1]),
        "lagged": np.array(classes)[graphs.argmax(1)],
    }
    chance = max(float((test.classes == name).mean()) for name in classes)
    rows = []
    for name, predicted in answers.items():
        right = (predicted == test.classes).astype(np.float64)
        drawn = patient_weights(test.patients, draws=draws, rng=np.random.default_rng(seed))
        samples = np.concatenate([(weights @ right) / weights.sum(1) for weights in drawn])
        low, high = interval(samples, confidence)
        rows.append({"control": name, "accuracy": float(right.mean()), "low": low, "high": high, "majority": chance,
                     "n_clips": len(right), "n_patients": len(set(test.patients))})  # fmt: skip
    return pd.DataFrame(rows)


def _fitted(train: Floats, classes: NDArray[np.str_], test: Floats) -> NDArray[np.str_]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=500))
    found: NDArray[np.str_] = model.fit(train, classes).predict(test)
    return found
