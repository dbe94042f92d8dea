"""CNN-LSTM baseline: each second is an image of electrodes by features; convolutions describe it, an LSTM follows.

Tang et al., ICLR 2022, section 3.2 (after Ahmedt-Aristizabal et al. 2020). Per second two 3x3 convolutions without
padding, 2x2 max-pooling, a linear layer; then an LSTM over the seconds, its last valid output, a linear layer. The
published code has no nonlinearity but the pooling and the LSTM's own, and no dropout.

Axes: b clip, t second, n electrode, f feature, c channel, e embedding, h hidden.

Nothing stands between the two convolutions, so they are one of 5x5 with a kernel made from both: the same function and
the same parameters for a twelfth of the products. `embed` looks at each second alone, which occlusion makes use of.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.lstm import last_valid
from pipeline.settings.base import SettingsError
from pipeline.settings.model_cnn_lstm import ModelSettings

KERNEL, POOL = 3, 2
LOST = 2 * (KERNEL - 1)  # rows and columns that two convolutions without padding take away


class Classifier(nn.Module):
    """Convolutions over each second's image, then an LSTM over the seconds."""

    parts: Literal["second"] = "second"  # what `embed` treats apart

    def __init__(self, settings: ModelSettings, *, n_nodes: int, n_features: int, n_classes: int) -> None:
        super().__init__()
        channels, rows, columns = settings.channels, (n_nodes - LOST) // POOL, (n_features - LOST) // POOL
        if rows < 1 or columns < 1:
            raise SettingsError(
                f"models.cnn_lstm: needs {LOST + POOL} electrodes and features of a second or more, "
                f"has {n_nodes} electrodes and {n_features} features"
            )
        self.first = nn.Conv2d(1, channels, KERNEL)
        self.second = nn.Conv2d(channels, channels, KERNEL)
        self.embedding = nn.Linear(channels * rows * columns, settings.embedding)
        self.mixes_clips = settings.cnn_lstm_batch_axis
        over_seconds = not settings.cnn_lstm_batch_axis  # D15: the published one takes the clips of a batch for seconds
        self.lstm = nn.LSTM(settings.embedding, settings.units, settings.layers, batch_first=over_seconds)
        self.linear = nn.Linear(settings.units, n_classes)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """Logits (b, classes) of standardised x (b, t, n, f); what lies beyond `lengths` (b,) does not matter."""
        return self.combine(self.embed(x, lengths), lengths)

    def embed(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(b, t, e) of x (b, t, n, f): each second by itself."""
        b, t = x.shape[:2]
        kernel, bias = self._both_convolutions()
        images = functional.conv2d(x.flatten(0, 1).unsqueeze(1), kernel, bias)  # b t n f -> (b t) c n' f'
        return self.embedding(functional.max_pool2d(images, POOL).flatten(1)).view(b, t, -1)

    def combine(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Logits (b, classes) of the seconds (b, t, e)."""
        states, _ = self.lstm(embedded)  # b t e -> b t h
        return self.linear(last_valid(states, lengths))

    def _both_convolutions(self) -> tuple[Tensor, Tensor]:
        """Kernel (c, 1, 5, 5) and bias (c,) of the second convolution after the first."""
        W0, W1 = self.first.weight, self.second.weight
        kernel = functional.conv_transpose2d(W0.transpose(0, 1), W1.transpose(0, 1)).transpose(0, 1)
        assert self.first.bias is not None
        assert self.second.bias is not None
        return kernel, self.second.bias + torch.einsum("ochw,c->o", W1, self.first.bias)


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
    """The network of detection (one logit) and classification; it has no graph and no dropout."""
    return Classifier(settings, n_nodes=n_nodes, n_features=n_features, n_classes=n_classes)
