"""Attention as graphs: lift is 1 by chance, what is summed where, measures against plain loops and networkx."""

import math

import networkx as nx
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.explain import soz_attention as graphs
from pipeline.explain import soz_measures as measures

Floats = graphs.Floats


def drawn(n: int = 9, heads: int = 3, layers: int = 2, seed: int = 0) -> Floats:
    """Row-stochastic A (layers, heads, n, n), uneven."""
    A = np.exp(1.5 * np.random.default_rng(seed).standard_normal((layers, heads, n, n)))
    return np.asarray(A / A.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("n", [3, 36, 195])
def test_chance_is_lift_one_whatever_the_number_of_contacts(n: int) -> None:
    own = np.random.default_rng(0).uniform(0, 0.9, n)
    A = np.repeat(((1 - own) / (n - 1))[:, None], n, axis=1)
    np.fill_diagonal(A, own)
    G = graphs.lift(A)
    off = ~np.eye(n, dtype=bool)
    np.testing.assert_allclose(G[off], 1)
    assert np.isnan(np.diag(G)).all()
    np.testing.assert_allclose(graphs.key_strength(G), 1)
    np.testing.assert_allclose(np.nansum(graphs.to_others(A), axis=1), 1)


def test_lift_and_strength_are_the_formulas() -> None:
    A = drawn()
    G, c = graphs.lift(A), graphs.key_strength(graphs.lift(A))
    n = A.shape[-1]
    for l, h, i, j in np.ndindex(A.shape):
        if i != j:
            assert G[l, h, i, j] == pytest.approx((n - 1) * A[l, h, i, j] / (1 - A[l, h, i, i]))
    assert c[1, 2, 4] == pytest.approx(np.mean([G[1, 2, i, 4] for i in range(n) if i != 4]))
    np.testing.assert_allclose(np.nanmean(G, axis=-1), 1)  # row strength says nothing: it is 1 for everyone


def test_a_row_that_looks_at_itself_alone_has_no_lift_and_is_counted() -> None:
    A = drawn()
    A[0, 1, 3] = np.eye(9)[3]
    G = graphs.lift(A)
    assert np.isnan(G[0, 1, 3]).all()
    assert graphs.self_only_rows(A).tolist() == [[0, 1, 0], [0, 0, 0]]
    assert np.isfinite(graphs.key_strength(G)).all()
    assert np.isfinite(measures.pagerank(A)).all()


@pytest.mark.parametrize("itself", [0.5, 0.99, 0.999, 0.9999])
def test_lift_of_a_graph_that_is_kept_in_float16(itself: float) -> None:
    """1 - A_ii of float16 is mostly rounding, where the row looks at little else; the others are not."""
    shares = np.random.default_rng(3).dirichlet(np.ones(60), size=60)
    np.fill_diagonal(shares, 0)
    A = shares / shares.sum(axis=1, keepdims=True) * (1 - itself)
    np.fill_diagonal(A, itself)
    kept = A.astype(np.float16).astype(np.float64)
    expected = graphs.lift(A)
    large = expected > 0.5  # smaller ones are subnormal in float16
    np.testing.assert_allclose(graphs.lift(kept)[large], expected[large], rtol=0.1 if itself > 0.999 else 0.01)
    assert not graphs.self_only_rows(kept).any()


def test_a_contact_that_is_absent_changes_nothing_for_the_others() -> None:
    A = drawn()
    larger = np.full((2, 3, 11, 11), np.nan)
    places = [0, 1, 2, 4, 5, 6, 7, 8, 10]
    larger[np.ix_([0, 1], [0, 1, 2], places, places)] = A
    assert np.flatnonzero(graphs.present(larger)).tolist() == places
    np.testing.assert_allclose(graphs.lift(larger)[..., places, :][..., places], graphs.lift(A))


def test_mean_over_clips_with_invalid_contacts() -> None:
    clips = np.stack([drawn(seed=seed) for seed in range(4)])
    np.testing.assert_allclose(graphs.mean_graph(clips), clips.mean(axis=0))
    clips[0, ..., 2, :] = clips[0, ..., :, 2] = np.nan
    clips[0] /= np.nansum(clips[0], axis=-1, keepdims=True)
    clips[..., 5, :] = clips[..., :, 5] = np.nan
    A = graphs.mean_graph(clips)
    assert np.isnan(A[..., 5, :]).all()
    assert np.isnan(A[..., :, 5]).all()
    left = [0, 1, 2, 3, 4, 6, 7, 8]
    np.testing.assert_allclose(A[..., left, :][..., left].sum(axis=-1), 1)


def test_asymmetry() -> None:
    A = drawn()
    S = graphs.asymmetry(A)
    np.testing.assert_allclose(S, -np.swapaxes(S, -1, -2))
    assert np.abs(S).max() <= 1
    assert not graphs.asymmetry(np.zeros((3, 3))).any()
    assert graphs.asymmetry(np.array([[0, 1.0], [0, 0]])).tolist() == [[0, 1], [-1, 0]]
    order = np.random.default_rng(1).permutation(9)
    np.testing.assert_allclose(graphs.asymmetry(A[..., order, :][..., order]), S[..., order, :][..., order])


def test_rollout_is_the_product_of_layers() -> None:
    A = drawn(layers=3)
    R = np.eye(9)
    for layer in range(3):
        R = (0.5 * A[layer].mean(axis=0) + 0.5 * np.eye(9)).dot(R)
    np.testing.assert_allclose(graphs.rollout(A), R)
    np.testing.assert_allclose(graphs.rollout(A).sum(axis=1), 1)
    np.testing.assert_array_equal(graphs.rollout(A[:0]), np.eye(9))


def labels(n: int = 9) -> Floats:
    soz = np.zeros(n)
    soz[:3] = 1
    soz[-1] = np.nan
    return soz


def test_numbers_against_plain_loops() -> None:
    A, soz = drawn(), labels()
    far = np.abs(np.arange(9.0)[:, None] - np.arange(9.0))
    found, G = measures.graph_numbers(A, soz, far), graphs.lift(A)
    inside, outside = [0, 1, 2], [3, 4, 5, 6, 7]
    for pair, rows, columns in (
        ("soz_soz", inside, inside), ("soz_non", inside, outside), ("non_soz", outside, inside),
        ("non_non", outside, outside),
    ):  # fmt: skip
        mean = np.mean([G[1, 2, i, j] for i in rows for j in columns if i != j])
        assert found[f"lift_{pair}"][1, 2] == pytest.approx(mean)
    strength = graphs.key_strength(G)[1, 2]
    assert found["source_auroc"][1, 2] == pytest.approx(roc_auc_score(soz[:8], strength[:8]))
    even = np.full((9, 9), 1 / 9)
    assert measures.entropy(even) == pytest.approx(1)
    assert measures.entropy(np.eye(9)) == 0
    rows = [-sum(a * math.log(a) for a in row) / math.log(9) for row in A[1, 2]]
    assert found["entropy"][1, 2] == pytest.approx(np.mean(rows))
    S = np.nan_to_num(graphs.to_others(A[1, 2]))
    returned = sum(min(S[i, j], S[j, i]) for i in range(9) for j in range(9) if i != j)
    assert found["reciprocity"][1, 2] == pytest.approx(returned / S.sum())
    assert measures.reciprocity(even) == pytest.approx(1)
    assert found["upper_triangle"][1, 2] == pytest.approx(
        np.mean([A[1, 2, i, j] for i in range(9) for j in range(i + 1, 9)])
    )


def test_numbers_do_not_depend_on_the_order_of_contacts() -> None:
    A, soz = drawn(), labels()
    far = np.abs(np.arange(9.0)[:, None] - np.arange(9.0))
    order = np.random.default_rng(2).permutation(9)
    moved = measures.graph_numbers(A[..., order, :][..., order], soz[order], far[order][:, order])
    for name, value in measures.graph_numbers(A, soz, far).items():
        if "triangle" not in name:
            np.testing.assert_allclose(moved[name], value, err_msg=name)


@pytest.mark.parametrize("soz", [np.zeros(9), np.ones(9), np.full(9, np.nan)])
def test_one_class_gives_no_auroc(soz: Floats) -> None:
    found = measures.graph_numbers(drawn(), soz, np.full((9, 9), np.nan))
    assert np.isnan(found["source_auroc"]).all()
    assert np.isnan(found["lift_soz_non"]).all()
    assert np.isnan(found["lift_distance"]).all()
    assert np.isfinite(found["entropy"]).all()
    shuffled = measures.shaft_shuffles(soz, np.array(["A"] * 9), 5, np.random.default_rng(0))
    assert np.isnan(measures.shuffle_p(drawn(), soz, shuffled)["source_auroc_p"]).all()


def test_pagerank_and_betweenness_are_those_of_networkx() -> None:
    A = drawn(n=14)[1, 2]
    G = graphs.lift(A)
    edges = [(i, j, G[i, j]) for i in range(14) for j in range(14) if i != j]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(14))
    graph.add_weighted_edges_from(edges)
    ranks = nx.pagerank(graph, alpha=0.85, tol=1e-12)
    np.testing.assert_allclose(measures.pagerank(A), [ranks[i] for i in range(14)], atol=1e-6)
    for i, j, weight in edges:
        graph[i][j]["length"] = 1 / weight
    between = nx.betweenness_centrality(graph, weight="length", normalized=True)
    np.testing.assert_allclose(measures.betweenness(A), [between[i] for i in range(14)], atol=1e-12)
    assert max(between.values()) > 0.1


