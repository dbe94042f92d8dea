"""What each task minimises, per batch."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_function(kind: str, *, std: float) -> Loss:
    """loss(output, target), a mean over the batch.

    `bce` and `ce`: logits (b, c), class numbers (b,). `mae` and `rmse`: standardised frames (b, t, n, f); the error is
    given in log-amplitude units (times the scaler's std), as the published numbers are.
    """
    return {
        "bce": lambda logits, labels: functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float()),
        "ce": functional.cross_entropy,
        "mae": lambda frames, target: functional.l1_loss(frames, target) * std,
        "rmse": lambda frames, target: torch.sqrt(functional.mse_loss(frames, target)) * std,
    }[kind]
