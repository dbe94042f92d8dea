"""SGLC as its equations stand, for benchmarks/sglc.py: learners in a loop over clips and heads, a network by autograd.

Specification sglc.md, sections 4 and 5. A head forms z = q W, then all pairs [z_i | z_j], then a . [z_i | z_j]: the way
of the graph attention networks from which the published learner is taken. All without dropout.
"""

from copy import deepcopy
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models._sglc_ggnn import GGNN
from pipeline.models._sglc_learner import MASKED, NO_EDGE, SLOPE, CorrectedLearner, PublishedLearner


def _scores(q: Tensor, W: Tensor, a: Tensor) -> Tensor:
    """e (n, n) of one clip and head: q (n, d), W (d, units), a (2, units)."""
    z = q @ W
    n, units = z.shape
    pairs = torch.cat([z.repeat_interleave(n, dim=0), z.repeat(n, 1)], dim=1).view(n, n, 2 * units)
    return functional.leaky_relu(pairs @ a.flatten(), SLOPE)


def published_loop(learner: PublishedLearner, x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
    """The graphs (b, n, n) of one second x (b, n, f), from those of the second before."""
    made = []
    for clip, before in zip(x, A, strict=True):
        total = torch.zeros_like(before)
        for _ in range(learner.heads):
            e = _scores(clip, learner.W, learner.a)
            total = total + torch.where(before > 0, e, MASKED).softmax(dim=-1)
        alpha = total / learner.heads
        alpha = torch.where(alpha > learner.threshold, alpha, NO_EDGE)
        learned = functional.softplus(alpha).softmax(dim=-1)
        made.append(learner.mixing * before + (1 - learner.mixing) * learned)
    return torch.stack(made)


def corrected_loop(learner: CorrectedLearner, x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
    """The graphs (b, n, n) of one second x (b, n, f), state s (b, n, h): any pair, few kept, anchored in A_0."""
    made = []
    for clip, state, prior in zip(x, s, A_0, strict=True):
        total = torch.zeros_like(prior)
        for W, a in zip(learner.W, learner.a, strict=True):
            total = total + _scores(torch.cat([clip, state], dim=-1), W, a).softmax(dim=-1)
        alpha = total / len(learner.W)
        kept = torch.zeros_like(alpha)
        for i, row in enumerate(alpha):
            others = torch.cat([row[:i], row[i + 1 :]])
            least = others.topk(learner.keep_edges or len(others)).values[-1]
            kept[i] = torch.where(row >= least, row, 0.0)
            kept[i, i] = row[i]
        learned = kept / kept.sum(dim=-1, keepdim=True)
        made.append(learner.mixing * prior + (1 - learner.mixing) * learned)
    return torch.stack(made)


def _equations(self: GGNN, h: Tensor, A: Tensor) -> Tensor:
    d = h.shape[-1]
    for _ in range(self.steps):
        messages = torch.cat([A @ h, A.mT @ h], dim=-1)
        gates = torch.cat([messages, h], dim=-1) @ self.W_gates + self.bias[: 2 * d]
        r, z = torch.sigmoid(gates).chunk(2, dim=-1)
        c = torch.tanh(torch.cat([messages, r * h], dim=-1) @ self.W_candidate + self.bias[2 * d :])
        h = (1 - z) * h + z * c
    return self.out(h)


def plain_network(model: nn.Module) -> nn.Module:
    """A copy of an SGLC network, with equal weights, whose graph networks run as the equations stand."""
    copy = deepcopy(model)
    for module in copy.modules():
        if isinstance(module, GGNN):
            module.forward = MethodType(_equations, module)  # type: ignore[method-assign]
    return copy
