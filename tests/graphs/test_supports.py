"""Supports and the diffusion terms made of them, against plain double loops and explicit polynomials."""

import numpy as np
import pytest

from pipeline.graphs.supports import random_walks, scaled_laplacian


def sparse_graph(n=19, seed=0) -> np.ndarray:
    """A directed graph with self-loops and four weights a row."""
    rng = np.random.default_rng(seed)
    W = np.where(rng.uniform(size=(n, n)) < 0.2, rng.uniform(0.1, 1, (n, n)), 0.0)
    np.fill_diagonal(W, 1.0)
    return W


def laplacian_by_loop(W: np.ndarray) -> np.ndarray:
    n = len(W)
    A = np.array([[max(W[i, j], W[j, i]) for j in range(n)] for i in range(n)])
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            di, dj = sum(A[i]), sum(A[j])
            L[i, j] = (i == j) - (A[i, j] / np.sqrt(di * dj) if di > 0 and dj > 0 else 0.0)
    return L


def walks_by_loop(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(W)
    forward, backward = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            out_degree, in_degree = sum(W[i]), sum(W[:, i])
            forward[j, i] = W[i, j] / out_degree if out_degree > 0 else 0.0
            backward[j, i] = W[j, i] / in_degree if in_degree > 0 else 0.0
    return forward, backward


def test_random_walks_equal_the_double_loop():
    W = sparse_graph()
    np.testing.assert_allclose(random_walks(W), walks_by_loop(W), atol=1e-6)


def test_random_walks_are_transposed_probabilities():
    """Columns sum to one: what leaves a node is shared among its neighbours."""
    np.testing.assert_allclose(random_walks(sparse_graph()).sum(axis=-2), 1.0)


def test_scaled_laplacian_equals_the_double_loop():
    W = sparse_graph()
    L = laplacian_by_loop(W)
    expected = 2 / np.linalg.eigvalsh(L).max() * L - np.eye(19)
    np.testing.assert_allclose(scaled_laplacian(W), expected[None], atol=1e-6)


def test_batches_equal_single_graphs():
    graphs = np.stack([sparse_graph(seed=seed) for seed in range(6)]).reshape(2, 3, 19, 19)
    for supports, p in ((scaled_laplacian, 1), (random_walks, 2)):
        made = supports(graphs)
        assert made.shape == (2, 3, p, 19, 19)
        np.testing.assert_allclose(made[1, 2], supports(graphs[1, 2]), atol=1e-12)


def test_nodes_without_edges_give_zeros():
    W = np.zeros((4, 4))
    W[0, 1] = W[1, 0] = 0.5
    for made in (scaled_laplacian(W), random_walks(W), scaled_laplacian(W * 0), random_walks(W * 0)):
        assert np.isfinite(made).all()
    assert not random_walks(W)[:, 2:].any()
    np.testing.assert_allclose(scaled_laplacian(np.eye(4))[0], -np.eye(4))


def test_permutation_equivariance():
    W = sparse_graph()
    order = np.random.default_rng(3).permutation(19)
    for supports in (scaled_laplacian, random_walks):
        made = supports(W)[:, order][:, :, order]
        np.testing.assert_allclose(supports(W[np.ix_(order, order)]), made, atol=1e-12)


@pytest.mark.parametrize("steps", [2, 4])
def test_chebyshev_recursion_equals_the_explicit_polynomials(steps):
    """T0 = 1, T1 = s, T2 = 2s² - 1, T3 = 4s³ - 3s, T4 = 8s⁴ - 8s² + 1, on the spectrum of the scaled Laplacian."""
    S = scaled_laplacian(sparse_graph())[0]
    x = np.random.default_rng(5).normal(size=(19, 7))
    S2, S3 = S @ S, S @ S @ S
    I = np.eye(19)
    polynomials = [I, S, 2 * S2 - I, 4 * S3 - 3 * S, 8 * S2 @ S2 - 8 * S2 + I]
    terms = [x, S @ x]
    for _ in range(2, steps + 1):
        terms.append(2 * S @ terms[-1] - terms[-2])
    for term, polynomial in zip(terms, polynomials[: steps + 1], strict=True):
        np.testing.assert_allclose(term, polynomial @ x, atol=1e-9)
        assert np.abs(np.linalg.eigvalsh(polynomial)).max() <= 1 + 1e-9  # bounded since |S| <= 1


def test_powers_of_walks_equal_a_sum_over_paths():
    """Two steps of the forward walk, entry by entry: mass that goes i -> k -> j."""
    W = sparse_graph()
    P = W / W.sum(axis=1, keepdims=True)
    x = np.random.default_rng(2).normal(size=19)
    forward = random_walks(W)[0]
    expected = [sum(x[i] * P[i, k] * P[k, j] for i in range(19) for k in range(19)) for j in range(19)]
    np.testing.assert_allclose(forward @ forward @ x, expected, atol=1e-9)
