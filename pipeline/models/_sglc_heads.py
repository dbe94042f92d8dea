"""What each head of a trained SGLC attends to, second by second: for looking at a model, never for training it.

The learner's attention is asked again, from the states and graphs that the layers left behind.
Axes: b clip, t second, p head, n electrode, f feature, h hidden; time comes first, (t, b, n, f).
"""

import torch
from torch import Tensor

from pipeline.models._sglc_learner import CorrectedLearner, PublishedLearner


def layer_heads(
    learner: CorrectedLearner | PublishedLearner, x: Tensor, states: Tensor, graphs: Tensor, first: Tensor, A_0: Tensor
) -> Tensor:
    """Attention (t, b, p, n, n) of one layer, before it is averaged over heads, thinned out and mixed with the prior.

    x (t, b, n, f) the layer's input; its states (t, b, n, h) and graphs (t, b, n, n) after each second; `first` the
    graph (b, n, n) before the first second; A_0 (b, n, n).
    """
    given, s, A, found = learner.prepare(x, A_0), torch.zeros_like(states[0]), first, []
    for t in range(len(x)):
        found.append(learner.attention(given, t, s, A))
        s, A = states[t], graphs[t]
    return torch.stack(found)
