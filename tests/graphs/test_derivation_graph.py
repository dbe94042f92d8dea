"""Derivations as nodes: where they lie, which edges follow, what their mirror image is (docs/montages.md)."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.features.fft import frames
from pipeline.features.time import frames as samples
from pipeline.graphs.distance import distance_weights, pairwise_distances
from pipeline.graphs.electrodes import coordinates, mirror_permutation
from pipeline.graphs.positions import POSITIONS, mirror_name
from pipeline.graphs.supports import scaled_laplacian
from pipeline.settings.features import FeatureSettings
from pipeline.signals.montages import DOUBLE_BANANA, electrodes_of

ELECTRODES = tuple(POSITIONS)


def derive(signal: np.ndarray) -> np.ndarray:
    """Derivations (18, s) of electrodes (19, s), one after the other."""
    row = dict(zip(ELECTRODES, signal, strict=True))
    return np.stack([row[first] - row[second] for first, second in map(electrodes_of, DOUBLE_BANANA)])


def test_a_derivation_lies_in_the_middle_of_its_arc():
    positions = coordinates(DOUBLE_BANANA)
    np.testing.assert_allclose(np.linalg.norm(positions, axis=1), 1.0)
    for name, place in zip(DOUBLE_BANANA, positions, strict=True):
        first, second = (np.array(POSITIONS[end]) for end in electrodes_of(name))
        assert place @ first == pytest.approx(place @ second, abs=1e-4)  # equally far from both
        assert abs(np.cross(first, second) @ place) < 1e-4  # on the great circle through them


def test_sigma_degrees_and_kinship_of_the_distance_graph():
    """At the published kappa: 33 edges, three to five neighbours each, in one piece; as dense as that of electrodes."""
    assert pairwise_distances(DOUBLE_BANANA).std() == pytest.approx(0.5286, abs=5e-5)
    W = distance_weights(DOUBLE_BANANA, kappa=0.9)
    np.testing.assert_array_equal(W, W.T)
    np.testing.assert_array_equal(np.diag(W), 1.0)
    joined = (W > 0) & ~np.eye(18, dtype=bool)
    assert joined.sum() // 2 == 33
    assert (joined.sum(axis=1).min(), joined.sum(axis=1).max()) == (3, 5)
    assert np.linalg.matrix_power(joined.astype(float) + np.eye(18), 17).all()
    for a, b in pairwise(DOUBLE_BANANA):
        if electrodes_of(a)[1] == electrodes_of(b)[0]:  # the next link of a chain
            assert joined[DOUBLE_BANANA.index(a), DOUBLE_BANANA.index(b)]
    S = scaled_laplacian(W)[0]
    assert np.linalg.eigvalsh(S)[[0, -1]] == pytest.approx([-1, 1], abs=1e-9)


@pytest.mark.parametrize(("kappa", "count"), [(0.7, 14), (0.8, 33), (0.9, 33), (1.0, 43), (1.1, 51), (1.2, 61)])
def test_number_of_edges_by_kappa(kappa, count):
    assert np.count_nonzero(np.triu(distance_weights(DOUBLE_BANANA, kappa=kappa), 1)) == count


def test_the_mirror_image_swaps_eight_pairs_and_leaves_the_midline():
    mirror = mirror_permutation(DOUBLE_BANANA)
    assert mirror[mirror].tolist() == list(range(18))
    assert [DOUBLE_BANANA[k] for k in np.flatnonzero(mirror == np.arange(18))] == ["FZ-CZ", "CZ-PZ"]
    assert DOUBLE_BANANA[mirror[DOUBLE_BANANA.index("FP1-F7")]] == mirror_name("FP1-F7") == "FP2-F8"
    positions = coordinates(DOUBLE_BANANA)
    np.testing.assert_allclose(positions[mirror], positions * [-1, 1, 1], atol=1e-12)
    W = distance_weights(DOUBLE_BANANA, kappa=0.9)
    np.testing.assert_allclose(W[np.ix_(mirror, mirror)], W, atol=1e-12)


@pytest.mark.parametrize("kind", [frames, samples])
def test_reflecting_the_electrodes_and_deriving_commute(kind):
    """Exactly, in samples and in features: the mirror image of a derivation has the same polarity."""
    signal = np.random.default_rng(0).normal(0, 30, (19, 600)).astype(np.float32)
    options = FeatureSettings(kind="fft", floor_amplitude=1e-8)
    swapped = kind(derive(signal[mirror_permutation(ELECTRODES)]), 200.0, options)
    np.testing.assert_array_equal(swapped, kind(derive(signal), 200.0, options)[:, mirror_permutation(DOUBLE_BANANA)])


def test_an_unknown_electrode_of_a_derivation_is_named():
    with pytest.raises(ValueError, match="no position for T3-FT9"):
        distance_weights(["F7-T3", "T3-FT9"], kappa=0.9)
