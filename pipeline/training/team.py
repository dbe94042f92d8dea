"""The processes of one training (torch's DistributedDataParallel): each computes its part of every batch.

All do the same in step: weights, moments, history and decisions are the same in each, and the first alone writes. What
is minimised is the mean over the whole batch, so a process's mean counts by its share of the batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.settings.base import SettingsError


@dataclass(frozen=True)
class Team:
    """Process `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def part(self, n_clips: int) -> slice:
        """This process's part of a batch; of fewer clips than processes one, which may count nothing."""
        start, stop = (n_clips * k // self.size for k in (self.rank, self.rank + 1))
        return slice(start, stop) if stop > start else slice(0, 1)

    def clips(self, n_clips: int) -> int:
        """How many of them count."""
        return n_clips * (self.rank + 1) // self.size - n_clips * self.rank // self.size

    def whole(self, part: Tensor, share: float) -> Tensor:
        """A mean over the whole batch, of the mean over this process's part, which is `share` of the batch.

        Its gradient is that of the part times the number of processes: DistributedDataParallel takes the mean.
        """
        if self.size == 1:
            return part
        own = part * share
        return self.total(own.detach()) + self.size * (own - own.detach())

    def total(self, value: Tensor) -> Tensor:
        """Sum over the processes."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def gathered(self, values: np.ndarray, device: torch.device) -> np.ndarray:
        """Arrays of which each process has filled its own places, the others being zero, put together."""
        if self.size == 1:
            return values
        return self.total(torch.from_numpy(values).to(device)).cpu().numpy()

    def wait(self, device: torch.device) -> None:
        """Until all are here: a sum on the process's `device`. NCCL's own barrier would have to guess the device."""
        if self.size > 1:
            self.total(torch.zeros((), device=device)).item()

    def averaging(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the processes. What no loss uses gets none, as in one process.

        Of three terms or more the sum depends on their order, and that on an element's place in its bucket. Buckets
        that were made anew after the first steps would not be those that a resumed training begins with, so DDP looks
        for unused weights in each step, by which the buckets stay. It warns where it finds none: it is given one.
        """
        if self.size == 1:
            return module
        device = next(module.parameters()).device
        module.register_parameter("in_no_loss", nn.Parameter(torch.zeros((), device=device)))
        return DistributedDataParallel(module, forward_sync_buffers=False, find_unused_parameters=True)


ALONE = Team()


def check_divisible(model: nn.Module, name: str, *, padded: bool) -> None:
    """Raise SettingsError for a model whose output for a clip depends on the other clips of its batch.

    `padded`: whether clips differ in length, so that others decide how far a clip is padded.
    """
    if getattr(model, "mixes_clips", False):
        how = "normalisation over the batch, or compat.cnn_lstm_batch_axis"
    elif padded and getattr(model, "mixes_padded_clips", False):
        how = "variant: published begins a layer with the last graph of the one below, which may be of padding"
    else:
        return
    raise SettingsError(
        f"training.<task>.<length>.processes: above 1, but with model {name} the clips of a batch are not "
        f"independent of each other ({how}); set it to 1"
    )


class SharedDropout(nn.Module):
    """Dropout whose draws are those of the whole batch, which one process would make, less those of the other parts."""

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.p, self.generator = p, generator
        self.n_clips, self.part = 0, slice(0, 0)  # of the batch at hand

    def forward(self, x: Tensor) -> Tensor:
        """(b, …) -> (b, …)."""
        if not self.training or self.p == 0:
            return x
        kept = torch.empty(self.n_clips, *x.shape[1:]).bernoulli_(1 - self.p, generator=self.generator)
        return x * (kept.div_(1 - self.p)[self.part].to(x))


class Draws:
    """Random numbers of a model in training, in several processes.

    nn.Dropout draws for the whole batch from one stream, as one process on a CPU does. Anything else that a model draws
    comes from a stream of the process and the step. Between steps torch's generator stands where the one stream does.
    """

    def __init__(self, model: nn.Module, team: Team) -> None:
        self.team, self.generator = team, torch.Generator()
        if team.size == 1:
            return
        places = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
                  if isinstance(child, nn.Dropout)]  # fmt: skip
        for parent, name in places:
            setattr(parent, name, SharedDropout(cast(nn.Dropout, getattr(parent, name)).p, self.generator))
        self.dropouts = [module for module in model.modules() if isinstance(module, SharedDropout)]

    @contextmanager
    def step(self, n_clips: int, step: Sequence[int]) -> Iterator[None]:
        """Draws of one batch of `n_clips`; `step`: numbers that name it."""
        if self.team.size == 1:
            yield
            return
        for dropout in self.dropouts:
            dropout.n_clips, dropout.part = n_clips, self.team.part(n_clips)
        self.generator.set_state(torch.get_rng_state())
        torch.manual_seed(int(np.random.default_rng([*step, self.team.rank]).integers(2**63)))
        yield
        torch.set_rng_state(self.generator.get_state())
