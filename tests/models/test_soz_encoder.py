"""The SOZ encoder: order, number and padding of contacts change nothing; two ways of attention agree."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from pipeline.models.soz import SozEncoder, SozInputs, unit_length
from tests.models.soz_inputs import inputs, padded, reordered, settings, small

OPTIONS: list[dict[str, Any]] = [
    {}, {"position": True}, {"phase": False, "baseline_ratio": False}, {"layers": 0}, {"layers": 4, "heads": 1},
]  # fmt: skip
CLOSE = {"atol": 1e-5, "rtol": 0.0}


def model(**changes: Any) -> SozEncoder:
    """A small encoder in evaluation, drawn from seed 0; weights large enough that attention is far from even."""
    torch.manual_seed(0)
    made = SozEncoder(small(**changes)).eval()
    with torch.no_grad():
        for block in made.blocks:
            block.qkv.weight.mul_(3)
    return made


@pytest.mark.parametrize("options", OPTIONS)
@torch.inference_mode()
def test_equivariance_under_permutation(options: dict[str, Any]) -> None:
    x, encoder = inputs(3, 9), model(**options)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    moved = reordered(x, order)
    torch.testing.assert_close(encoder(moved), encoder(x)[:, order], **CLOSE)
    torch.testing.assert_close(encoder.encode(moved), encoder.encode(x)[:, order], **CLOSE)
    A, B = encoder.attention(x)[1], encoder.attention(moved)[1]
    torch.testing.assert_close(B, A[..., order, :][..., order], **CLOSE)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("fill", [math.nan, 0.0, 1e6])
@torch.inference_mode()
def test_padding_changes_nothing(options: dict[str, Any], fill: float) -> None:
    x, encoder = inputs(3, 9), model(**options)
    more = padded(x, 4, fill)
    torch.testing.assert_close(encoder(more)[:, :9], encoder(x), **CLOSE)
    torch.testing.assert_close(encoder.project(more)[:, :9], encoder.project(x), **CLOSE)
    logits, A = encoder.attention(more)
    torch.testing.assert_close(logits[:, :9], encoder(x), **CLOSE)
    torch.testing.assert_close(A[..., :9, :9], encoder.attention(x)[1], **CLOSE)
    assert not A[..., :9, 9:].any()
    assert A[..., 9:, :].isnan().all()


def test_no_gradient_comes_from_padding() -> None:
    x = padded(inputs(2, 5), 3)
    encoder = model().train()
    encoder(x)[:, :5].sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("options", OPTIONS)
@torch.inference_mode()
def test_one_contact(options: dict[str, Any]) -> None:
    x, encoder = inputs(2, 1), model(**options)
    logits, A = encoder.attention(x)
    assert torch.isfinite(logits).all()
    assert logits.shape == (2, 1)
    assert (A == 1).all()


@torch.inference_mode()
def test_a_clip_without_a_valid_contact() -> None:
    x = inputs(2, 4)
    x = replace(x, valid=torch.zeros_like(x.valid))
    assert torch.isfinite(model()(x)).all()
    assert not model().project(x).any()


@pytest.mark.parametrize("c", [1, 2, 30])
@torch.inference_mode()
def test_both_ways_of_attention_agree(c: int) -> None:
    x, encoder = padded(inputs(3, c), 3), model(layers=3)
    torch.testing.assert_close(encoder.attention(x)[0][:, :c], encoder(x)[:, :c], **CLOSE)


@torch.inference_mode()
def test_attention_is_the_softmax_of_queries_and_keys() -> None:
    """Row i is the query: recomputed with loops for the first layer."""
    x, encoder = inputs(1, 5), model()
    A, block = encoder.attention(x)[1][0, 0], encoder.blocks[0]
    u = block.norm_attention(encoder.embed(x))[0]
    q, k, _ = block.qkv(u).split(16, dim=-1)
    for h in range(4):
        own = slice(4 * h, 4 * h + 4)
        for i in range(5):
            scores = torch.stack([(q[i, own] * k[j, own]).sum() / math.sqrt(4) for j in range(5)])
            torch.testing.assert_close(A[h, i], scores.exp() / scores.exp().sum())
    torch.testing.assert_close(A.sum(-1), torch.ones(4, 5))
    assert (A - A.mT).abs().max() > 0.01


def test_both_ways_have_the_same_gradient() -> None:
    x, encoder = inputs(2, 6), model()
    encoder(x).square().sum().backward()
    first = [parameter.grad.clone() for parameter in encoder.blocks.parameters() if parameter.grad is not None]
    encoder.zero_grad()
    encoder.attention(x)[0].square().sum().backward()
    second = [parameter.grad for parameter in encoder.blocks.parameters()]
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_masked_keys() -> None:
    x, encoder = inputs(2, 6), model()
    keys = torch.ones(3, 6, dtype=torch.bool)
    keys[1, 2], keys[2] = False, False
    found = encoder.masked_logits(x, keys)
    torch.testing.assert_close(found[:, 0], encoder(x), **CLOSE)
    assert (found[:, 1] - encoder(x)).abs().max() > 1e-3
    left = [0, 1, 3, 4, 5]  # for the others, a hidden contact is one that is not there
    without = encoder(reordered(x, torch.tensor(left)))
    torch.testing.assert_close(found[:, 1][:, left], without, **CLOSE)
    for contact in range(6):  # with all hidden, each answers as if it were alone
        alone = encoder(reordered(x, torch.tensor([contact])))
        torch.testing.assert_close(found[:, 2, contact], alone[:, 0], **CLOSE)


@torch.inference_mode()
def test_without_layers_contacts_do_not_see_each_other() -> None:
    x, encoder = inputs(1, 5), model(layers=0)
    other = replace(x, tokens=x.tokens.clone())
    other.tokens[0, 1:] = 5
    torch.testing.assert_close(encoder(other)[0, 0], encoder(x)[0, 0])
    assert encoder.attention(x)[1].shape == (1, 0, 4, 5, 5)
    assert (model()(other)[0, 0] - model()(x)[0, 0]).abs() > 1e-4


@torch.inference_mode()
def test_a_band_that_is_not_there_is_not_a_quiet_one() -> None:
    x, encoder = inputs(2, 5), model()
    loud = replace(x, tokens=x.tokens.clone(), stats=x.stats.clone())
    loud.tokens[1, :, 16:], loud.stats[1, :, 16:32], loud.stats[1, :, 48:] = 100, 100, -100
    torch.testing.assert_close(encoder(loud), encoder(x))  # what the masked bands hold is not looked at
    quiet = replace(loud, band_mask=torch.ones_like(x.band_mask))
    for part in (quiet.tokens[1, :, 16:], quiet.stats[1, :, 16:32], quiet.stats[1, :, 48:]):
        part.zero_()
    torch.testing.assert_close(encoder(quiet), encoder(x))  # nothing learnt of missing bands adds nothing
    encoder.embedder.missing.weight.normal_()
    assert (encoder(quiet)[1] - encoder(x)[1]).abs().max() > 1e-4
    torch.testing.assert_close(encoder(quiet)[0], encoder(x)[0])


@torch.inference_mode()
def test_coordinates_matter_only_where_asked_for() -> None:
    x = inputs(1, 5)
    moved = replace(x, xyz=x.xyz + 20)
    assert torch.equal(model()(moved), model()(x))
    placed = model(position=True)
    assert (placed(moved) - placed(x)).abs().max() > 1e-4
    assert torch.isfinite(placed(x)).all()


@torch.inference_mode()
def test_phase_matters_only_where_asked_for() -> None:
    x = inputs(1, 5)
    other = replace(x, phase=x.phase + 2)
    assert torch.equal(model(phase=False)(other), model(phase=False)(x))
    assert not torch.equal(model()(other), model()(x))


@torch.inference_mode()
def test_projection_has_unit_length_and_the_head_starts_at_the_prevalence() -> None:
    x, encoder = inputs(2, 5), model()
    torch.testing.assert_close(encoder.project(x).norm(dim=-1), torch.ones(2, 5))
    encoder.start_head(0.08)
    with torch.no_grad():
        encoder.head.weight.zero_()
    torch.testing.assert_close(encoder(x).sigmoid(), torch.full((2, 5), 0.08))
    with pytest.raises(ValueError, match="prevalence"):
        encoder.start_head(0.0)


def test_unit_length_of_nothing() -> None:
    z = torch.zeros(2, 3, requires_grad=True)
    unit_length(z).sum().backward()
    assert z.grad is not None
    assert not z.grad.any()


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="heads"):
        SozEncoder(small(width=18))
    x = inputs(1, 3)
    with pytest.raises(ValueError, match="tokens"):
        model()(SozInputs(x.tokens[..., :30], x.stats, x.valid, x.band_mask, x.phase, x.xyz, x.has_xyz))


@pytest.mark.parametrize(
    ("changes", "trained", "projector"),
    [
        ({}, 104_450, 8_320),
        ({"baseline_ratio": False}, 102_402, 8_320),
        ({"width": 128, "layers": 4, "feedforward": 512}, 909_058, 24_768),  # the large one: about .92 M
    ],
)
def test_parameter_counts(changes: dict[str, Any], trained: int, projector: int) -> None:
    encoder = SozEncoder(settings(**changes))
    total = sum(parameter.numel() for parameter in encoder.parameters())
    own = sum(parameter.numel() for parameter in encoder.projector.parameters())
    assert (total - own, own) == (trained, projector)
