"""What each head of a trained SGLC attends to, second by second: for looking at a model, never for training it.

The learner's attention is asked again for all seconds at once, from the states and graphs that the layers left behind.
Axes: b clip, t second, p head, n electrode, f feature, h hidden; time comes first, (t, b, n, f).
"""

from typing import Protocol

import torch
from torch import Tensor


class Learner(Protocol):
    """What both learners have in common (_sglc_learner.py)."""

    def scorers(self) -> Tensor: ...
    def input_scores(self, x: Tensor, scorers: Tensor) -> Tensor: ...
    def attention(self, inputs: Tensor, s: Tensor, scorers: Tensor, A: Tensor, A_0: Tensor) -> Tensor: ...


def layer_heads(learner: Learner, x: Tensor, states: Tensor, graphs: Tensor, first: Tensor, A_0: Tensor) -> Tensor:
    """Attention (t, b, p, n, n) of one layer, before it is averaged over heads, thinned out and mixed with the prior.

    x (t, b, n, f) the layer's input; its states (t, b, n, h) and graphs (t, b, n, n) after each second; `first` the
    graph (b, n, n) before the first second; A_0 (b, n, n).
    """
    t, b = x.shape[:2]
    scorers = learner.scorers()
    before = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
    graph_before = torch.cat([first[None], graphs[:-1]])
    flat = [part.flatten(0, 1) for part in (learner.input_scores(x, scorers), before, graph_before)]
    attention = learner.attention(flat[0], flat[1], scorers, flat[2], A_0.expand(t, *A_0.shape).flatten(0, 1))
    return attention.unflatten(0, (t, b))
