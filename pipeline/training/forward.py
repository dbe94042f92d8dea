"""A model applied to many clips, batch by batch, in the order of the table."""

from collections.abc import Iterator
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.settings.training import AuxiliarySettings, DeviceSettings, FitSettings
from pipeline.training.clip_data import Batch, ClipData
from pipeline.training.device import autocast


class JointModel(Protocol):
    """A classifier that can predict a clip's later seconds, too (see docs/architecture.md, Models)."""

    def joint(
        self, x: Tensor, lengths: Tensor, supports: Tensor, *, seen: int, horizon: int
    ) -> tuple[Tensor, Tensor]: ...


class RegularisedModel(Protocol):
    """A model that can say by what its training may be penalised; pre-training adds the horizon."""

    def regularised(
        self, x: Tensor, lengths: Tensor, supports: Tensor, *horizon: int
    ) -> tuple[Tensor, dict[str, Tensor]]: ...


def forward(model: nn.Module, batch: Batch, settings: FitSettings) -> Tensor:
    """Logits (b, c), or for pre-training the predicted frames (b, t, n, f), in float32."""
    with autocast(batch.x.device, settings.device):
        if settings.task == "pretraining":
            return model(batch.x, batch.lengths, batch.supports, settings.horizon_s).float()
        return model(batch.x, batch.lengths, batch.supports).float()


def regularised_forward(model: nn.Module, batch: Batch, settings: FitSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """What `forward` gives, and the model's penalties, each one number."""
    network, horizon = cast(RegularisedModel, model), [settings.horizon_s] if settings.task == "pretraining" else []
    with autocast(batch.x.device, settings.device):
        output, penalties = network.regularised(batch.x, batch.lengths, batch.supports, *horizon)
    return output.float(), {name: value.float() for name, value in penalties.items()}


def joint_forward(
    model: nn.Module, batch: Batch, task: AuxiliarySettings, device: DeviceSettings
) -> tuple[Tensor, Tensor]:
    """Logits (b, c), and the frames (b, t, n, f) predicted from the clips' first `seen_s` seconds, in float32."""
    network = cast(JointModel, model)
    with autocast(batch.x.device, device):
        logits, frames = network.joint(batch.x, batch.lengths, batch.supports, seen=task.seen_s, horizon=task.horizon_s)
    return logits.float(), frames.float()


def later_frames(batch: Batch, task: AuxiliarySettings) -> Tensor:
    """What `joint_forward` predicts: the seconds (b, t, n, f) of the clips that follow the first `seen_s`."""
    return batch.x[:, task.seen_s : task.seen_s + task.horizon_s]


def outputs(model: nn.Module, data: ClipData, rows: np.ndarray, *, batch_size: int) -> Iterator[tuple[Tensor, Batch]]:
    """Output and batch of the clips `rows`, without augmentation or gradients."""
    for batch in _batches(model, data, rows, batch_size):
        yield forward(model, batch, data.settings), batch


def joint_outputs(
    model: nn.Module, data: ClipData, rows: np.ndarray, task: AuxiliarySettings, *, batch_size: int
) -> Iterator[tuple[tuple[Tensor, Tensor], Batch]]:
    """`joint_forward` and batch of the clips `rows`, without augmentation or gradients."""
    for batch in _batches(model, data, rows, batch_size):
        yield joint_forward(model, batch, task, data.settings.device), batch


def _batches(model: nn.Module, data: ClipData, rows: np.ndarray, size: int) -> Iterator[Batch]:
    model.eval()
    with torch.inference_mode():
        yield from data.batches([(rows[start : start + size], None) for start in range(0, len(rows), size)])


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