def test_rank_correlation() -> None:
    A = drawn()
    G = graphs.lift(A)
    off = ~np.eye(9, dtype=bool)
    other = np.where(off, np.exp(np.nan_to_num(G[0, 0])), np.nan)
    rho = measures.rank_correlation(G, other)
    assert rho[0, 0] == pytest.approx(1)
    assert abs(rho[1, 1]) < 0.5
    assert np.isnan(measures.rank_correlation(G, np.ones((9, 9)))).all()


def test_shuffles_stay_on_their_shaft() -> None:
    soz = np.array([1, 1, 0, 0, 0, 0, 1, np.nan, 0])
    shafts = np.array(["A"] * 3 + ["B"] * 3 + ["C"] * 3)
    drawn_labels = measures.shaft_shuffles(soz, shafts, 400, np.random.default_rng(0))
    for own, total in ((slice(0, 3), 2), (slice(3, 6), 0), (slice(6, 9), 1)):
        assert (np.nansum(drawn_labels[:, own], axis=1) == total).all()
    assert np.isnan(drawn_labels[:, 7]).all()
    assert np.nanmean(drawn_labels[:, :3], axis=0) == pytest.approx([2 / 3] * 3, abs=0.1)
    assert measures.mixed_shafts(soz, shafts) == 2


