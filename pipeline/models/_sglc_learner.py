"""The graph learners of SGLC: attention over pairs of electrodes, every second (specification sglc.md, sections 4, 5).

A learner scores a pair by a1 . z_i + a2 . z_j with z = q W, which is q_i . (W a1) + q_j . (W a2): two numbers an
electrode and head, for which z itself is never formed. What does not depend on the state is made for all seconds at
once (`prepare`): the input's part of these numbers, and which edges dropout takes away.

Axes: b clip, t second, p head, i receiver, j sender, n electrode, f feature, h hidden.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.settings.model_sglc import ModelSettings

SLOPE = 0.2  # of LeakyReLU below zero, as published
MASKED = -9e15  # published: score of a pair without an edge; a row of nothing else becomes uniform
NO_EDGE = -1e20  # published: what replaces a small attention weight; softplus makes it 0
XAVIER_GAIN = 1.414  # Velickovic et al., ICLR 2018; the specification gives no initial weights


class Prepared(NamedTuple):
    """Of all seconds: the input's part of what electrodes are scored by, (t, b, 2p, n), receivers of all heads first;
    the state's weights (2p, h) in these numbers; what is added to the pairs' scores, (t or 1, b, p, i, j): 0 or -inf.
    """

    inputs: Tensor
    state_weights: Tensor | None = None
    masks: Tensor | None = None


def pair_scores(projected: Tensor, mask: Tensor | None = None) -> Tensor:
    """e (b, p, i, j) of projected (b, 2p, n), with `mask` added."""
    receiver, sender = projected.chunk(2, dim=-2)  # each b p n
    e = receiver.unsqueeze(-1) + sender.unsqueeze(-2)
    return functional.leaky_relu_(e if mask is None else e.add_(mask), SLOPE)


class PublishedLearner(nn.Module):
    """One W and a for all heads, of the input alone, masked by the sign of the graph before (defects 1 and 2)."""

    def __init__(self, settings: ModelSettings, *, n_inputs: int) -> None:
        super().__init__()
        self.heads, self.dropout = settings.heads, settings.attention_dropout
        self.mixing, self.threshold = settings.mixing, settings.edge_threshold
        self.W = nn.Parameter(torch.empty(n_inputs, settings.learner_units))
        self.a = nn.Parameter(torch.empty(2, settings.learner_units))
        nn.init.xavier_uniform_(self.W, gain=XAVIER_GAIN)
        nn.init.xavier_uniform_(self.a, gain=XAVIER_GAIN)
        # two linear maps a head that the published code makes and never uses: they only count
        self.legacy_unused = nn.Parameter(torch.zeros(2 * settings.heads, n_inputs), requires_grad=False)

    def prepare(self, x: Tensor, A_0: Tensor) -> Prepared:
        """What `attention` and `forward` need, of the seconds x (t, b, n, f)."""
        return Prepared((x @ (self.W @ self.a.mT)).mT)

    def attention(self, given: Prepared, t: int, s: Tensor, A: Tensor) -> Tensor:
        """Attention (b, p, i, j) of second t without dropout: every head has the same."""
        e = pair_scores(given.inputs[t])[:, 0].masked_fill(A <= 0, MASKED)
        return e.softmax(dim=-1).unsqueeze(1).expand(-1, self.heads, -1, -1)

    def forward(self, given: Prepared, t: int, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """The graph (b, i, j) of second t, from the graph A of the second before."""
        attention = functional.dropout(self.attention(given, t, s, A), self.dropout, self.training)
        alpha = attention.mean(dim=1)
        alpha = torch.where(alpha > self.threshold, alpha, NO_EDGE)
        return torch.lerp(functional.softplus(alpha).softmax(dim=-1), A, self.mixing)


class CorrectedLearner(nn.Module):
    """Independent heads that look at input and state; row-stochastic, sparse, mixed with the prior."""

    def __init__(self, settings: ModelSettings, *, n_inputs: int) -> None:
        super().__init__()
        self.n_inputs, self.dropout, self.mixing = n_inputs, settings.attention_dropout, settings.mixing
        self.keep_edges = settings.keep_edges if settings.sparsify == "topk" else None
        self.threshold, self.of_prior = settings.edge_threshold, settings.support == "prior"
        self.recurrent = settings.recurrence == "recurrent"
        width, units = n_inputs + settings.units, settings.learner_units
        self.W = nn.Parameter(torch.empty(settings.heads, width, units))
        self.a = nn.Parameter(torch.empty(settings.heads, 2, units))
        for W, a in zip(self.W, self.a, strict=True):
            nn.init.xavier_uniform_(W, gain=XAVIER_GAIN)
            nn.init.xavier_uniform_(a, gain=XAVIER_GAIN)

    def prepare(self, x: Tensor, A_0: Tensor) -> Prepared:
        """What `attention` and `forward` need, of the seconds x (t, b, n, f); in training, dropout is drawn here."""
        weights = torch.einsum("pdu,pku->kpd", self.W, self.a).flatten(0, 1)  # W a1 of every head, then W a2
        inputs = (x @ weights[:, : self.n_inputs].mT).mT.contiguous()
        return Prepared(inputs, weights[:, self.n_inputs :], self._masks(len(x), A_0))

    def _masks(self, t: int, A_0: Tensor) -> Tensor | None:
        """-inf where a pair may have no edge or dropout takes it away, else 0; a self-loop always stays."""
        without = (A_0 == 0)[None, :, None] if self.of_prior else None
        if self.training and self.dropout:
            (b, n, _), p = A_0.shape, len(self.W)
            dropped = torch.rand(t, b, p, n, n, dtype=A_0.dtype, device=A_0.device) < self.dropout
            without = dropped if without is None else dropped | without
        if without is None:
            return None
        loops = torch.eye(A_0.shape[-1], dtype=torch.bool, device=A_0.device)
        return torch.zeros_like(without, dtype=A_0.dtype).masked_fill_(without & ~loops, -torch.inf)

    def attention(self, given: Prepared, t: int, s: Tensor, A: Tensor) -> Tensor:
        """alpha (b, p, i, j) of second t, from the state s (b, n, h): softmax over the pairs that may have an edge."""
        assert given.state_weights is not None
        weights = given.state_weights.expand(len(s), -1, -1)
        mask = None if given.masks is None else given.masks[min(t, len(given.masks) - 1)]
        return pair_scores(torch.baddbmm(given.inputs[t], weights, s.mT), mask).softmax(dim=-1)

    def forward(self, given: Prepared, t: int, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """The graph (b, i, j) of second t, from the state s (b, n, h) and the graph A of the second before."""
        alpha = self.attention(given, t, s, A).mean(dim=1)
        kept = alpha * self._kept(alpha.detach())
        total = kept.sum(dim=-1, keepdim=True)
        if self.keep_edges is None:  # a row that no weight is left in is that of the prior; topk leaves it the largest
            kept, total = torch.where(total > 0, kept, A_0), torch.where(total > 0, total, 1.0)
        return torch.lerp(kept / total, A if self.recurrent else A_0, self.mixing)

    def _kept(self, alpha: Tensor) -> Tensor:
        """Which of alpha (b, i, j) stay: self-loops, and the largest or the large ones. Equal ones stay together."""
        n = alpha.shape[-1]
        loops_first = alpha + 2 * torch.eye(n, dtype=alpha.dtype, device=alpha.device)
        if self.keep_edges is None:
            return loops_first > self.threshold
        least = loops_first.topk(min(self.keep_edges + 1, n), dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
        return loops_first >= least
