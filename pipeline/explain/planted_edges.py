"""Did the learned graph find the planted one? Edges of trained models against those that a corpus was made with.

What is scored is the learner's own part of a graph, A^ = (A_t - lambda A_0) / (1 - lambda), mean over the test clips of
a class, all layers and seconds. The prior A_0 joins electrodes of one group, no planted pair: less A_0, the graph of a
learner that prefers nothing would score high.

- a class's own edges: A^ less its mean over classes, against the edges planted for the class; `all`: the pairs of every
  class ranked as one list. Only these know the direction;
- `any`: mean of A^ over classes, against the edges planted for any class: where learning puts weight;
- `drivers`: the same, summed over receivers, against the electrodes that drive in any class: whom learning listens to.

AUROC over ordered pairs of different electrodes, row = receiver, mean over seeds. Each score is also given for the
weights that the same seed's training began with, and trained less untrained, paired by seed and patient: an attention
that was drawn at random prefers some electrodes, too. `reversed` has the planted graph transposed; it is left out where
that is the same question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm as normal
from scipy.stats import t as student

from pipeline.explain.graph_means import over_time
from pipeline.explain.graph_store import GraphBlock, GraphClips, reading_graphs
from pipeline.metrics.comparisons import over_drawn_seeds, two_sided_p
from pipeline.metrics.edges import contrasts, drawn_means, edge_auroc, rank_auroc
from pipeline.metrics.intervals import interval
from pipeline.settings.planted import EdgeSettings

Floats = NDArray[np.float64]
ALL, ANY, DRIVERS = "all", "any", "drivers"
FORWARD, REVERSED = "planted", "reversed"
DECIMALS = 6  # of a weight: what is less apart is rounding of float32, and equal


class OtherClips(ValueError):
    """Stores that do not hold the same clips, or not those of the planted classes."""


@dataclass(frozen=True)
class PatientGraphs:
    """Sums over the clips of each patient and class: the learner's own part A^ (p, k, i, j), and clips (p, k)."""

    patients: list[str]
    classes: list[str]
    learned: Floats
    clips: Floats


@dataclass(frozen=True)
class SeedGraphs:
    """Graphs of one seed's model, trained and as its training began, of the same clips."""

    trained: PatientGraphs
    untrained: PatientGraphs


def read_graphs(path: Path, classes: Sequence[str], *, mixing: float) -> PatientGraphs:
    """Sums of one seed's store; `mixing`: the prior's share in its graphs. Raises OtherClips as `summed` does."""
    with reading_graphs(path) as store:
        return summed(store.about, (block for _, block in store.blocks()), classes, mixing=mixing, where=str(path))


def summed(
    about: GraphClips, blocks: Iterable[GraphBlock], classes: Sequence[str], *, mixing: float, where: str
) -> PatientGraphs:
    """Sums of blocks that hold the clips of `about` in their order. A clip's graph is the mean over layers and seconds.

    Raises OtherClips where a class has no clip.
    """
    n = len(about.electrodes)
    patients = sorted(set(about.patients))
    places = np.array([patients.index(one) for one in about.patients])
    names = [about.classes[label] for label in about.label]
    if missing := sorted(set(classes) - set(names)):
        raise OtherClips(f"{where}: no test clip of class {missing[0]}; the planted graphs are of {list(classes)}")
    kinds = np.array([list(classes).index(name) for name in names])
    learned, done = np.zeros((len(patients), len(classes), n, n)), 0
    for block in blocks:
        rows = slice(done, done + len(block.A))
        own = (over_time(block).mean(axis=1) - mixing * block.prior.astype(np.float64)) / (1 - mixing)
        np.add.at(learned, (places[rows], kinds[rows]), own)
        done = rows.stop
    clips = np.zeros(learned.shape[:2])
    np.add.at(clips, (places, kinds), 1)
    return PatientGraphs(patients, list(classes), learned, clips)


def scored(means: Floats, edges: NDArray[np.bool_]) -> dict[tuple[str, str], Floats]:
    """AUROC (d,) of each score and direction; means (d, k, i, j), edges (k, i, j).

    Scores: one a class by its number (`0`, `1` ...), `all`, `any`, `drivers`.
    """
    means = means.round(DECIMALS)
    found, own, joined = {}, contrasts(means), means.mean(axis=1)
    heard = joined.sum(axis=-2) - np.diagonal(joined, axis1=-2, axis2=-1)
    union = np.asarray(edges.any(axis=0))
    unions = {FORWARD: union, REVERSED: union.T}
    for direction, wanted in ((FORWARD, edges), (REVERSED, edges.swapaxes(-1, -2))):
        for k in range(len(edges)):
            found[str(k), direction] = edge_auroc(own[:, k].round(DECIMALS), wanted[k])
        found[ALL, direction] = edge_auroc(own.round(DECIMALS), wanted)
    for direction, pairs in unions.items():
        if direction == FORWARD or not np.array_equal(pairs, union):
            found[ANY, direction] = edge_auroc(joined.round(DECIMALS), pairs)
            found[DRIVERS, direction] = rank_auroc(heard.round(DECIMALS), np.asarray(pairs.any(axis=0)))
    return found


