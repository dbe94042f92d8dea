"""Whether predicted probabilities are what happens: Brier score and its parts, calibration error, temperature.

As in clip_metrics.py: clip weights (d, i), one row per bootstrap draw, give one value per draw, NaN where undefined.
Bins are made once, from the clips as they are, and stay the same in every draw. Axes: d draw, i clip, c class, m bin.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import Floats, Key, ratio

COLDEST, HOTTEST = 0.01, 100.0  # temperatures looked at: where every validation clip is right, colder is always better
STEPS = 60  # halvings of the range of log T: to 1e-17 of it


def binary_brier(positive: NDArray[np.bool_], probabilities: Floats, weights: Floats) -> Floats:
    """Mean squared distance of the probability from the outcome (Brier, Monthly Weather Review 78, 1950): 0 is best."""
    return _mean((probabilities - positive) ** 2, weights)


def brier_parts(positive: NDArray[np.bool_], probabilities: Floats, weights: Floats, *, bins: int) -> dict[str, Floats]:
    """The Brier score taken apart: reliability - resolution + uncertainty + within.

    Murphy's parts (Journal of Applied Meteorology 12, 1973) over bins of equal width; `within` is what the differences
    inside a bin leave over (Stephenson et al., Weather and Forecasting 23, 2008), so that the sum is exact.
    """
    member = one_hot(equal_width(probabilities, bins), bins)
    n, mean, observed = _per_bin(positive, probabilities, weights, member)
    share = ratio(n, weights.sum(axis=1, keepdims=True))
    base = _mean(positive.astype(np.float64), weights)
    found = {
        "brier_reliability": (share * np.nan_to_num(mean - observed) ** 2).sum(axis=1),
        "brier_resolution": (share * np.nan_to_num(observed - base[:, None]) ** 2).sum(axis=1),
        "brier_uncertainty": base * (1 - base),
    }
    whole = binary_brier(positive, probabilities, weights)
    parts = found["brier_reliability"] - found["brier_resolution"] + found["brier_uncertainty"]
    return found | {"brier_within": whole - parts}


def calibration_error(
    positive: NDArray[np.bool_], probabilities: Floats, weights: Floats, place: NDArray[np.int64]
) -> Floats:
    """Mean over clips of |mean probability - share of positives| of their bin (Naeini et al., AAAI 2015).

    `place` (i,) is the bin of each clip. It is never below 0, so that chance alone makes it positive, and a redrawn
    sample more so: its interval lies a little too high where it is near 0.
    """
    member = one_hot(place, int(place.max(initial=-1)) + 1)
    n, mean, observed = _per_bin(positive, probabilities, weights, member)
    gap = (n * np.nan_to_num(np.abs(mean - observed))).sum(axis=1)
    return ratio(gap, weights.sum(axis=1))


def reliability(positive: NDArray[np.bool_], probabilities: Floats, *, bins: int) -> dict[str, list[float | int]]:
    """Of each occupied bin of equal width: its number, mean probability, observed share, number of clips."""
    place = equal_width(probabilities, bins)
    n, mean, observed = _per_bin(positive, probabilities, np.ones((1, len(place))), one_hot(place, bins))
    used = np.flatnonzero(n[0])
    return {
        "bin": used.tolist(),
        "predicted": mean[0, used].tolist(),
        "observed": observed[0, used].tolist(),
        "n_clips": n[0, used].astype(int).tolist(),
    }


def equal_width(probabilities: Floats, bins: int) -> NDArray[np.int64]:
    """Bin of each probability among `bins` of equal width over 0 to 1."""
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)


def equal_mass(probabilities: Floats, bins: int) -> NDArray[np.int64]:
    """Bin of each probability among `bins` of about as many clips each; equal probabilities share a bin."""
    ordered = np.sort(probabilities)
    first = np.searchsorted(ordered, probabilities, side="left")  # clips below
    return first * bins // max(len(probabilities), 1)


def detection_calibration(
    labels: NDArray[np.integer], p: Floats, scaled: Floats | None, weights: Floats, *, bins: int
) -> dict[Key, Floats]:
    """Brier score, its parts and calibration errors of the probability of a seizure (i,); `scaled`: see `rescaled`."""
    positive = labels == 1
    parts = brier_parts(positive, p, weights, bins=bins)
    return _of_all(positive, p, scaled, weights, bins=bins) | {Key(name, ""): part for name, part in parts.items()}


def classification_calibration(
    labels: NDArray[np.integer],
    p: Floats,
    scaled: Floats | None,
    weights: Floats,
    classes: tuple[str, ...],
    *,
    bins: int,
) -> dict[Key, Floats]:
    """Of probabilities (i, c): over all classes by the class that is named (top label), and each class versus rest.

    `brier` over all classes is the sum over them (0 to 2); `ece_classwise` the mean over the classes that occur.
    """
    hit = labels == p.argmax(axis=1)
    top = None if scaled is None else scaled.max(axis=1)
    found = _of_all(hit, p.max(axis=1), top, weights, bins=bins)
    truth = np.eye(len(classes))[labels]
    found[Key("brier", "")] = _mean(((p - truth) ** 2).sum(axis=1), weights)
    found[Key("brier_scaled", "")] = (
        _undefined(weights) if scaled is None else _mean(((scaled - truth) ** 2).sum(axis=1), weights)
    )
    for k, name in enumerate(classes):
        found[Key("brier", name)] = binary_brier(labels == k, p[:, k], weights)
        found[Key("ece", name)] = calibration_error(labels == k, p[:, k], weights, equal_width(p[:, k], bins))
    present = [found[Key("ece", name)] for k, name in enumerate(classes) if (labels == k).any()]
    found[Key("ece_classwise", "")] = np.mean(present, axis=0) if present else _undefined(weights)
    return found


def fit_temperature(labels: NDArray[np.integer], logits: Floats) -> float | None:
    """T of largest likelihood of the validation clips under `rescaled`; None where they hold one class only.

    logits (i,) of detection (1 / T is Platt's slope) or (i, c). The likelihood is concave in 1 / T, so that its slope
    is followed by halving log T between COLDEST and HOTTEST (Guo et al., ICML 2017).
    """
    if len(np.unique(labels)) < 2:
        return None
    wide = np.stack([np.zeros(len(logits)), logits], axis=1) if logits.ndim == 1 else logits
    chosen = wide[np.arange(len(wide)), labels]
    low, high = np.log(COLDEST), np.log(HOTTEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        expected = (softmax(wide / np.exp(middle)) * wide).sum(axis=1)
        if chosen.sum() >= expected.sum():  # the likelihood grows with 1 / T, or every clip is right beyond doubt
            high = middle
        else:
            low = middle
    return float(np.exp((low + high) / 2))


def rescaled(logits: Floats, temperature: float) -> Floats:
    """Probabilities of logits / T: (i,) of the seizure, or (i, c). T > 0 keeps every order among the clips of a run."""
    if logits.ndim == 1:
        return 0.5 * (1 + np.tanh(0.5 * logits / temperature))  # the logistic function, without overflow
    return softmax(logits / temperature)


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def one_hot(place: NDArray[np.integer], bins: int) -> Floats:
    """(i,) -> (i, m)."""
    return np.eye(bins)[place] if bins else np.zeros((len(place), 0))


def _of_all(
    positive: NDArray[np.bool_], p: Floats, scaled: Floats | None, weights: Floats, *, bins: int
) -> dict[Key, Floats]:
    found = {
        Key("brier", ""): binary_brier(positive, p, weights),
        Key("ece", ""): calibration_error(positive, p, weights, equal_width(p, bins)),
        Key("ece_mass", ""): calibration_error(positive, p, weights, equal_mass(p, bins)),
        Key("brier_scaled", ""): _undefined(weights),
        Key("ece_scaled", ""): _undefined(weights),
    }
    if scaled is not None:
        found[Key("brier_scaled", "")] = binary_brier(positive, scaled, weights)
        found[Key("ece_scaled", "")] = calibration_error(positive, scaled, weights, equal_width(scaled, bins))
    return found


def _per_bin(
    positive: NDArray[np.bool_], probabilities: Floats, weights: Floats, member: Floats
) -> tuple[Floats, Floats, Floats]:
    """Of every draw and bin (d, m): clips, mean probability, share of positives (NaN where there is no clip)."""
    n = weights @ member
    return n, ratio(weights @ (member * probabilities[:, None]), n), ratio(weights @ (member * positive[:, None]), n)


def _mean(values: Floats, weights: Floats) -> Floats:
    return ratio(weights @ values, weights.sum(axis=1))


def _undefined(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)
