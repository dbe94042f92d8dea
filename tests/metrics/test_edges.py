"""AUROC of edges against a plain count over pairs, class contrasts, draws of patients."""

import numpy as np
import pytest

from pipeline.metrics.edges import contrasts, drawn_means, edge_auroc


def counted(graph: np.ndarray, edges: np.ndarray) -> float:
    """Share of (planted, other) pairs of pairs that the weights put in order; equal ones count half."""
    pairs = [(i, j) for i in range(len(graph)) for j in range(len(graph)) if i != j]
    good = [graph[pair] for pair in pairs if edges[pair]]
    bad = [graph[pair] for pair in pairs if not edges[pair]]
    return float(np.mean([[(a > b) + (a == b) / 2 for b in bad] for a in good]))


def random_case(seed: int, n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (n, n)).astype(float), rng.random((n, n)) < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_count_over_pairs(seed):
    graph, edges = random_case(seed)
    assert edge_auroc(graph, edges) == pytest.approx(counted(graph, edges))
    batch = np.stack([graph, graph.T, -graph])
    assert edge_auroc(batch, edges) == pytest.approx([counted(one, edges) for one in batch])


def test_the_diagonal_does_not_count():
    graph, edges = random_case(7)
    other = graph + 100 * np.eye(len(graph))
    assert edge_auroc(other, edges | np.eye(len(graph), dtype=bool)) == edge_auroc(graph, edges)


def test_classes_are_ranked_as_one_list():
    graphs, edges = map(np.stack, zip(*(random_case(seed) for seed in (1, 2)), strict=True))
    keep = np.broadcast_to(~np.eye(6, dtype=bool), edges.shape)
    good, bad = graphs[keep & edges], graphs[keep & ~edges]
    expected = np.mean([[(a > b) + (a == b) / 2 for b in bad] for a in good])
    assert edge_auroc(graphs, edges) == pytest.approx(expected)


def test_nothing_to_find_is_no_number():
    graph, edges = random_case(3)
    assert np.isnan(edge_auroc(graph, np.zeros_like(edges)))


def test_contrasts_hold_only_what_is_a_class_own():
    rng = np.random.default_rng(0)
    shared, own = rng.random((5, 5)), rng.random((3, 5, 5))
    own -= own.mean(0)
    assert contrasts(shared + own) == pytest.approx(own)


def test_drawn_means_are_those_of_the_drawn_clips():
    rng = np.random.default_rng(1)
    graphs, patients, classes = rng.random((12, 4, 4)), np.arange(12) % 3, np.arange(12) // 6
    sums = np.array([[graphs[(patients == p) & (classes == k)].sum(0) for k in (0, 1)] for p in range(3)])
    counts = np.array([[((patients == p) & (classes == k)).sum() for k in (0, 1)] for p in range(3)], float)
    weights = np.array([[2.0, 0.0, 1.0]])
    rows = np.concatenate([np.flatnonzero(patients == p) for p in (0, 0, 2)])
    expected = [graphs[rows][classes[rows] == k].mean(0) for k in (0, 1)]
    assert drawn_means(sums, counts, weights)[0] == pytest.approx(np.array(expected))
