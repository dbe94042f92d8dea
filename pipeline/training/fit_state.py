"""What the next epoch of a training depends on, as tensors of a checkpoint: weights, best weights, Adam's moments.

Random numbers follow from seed and epoch, so that they have no state.
"""

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of Adam, per parameter; the step counter lives on the CPU


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