def test_shuffled_values_are_those_of_the_shuffled_labels() -> None:
    A, soz = drawn(), labels()
    A[0, 1, 3] = np.eye(9)[3]  # a row without a lift
    G = graphs.lift(A)
    shuffled = measures.shaft_shuffles(soz, np.array(list("AAABBBAAB")), 20, np.random.default_rng(0))
    lifts = measures.shuffled_lifts(G, shuffled)
    for number, one in enumerate(shuffled):
        np.testing.assert_allclose(lifts[number], measures.pair_lifts(G, one))
    found = measures.shuffle_p(A, soz, shuffled)
    strength = graphs.key_strength(G)
    own, null = measures.known_auroc(strength, soz), [measures.known_auroc(strength, one) for one in shuffled]
    above = sum(one >= own - 1e-12 for one in null)
    np.testing.assert_allclose(found["source_auroc_p"], (1 + above) / 21)
    np.testing.assert_allclose(found["source_auroc_null"], np.mean(null, axis=0))
    together = sum(one.mean() >= own.mean() - 1e-12 for one in null)  # of all layers and heads at once
    assert set(found["source_auroc_mean_p"].ravel()) == {(1 + together) / 21}


def test_a_planted_source_stands_out_of_the_shuffles_and_noise_does_not() -> None:
    rng, n = np.random.default_rng(0), 40
    soz = np.zeros(n)
    soz[::5] = 1
    shafts = np.repeat([f"S{k}" for k in range(4)], 10)
    shuffled = measures.shaft_shuffles(soz, shafts, 500, rng)
    noise = rng.standard_normal((1, 30, n, n))
    planted = np.exp(noise + 0.5 * soz)
    p = measures.shuffle_p(planted / planted.sum(-1, keepdims=True), soz, shuffled)
    assert (p["source_auroc_p"] < 0.01).all()
    even = np.exp(noise)
    p = measures.shuffle_p(even / even.sum(-1, keepdims=True), soz, shuffled)["source_auroc_p"]
    assert 0.3 < p.mean() < 0.7


def test_edge_p() -> None:
    G, null = graphs.lift(drawn(seed=0)), graphs.lift(drawn(heads=5, seed=1))
    p = measures.edge_p(G, null)
    others = null[1][~np.isnan(null[1])]
    assert p[1, 2, 3, 4] == pytest.approx((1 + (others >= G[1, 2, 3, 4]).sum()) / (1 + len(others)))
    assert np.isnan(p[0, 0].diagonal()).all()
