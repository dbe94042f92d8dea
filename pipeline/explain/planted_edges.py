"""Did the learned graph find the planted one? Edges of trained models against those that a corpus was made with.

Chosen before any run of this design, `drivers` after pilots of others (docs/sglc.md, The planted graph):

- a class's own edges: mean of A_t over the test clips of the class, all layers and seconds, less its mean over classes,
  against the edges planted for that class; `all`: the pairs of every class ranked as one list;
- `any`: mean of A_t - A_0 over all test clips, against the edges planted for any class: where learning puts weight;
- `drivers`: the same, summed over receivers, against the electrodes that drive in any class: whom learning listens to.

AUROC over ordered pairs of different electrodes, row = receiver, mean over seeds; intervals over patients and seeds.
`reversed` has the planted graph transposed: what is above it knows who drives whom, not only who belongs together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.explain.graph_means import over_time
from pipeline.explain.graph_store import reading_graphs
from pipeline.metrics.comparisons import over_drawn_seeds, two_sided_p
from pipeline.metrics.edges import contrasts, drawn_means, edge_auroc, rank_auroc
from pipeline.metrics.intervals import interval
from pipeline.settings.planted import EdgeSettings

Floats = NDArray[np.float64]
ALL, ANY, DRIVERS = "all", "any", "drivers"
FORWARD, REVERSED = "planted", "reversed"


class OtherClips(ValueError):
    """Stores that do not hold the same clips, or not those of the planted classes."""


@dataclass(frozen=True)
class PatientGraphs:
    """Sums over the clips of each patient and class: learned A (p, k, i, j), prior A_0 (p, k, i, j), clips (p, k)."""

    patients: list[str]
    classes: list[str]
    learned: Floats
    prior: Floats
    clips: Floats


def read_graphs(path: Path, classes: Sequence[str]) -> PatientGraphs:
    """Sums of one seed's store. A clip's graph is the mean over layers and valid seconds.

    Raises OtherClips where a class has no clip.
    """
    with reading_graphs(path) as store:
        about, n = store.about, store.shape[-1]
        patients = sorted(set(about.patients))
        places = np.array([patients.index(one) for one in about.patients])
        names = [about.classes[label] for label in about.label]
        if missing := sorted(set(classes) - set(names)):
            raise OtherClips(f"{path}: no test clip of class {missing[0]}; the planted graphs are of {list(classes)}")
        kinds = np.array([list(classes).index(name) for name in names])
        learned, prior = (np.zeros((len(patients), len(classes), n, n)) for _ in range(2))
        for rows, block in store.blocks():
            np.add.at(learned, (places[rows], kinds[rows]), over_time(block).mean(axis=1))
            np.add.at(prior, (places[rows], kinds[rows]), block.prior.astype(np.float64))
    clips = np.zeros(learned.shape[:2])
    np.add.at(clips, (places, kinds), 1)
    return PatientGraphs(patients, list(classes), learned, prior, clips)


def scored(means: Floats, prior: Floats, edges: NDArray[np.bool_]) -> dict[tuple[str, str], Floats]:
    """AUROC (d,) of each score and direction; means and prior (d, k, i, j), edges (k, i, j).

    Scores: one a class by its number (`0`, `1` ...), `all`, `any`, `drivers`.
    """
    found, own = {}, contrasts(means)
    joined, planted = (means - prior).mean(axis=1), np.asarray(edges.any(axis=0))
    for direction, wanted, union in (
        (FORWARD, edges, planted),
        (REVERSED, edges.swapaxes(-1, -2), planted.T),
    ):
        for k in range(len(edges)):
            found[str(k), direction] = edge_auroc(own[:, k], wanted[k])
        found[ALL, direction] = edge_auroc(own, wanted)
        found[ANY, direction] = edge_auroc(joined, union)
        found[DRIVERS, direction] = rank_auroc(joined.sum(axis=-2), np.asarray(union.any(axis=0)))
    return found


def edge_rows(
    seeds: Sequence[PatientGraphs], edges: dict[str, NDArray[np.bool_]], settings: EdgeSettings
) -> pd.DataFrame:
    """One row a score: class, direction, AUROC, interval, p against 0.5, mean and p of permuted electrodes.

    Raises OtherClips where two seeds' stores hold other clips.
    """
    first = seeds[0]
    for other in seeds[1:]:
        if other.patients != first.patients or not np.array_equal(other.clips, first.clips):
            raise OtherClips("the learned graphs of two seeds are of other test clips; export them from one corpus")
    planted = np.stack([edges[name] for name in first.classes])
    n = len(first.patients)
    rng = np.random.default_rng(settings.seed)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=settings.draws).astype(np.float64)
    plain, drawn = _of_seeds(seeds, np.ones((1, n)), planted), _of_seeds(seeds, weights, planted)
    null = _null(seeds, planted, settings)
    rows = []
    for key, values in plain.items():
        score, direction = key
        value = float(values.mean())
        samples = over_drawn_seeds(drawn[key], np.random.default_rng([settings.seed, 1]))
        low, high = interval(samples, settings.confidence) if n > 1 else (None, None)
        named = first.classes[int(score)] if score.isdigit() else score
        rows.append({
            "class": named, "direction": direction, "auroc": value, "low": low, "high": high,
            "p": two_sided_p(samples - 0.5) if n > 1 else None, "null_mean": float(null[key].mean()),
            "p_permuted": float((1 + (null[key] >= value).sum()) / (1 + len(null[key]))),
            "n_edges": int(_edges_of(score, planted).sum()), "n_seeds": len(seeds), "n_patients": n,
            "n_clips": int(first.clips.sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _edges_of(score: str, planted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if score in (ANY, DRIVERS):
        return np.asarray(planted.any(axis=0))
    return planted if score == ALL else planted[int(score)]


def _of_seeds(
    seeds: Sequence[PatientGraphs], weights: Floats, planted: NDArray[np.bool_]
) -> dict[tuple[str, str], Floats]:
    """`scored` of every seed, (seed, d)."""
    each = []
    for one in seeds:
        means, prior = (drawn_means(sums, one.clips, weights) for sums in (one.learned, one.prior))
        each.append(scored(means, prior, planted))
    return {key: np.stack([found[key] for found in each]) for key in each[0]}


def _null(
    seeds: Sequence[PatientGraphs], planted: NDArray[np.bool_], settings: EdgeSettings
) -> dict[tuple[str, str], Floats]:
    """`scored` under permutations of the planted electrodes, mean over seeds, (permutation,)."""
    n, rng = planted.shape[-1], np.random.default_rng([settings.seed, 2])
    whole = np.ones((1, len(seeds[0].patients)))
    graphs = [[drawn_means(sums, one.clips, whole) for sums in (one.learned, one.prior)] for one in seeds]
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(settings.permutations):
        order = rng.permutation(n)
        each = [scored(means, prior, planted[:, order][:, :, order]) for means, prior in graphs]
        for key in each[0]:
            found.setdefault(key, []).append(float(np.mean([one[key] for one in each])))
    return {key: np.array(values) for key, values in found.items()}


def mean_graphs(seeds: Sequence[PatientGraphs]) -> dict[str, Any]:
    """For the picture: mean A of each class (k, i, j), of all (i, j) and of the prior (i, j), over seeds."""
    whole = np.ones((1, len(seeds[0].patients)))
    learned = np.mean([drawn_means(one.learned, one.clips, whole)[0] for one in seeds], axis=0)
    prior = np.mean([drawn_means(one.prior, one.clips, whole)[0] for one in seeds], axis=0)
    return {"classes": learned, "own": contrasts(learned), "all": learned.mean(axis=0), "prior": prior.mean(axis=0)}
