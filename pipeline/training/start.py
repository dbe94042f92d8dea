"""First weights of a training: a pre-trained or imported encoder, or a whole detector (Tang et al. 2022, table 8).

An encoder gives its layers and the head stays new. A detector gives every layer to a detector; to a classifier all but
the head, which has another number of outputs. Weights that do not fit are an error: no training starts from half of
what it was asked to start from.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.plugins import load_plugin
from pipeline.settings.training import FitSettings
from pipeline.training.imported_card import differences
from pipeline.training.model_io import build_model, load_weights
from pipeline.training.sampling import TORCH, generator

FROM_SCRATCH = "drawn at random from the seed"  # `initial_weights` of a card


class UnfitWeights(ValueError):
    """Weights that do not belong to the model that is to start from them; the message names the first that differs."""


def drawn_model(settings: FitSettings, *, n_features: int, zero: float) -> nn.Module:
    """A new model whose weights are drawn from the run's seed: what a training from scratch begins with."""
    torch.manual_seed(int(generator(settings.seed, TORCH).integers(2**63)))
    return build_model(settings, n_features=n_features, zero=zero)


def described(settings: FitSettings, *, encoder: bool) -> str:
    """Where the first weights came from, for the card."""
    start = settings.start
    if start is None:
        return "the corpus's own pre-training" if encoder else FROM_SCRATCH
    where = "the corpus itself" if start.corpus is None else start.corpus
    told = {
        "ssl": f"pre-training on {where}",
        "transfer": f"detector {start.run} of {where}",
        "imported": "an imported encoder",
    }
    return told[start.init]


def start_from_encoder(model: nn.Module, path: Path, settings: FitSettings) -> list[str]:
    """Copy the layers of the encoder in `path`; returns the names of what was copied. Raises UnfitWeights."""
    if settings.start is not None and settings.start.init == "imported" and (wrong := differences(path, settings)):
        raise UnfitWeights(f"{path}: " + "; ".join(wrong))
    try:
        return load_plugin("models", settings.model).transfer(model, load_weights(path))
    except KeyError as error:
        raise UnfitWeights(f"{path}: this encoder has no weight {error}; it is not of model {settings.model}") from None
    except ValueError as error:
        raise UnfitWeights(f"{path}: {error}") from None


def start_from_detector(model: nn.Module, path: Path, settings: FitSettings, *, n_features: int) -> list[str]:
    """Copy what a detector in `path` and `model` have in common; returns its names.

    Raises UnfitWeights unless the file holds exactly the detector that `settings` describe.
    """
    weights = load_weights(path)
    with torch.device("meta"):
        asked = FitSettings.model_validate(settings.model_dump() | {"task": "detection"})
        wanted = build_model(asked, n_features=n_features).state_dict()
    for name in sorted({*wanted, *weights}):
        theirs, own = _shape(weights.get(name)), _shape(wanted.get(name))
        if theirs != own:
            raise UnfitWeights(
                f"{path}: weight {name} is {theirs} there and {own} in the detector of this run; "
                "the source run needs the same model, graph, features and sizes"
            )
    state = model.state_dict()
    copied = sorted(name for name, value in state.items() if name in weights and weights[name].shape == value.shape)
    with torch.no_grad():
        for name in copied:
            state[name].copy_(weights[name])
    return copied


def _shape(value: Tensor | None) -> str:
    return "absent" if value is None else "x".join(str(size) for size in value.shape) or "one number"
