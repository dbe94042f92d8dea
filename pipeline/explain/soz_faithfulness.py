"""Is attention what the answer depends on? Contacts are hidden as keys in every layer (spec soz.md, section 6).

Three questions of a clip, each with the answer "no" written down as such. `rollout`: does rollout_ij rank the pairs as
|dp_i| does when key j is hidden, better than when the effect of another single contact is put in its place? `largest`:
does hiding the tenth of the contacts with the largest rollout change p more than equally many random ones? `shaft`: how
much does p of the others change without a whole shaft (no null)? p is the uncalibrated probability.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipeline.explain.soz_attention import FEWEST, Floats, rollout
from pipeline.models.soz import SozEncoder, SozInputs

COLUMNS = {
    "kind": "string", "name": "string", "n_contacts": "int64", "n_hidden": "int64", "value": "float64",
    "null_mean": "float64", "null_high": "float64", "p": "float64", "failed": "boolean",
}  # fmt: skip
SHARE = 0.1  # of the contacts: hidden together
LEVEL = 0.05  # above this p, a test has failed
AT_ONCE = 64  # masked copies of a clip in one batch


def clip_faithfulness(
    model: SozEncoder, inputs: SozInputs, shafts: NDArray[np.str_], *, masks: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Rows COLUMNS of one clip (b = 1, no padding) whose contacts lie on `shafts` (c,); none of fewer than 3 contacts.

    `masks`: random masks of each null.
    """
    c = len(shafts)
    if c < FEWEST or not model.settings.layers:
        return []
    R = rollout(attention_of(model, inputs))
    p = probabilities(model, inputs, np.ones((1, c), dtype=bool))[0]
    effects = np.abs(p - probabilities(model, inputs, ~np.eye(c, dtype=bool))).T  # i, j: of hiding j on i
    n_hidden = max(1, round(SHARE * c))
    chosen = np.argsort(-_received(R), kind="stable")[:n_hidden]
    sets = np.array([chosen, *(rng.choice(c, n_hidden, replace=False) for _ in range(masks))])
    many = hidden_effects(model, inputs, p, sets)
    rows = [
        _judged("rollout", "", c, 1, pair_correlation(R, effects), permuted_correlations(R, effects, masks, rng)),
        _judged("largest", "", c, n_hidden, many[0], many[1:]),
    ]
    for shaft in sorted(set(shafts) - {""}):
        own = np.flatnonzero(shafts == shaft)
        if len(own) < c:
            rows.append(_judged("shaft", shaft, c, len(own), hidden_effects(model, inputs, p, own[None])[0], None))
    return rows


@torch.inference_mode()
def attention_of(model: SozEncoder, inputs: SozInputs) -> Floats:
    """A (l, h, c, c) of one clip."""
    return model.attention(inputs)[1][0].double().cpu().numpy()


@torch.inference_mode()
def probabilities(model: SozEncoder, inputs: SozInputs, keys: NDArray[np.bool_]) -> Floats:
    """p (m, c) of one clip under each of the masks `keys` (m, c), True: may be looked at."""
    masks = torch.from_numpy(keys).to(inputs.tokens.device)
    parts = [model.masked_logits(inputs, some)[0].sigmoid() for some in masks.split(AT_ONCE)]
    return torch.cat(parts).double().cpu().numpy()


def hidden_effects(model: SozEncoder, inputs: SozInputs, p: Floats, sets: NDArray[np.integer]) -> Floats:
    """(m,): mean |dp| over the contacts that stay, for each of the hidden `sets` (m, k) of contacts."""
    keys = np.ones((len(sets), len(p)), dtype=bool)
    keys[np.arange(len(sets))[:, None], sets] = False
    change = np.abs(probabilities(model, inputs, keys) - p)
    found: Floats = (change * keys).sum(axis=1) / keys.sum(axis=1)
    return found


def pair_correlation(R: Floats, effects: Floats) -> float:
    """Spearman's rho over ordered pairs of different contacts of R (c, c) and effects (c, c); NaN if either is even."""
    off = ~np.eye(len(R), dtype=bool)
    return float(_correlations(rankdata(R[off]), rankdata(effects[off])[None])[0])


def permuted_correlations(R: Floats, effects: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(count,) the same, where each key's effects are those of hiding another contact, drawn anew each time.

    Where the row's own contact would be the hidden one, the effect of the key that gave its place is taken.
    """
    c = len(R)
    off = ~np.eye(c, dtype=bool)
    drawn = []
    for _ in range(count):
        order = rng.permutation(c)
        moved = effects[:, order].copy()
        place = np.argsort(order)  # where each row's own column went: it has no effect on itself
        moved[np.arange(c), place] = effects[np.arange(c), order]
        drawn.append(rankdata(moved[off]))
    return _correlations(rankdata(R[off]), np.array(drawn))


def _correlations(x: Floats, many: Floats) -> Floats:
    """Pearson's r (m,) of x (k,) and each of many (m, k)."""
    x, many = x - x.mean(), many - many.mean(axis=1, keepdims=True)
    spread = np.sqrt((x**2).sum() * (many**2).sum(axis=1))
    made: Floats = np.divide(many @ x, spread, out=np.full(len(many), np.nan), where=spread > 0)
    return made


def _received(R: Floats) -> Floats:
    """(c,) mean over the other rows of the rollout."""
    found: Floats = (R.sum(axis=0) - np.diag(R)) / (len(R) - 1)
    return found


def _judged(kind: str, name: str, c: int, n_hidden: int, value: float, null: Floats | None) -> dict[str, Any]:
    """One row: the value against its null, if it has one."""
    row = {"kind": kind, "name": name, "n_contacts": c, "n_hidden": n_hidden, "value": float(value)}
    if null is None or np.isnan(value):
        return row | {"null_mean": np.nan, "null_high": np.nan, "p": np.nan, "failed": None}
    known = null[~np.isnan(null)]
    p = (1 + int((known >= value).sum())) / (1 + len(known))
    high = float(np.quantile(known, 1 - LEVEL))
    return row | {"null_mean": float(known.mean()), "null_high": high, "p": p, "failed": p > LEVEL}
