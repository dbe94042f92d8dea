"""The distance graph against the published matrix and counts."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline.graphs.distance import distance_weights, pairwise_distances
from pipeline.graphs.electrodes import mirror_permutation
from pipeline.graphs.positions import POSITIONS
from pipeline.graphs.supports import scaled_laplacian

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
PUBLISHED = Path(__file__).parents[1] / "resources" / "dist_graph_adjacency.csv"


def published() -> np.ndarray:
    rows = list(csv.reader(PUBLISHED.open()))
    assert tuple(rows[0][1:]) == tuple(row[0] for row in rows[1:]) == ELECTRODES
    return np.array([[float(value) for value in row[1:]] for row in rows[1:]])


def edges(kappa: float) -> int:
    return int(np.count_nonzero(np.triu(distance_weights(ELECTRODES, kappa=kappa), 1)))


def test_equals_the_published_matrix():
    np.testing.assert_allclose(distance_weights(ELECTRODES, kappa=0.9), published(), atol=1e-6)


def test_sigma_and_largest_eigenvalue():
    distances = pairwise_distances(ELECTRODES)
    assert distances.std() == pytest.approx(0.519157, abs=5e-7)
    A = distance_weights(ELECTRODES, kappa=0.9)
    root = np.diag(1 / np.sqrt(A.sum(axis=1)))
    largest = np.linalg.eigvalsh(np.eye(19) - root @ A @ root)[-1]
    assert largest == pytest.approx(0.790562, abs=5e-7)
    S = scaled_laplacian(A)[0]
    np.testing.assert_allclose(S, 2 / largest * (np.eye(19) - root @ A @ root) - np.eye(19), atol=1e-12)
    assert np.linalg.eigvalsh(S)[[0, -1]] == pytest.approx([-1, 1], abs=1e-9)


@pytest.mark.parametrize(("kappa", "count"), [(0.7, 22), (0.8, 32), (0.9, 36), (1.0, 48), (1.1, 62), (1.2, 72)])
def test_number_of_edges_by_kappa(kappa, count):
    assert edges(kappa) == count


def test_invariant_under_the_full_mirror_and_not_under_the_published_one():
    W = distance_weights(ELECTRODES, kappa=0.9)
    mirror = mirror_permutation(ELECTRODES)
    np.testing.assert_array_equal(W[np.ix_(mirror, mirror)], W)
    partial = mirror_permutation(ELECTRODES, "published")
    assert not np.allclose(W[np.ix_(partial, partial)], W)


def test_mirror_is_an_involution_that_swaps_eight_pairs():
    mirror = mirror_permutation(ELECTRODES)
    assert mirror[mirror].tolist() == list(range(19))
    assert (mirror != np.arange(19)).sum() == 16
    assert ELECTRODES[mirror[ELECTRODES.index("P3")]] == "P4"
    assert [ELECTRODES[k] for k in mirror[-3:]] == ["FZ", "CZ", "PZ"]
    positions = np.array([POSITIONS[name] for name in ELECTRODES])
    np.testing.assert_array_equal(positions[mirror], positions * [-1, 1, 1])
    published_mirror = mirror_permutation(ELECTRODES, "published")
    assert [ELECTRODES[k] for k in np.flatnonzero(mirror != published_mirror)] == ["P3", "P4"]


def test_mirror_follows_the_order_of_the_montage():
    assert mirror_permutation(["O2", "CZ", "O1", "F7"]).tolist() == [2, 1, 0, 3]  # F8 is not there: F7 stays


def test_unknown_electrode_is_named():
    with pytest.raises(ValueError, match="no position for OZ"):
        distance_weights(["FZ", "OZ"], kappa=0.9)
