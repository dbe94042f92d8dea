"""The graph network of SGLC: its written-out backward pass against autograd, its fast products against plain."""

import pytest
import torch
from torch import Tensor

from pipeline.models import _sglc_products
from pipeline.models._sglc_ggnn import GGNN
from pipeline.models._sglc_products import Function, add_product, affine

B, N, D, OUTPUTS, STEPS = 3, 5, 7, 4, 3


def equations(ggnn: GGNN, h: Tensor, A: Tensor) -> Tensor:
    """Specification sglc.md, section 4, as it stands there; gradients by autograd."""
    d = h.shape[-1]
    for _ in range(ggnn.steps):
        messages = torch.cat([A @ h, A.mT @ h], dim=-1)
        gates = torch.cat([messages, h], dim=-1) @ ggnn.W_gates + ggnn.bias[: 2 * d]
        r, z = torch.sigmoid(gates).chunk(2, dim=-1)
        c = torch.tanh(torch.cat([messages, r * h], dim=-1) @ ggnn.W_candidate + ggnn.bias[2 * d :])
        h = (1 - z) * h + z * c
    return ggnn.out(h)


def example(dtype: torch.dtype, width: int = D) -> tuple[GGNN, Tensor, Tensor]:
    torch.manual_seed(0)
    ggnn = GGNN(width, OUTPUTS, steps=STEPS).to(dtype)
    with torch.no_grad():
        ggnn.W_gates *= 3  # gates and candidate away from the middle of their curves
        ggnn.W_candidate *= 3
    A = torch.rand(B, N, N, dtype=dtype)
    return (
        ggnn,
        torch.randn(B, N, width, dtype=dtype, requires_grad=True),
        (A / A.sum(-1, keepdim=True)).requires_grad_(),
    )


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_forward_and_backward_pass_equal_the_equations(dtype: torch.dtype, atol: float) -> None:
    ggnn, h, A = example(dtype)
    leaves = [h, A, *ggnn.parameters()]
    weight = torch.randn(B, N, OUTPUTS, dtype=dtype)
    ours, plain = ggnn(h, A), equations(ggnn, h, A)
    torch.testing.assert_close(ours, plain, atol=atol, rtol=0)
    found, expected = (torch.autograd.grad((out * weight).sum(), leaves) for out in (ours, plain))
    for own, other in zip(found, expected, strict=True):
        assert other.abs().max() > 1e-3  # a gradient of zero would be equal to anything broken
        torch.testing.assert_close(own, other, atol=atol * float(other.abs().max()), rtol=0)


def test_numeric_gradient() -> None:
    ggnn, h, A = example(torch.float64)
    assert torch.autograd.gradcheck(lambda h, A: ggnn(h, A), (h, A))


def test_without_gradients_the_same_bits() -> None:
    ggnn, h, A = example(torch.float32, width=40)
    with torch.no_grad():
        plain = ggnn(h, A)
    assert torch.equal(plain, ggnn(h, A))
    assert torch.equal(plain, ggnn(h, A))


def test_a_graph_that_needs_no_gradient_gets_none() -> None:
    ggnn, h, A = example(torch.float64)
    fixed = A.detach()
    with_graph, without = (torch.autograd.grad(ggnn(h, graph).sum(), [h])[0] for graph in (A, fixed))
    assert torch.equal(with_graph, without)


@pytest.mark.parametrize("function", ["none", "sigmoid", "tanh"])
def test_fast_products_equal_those_of_float64(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """By oneDNN where torch has it, and by torch itself: both within float32's rounding."""
    torch.manual_seed(0)
    x, W, bias, y = torch.randn(37, 50), torch.randn(50, 23), torch.randn(23), torch.randn(37, 23)
    named = {"none": lambda value: value, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[function]
    for operator in (_sglc_products.ONEDNN, None):
        monkeypatch.setattr(_sglc_products, "ONEDNN", operator)
        exact = x.double() @ W.double()
        torch.testing.assert_close(affine(x, W, bias, function).double(), named(exact + bias), atol=2e-5, rtol=0)
        torch.testing.assert_close(affine(x, W, None).double(), exact, atol=2e-5, rtol=0)
        torch.testing.assert_close(add_product(y, x, W).double(), exact + y, atol=2e-5, rtol=0)
        torch.testing.assert_close(affine(x, W.mT.contiguous().mT, bias), affine(x, W, bias), atol=2e-5, rtol=0)
