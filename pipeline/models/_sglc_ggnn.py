"""Gated graph neural network: a few steps of message passing with shared weights (specification sglc.md, section 4).

    m_in = A h, m_out = A^T h
    r = sigmoid(Wr [m_in, m_out, h]), z = sigmoid(Wz [m_in, m_out, h]), c = tanh(Wh [m_in, m_out, r h])
    h <- (1 - z) h + z c;  after the last step: out = V h + b

Li et al., ICLR 2016. Nearly all of SGLC's arithmetic is here, so this is written for speed (docs/sglc.md, Cost). Rows
of A, of A^T and of I stand in turn in one operator (3n, n), whose result is already the operand [m_in, m_out, h]: no
concatenation. Wr and Wz are one product. The backward pass is written out: it keeps h, r, z and c of each step and
makes the messages again, which costs 2 % and saves half of the memory.

Axes: b clip, n electrode, d width of the node vectors.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from pipeline.models._sglc_products import add_product, affine


class _Step(NamedTuple):
    """What the backward pass needs of one step: h before it (b n, d), gates r and z (b n, 2d), candidate c (b n, d)."""

    h: Tensor
    gates: Tensor
    candidate: Tensor


def _operator(A: Tensor, *, own: bool) -> Tensor:
    """(b, n, n) -> (b, 2n, n): rows 2i and 2i + 1 are row i of A and of A^T; with `own` (b, 3n, n), the third of I."""
    rows = [A, A.mT]
    if own:
        rows.append(torch.eye(A.shape[-1], dtype=A.dtype, device=A.device).expand_as(A))
    return torch.stack(rows, dim=-2).flatten(-3, -2)


def _messages(P: Tensor, h: Tensor) -> Tensor:
    """[m_in, m_out] (b n, 2d), or [m_in, m_out, h] (b n, 3d), of h (b n, d) and an operator P (b, 2n or 3n, n)."""
    b, _, n = P.shape
    return torch.bmm(P, h.view(b, n, -1)).view(b * n, -1)


def _propagate(
    h: Tensor, A: Tensor, W_gates: Tensor, W_candidate: Tensor, bias: Tensor, steps: int
) -> tuple[Tensor, list[_Step]]:
    """h (b, n, d) after all steps, and what each step leaves."""
    (b, n, d), P, kept = h.shape, _operator(A, own=True), []
    flat = h.reshape(b * n, d)
    for _ in range(steps):
        X = _messages(P, flat)
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
        (b, n, d), P = grad.shape, _operator(A, own=False)
        W = torch.cat([W_gates[: 2 * d], W_candidate[: 2 * d]], dim=1).mT  # of the messages, (3d, 2d)
        made = _Gradients.zeros(grad, A if ctx.needs_input_grad[1] else None)
        dh = grad.reshape(b * n, d)
        for h, gates, c in reversed(kept):
            m, (r, z) = _messages(P, h), gates.split(d, dim=-1)
            dc = _through_tanh(dh * z, c)
            own = affine(dc, W_candidate[2 * d :].mT, None)  # gradient of r h
            d_gates = torch.cat([_through_sigmoid(own * h, r), _through_sigmoid(dh * (c - h), z)], dim=-1)
            dm = affine(d_all := torch.cat([d_gates, dc], dim=-1), W, None)
            made.add(d_all, dm, m, h, r)
            through = torch.addcmul(dh, dh, z, value=-1).addcmul_(own, r)
            dh = add_product(through, d_gates, W_gates[2 * d :].mT)
            dh = dh.view(b, n, d).baddbmm_(P.mT, dm.view(b, 2 * n, d)).view(b * n, d)
        return dh.view(b, n, d), made.A, *made.weights(), made.bias, None


class _Gradients(NamedTuple):
    """Sums over steps: of the graph (b, n, n), and of the weights of messages (3d, 2d), h (2d, d) and r h (d, d), bias.

    Weights are transposed, since the narrower factor of their product is the one that has to be moved in memory.
    """

    A: Tensor | None
    messages: Tensor
    own: Tensor
    reset: Tensor
    bias: Tensor

    @classmethod
    def zeros(cls, like: Tensor, A: Tensor | None) -> "_Gradients":
        """Nothing yet, for node vectors `like` (b, n, d)."""
        d = like.shape[-1]
        return cls(
            A=None if A is None else torch.zeros_like(A),
            messages=like.new_zeros(3 * d, 2 * d),
            own=like.new_zeros(2 * d, d),
            reset=like.new_zeros(d, d),
            bias=like.new_zeros(3 * d),
        )

    def add(self, d_all: Tensor, dm: Tensor, m: Tensor, h: Tensor, r: Tensor) -> None:
        """Add those of one step, from the gradients of [r, z, c] before their functions and of the messages."""
        d, moved = h.shape[-1], d_all.mT.contiguous()
        self.messages.add_(affine(moved, m, None))
        self.own.add_(affine(moved[: 2 * d], h, None))
        self.reset.add_(affine(moved[2 * d :], r * h, None))
        self.bias.add_(moved.sum(dim=1))
        if self.A is not None:
            nodes = h.view(*self.A.shape[:2], d)
            d_in, d_out = dm.view(*self.A.shape[:2], 2 * d).split(d, dim=-1)
            self.A.baddbmm_(d_in, nodes.mT).baddbmm_(nodes, d_out.mT)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Gradients of W_gates (3d, 2d) and W_candidate (3d, d)."""
        d = len(self.reset)
        pairs = (self.messages[: 2 * d], self.own), (self.messages[2 * d :], self.reset)
        gates, candidate = (torch.cat(pair, dim=1).mT for pair in pairs)
        return gates, candidate


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
