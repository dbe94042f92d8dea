"""The graph learners of SGLC: attention over pairs of electrodes, every second (specification sglc.md, sections 4, 5).

A learner scores a pair by a1 . z_i + a2 . z_j with z = q W, which is q_i . (W a1) + q_j . (W a2): two numbers an
electrode and head, for which z itself is never formed. `scorers` gives W a1 and W a2, once for a whole clip.

Axes: b clip, p head, i receiver, j sender, d features of q, n electrode.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.settings.model_sglc import ModelSettings

SLOPE = 0.2  # of LeakyReLU below zero, as published
MASKED = -9e15  # published: score of a pair without an edge; a row of nothing else becomes uniform
NO_EDGE = -1e20  # published: what replaces a small attention weight; softplus makes it 0
XAVIER_GAIN = 1.414  # Velickovic et al., ICLR 2018; the specification gives no initial weights


def pair_scores(projected: Tensor) -> Tensor:
    """e (b, p, i, j) of projected (b, n, 2p): the receiver's numbers of all heads, then the sender's."""
    receiver, sender = projected.transpose(-1, -2).chunk(2, dim=-2)  # each b p n
    return functional.leaky_relu(receiver.unsqueeze(-1) + sender.unsqueeze(-2), SLOPE)


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

    def scorers(self) -> Tensor:
        """(d, 2): W a1 and W a2."""
        return self.W @ self.a.mT

    def input_scores(self, x: Tensor, scorers: Tensor) -> Tensor:
        """What of the scores does not depend on the state, (..., n, 2), of x (..., n, f)."""
        return x @ scorers

    def attention(self, inputs: Tensor, s: Tensor, scorers: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """Attention (b, p, i, j) without dropout: every head has the same."""
        e = pair_scores(inputs)[:, 0].masked_fill(A <= 0, MASKED)
        return e.softmax(dim=-1).unsqueeze(1).expand(-1, self.heads, -1, -1)

    def forward(self, inputs: Tensor, s: Tensor, scorers: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """The graph (b, i, j) of this second, from `input_scores` and the graph A of the second before."""
        attention = functional.dropout(self.attention(inputs, s, scorers, A, A_0), self.dropout, self.training)
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

    def scorers(self) -> Tensor:
        """(d, 2p): W a1 of every head, then W a2 of every head."""
        return torch.einsum("pdu,pku->dkp", self.W, self.a).flatten(1)

    def input_scores(self, x: Tensor, scorers: Tensor) -> Tensor:
        """What of the scores does not depend on the state, (..., n, 2p), of x (..., n, f)."""
        return x @ scorers[: self.n_inputs]

    def attention(self, inputs: Tensor, s: Tensor, scorers: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """alpha (b, p, i, j): softmax over the pairs that may have an edge; in training without those dropped.

        A self-loop always stays, so that no row is empty.
        """
        e = pair_scores(inputs + s @ scorers[self.n_inputs :])
        without = (A_0 == 0).unsqueeze(1) if self.of_prior else None
        if self.training and self.dropout:
            dropped = torch.rand_like(e) < self.dropout
            without = dropped if without is None else dropped | without
        if without is None:
            return e.softmax(dim=-1)
        loops = torch.eye(e.shape[-1], dtype=torch.bool, device=e.device)
        return e.masked_fill(without & ~loops, -torch.inf).softmax(dim=-1)

    def forward(self, inputs: Tensor, s: Tensor, scorers: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        """The graph (b, i, j) of this second, from `input_scores`, the state s (b, n, h) and A of the second before."""
        alpha = self.attention(inputs, s, scorers, A, A_0).mean(dim=1)
        kept = torch.where(self._kept(alpha.detach()), alpha, 0.0)
        total = kept.sum(dim=-1, keepdim=True)
        learned = torch.where(total > 0, kept / total.clamp_min(torch.finfo(total.dtype).tiny), A_0)
        return torch.lerp(learned, A if self.recurrent else A_0, self.mixing)

    def _kept(self, alpha: Tensor) -> Tensor:
        """Which of alpha (b, i, j) stay: self-loops, and the largest or the large ones. Equal ones stay together."""
        loops = torch.eye(alpha.shape[-1], dtype=torch.bool, device=alpha.device)
        if self.keep_edges is None:
            return (alpha > self.threshold) | loops
        others = alpha.masked_fill(loops, -1.0)
        least = others.topk(min(self.keep_edges, alpha.shape[-1] - 1), dim=-1).values[..., -1:]
        return (others >= least) | loops
