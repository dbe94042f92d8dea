"""Focal class-balanced SupCon and BCE: equal to double loops, finite in every edge case."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.training.soz_losses import class_weights, count_labels, focal_bce, supcon
from tests.training.soz_loss_oracle import bce, supcon_clip

BOTH = ("all", "negatives")
PLAIN: dict[str, Any] = {"temperature": 0.1, "beta": 0.99, "gamma": 2.0, "denominator": "all"}


def drawn(seed: int = 0, b: int = 3, c: int = 14, d: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings float64, labels with unknown ones, and padding at the end."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(b, c, d, generator=generator, dtype=torch.float64)
    labels = (torch.rand(b, c, generator=generator) < 0.35).long()
    labels[torch.rand(b, c, generator=generator) < 0.1] = -1
    lengths = torch.randint(c // 2, c + 1, (b, 1), generator=generator)
    return z, labels, torch.arange(c) < lengths


@pytest.mark.parametrize("denominator", BOTH)
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize(("counts", "cap"), [(None, None), ((40, 9), None), (None, 1.5)])
def test_supcon_is_the_double_loop(denominator: str, gamma: float, counts: Any, cap: float | None) -> None:
    z, labels, valid = drawn()
    options = PLAIN | {"gamma": gamma, "denominator": denominator, "weight_cap": cap}
    wanted = [
        supcon_clip(z[b].tolist(), labels[b].tolist(), valid[b].tolist(), counts=counts, **options) for b in range(3)
    ]
    anchored = [loss for loss, n in wanted if n]
    own = None if counts is None else torch.tensor(counts)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        loss, n = supcon(z.to(dtype), labels, valid, counts=own, **options)
        assert n == sum(n for _, n in wanted) > 10
        assert loss.item() == pytest.approx(sum(anchored) / len(anchored), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("counts", [None, (40, 9)])
def test_bce_is_the_double_loop(gamma: float, counts: Any) -> None:
    z, labels, valid = drawn(1)
    x = 3 * z[..., 0]
    wanted = bce(x.tolist(), labels.tolist(), valid.tolist(), beta=0.99, gamma=gamma, counts=counts)
    own = None if counts is None else torch.tensor(counts)
    assert focal_bce(x, labels, valid, beta=0.99, gamma=gamma, counts=own).item() == pytest.approx(wanted, rel=1e-12)
    low = focal_bce(x.float(), labels, valid, beta=0.99, gamma=gamma, counts=own)
    assert low.item() == pytest.approx(wanted, rel=1e-6)


def test_plain_bce_where_nothing_is_weighted() -> None:
    z, labels, valid = drawn(2)
    used = valid & labels.ge(0)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(z[..., 0][used], labels[used].double())
    loss = focal_bce(z[..., 0], labels, valid, beta=0.0, gamma=0.0, counts=torch.tensor([5, 5]))
    torch.testing.assert_close(loss, plain)


@pytest.mark.parametrize("denominator", BOTH)
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_gradients(denominator: str, gamma: float) -> None:
    z, labels, valid = drawn(3, b=2, c=6, d=3)
    labels[:, :4] = torch.tensor([0, 1, 0, 1])
    options = PLAIN | {"temperature": 0.5, "gamma": gamma, "denominator": denominator}
    assert torch.autograd.gradcheck(lambda x: supcon(x, labels, valid, **options)[0], (z.requires_grad_(),))
    x = z[..., 0].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: focal_bce(x, labels, valid, beta=0.99, gamma=gamma), (x,))


@pytest.mark.parametrize("denominator", BOTH)
def test_neither_order_nor_padding_matters(denominator: str) -> None:
    z, labels, valid = drawn(4)
    options = PLAIN | {"denominator": denominator}
    loss, n = supcon(z, labels, valid, **options)
    order = torch.randperm(z.shape[1], generator=torch.Generator().manual_seed(0))
    moved = supcon(z[:, order], labels[:, order], valid[:, order], **options)
    torch.testing.assert_close(moved[0], loss)
    rubbish = torch.full((3, 5, z.shape[2]), math.nan, dtype=z.dtype, requires_grad=True)
    more = torch.cat([z, rubbish], 1), torch.cat([labels, torch.ones(3, 5, dtype=torch.long)], 1)
    hidden = torch.cat([valid, torch.zeros(3, 5, dtype=torch.bool)], 1)
    padded = supcon(*more, hidden, **options)
    torch.testing.assert_close(padded[0], loss)
    assert moved[1] == padded[1] == n
    padded[0].backward()
    assert rubbish.grad is not None
    assert torch.equal(rubbish.grad, torch.zeros_like(rubbish))
    x, y = z[..., 0], focal_bce(z[..., 0], labels, valid, beta=0.99, gamma=2.0)
    torch.testing.assert_close(focal_bce(more[0][..., 0], more[1], hidden, beta=0.99, gamma=2.0), y)
    torch.testing.assert_close(focal_bce(x[:, order], labels[:, order], valid[:, order], beta=0.99, gamma=2.0), y)


def clip(kind: str) -> tuple[Tensor, Tensor, Tensor, int]:
    """z (1, 6, 4) float32, labels, valid, and the number of anchors of an edge case."""
    z = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(7))
    labels, valid = torch.tensor([[1, 0, 0, 0, 0, 0]]), torch.ones(1, 6, dtype=torch.bool)
    two = torch.tensor([[1, 1, 0, 0, 0, 0]])
    east, north = torch.eye(4)[0], torch.eye(4)[1]
    return {
        "lone positive": (z, labels, valid, 5),
        "one class": (z, torch.zeros_like(labels), valid, 0),
        "all padded": (z, two, ~valid, 0),
        "all unknown": (z, -torch.ones_like(labels), valid, 0),
        "one of each": (z, labels, torch.tensor([[True, True, False, False, False, False]]), 0),
        "zeros": (torch.zeros_like(z), two, valid, 6),
        "identical": (z[:, :1].expand(1, 6, 4).clone(), two, valid, 6),
        "perfect pair": (torch.stack([east, east, -east, -east, -east, -east])[None], two, valid, 6),
        "perfect opposites": (torch.stack([east, -east, north, north, -north, -north])[None], two, valid, 6),
        "huge": (z * 1e18, two, valid, 6),
        "tiny": (z * 1e-18, two, valid, 6),
    }[kind]


KINDS = (
    "lone positive", "one class", "all padded", "all unknown", "one of each", "zeros", "identical", "perfect pair",
    "perfect opposites", "huge", "tiny",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("denominator", BOTH)
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02])
def test_edge_cases_are_finite(kind: str, denominator: str, gamma: float, temperature: float) -> None:
    z, labels, valid, anchors = clip(kind)
    z.requires_grad_()
    options = PLAIN | {"gamma": gamma, "denominator": denominator, "temperature": temperature}
    loss, n = supcon(z, labels, valid, **options)
    loss.backward()
    assert z.grad is not None
    assert n == anchors
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()
    if not anchors:
        assert loss.item() == 0
        assert not z.grad.any()


@pytest.mark.parametrize("denominator", BOTH)
def test_a_lone_positive_is_no_anchor_but_a_negative(denominator: str) -> None:
    z, labels, valid, _ = clip("lone positive")
    z.requires_grad_()
    supcon(z, labels, valid, **PLAIN | {"denominator": denominator})[0].backward()
    assert z.grad is not None
    assert z.grad[0, 0].abs().max() > 1e-4  # it is pushed away


def test_a_skipped_clip_does_not_dilute_the_others() -> None:
    z, labels, valid = drawn(5, b=1)
    alone, n = supcon(z, labels, valid, **PLAIN)
    both = torch.cat([z, z]), torch.cat([labels, torch.zeros_like(labels)]), torch.cat([valid, valid])
    together, m = supcon(*both, **PLAIN)
    torch.testing.assert_close(together, alone)
    assert n == m


@pytest.mark.parametrize("x", [0.0, 40.0, -40.0, 1e4, -1e4])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_bce_is_finite_far_out(x: float, gamma: float) -> None:
    logits = torch.full((1, 4), x, requires_grad=True)
    labels, valid = torch.tensor([[0, 1, -1, 1]]), torch.tensor([[True, True, True, False]])
    loss = focal_bce(logits, labels, valid, beta=0.99, gamma=gamma)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[0, 2:].any()


def test_bce_of_nothing_is_zero() -> None:
    logits = torch.full((2, 3), math.nan, requires_grad=True)
    labels = torch.tensor([[0, 1, 1], [-1, -1, -1]])
    loss = focal_bce(logits, labels, torch.zeros(2, 3, dtype=torch.bool), beta=0.99, gamma=2.0)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("gamma", [0.5, 0.01, 0.999, -1.0])
def test_a_gamma_with_an_infinite_slope_is_refused(gamma: float) -> None:
    z, labels, valid = drawn()
    with pytest.raises(ValueError, match="gamma"):
        supcon(z, labels, valid, **PLAIN | {"gamma": gamma})
    with pytest.raises(ValueError, match="gamma"):
        focal_bce(z[..., 0], labels, valid, beta=0.99, gamma=gamma)


def test_another_denominator_is_refused() -> None:
    with pytest.raises(ValueError, match="some"):
        supcon(*drawn(), **PLAIN | {"denominator": "some"})


@pytest.mark.parametrize(
    ("counts", "beta", "ratio"),
    [((98, 8), 0.9, 1.8), ((98, 8), 0.99, 8.1), ((98, 8), 0.999, 11.7), ((120, 2), 0.99, 35)],
)
def test_class_weights_of_the_specification(counts: tuple[int, int], beta: float, ratio: float) -> None:
    w = class_weights(torch.tensor(counts, dtype=torch.float64), beta=beta)
    assert w.mean().item() == pytest.approx(1)
    assert (w[1] / w[0]).item() == pytest.approx(ratio, abs=0.05 if ratio < 20 else 0.5)
    capped = class_weights(torch.tensor(counts, dtype=torch.float64), beta=beta, cap=1.5)
    assert (capped[1] / capped[0]).item() == pytest.approx(1.5)
    assert capped.mean().item() == pytest.approx(1)


def test_a_class_that_is_absent_weighs_nothing() -> None:
    w = class_weights(torch.tensor([[5.0, 0.0], [0.0, 0.0]]), beta=0.99, cap=2.0)
    assert w.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    labels, valid = torch.tensor([[0, 1, 1, -1]]), torch.tensor([[True, True, False, True]])
    assert count_labels(labels, valid).tolist() == [[1, 1]]


def test_float32_under_mixed_precision() -> None:
    z, labels, valid = drawn(6)
    exact, _ = supcon(z.bfloat16().float(), labels, valid, **PLAIN)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = supcon(z.bfloat16(), labels, valid, **PLAIN)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, atol=1e-6, rtol=1e-6)
