"""From predictions of clips to one score a contact, and how sure it is (spec soz.md, sections 7 and 11).

Clip -> contact: mean logit over the clips of a condition, then over conditions. Pre-ictal clips do not count. A contact
without a clip of one condition is judged by the other. Axes: d draw, s seed, k clip, c contact.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.calibration import rescaled
from pipeline.metrics.clip_metrics import Floats, ratio
from pipeline.metrics.intervals import MIN_DEFINED

BOTH = "both"
CONDITIONS = ("ictal", "interictal", BOTH)
OWNER = ["seed", "fold", "patient", "channel"]
SCORES = ["logit", "p_raw", "p_cal"]
COLUMNS = [*OWNER, "condition", "n_clips", *SCORES, "soz", "resected"]

Calibrators = Mapping[tuple[int, int], Callable[[Floats], Floats]]  # by fold and seed: from logits to probabilities


def contact_scores(predictions: pd.DataFrame, calibrators: Calibrators | None = None) -> pd.DataFrame:
    """One row a seed, patient, contact and condition (CONDITIONS), columns COLUMNS, sorted by these.

    With `calibrators` p_raw and p_cal are of the contact's logit, as the calibrator was fitted; without (baselines)
    they are means as the logit is. Rows whose logit is no number are left out.
    """
    scored = predictions[(predictions["phase"] != "pre") & predictions["logit"].notna()]
    labels = {name: (name, "first") for name in ("soz", "resected")}
    means = {name: (name, "mean") for name in SCORES}
    single = scored.groupby([*OWNER, "condition"], sort=True).agg(n_clips=("clip", "nunique"), **means, **labels)
    both = single.reset_index().groupby(OWNER, sort=True).agg(n_clips=("n_clips", "sum"), **means, **labels)
    found = pd.concat([single.reset_index(), both.reset_index().assign(condition=BOTH)], ignore_index=True)
    found = found.sort_values([*OWNER, "condition"], ignore_index=True)
    if calibrators is not None:
        found = _calibrated(found, calibrators)
    return found[COLUMNS]


def _calibrated(table: pd.DataFrame, calibrators: Calibrators) -> pd.DataFrame:
    logits = table["logit"].to_numpy(dtype=np.float64)
    p = np.full(len(table), np.nan)
    models = table[["fold", "seed"]].to_numpy(dtype=np.int64)
    for fold, seed in np.unique(models, axis=0).tolist():
        rows = (models == (fold, seed)).all(axis=1)
        p[rows] = calibrators[fold, seed](logits[rows])
    return table.assign(p_raw=rescaled(logits, 1.0), p_cal=p)


def over_seeds(contacts: pd.DataFrame) -> pd.DataFrame:
    """One row a patient, contact and condition: means over seeds, and `seed_sd` of p_cal (NaN with one seed)."""
    means = {name: (name, "mean") for name in SCORES}
    firsts = {name: (name, "first") for name in ("fold", "n_clips", "soz", "resected")}
    grouped = contacts.groupby(["patient", "channel", "condition"], sort=True)
    return grouped.agg(**means, **firsts, seed_sd=("p_cal", "std")).reset_index()


def ranks(p_cal: pd.Series, p_raw: pd.Series, names: pd.Series) -> NDArray[np.int64]:
    """Rank (1 is the most likely) by p_cal, then p_raw, then name."""
    table = pd.DataFrame({"p": p_cal.to_numpy(), "raw": p_raw.to_numpy(), "name": names.astype(str).to_numpy()})
    order = table.sort_values(["p", "raw", "name"], ascending=[False, False, True]).index.to_numpy()
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(1, len(order) + 1)
    return found


def contact_intervals(
    predictions: pd.DataFrame, calibrators: Calibrators, *, draws: int, confidence: float, seed: int
) -> pd.DataFrame:
    """patient, channel, ci_low, ci_high: of p_cal, over clips (redrawn within a condition) crossed with seeds.

    NaN where a patient has one seed and no condition with two clips: there is nothing to draw from. A patient's draws
    follow from the seed and the patient's name alone. With few clips the interval is narrow: two clips vary by half of
    what they should.
    """
    scored = predictions[(predictions["phase"] != "pre") & predictions["logit"].notna()]
    found = [
        _patient_interval(own, calibrators, draws=draws, confidence=confidence, rng=_rng(seed, str(patient)))
        for patient, own in scored.groupby("patient", sort=True)
    ]
    columns = ["patient", "channel", "ci_low", "ci_high"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def _rng(seed: int, patient: str) -> np.random.Generator:
    name = int.from_bytes(hashlib.blake2b(patient.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng([seed, name])


def _patient_interval(
    own: pd.DataFrame, calibrators: Calibrators, *, draws: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    fold, seeds, channels = int(own["fold"].iloc[0]), sorted(set(own["seed"])), sorted(set(own["channel"]))
    stacks = [_logits(part, seeds, channels) for _, part in own.groupby("condition", sort=True)]  # s k c each
    low = high = np.full(len(channels), np.nan)
    if len(seeds) > 1 or max(stack.shape[1] for stack in stacks) > 1:
        drawn = np.stack([_drawn(stack, draws, rng) for stack in stacks])  # condition s d c
        known = np.isfinite(drawn)
        logits = ratio(np.where(known, drawn, 0).sum(axis=0), known.sum(axis=0).astype(np.float64))
        flat = [calibrators[fold, int(number)](one.ravel()) for number, one in zip(seeds, logits, strict=True)]
        p = np.stack(flat).reshape(logits.shape)
        counts = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=draws)  # d s
        low, high = _quantiles(np.einsum("ds,sdc->dc", counts / len(seeds), p), confidence)
    return pd.DataFrame({"patient": own["patient"].iloc[0], "channel": channels, "ci_low": low, "ci_high": high})


def _logits(own: pd.DataFrame, seeds: list[Any], channels: list[Any]) -> Floats:
    """(s, k, c) logits of one condition, NaN where a contact has none in a clip."""
    clips = sorted(set(own["clip"]))
    stack = np.full((len(seeds), len(clips), len(channels)), np.nan)
    places = [own[name].map({value: k for k, value in enumerate(values)}).to_numpy(dtype=np.int64)
              for name, values in (("seed", seeds), ("clip", clips), ("channel", channels))]  # fmt: skip
    stack[tuple(places)] = own["logit"].to_numpy(dtype=np.float64)
    return stack


def _drawn(stack: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """(s, d, c) mean logit over redrawn clips of (s, k, c); NaN where a contact is in none of them."""
    n = stack.shape[1]
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)  # d k
    known = np.isfinite(stack)
    return ratio(
        np.einsum("dk,skc->sdc", weights, np.where(known, stack, 0.0)), np.einsum("dk,skc->sdc", weights, known)
    )


def _quantiles(samples: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Percentiles of (d, c) along d; NaN where half of the draws say nothing."""
    enough = np.isfinite(samples).mean(axis=0) >= MIN_DEFINED
    low, high = np.full((2, samples.shape[1]), np.nan)
    if enough.any():
        low[enough], high[enough] = np.nanquantile(
            samples[:, enough], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0
        )
    return low, high
