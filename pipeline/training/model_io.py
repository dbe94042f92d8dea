"""Models by name, and their weights as safetensors: no pickle, equal weights give equal bytes."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from pipeline.clips import classes
from pipeline.plugins import load_plugin
from pipeline.sealing import UNSEALED, DamagedFile, checked_bytes, is_sealed, seal
from pipeline.settings.base import Section, SettingsError, parse_section
from pipeline.settings.training import FitSettings
from pipeline.store import replacing

N_SUPPORTS = {"distance": 1, "correlation": 2, "none": 0}


@runtime_checkable
class PaddingModel(Protocol):
    """A model that pads clips itself, and may have to do so as if they were not standardised yet (D16)."""

    def pad_with(self, value: float) -> None: ...


def class_names(settings: FitSettings) -> tuple[str, ...]:
    """Names of the classes whose probabilities the model gives: one for detection, none for pre-training."""
    return {"detection": ("seizure",), "pretraining": ()}.get(settings.task, classes(settings.scheme))


def model_options(settings: FitSettings) -> Section:
    """The model's typed settings, with the gate bias of this task and length if these have one of their own."""
    options = dict(settings.options)
    if settings.gate_bias is not None and "init" in options:
        options["init"] = {**options["init"], "gate_bias": settings.gate_bias}
    kind = load_plugin("settings", f"model_{settings.model}").ModelSettings
    return parse_section(kind, options, where=f"models.{settings.model}")


def build_model(settings: FitSettings, *, n_features: int, zero: float | None = None) -> nn.Module:
    """A new model for the task; its initial weights come from torch's generator, seeded by the caller.

    `zero` is what a frame of zeros becomes when it is standardised; a model whose weights are then loaded needs none.
    """
    module, options = load_plugin("models", settings.model), model_options(settings)
    n_supports = N_SUPPORTS[settings.graph]
    if settings.task == "pretraining":
        return module.forecaster(options, n_features=n_features, n_supports=n_supports)
    model = (module.joint_classifier if settings.auxiliary else module.classifier)(
        options,
        n_features=n_features,
        n_classes=len(class_names(settings)),
        n_supports=n_supports,
        dropout=settings.loop.dropout,
        n_nodes=len(settings.electrodes),
        length_s=settings.length_s,
    )
    if zero is not None and isinstance(model, PaddingModel):
        model.pad_with(zero)
    return model


def count_parameters(model: nn.Module) -> int:
    """Number of weights; statistics that a model keeps (buffers) are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def load_model(path: Path, card: dict[str, Any], *, device: torch.device) -> tuple[nn.Module, FitSettings]:
    """The trained model of a safetensors file and its card, ready to predict, and the settings it was trained with.

    Raises SettingsError for a card, DamagedFile for weights that cannot be used.
    """
    n_features = card.get("n_features") if isinstance(card, dict) else None
    if not isinstance(n_features, int) or n_features < 1 or "settings" not in card:
        raise SettingsError(f"{path}, card: needs settings and n_features (a number), has {str(card)[:80]}")
    settings = parse_section(FitSettings, card["settings"], where=f"{path}, card")
    weights = load_weights(path)
    wanted, found = _shapes(settings, n_features, path), {name: value.shape for name, value in weights.items()}
    if wrong := sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name)):
        raise DamagedFile(path, f"weights do not fit the card: {', '.join(wrong)[:200]}", sealed=False)
    model = build_model(settings, n_features=n_features)
    model.load_state_dict(weights)
    return model.to(device).eval(), settings


def _shapes(settings: FitSettings, n_features: int, path: Path) -> dict[str, torch.Size]:
    """Shapes of the weights of the model that a card describes; a wrong card must not claim memory."""
    try:
        with torch.device("meta"):
            model = build_model(settings, n_features=n_features)
    except (RuntimeError, TypeError, OverflowError) as error:
        raise SettingsError(f"{path}, card: no model has these sizes: {str(error)[:100]}") from None
    return {name: value.shape for name, value in model.state_dict().items()}


def save_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write tensors to one safetensors file, whole or not at all."""
    with replacing(path) as temporary:
        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        save_file(tensors, temporary, metadata={"checksum": UNSEALED})
        seal(temporary)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors from a safetensors file. Raises DamagedFile, also where a weight is not finite."""
    data = checked_bytes(path)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedFile(path, f"no safetensors: {error}", sealed=is_sealed(data)) from None
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise DamagedFile(path, f"the weights {name!r} are not finite", sealed=is_sealed(data))
    return tensors
