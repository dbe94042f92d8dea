"""Permuting the electrodes at test time: the correlation model cannot notice, the distance model can."""

import numpy as np
import pytest
import torch

from pipeline.explain.permutation import electrode_permutations, permute_batch
from pipeline.graphs.correlation import correlation_weights
from pipeline.models import dcrnn
from pipeline.settings.features import GraphSettings
from pipeline.settings.model_dcrnn import InitSettings, ModelSettings
from pipeline.training.clip_data import Batch

SETTINGS = ModelSettings(
    units=8,
    layers=2,
    pretraining_layers=3,
    diffusion_steps=2,
    decoder_tied=True,
    init=InitSettings(gate_bias=0.0),
    diffusion_recursion="powers",
)
GRAPHS = GraphSettings(kappa=0.9, top_neighbours=3, correlation_input="centred")
B, T, N, F = 4, 3, 7, 5
ORDER = np.array([3, 0, 6, 1, 2, 5, 4])


def logits(graph: str, supports: np.ndarray, x: torch.Tensor, order: np.ndarray | None = None) -> torch.Tensor:
    torch.manual_seed(1)
    model = dcrnn.Classifier(SETTINGS, n_features=F, n_classes=1, n_supports=supports.shape[-3], dropout=0.0).eval()
    batch = Batch(x, torch.full((B,), T), torch.from_numpy(supports), torch.zeros(B))
    if order is not None:
        batch = permute_batch(batch, torch.from_numpy(order), graph=graph)
    with torch.no_grad():
        return model(batch.x, batch.lengths, batch.supports)[:, 0]


def test_the_correlation_graph_of_permuted_signals_is_the_permuted_graph_and_the_model_cannot_notice():
    frames = np.random.default_rng(0).normal(size=(B, T, N, F))
    weights, moved = correlation_weights(frames, GRAPHS), correlation_weights(frames[:, :, ORDER], GRAPHS)
    np.testing.assert_allclose(moved, weights[:, ORDER[:, None], ORDER[None, :]], atol=1e-12)
    x, supports = torch.from_numpy(frames).float(), dcrnn.supports(weights, "correlation", SETTINGS)
    torch.testing.assert_close(
        logits("correlation", supports, x), logits("correlation", supports, x, ORDER), atol=1e-5, rtol=0
    )


def test_the_distance_model_notices():
    rng = np.random.default_rng(0)
    weights = rng.random((1, N, N))
    supports = dcrnn.supports((weights + weights.swapaxes(1, 2)) / 2, "distance", SETTINGS)[0]
    x = torch.from_numpy(rng.normal(size=(B, T, N, F))).float()
    change = logits("distance", supports, x) - logits("distance", supports, x, ORDER)
    assert change.abs().max() > 1e-3
    identity = logits("distance", supports, x, np.arange(N))
    torch.testing.assert_close(identity, logits("distance", supports, x), atol=0, rtol=0)


@pytest.mark.parametrize("n", [2, 19])
def test_permutations_are_fixed_by_the_seed_and_none_is_the_identity(n):
    first, again = (electrode_permutations(n, 12, np.random.default_rng(4)) for _ in range(2))
    assert (first == again).all()
    assert (np.sort(first, axis=1) == np.arange(n)).all()
    assert (first != np.arange(n)).any(axis=1).all()
