"""What each task minimises, per batch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.settings.training import LoopSettings

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_function(kind: str, *, std: float) -> Loss:
    """loss(output, target), a mean over the batch.

    `bce` and `ce`: logits (b, c), class numbers (b,). `mae`, `rmse` and `mse`: standardised frames (b, t, n, f); the
    error is given in log-amplitude units (times the scaler's std, `mse` its square), as the published numbers are.
    Raises ValueError for any other name, capitals included (defect 3 of SGLC: 'MAE' chose the other loss).
    """
    known: dict[str, Loss] = {
        "bce": lambda logits, labels: functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float()),
        "ce": functional.cross_entropy,
        "mae": lambda frames, target: functional.l1_loss(frames, target) * std,
        "rmse": lambda frames, target: torch.sqrt(functional.mse_loss(frames, target)) * std,
        "mse": lambda frames, target: functional.mse_loss(frames, target) * std**2,
    }
    if kind not in known:
        raise ValueError(f"no loss {kind!r}; there are {', '.join(known)}")
    return known[kind]


def task_loss(settings: LoopSettings, *, std: float, weights: Tensor | None) -> Loss:
    """The loss of a task. `weights` (c,) of the classes: `weighted_ce` alone needs them.

    `weighted_ce` = mean of w_y CE over the clips y. `focal` = mean of (1 - p_y)^gamma CE (Lin et al., ICCV 2017),
    with gamma = `focal_gamma`; gamma 0 is CE.
    """
    if settings.loss == "weighted_ce":
        assert weights is not None
        chosen = weights
        return lambda logits, labels: (chosen[labels] * _each(logits, labels)).mean()
    if settings.loss == "focal":
        assert settings.focal_gamma is not None  # LoopSettings sees to it
        gamma = settings.focal_gamma
        return lambda logits, labels: _focal(_each(logits, labels), gamma)
    return loss_function(settings.loss, std=std)


def _each(logits: Tensor, labels: Tensor) -> Tensor:
    """-ln p_y (b,) of logits (b, c) and labels (b,)."""
    return functional.cross_entropy(logits, labels, reduction="none")


def _focal(losses: Tensor, gamma: float) -> Tensor:
    wrong = -torch.expm1(-losses)  # 1 - p_y, exact where p_y is near 1
    return (wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** gamma * losses).mean()  # a power's slope at 0 may be inf


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(c,) inverse frequencies of the training clips' `labels` (clips,), with mean 1 over the clips.

    w_c = clips / (classes that occur x clips of c). A class that no clip is of counts as 1, should a validation clip
    be of it.
    """
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    return np.divide(len(labels) / present.sum(), counts, out=np.ones(n_classes), where=present)
