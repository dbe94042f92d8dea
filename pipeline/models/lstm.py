"""LSTM baseline: every second is one vector of all electrodes' features; no graph.

Tang et al., ICLR 2022, section 3.2 (after Hussein et al. 2018). Two LSTM layers over the seconds; the last valid output
goes through dropout, ReLU and a linear layer. Axes: b clip, t second, n electrode, f feature, h hidden.
"""

import torch
from torch import Tensor, nn

from pipeline.settings.model_lstm import ModelSettings


def last_valid(states: Tensor, lengths: Tensor) -> Tensor:
    """(b, t, h) -> (b, h): the output at each clip's last valid second; a recurrence has not seen what follows."""
    return states[torch.arange(len(states), device=states.device), lengths - 1]


class Classifier(nn.Module):
    """LSTM, last valid output, dropout, ReLU, linear layer."""

    def __init__(self, settings: ModelSettings, *, n_inputs: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_inputs, settings.units, settings.layers, batch_first=True)
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(settings.units, n_classes)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """Logits (b, classes) of standardised x (b, t, n, f); what lies beyond `lengths` (b,) does not matter."""
        states, _ = self.lstm(x.flatten(2))  # b t n f -> b t (n f)
        return self.linear(torch.relu(self.dropout(last_valid(states, lengths))))


def classifier(
    settings: ModelSettings,
    *,
    n_features: int,
    n_classes: int,
    n_supports: int,
    dropout: float,
    n_nodes: int,
    length_s: int,
) -> Classifier:
    """The network of detection (one logit) and classification; no graph, so `n_supports` changes nothing."""
    return Classifier(settings, n_inputs=n_nodes * n_features, n_classes=n_classes, dropout=dropout)
