"""The card beside the weights of a SOZ model: all that is needed to use and to judge them. It bears no clock."""

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import torch
from torch import Tensor

from pipeline.metrics.thresholds import best_f1_threshold
from pipeline.models.soz import SozEncoder
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.soz_jobs import SozJob, SozTrainJob
from pipeline.training.model_io import count_parameters, load_weights
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_data import SozScaler
from pipeline.training.soz_fit import Fitted
from pipeline.training.soz_fold import Fold
from pipeline.training.soz_losses import class_weights

USE = "Research use only. Probabilities are of what clinicians marked as seizure onset zone in the training patients."


class UnfitEncoder(ValueError):
    """An encoder of another fold, seed or model than the training that is to start from it."""


@dataclass(frozen=True)
class Trained:
    """A model that is ready to predict, and what belongs to it."""

    model: SozEncoder
    settings: SozTrainJob
    scaler: SozScaler
    calibrator: Calibrator
    threshold: float


def base_card(settings: SozJob, fold: Fold, fitted: Fitted) -> dict[str, Any]:
    """What both trainings tell of themselves."""
    kept = fitted.history[fitted.history["kept"]].iloc[0]
    train = fold.data.clips[fold.data.clips["patient"].isin(fold.teaching["train"])]
    return {
        "use": USE,
        "settings": settings.model_dump(mode="json"),
        "fold": settings.fold,
        "seed": settings.seed,
        "fold_hash": fold.hash,
        "patients": fold.patients,
        "teaching": fold.teaching,
        "data": fold.data.digest(),
        "scaler": fold.scaler.to_json(),
        "class_counts": dict(zip(("negative", "positive"), fold.counts, strict=True)),
        "class_weights": _weights(settings, fold.counts),
        "prevalence": fold.counts[1] / sum(fold.counts),
        "channels": {"fewest": int(train["length"].min()), "most": int(train["length"].max())},
        "model_hash": weights_hash(fitted.weights),
        "parameters": count_parameters(SozEncoder(settings.model)),
        "epochs": len(fitted.history),
        "kept_epoch": {name: _plain(value) for name, value in kept.items() if name != "kept"},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "safetensors": safetensors.__version__,
        },
    }


def trained_card(calibrator: Calibrator, channels: pd.DataFrame) -> dict[str, Any]:
    """Calibrator and threshold, both of the labelled contacts of the inner patients: patient, label, logit.

    The threshold is the probability at which F1 is largest; below it no contact is called, and `predict` abstains.
    """
    p = calibrator(channels["logit"].to_numpy())
    return {"calibrator": calibrator.to_json(), "threshold": best_f1_threshold(channels["label"].to_numpy(), p)}


def _weights(settings: SozJob, counts: tuple[int, int]) -> dict[str, float] | None:
    """Weights of the classes where they are the same in all clips; None: each clip's own."""
    told = settings.model_dump()
    section = told.get("finetuning") or told["pretraining"]
    if section["counts"] == "segment":
        return None
    w = class_weights(torch.tensor(counts), beta=section["beta"], cap=section.get("weight_cap"))
    return dict(zip(("negative", "positive"), w.tolist(), strict=True))


def weights_hash(weights: dict[str, Tensor]) -> str:
    """Digest of the weights by name."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        found.update(name.encode())
        found.update(weights[name].detach().cpu().numpy().tobytes())
    return found.hexdigest()


def start_from(
    model: SozEncoder, weights: dict[str, Tensor], card: dict[str, Any], settings: SozTrainJob, fold: str
) -> None:
    """Copy the encoder's weights; the head stays new. Raises UnfitEncoder for one of another fold, seed or model."""
    told = card["settings"]
    for name, theirs, own in (
        ("fold", card["fold_hash"], fold),
        ("seed", card["seed"], settings.seed),
        ("labels", told["labels"], settings.labels),
        ("model", told["model"], settings.model.model_dump(mode="json")),
        ("weights", weights_hash(weights), card["model_hash"]),
    ):
        if theirs != own:
            raise UnfitEncoder(f"the encoder's {name} is {theirs}, and this training has {own}; pre-train it anew")
    state = model.state_dict()
    state |= {name: value for name, value in weights.items() if not name.startswith("head.")}
    model.load_state_dict(state)


def load_trained(path: Path, card: dict[str, Any], device: torch.device) -> Trained:
    """The model of a safetensors file and its card, ready to predict. Raises SettingsError, DamagedFile."""
    needed = ("settings", "scaler", "calibrator", "threshold", "model_hash")
    if missing := [name for name in needed if name not in card]:
        raise SettingsError(f"{path}, card: lacks {', '.join(missing)}; train the model anew")
    settings = parse_section(SozTrainJob, card["settings"], where=f"{path}, card")
    weights, model = load_weights(path), SozEncoder(settings.model)
    if weights_hash(weights) != card["model_hash"]:
        raise DamagedFile(path, "these are not the weights that the card is of", sealed=False)
    model.load_state_dict(weights)
    scaler, calibrator = SozScaler.from_json(card["scaler"]), Calibrator.from_json(card["calibrator"])
    return Trained(model.to(device).eval(), settings, scaler, calibrator, float(card["threshold"]))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
