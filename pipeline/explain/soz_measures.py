"""Numbers of one attention graph (spec soz.md, section 6): who is looked at, from where, how evenly, and by chance?

Every function takes graphs (…, n, n) as soz_attention.py makes them, without contacts that are NaN throughout. `soz`
(n,) is 1, 0, or NaN where nobody said.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra
from scipy.stats import rankdata

from pipeline.explain.soz_attention import (
    Floats,
    asymmetry,
    key_strength,
    lift,
    nan_mean,
    self_only_rows,
    to_others,
    triangles,
)
from pipeline.metrics.edges import rank_auroc

DAMPING = 0.85  # Brin and Page 1998
PAGERANK_STEPS = 100  # 0.85^100 = 9e-8
PAIRS = ("soz_soz", "soz_non", "non_soz", "non_non")  # query, key


def graph_numbers(A: Floats, soz: Floats, distance_mm: Floats) -> dict[str, Floats]:
    """Numbers (…) of graphs A (…, n, n): names as in docs/soz.md. `distance_mm` (n, n), NaN where unknown."""
    G = lift(A)
    strength = key_strength(G)
    above, below = triangles(A)
    return {
        **dict(zip((f"lift_{pair}" for pair in PAIRS), np.moveaxis(pair_lifts(G, soz), -1, 0), strict=True)),
        "source_auroc": known_auroc(strength, soz),
        "pagerank_auroc": known_auroc(pagerank(A), soz),
        "betweenness_auroc": known_auroc(betweenness(A), soz),
        "entropy": entropy(A),
        "reciprocity": reciprocity(A),
        "asymmetry": nan_mean(np.abs(asymmetry(A)[..., ~np.eye(A.shape[-1], dtype=bool)]), axis=-1),
        "upper_triangle": above,
        "lower_triangle": below,
        "lift_distance": rank_correlation(G, distance_mm),
        "self_only_rows": self_only_rows(A).astype(np.float64),
    }


def pair_lifts(G: Floats, soz: Floats) -> Floats:
    """(…, 4): mean lift of the pairs query, key of PAIRS, over ordered pairs of different labelled contacts."""
    inside, outside = soz == 1, soz == 0
    made = [nan_mean(G[..., q, :][..., k], axis=(-2, -1)) for q in (inside, outside) for k in (inside, outside)]
    return np.stack(made, axis=-1)


def known_auroc(values: Floats, soz: Floats) -> Floats:
    """AUROC (…) of values (…, n) for the contacts in the onset zone, over labelled ones; NaN without both classes."""
    labelled = ~np.isnan(soz)
    own = values[..., labelled]
    made = rank_auroc(own, soz[labelled] == 1)
    return np.where(np.isnan(own).any(axis=-1), np.nan, made)


def entropy(A: Floats) -> Floats:
    """(…): mean over rows of the entropy of a row, itself included, over log n: 1 looks at all alike, 0 at one."""
    logs = np.log(A, out=np.zeros(A.shape), where=A > 0)
    made: Floats = -(A * logs).sum(axis=-1).mean(axis=-1) / np.log(A.shape[-1])
    return made


def reciprocity(A: Floats) -> Floats:
    """(…): share of the attention to others that is returned, sum min(A'_ij, A'_ji) / sum A'_ij.

    Squartini et al., Scientific Reports 3, 2013: 1 where the graph is symmetric.
    """
    S = np.nan_to_num(to_others(A), nan=0.0)
    total = S.sum(axis=(-2, -1))
    returned = np.minimum(S, np.swapaxes(S, -1, -2)).sum(axis=(-2, -1))
    made: Floats = np.divide(returned, total, out=np.full(total.shape, np.nan), where=total > 0)
    return made


def rank_correlation(G: Floats, other: Floats) -> Floats:
    """Spearman's rho (…) of G (…, n, n) with `other` (n, n), over ordered pairs of different contacts that both know.

    NaN with fewer than three pairs, or where either is the same everywhere.
    """
    known = ~np.isnan(G).reshape(-1, *G.shape[-2:]).any(axis=0) & ~np.isnan(other)
    known &= ~np.eye(G.shape[-1], dtype=bool)
    if known.sum() < 3:
        return np.full(G.shape[:-2], np.nan)
    x, y = rankdata(G[..., known], axis=-1), rankdata(other[known])
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean()
    spread = np.sqrt((x**2).sum(axis=-1) * (y**2).sum())
    made: Floats = np.divide(x @ y, spread, out=np.full(spread.shape, np.nan), where=spread > 0)
    return made


def pagerank(A: Floats) -> Floats:
    """(…, n): share of the time that a walker is at a contact who follows the attention to others, and jumps anywhere
    with probability 0.15, or where a row looks at nobody else."""
    n = A.shape[-1]
    S = to_others(A)
    S = np.where(np.isnan(S).all(axis=-1, keepdims=True), 1.0 / n, np.nan_to_num(S, nan=0.0))
    at = np.full((*A.shape[:-2], n), 1.0 / n)
    for _ in range(PAGERANK_STEPS):
        at = DAMPING * np.einsum("...i,...ij->...j", at, S) + (1 - DAMPING) / n
    return at


def betweenness(A: Floats) -> Floats:
    """(…, n): share of the ordered pairs of other contacts whose shortest path leads over a contact (Freeman 1977).

    The length of an edge is 1 / lift; of several equally short paths one counts.
    """
    n = A.shape[-1]
    G = np.nan_to_num(lift(A), nan=0.0).reshape(-1, n, n)
    lengths = np.divide(1.0, G, out=np.zeros(G.shape), where=G > 0)  # 0: no edge
    made = np.array([_paths_over(one) for one in lengths])
    return made.reshape(*A.shape[:-2], n) / max(1, (n - 1) * (n - 2))


def _paths_over(lengths: Floats) -> Floats:
    """(n,) shortest paths over each contact, its own ends not counted: Brandes's sums over trees of single paths."""
    n = len(lengths)
    far, before = dijkstra(lengths, return_predecessors=True)
    below, sources = np.zeros((n, n + 1)), np.arange(n)  # a last column takes what has no predecessor
    order = np.argsort(-np.where(np.isinf(far), -1.0, far), axis=1, kind="stable")  # the farthest first
    for contact in order.T:
        parent = before[sources, contact]
        reached = (parent >= 0) & (contact != sources)
        below[sources, np.where(reached, parent, n)] += 1 + below[sources, contact]
    found: Floats = below[:, :n].sum(axis=0) - np.diag(below[:, :n])
    return found


