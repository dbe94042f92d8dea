"""What a training step minimises: the task's loss, and beside it penalties of the model or an auxiliary forecast."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.settings.training import FitSettings
from pipeline.training.clip_data import Batch
from pipeline.training.forward import forward, joint_forward, later_frames, regularised_forward
from pipeline.training.losses import Loss, loss_function, task_loss
from pipeline.training.team import Team


@dataclass(frozen=True)
class Share:
    """How much of the whole batch a process's part of it is: of its clips, and of their seconds."""

    clips: float = 1.0
    seconds: float = 1.0


def share_of(team: Team, lengths: np.ndarray) -> Share:
    """The share of a process in a batch of clips of `lengths` (b,) seconds."""
    counted = team.clips(len(lengths))
    seconds = lengths[team.part(len(lengths))][:counted].sum() / lengths.sum()
    return Share(counted / len(lengths), float(seconds))


class Objective(nn.Module):
    """The model with its losses, which are means over the whole batch however many processes compute them."""

    def __init__(
        self, model: nn.Module, settings: FitSettings, *, std: float, weights: Tensor | None, team: Team
    ) -> None:
        super().__init__()
        self.model, self.settings, self.team = model, settings, team
        self.loss = task_loss(settings.loop, std=std, weights=weights)
        self.forecast_loss = loss_function(settings.auxiliary.loss if settings.auxiliary else "mae", std=std)
        self.squared = loss_function("mse", std=std)

    def forward(self, batch: Batch, share: Share) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and the penalties in it before their weights."""
        settings, penalties = self.settings, self.settings.regularisers
        if penalties:
            output, found = regularised_forward(self.model, batch, settings)
            means = {name: self.team.whole(found[name], share.seconds) for name in penalties}
            added = sum(weight * means[name] for name, weight in penalties.items())
            return self._task(output, batch.target, share) + added, {k: mean.detach() for k, mean in means.items()}
        if settings.auxiliary is None:
            return self._task(forward(self.model, batch, settings), batch.target, share), {}
        logits, frames = joint_forward(self.model, batch, settings.auxiliary, settings.device)
        forecast = self._whole(
            self.forecast_loss, settings.auxiliary.loss, frames, later_frames(batch, settings.auxiliary), share
        )
        return self._task(logits, batch.target, share) + settings.auxiliary.weight * forecast, {}

    def _task(self, output: Tensor, target: Tensor, share: Share) -> Tensor:
        return self._whole(self.loss, self.settings.loop.loss, output, target, share)

    def _whole(self, loss: Loss, kind: str, output: Tensor, target: Tensor, share: Share) -> Tensor:
        """`loss` over the whole batch; the root of a mean is not the mean of the parts' roots."""
        if kind == "rmse" and self.team.size > 1:
            return torch.sqrt(self.team.whole(self.squared(output, target), share.clips))
        return self.team.whole(loss(output, target), share.clips)
