"""Gated graph neural network: a few steps of message passing with shared weights (specification sglc.md, section 4).

    m_in = A h, m_out = A^T h
    r = sigmoid(Wr [m_in, m_out, h]), z = sigmoid(Wz [m_in, m_out, h]), c = tanh(Wh [m_in, m_out, r h])
    h <- (1 - z) h + z c;  after the last step: out = V h + b

Li et al., ICLR 2016. Nearly all of SGLC's arithmetic is here, so this is written for speed. Rows of A, of A^T and of I
stand in turn in one operator (3n, n), whose result is already the operand [m_in, m_out, h]: no concatenation. Wr and Wz
are one product. The backward pass is written out: it keeps h, r, z and c of each step and makes the messages again,
which costs 3 % and saves half of the memory.

Axes: b clip, n electrode, d width of the node vectors.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from pipeline.models._sglc_products import add_product, affine, gram


class _Step(NamedTuple):
    """What the backward pass needs of one step: h before it (b n, d), gates r and z (b n, 2d), candidate c (b n, d)."""

    h: Tensor
    gates: Tensor
    candidate: Tensor


def _operator(A: Tensor) -> Tensor:
    """(b, n, n) -> (b, 3n, n): rows 3i, 3i + 1 and 3i + 2 are row i of A, of A^T and of I."""
    identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device).expand_as(A)
    return torch.stack([A, A.mT, identity], dim=-2).flatten(-3, -2)


def _operands(P: Tensor, h: Tensor) -> Tensor:
    """[m_in, m_out, h] (b n, 3d) of h (b n, d) and the operator P (b, 3n, n)."""
    b, _, n = P.shape
    return torch.bmm(P, h.view(b, n, -1)).view(b * n, -1)


def _propagate(
    h: Tensor, A: Tensor, W_gates: Tensor, W_candidate: Tensor, bias: Tensor, steps: int
) -> tuple[Tensor, list[_Step]]:
    """h (b, n, d) after all steps, and what each step leaves."""
    (b, n, d), P, kept = h.shape, _operator(A), []
    flat = h.reshape(b * n, d)
    for _ in range(steps):
        X = _operands(P, flat)
        gates = affine(X, W_gates, bias[: 2 * d], "sigmoid")
        r, z = gates.split(d, dim=-1)
        X[:, 2 * d :].mul_(r)
        candidate = affine(X, W_candidate, bias[2 * d :], "tanh")
        kept.append(_Step(flat, gates, candidate))
        flat = torch.lerp(flat, candidate, z)
    return flat.view(b, n, d), kept


class _Propagate(torch.autograd.Function):
    """`_propagate` with its backward pass."""

    @staticmethod
    @custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, h: Tensor, A: Tensor, W_gates: Tensor, W_candidate: Tensor, bias: Tensor, steps: int) -> Any:
        out, kept = _propagate(h, A, W_gates, W_candidate, bias, steps)
        ctx.save_for_backward(A, W_gates, W_candidate, *(tensor for step in kept for tensor in step))
        return out

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cuda")
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        A, W_gates, W_candidate, *saved = ctx.saved_tensors
        kept = [_Step(*saved[k : k + 3]) for k in range(0, len(saved), 3)]
        (b, n, d), P = grad.shape, _operator(A)
        dh, dA = grad.reshape(b * n, d), torch.zeros_like(A) if ctx.needs_input_grad[1] else None
        dW_gates, dW_candidate = torch.zeros_like(W_gates), torch.zeros_like(W_candidate)
        d_bias = grad.new_zeros(3 * d)
        for h, gates, c in reversed(kept):
            X, (r, z) = _operands(P, h), gates.split(d, dim=-1)
            dz = _through_sigmoid(dh * (c - h), z)
            dc = _through_tanh(dh * z, c)
            dX = affine(dc, W_candidate.mT, None)
            own = dX[:, 2 * d :]  # gradient of r h
            d_gates = torch.cat([_through_sigmoid(own * h, r), dz], dim=-1)
            own.mul_(r)
            dX = add_product(dX, d_gates, W_gates.mT)
            dW_gates += gram(X, d_gates)
            X[:, 2 * d :].mul_(r)
            dW_candidate += gram(X, dc)
            d_bias[: 2 * d] += d_gates.sum(dim=0)
            d_bias[2 * d :] += dc.sum(dim=0)
            if dA is not None:
                d_in, d_out, _ = dX.view(b, n, 3 * d).split(d, dim=-1)
                dA.baddbmm_(d_in, h.view(b, n, d).mT).baddbmm_(h.view(b, n, d), d_out.mT)
            through = torch.addcmul(dh, dh, z, value=-1)
            dh = through.view(b, n, d).baddbmm_(P.mT, dX.view(b, 3 * n, d)).view(b * n, d)
        return dh.view(b, n, d), dA, dW_gates, dW_candidate, d_bias, None


def _through_sigmoid(grad: Tensor, y: Tensor) -> Tensor:
    return torch.ops.aten.sigmoid_backward(grad, y)  # grad y (1 - y) in one pass over memory


def _through_tanh(grad: Tensor, y: Tensor) -> Tensor:
    return torch.ops.aten.tanh_backward(grad, y)  # grad (1 - y^2)


class GGNN(nn.Module):
    """`steps` steps on node vectors of `width` numbers, then a linear map to `n_outputs`; weights as torch's Linear."""

    def __init__(self, width: int, n_outputs: int, *, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.W_gates = nn.Parameter(torch.empty(3 * width, 2 * width))  # rows m_in, m_out, h; columns r, z
        self.W_candidate = nn.Parameter(torch.empty(3 * width, width))  # rows m_in, m_out, r h
        self.bias = nn.Parameter(torch.empty(3 * width))  # r, z, c
        for parameter in self.parameters():  # three Linear(3 width, width), as torch draws them
            nn.init.uniform_(parameter, -((3 * width) ** -0.5), (3 * width) ** -0.5)
        self.out = nn.Linear(width, n_outputs)

    def forward(self, h: Tensor, A: Tensor) -> Tensor:
        """(b, n, outputs) of node vectors h (b, n, d) and the graph A (b, n, n)."""
        return self.out(_Propagate.apply(h, A, self.W_gates, self.W_candidate, self.bias, self.steps))