def shaft_shuffles(soz: Floats, shafts: NDArray[np.str_], count: int, rng: np.random.Generator) -> Floats:
    """(count, n) labels exchanged among the labelled contacts of each shaft: near contacts are alike, and not only
    because of their labels. Contacts without a shaft are exchanged among themselves."""
    made = np.tile(soz, (count, 1))
    labelled = ~np.isnan(soz)
    for shaft in np.unique(shafts):
        own = np.flatnonzero((shafts == shaft) & labelled)
        made[:, own] = rng.permuted(made[:, own], axis=1)
    return made


def mixed_shafts(soz: Floats, shafts: NDArray[np.str_]) -> int:
    """Shafts with both classes: with none, no shuffle changes anything and there is no null."""
    return sum(len(set(soz[(shafts == shaft) & ~np.isnan(soz)])) == 2 for shaft in np.unique(shafts))


def shuffle_p(A: Floats, soz: Floats, shuffled: Floats) -> dict[str, Floats]:
    """One-sided p (…) of the source AUROC and of the lift of PAIRS, against `shuffled` labels (m, n).

    `source_auroc_null`: mean over the shuffles. `source_auroc_mean_p`: one p, of the mean over all graphs of A.
    """
    G = lift(A)
    strength = key_strength(G)
    sources, drawn = known_auroc(strength, soz), _shuffled_auroc(strength, shuffled)
    together = _tail(nan_mean(sources.reshape(-1), axis=-1), nan_mean(drawn.reshape(len(drawn), -1), axis=-1))
    made = {
        "source_auroc_p": _tail(sources, drawn),
        "source_auroc_null": drawn.mean(axis=0),
        "source_auroc_mean_p": np.broadcast_to(together, sources.shape),
    }
    lifts, null = pair_lifts(G, soz), shuffled_lifts(G, shuffled)
    for number, pair in enumerate(PAIRS):
        made[f"lift_{pair}_p"] = _tail(lifts[..., number], null[..., number])
    return made


def _shuffled_auroc(strength: Floats, shuffled: Floats) -> Floats:
    """(m, …) AUROC under every shuffle; contacts are ranked once."""
    labelled = ~np.isnan(shuffled[0])
    inside, values = shuffled[:, labelled], strength[..., labelled]
    n, k = inside.shape[1], inside[0].sum()
    if k in (0, n):
        return np.full((len(shuffled), *strength.shape[:-1]), np.nan)
    sums = np.moveaxis(rankdata(values, axis=-1) @ inside.T, -1, 0)
    unknown = np.isnan(values).any(axis=-1)
    made: Floats = np.where(unknown, np.nan, (sums - k * (k + 1) / 2) / (k * (n - k)))
    return made


def shuffled_lifts(G: Floats, shuffled: Floats) -> Floats:
    """(m, …, 4) mean lift of PAIRS under every shuffle."""
    known = ~np.isnan(G)
    G = np.where(known, G, 0.0)
    made = []
    for q in (1.0, 0.0):
        for k in (1.0, 0.0):
            query, key = (shuffled == q).astype(np.float64), (shuffled == k).astype(np.float64)
            total, n = (np.einsum("mi,mi...->m...", query, _over_keys(one, key)) for one in (G, known * 1.0))
            made.append(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))
    return np.stack(made, axis=-1)


def _over_keys(G: Floats, key: Floats) -> Floats:
    """(m, i, …): sums over j of G (…, i, j) for the keys (m, j)."""
    return np.moveaxis(G @ key.T, (-1, -2), (0, 1))


def _tail(value: Floats, null: Floats) -> Floats:
    """(1 + draws (m, …) not below value (…)) / (1 + m); NaN where the value is."""
    p = (1 + (null >= value - 1e-12).sum(axis=0)) / (1 + len(null))
    return np.where(np.isnan(value), np.nan, p)


def edge_p(G: Floats, null: Floats) -> Floats:
    """(l, h, n, n): share of the null's edges of that layer (l, h', n, n), all heads, whose lift is not below G's."""
    made = np.full(G.shape, np.nan)
    for layer, (own, other) in enumerate(zip(G, null, strict=True)):
        drawn = np.sort(other[~np.isnan(other)])
        above = len(drawn) - np.searchsorted(drawn, own, side="left")
        made[layer] = np.where(np.isnan(own), np.nan, (1 + above) / (1 + len(drawn)))
    return made