def edge_rows(seeds: Sequence[SeedGraphs], edges: dict[str, NDArray[np.bool_]], settings: EdgeSettings) -> pd.DataFrame:
    """One row a score: class, direction, AUROC, interval, p against 0.5; the same untrained; trained less untrained.

    Raises OtherClips where two stores hold other clips.
    """
    first = seeds[0].trained
    for other in [graphs for one in seeds for graphs in (one.trained, one.untrained)]:
        if other.patients != first.patients or not np.array_equal(other.clips, first.clips):
            raise OtherClips("the learned graphs of two seeds are of other test clips; export them from one corpus")
    planted = np.stack([edges[name] for name in first.classes])
    n = len(first.patients)
    rng = np.random.default_rng(settings.seed)
    weights = np.concatenate([np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=settings.draws)])
    trained = _of_seeds([one.trained for one in seeds], weights, planted)
    untrained = _of_seeds([one.untrained for one in seeds], weights, planted)
    rows = []
    for (score, direction), values in trained.items():
        before = untrained[score, direction]
        numbers = {
            **_answer("", values, settings, within=(0, 1), middle=0.5, patients=n),
            **_answer("untrained", before, settings, within=(0, 1), middle=0.5, patients=n),
            **_answer("difference", values - before, settings, within=(-1, 1), middle=0, patients=n),
        }
        named = first.classes[int(score)] if score.isdigit() else score
        counts = {"n_edges": int(_edges_of(score, planted).sum()), "n_seeds": len(seeds), "n_patients": n,
                  "n_clips": int(first.clips.sum())}  # fmt: skip
        rows.append({"class": named, "direction": direction, **numbers, **counts})
    return pd.DataFrame(rows)


def _answer(
    name: str, samples: Floats, settings: EdgeSettings, *, within: tuple[float, float], middle: float, patients: int
) -> dict[str, float | None]:
    """Value, interval and p of samples (seed, 1 + d), the first of them of all patients as they are."""
    at = (lambda part: f"{name}_{part}") if name else str
    value = {name or "auroc": float(samples[:, 0].mean())}
    if patients == 1:
        return value | {at("low"): None, at("high"): None, at("p"): None}
    drawn = over_few_seeds(samples[:, 1:], settings, within=within)
    low, high = interval(drawn, settings.confidence)
    return value | {at("low"): low, at("high"): high, at("p"): two_sided_p(drawn - middle)}


def over_few_seeds(samples: Floats, settings: EdgeSettings, *, within: tuple[float, float]) -> Floats:
    """`over_drawn_seeds` (seed, d) -> (d,), widened for how few they are and cut off at what a score can be.

    Three drawn seeds are too narrow an interval by what Student's t is wider than a normal distribution. What differs
    most from seed to seed is here the electrodes that a model happens to prefer, not the patients.
    """
    drawn, n = over_drawn_seeds(samples, np.random.default_rng([settings.seed, 1])), len(samples)
    if n > 1:
        tail, mean = (1 + settings.confidence) / 2, samples.mean(axis=0)
        drawn = mean + student.ppf(tail, n - 1) / normal.ppf(tail) * (drawn - mean)
    found: Floats = np.clip(drawn, *within)
    return found


def _edges_of(score: str, planted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if score in (ANY, DRIVERS):
        return np.asarray(planted.any(axis=0))
    return planted if score == ALL else planted[int(score)]


def _of_seeds(
    seeds: Sequence[PatientGraphs], weights: Floats, planted: NDArray[np.bool_]
) -> dict[tuple[str, str], Floats]:
    """`scored` of every seed, (seed, d)."""
    each = [scored(drawn_means(one.learned, one.clips, weights), planted) for one in seeds]
    return {key: np.stack([found[key] for found in each]) for key in each[0]}


def mean_graphs(seeds: Sequence[SeedGraphs]) -> dict[str, Any]:
    """For the picture, means over seeds: A^ of each class less its mean (k, i, j), and of all less 1/n (i, j)."""
    whole = np.ones((1, len(seeds[0].trained.patients)))
    learned = np.mean([drawn_means(one.trained.learned, one.trained.clips, whole)[0] for one in seeds], axis=0)
    return {"own": contrasts(learned), "all": learned.mean(axis=0) - 1 / learned.shape[-1]}
