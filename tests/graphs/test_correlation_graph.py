"""The correlation graph against a plain double loop."""

import numpy as np
import pytest

from pipeline.graphs.correlation import correlation_weights, keep_nearest
from pipeline.settings.features import GraphSettings


def options(**changed) -> GraphSettings:
    return GraphSettings(**{"kappa": 0.9, "top_neighbours": 3, "correlation_input": "raw", **changed})


def frames_of(b=5, t=12, n=19, f=100, seed=0) -> np.ndarray:
    """Log amplitudes that share a rhythm between electrodes, as features do."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 1, (b, t, 1, f))
    return (3.8 + common * rng.uniform(0, 1.5, (b, 1, n, 1)) + rng.normal(0, 1, (b, t, n, f))).astype(np.float32)


def graph_by_loop(clip: np.ndarray, top: int) -> np.ndarray:
    """One clip (t, n, f): every pair on its own, then the `top` largest of each row."""
    n = clip.shape[1]
    W = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            u, v = clip[:, i].ravel(), clip[:, j].ravel()
            size = np.sqrt(sum(u * u)) * np.sqrt(sum(v * v))
            W[i, j] = 1.0 if i == j else abs(sum(u * v)) / size if size > 0 else 0.0
    for i in range(n):
        others = sorted((j for j in range(n) if j != i), key=lambda j: (-W[i, j], j))
        W[i, others[top:]] = 0.0
    return W


@pytest.mark.parametrize("top", [2, 3, 4, 25])
def test_equals_the_double_loop(top):
    frames = frames_of()
    made = correlation_weights(frames, options(top_neighbours=top))
    for clip, W in zip(frames.astype(np.float64), made, strict=True):
        np.testing.assert_allclose(W, graph_by_loop(clip, top), atol=1e-6)


def test_centred_and_standardised_inputs():
    frames = frames_of(b=3)
    exact = frames.astype(np.float64)
    centred = correlation_weights(frames, options(correlation_input="centred"))
    scaled = correlation_weights(frames, options(correlation_input="standardised"), training_mean=3.7)
    for k in range(3):
        own_mean = exact[k].mean(axis=(0, 2), keepdims=True)
        np.testing.assert_allclose(centred[k], graph_by_loop(exact[k] - own_mean, 3), atol=1e-6)
        np.testing.assert_allclose(scaled[k], graph_by_loop((exact[k] - 3.7) / 1.55, 3), atol=1e-6)
    with pytest.raises(ValueError, match="needs the scaler"):
        correlation_weights(frames, options(correlation_input="standardised"))


def test_four_weights_a_row_diagonal_one_directed():
    W = correlation_weights(frames_of(), options())
    assert (np.count_nonzero(W, axis=-1) == 4).all()
    np.testing.assert_array_equal(np.einsum("bnn->bn", W), 1.0)
    assert not np.allclose(W, W.swapaxes(1, 2))


def test_sign_and_scale_of_an_electrode_do_not_matter():
    frames = frames_of(b=2).astype(np.float64)
    changed = frames.copy()
    changed[:, :, 4] *= -2.5
    np.testing.assert_allclose(
        correlation_weights(changed, options()), correlation_weights(frames, options()), atol=1e-12
    )


def test_a_vector_of_zeros_has_no_edges_and_ties_go_to_the_lower_index():
    frames = np.ones((1, 12, 6, 5), dtype=np.float32)
    frames[:, :, 2] = 0.0
    W = correlation_weights(frames, options())[0]
    assert np.isfinite(W).all()
    assert np.flatnonzero(W[2]).tolist() == [2]
    assert not W[[0, 1, 3, 4, 5], 2].any()
    assert np.flatnonzero(W[5]).tolist() == [0, 1, 3, 5]
    assert np.flatnonzero(W[0]).tolist() == [0, 1, 3, 4]


def test_permuting_electrodes_permutes_the_graph():
    frames = frames_of(b=2)
    order = np.random.default_rng(1).permutation(19)
    permuted = correlation_weights(frames[:, :, order], options())
    np.testing.assert_allclose(permuted, correlation_weights(frames, options())[:, order][:, :, order], atol=1e-12)


def test_keep_nearest_leaves_its_input_alone():
    weights = np.random.default_rng(0).uniform(size=(2, 5, 5))
    before = weights.copy()
    keep_nearest(weights, 2)
    np.testing.assert_array_equal(weights, before)
