"""What the next step of a training depends on, as tensors of a checkpoint: weights, best weights, Adam's moments.

Random numbers follow from seed and epoch. Only within an epoch has dropout's generator a state, which is kept with the
number of steps done and the losses summed up so far.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of Adam, per parameter; the step counter lives on the CPU


@dataclass
class Part:
    """The part of an epoch that is done: steps, and each loss summed over the clips seen."""

    steps: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)
    rng: dict[str, Tensor] = field(default_factory=dict)  # of a part that was read; by device type

    def add(self, losses: dict[str, Tensor], n_clips: int) -> None:
        """One more step, whose losses are means over `n_clips`."""
        self.steps += 1
        for name, value in losses.items():
            self.totals[name] = self.totals.get(name, torch.zeros_like(value)) + value * n_clips

    def is_finite(self) -> bool:
        """Whether it is worth keeping: what has diverged is not (faults.md, row 32)."""
        return all(math.isfinite(float(total)) for total in self.totals.values())

    def tensors(self) -> dict[str, Tensor]:
        """`total.<loss>` and `rng.<device type>`."""
        tensors = {f"total.{name}": value.cpu() for name, value in self.totals.items()}
        tensors["rng.cpu"] = torch.get_rng_state()
        if any(value.is_cuda for value in self.totals.values()):
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        return tensors

    def restore_rng(self) -> None:
        """Put dropout's generators where they were; of a part that has not begun nothing."""
        if "cpu" in self.rng:
            torch.set_rng_state(self.rng["cpu"])
        if "cuda" in self.rng:
            torch.cuda.set_rng_state(self.rng["cuda"])


def stored_part(tensors: dict[str, Tensor], steps: int, device: torch.device) -> Part:
    """The part in a state that was kept within an epoch, its sums on `device`; of one between epochs an empty one."""
    totals = {name: value.to(device) for name, value in _below(tensors, "total.").items()}
    return Part(steps, totals, _below(tensors, "rng."))


def state_tensors(model: nn.Module, optimiser: torch.optim.Optimizer, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """`model.<name>`, `best.<name>` and `adam.<name>.<moment>`, on the CPU."""
    tensors = {f"model.{name}": value.detach().cpu() for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for name, parameter in model.named_parameters():
        state = optimiser.state.get(parameter, {})  # none of a weight that no loss uses
        tensors |= {f"adam.{name}.{moment}": state[moment].detach().cpu() for moment in MOMENTS if state}
    return {name: value.contiguous() for name, value in tensors.items()}


def put_back(model: nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put model and optimiser where `state_tensors` found them; the best weights so far."""
    model.load_state_dict(_below(tensors, "model."))
    for name, parameter in model.named_parameters():
        homes = {"step": torch.device("cpu"), "exp_avg": parameter.device, "exp_avg_sq": parameter.device}
        if f"adam.{name}.{MOMENTS[0]}" in tensors:
            optimiser.state[parameter] = {
                moment: tensors[f"adam.{name}.{moment}"].to(home, copy=True) for moment, home in homes.items()
            }
    return _below(tensors, "best.")


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
