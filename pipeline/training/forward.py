"""A model applied to many clips, batch by batch, in the order of the table."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.settings.training import FitSettings
from pipeline.training.clip_data import Batch, ClipData
from pipeline.training.device import autocast


def forward(model: nn.Module, batch: Batch, settings: FitSettings) -> Tensor:
    """Logits (b, c), or for pre-training the predicted frames (b, t, n, f), in float32."""
    with autocast(batch.x.device, settings.device):
        if settings.task == "pretraining":
            return model(batch.x, batch.lengths, batch.supports, settings.horizon_s).float()
        return model(batch.x, batch.lengths, batch.supports).float()


def outputs(model: nn.Module, data: ClipData, rows: np.ndarray, *, batch_size: int) -> Iterator[tuple[Tensor, Batch]]:
    """Output and batch of the clips `rows`, without augmentation or gradients."""
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            batch = data.batch(rows[start : start + batch_size])
            yield forward(model, batch, data.settings), batch


def predict_logits(model: nn.Module, data: ClipData, rows: np.ndarray, *, batch_size: int) -> np.ndarray:
    """Logits (i, c) float64 of the clips `rows` (i,)."""
    parts = [output.cpu().numpy() for output, _ in outputs(model, data, rows, batch_size=batch_size)]
    return np.concatenate(parts).astype(np.float64)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """(i, c) logits -> (i, c) probabilities: sigmoid of the one logit of detection, softmax over classes otherwise."""
    if logits.shape[1] == 1:
        return 1.0 / (1.0 + np.exp(-logits))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
