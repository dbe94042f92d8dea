"""Occlusion maps: exact against one forward pass per hidden cell, zero where the model does not look."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.explain.occlusion import CausalModel, Clip, occlusion_map
from pipeline.models import dcrnn, sglc
from pipeline.settings.model_dcrnn import ModelSettings
from pipeline.settings.model_sglc import ModelSettings as SglcSettings

SETTINGS = ModelSettings(
    units=8,
    layers=2,
    pretraining_layers=3,
    diffusion_steps=2,
    decoder_tied=True,
    init={"gate_bias": 0.0},
    diffusion_recursion="powers",
)


class Reader(nn.Module):
    """Looks at one electrode in one second: its mean feature is the logit of class 1."""

    def __init__(self, electrode: int, second: int) -> None:
        super().__init__()
        self.electrode, self.second = electrode, second

    def forward(self, x: torch.Tensor, lengths: torch.Tensor, supports: torch.Tensor) -> torch.Tensor:
        seen = x[:, self.second, self.electrode].mean(dim=-1)
        return torch.stack([torch.zeros_like(seen), seen], dim=1)


def random_clip(*, t: int = 6, n: int = 5, f: int = 7, p: int = 1, length: int | None = None, target: int = 0) -> Clip:
    generator = torch.Generator().manual_seed(t + 10 * p)
    x = torch.randn(t, n, f, generator=generator)
    return Clip(x, length or t, 0.3 * torch.randn(p, n, n, generator=generator), target)


def trained_like(*, p: int = 1, n_classes: int = 1) -> nn.Module:
    torch.manual_seed(7)
    model = dcrnn.Classifier(SETTINGS, n_features=7, n_classes=n_classes, n_supports=p, dropout=0.5)
    return model.eval()


def one_by_one(model: nn.Module, clip: Clip, *, fill: float, electrodes_only: bool = False) -> torch.Tensor:
    """The definition: a separate forward pass for each hidden cell."""

    def logit(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model(x[None], torch.tensor([clip.length]), clip.supports)[0, clip.target]

    n, seconds = clip.x.shape[1], 1 if electrodes_only else clip.x.shape[0]
    drop = torch.zeros(n, seconds)
    for i in range(n):
        for j in range(seconds):
            x = clip.x.clone()
            x[slice(None) if electrodes_only else j, i] = fill
            drop[i, j] = logit(clip.x) - logit(x)
    return drop


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("batch", [1, 12, 1000])
def test_shared_work_gives_the_map_of_the_definition(p, batch):
    model, clip = trained_like(p=p), random_clip(p=p)
    assert isinstance(model, CausalModel)
    drop, logit = occlusion_map(model, clip, fill=0.0, batch=batch, electrodes_only=False)
    expected = one_by_one(model, clip, fill=0.0)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(drop, expected, atol=2e-6, rtol=0)
    assert logit == pytest.approx(float(model(clip.x[None], torch.tensor([6]), clip.supports)[0, 0].detach()), abs=1e-6)


def test_a_hidden_value_other_than_the_mean_and_another_class():
    model, clip = trained_like(n_classes=4), random_clip(target=2)
    drop, _ = occlusion_map(model, clip, fill=-14.3, batch=15, electrodes_only=False)
    torch.testing.assert_close(drop, one_by_one(model, clip, fill=-14.3), atol=2e-6, rtol=0)


def test_a_whole_electrode_is_hidden_for_classification():
    model, clip = trained_like(n_classes=4), random_clip(target=3)
    drop, _ = occlusion_map(model, clip, fill=0.0, batch=2, electrodes_only=True)
    assert drop.shape == (5, 1)
    torch.testing.assert_close(drop, one_by_one(model, clip, fill=0.0, electrodes_only=True), atol=2e-6, rtol=0)


def test_seconds_beyond_the_clip_are_not_looked_at():
    model = trained_like()
    padded = random_clip(length=4)
    drop, _ = occlusion_map(model, padded, fill=0.0, batch=15, electrodes_only=False)
    cut = Clip(padded.x[:4], 4, padded.supports, 0)
    assert drop.shape == (5, 4)
    torch.testing.assert_close(drop, one_by_one(model, cut, fill=0.0), atol=2e-6, rtol=0)


def test_the_planted_second_is_found_and_an_unused_electrode_is_zero():
    clip = random_clip(target=1)
    drop, logit = occlusion_map(Reader(electrode=3, second=4), clip, fill=0.0, batch=11, electrodes_only=False)
    expected = np.zeros((5, 6), dtype=np.float32)
    expected[3, 4] = logit
    np.testing.assert_allclose(drop.numpy(), expected, atol=1e-7)
    other, _ = occlusion_map(Reader(electrode=3, second=4), random_clip(), fill=0.0, batch=11, electrodes_only=False)
    assert not other.any()


def test_an_electrode_that_no_edge_or_weight_reaches_is_zero():
    model, clip = trained_like(), random_clip()
    alone = torch.zeros(1, 5, 5)
    alone[0, :4, :4] = clip.supports[0, :4, :4]
    x = clip.x.clone()
    x[:, 4] = 0.0  # already at the training mean: hiding it changes nothing
    drop, _ = occlusion_map(model, Clip(x, 6, alone, 0), fill=0.0, batch=20, electrodes_only=False)
    assert drop[4].abs().max() < 1e-6  # a clip alone and clips in a batch may go through other kernels
    assert drop[:4].abs().max() > 1e-2


def test_the_graph_is_made_anew_from_each_hidden_input():
    class Connected(nn.Module):
        def forward(self, x, lengths, supports):
            return supports.expand(len(x), *supports.shape[-3:]).sum(dim=(1, 2, 3))[:, None]

    clip = random_clip()

    def regraph(frames: torch.Tensor) -> torch.Tensor:
        power = frames.square().sum(dim=(1, 3))  # (b, n)
        return torch.diag_embed(power)[:, None]

    clip = Clip(clip.x, 6, regraph(clip.x[None])[0], 0)
    held, _ = occlusion_map(Connected(), clip, fill=0.0, batch=4, electrodes_only=False)
    drop, _ = occlusion_map(Connected(), clip, fill=0.0, batch=4, electrodes_only=False, regraph=regraph)
    assert not held.any()
    torch.testing.assert_close(drop, clip.x.square().sum(dim=-1).mT, atol=1e-3, rtol=0)


SGLC = {
    "variant": "corrected", "adjacency": "learned", "units": 6, "layers": 2, "pretraining_layers": 2,
    "allow_depth_mismatch": False, "ggnn_steps": 2, "learner_units": 4, "heads": 2, "mixing": 0.3,
    "attention_dropout": 0.5, "sparsify": "topk", "keep_edges": 2, "edge_threshold": 0.3, "recurrence": "anchored",
    "support": "all", "decoder_tied": True, "regularisers": {"smooth": 0, "degree": 0, "sparsity": 0},
    "init": {"gate_bias": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 12, 1000])
@pytest.mark.parametrize(
    "changes", [{}, {"recurrence": "recurrent"}, {"adjacency": "prior"}, {"variant": "published"}], ids=str
)
def test_a_learned_graph_that_is_carried_along_gives_the_map_of_the_definition(changes, batch):
    torch.manual_seed(3)
    settings = SglcSettings(**SGLC | changes)
    model = sglc.Classifier(settings, n_features=7, n_classes=1, dropout=0.5).eval()
    weights = np.abs(np.random.default_rng(2).normal(size=(5, 5)))
    np.fill_diagonal(weights, 1.0)
    supports = torch.from_numpy(sglc.supports(weights, "correlation", settings))
    clip = Clip(random_clip().x, 6, supports, 0)
    assert isinstance(model, CausalModel)
    assert model.causal == (settings.variant == "corrected")
    drop, _ = occlusion_map(model, clip, fill=-0.5, batch=batch, electrodes_only=False)
    expected = one_by_one(model, clip, fill=-0.5)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(drop, expected, atol=2e-6, rtol=0)
