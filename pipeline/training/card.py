"""The card beside a model's weights: everything that is needed to use and to judge them. It bears no clock."""

import platform
from typing import Any

import numpy as np
import safetensors
import torch

from pipeline.settings.training import FitSettings
from pipeline.training.loop import Fitted
from pipeline.training.model_io import class_names


def make_card(
    settings: FitSettings,
    *,
    fitted: Fitted,
    scaler: dict[str, Any],
    threshold: float | None,
    inputs: dict[str, list[str]],
    counts: dict[str, int],
    n_features: int,
    n_parameters: int,
) -> dict[str, Any]:
    """The card as JSON content; `inputs` digests of the files of each role, `counts` clips and patients seen."""
    kept = fitted.history[fitted.history["kept"]].iloc[0]
    numbers = {name: _plain(value) for name, value in kept.items() if name != "kept"}
    return {
        "task": settings.task,
        "length_s": settings.length_s,
        "graph": settings.graph,
        "seed": settings.seed,
        "classes": list(class_names(settings)),
        "threshold": threshold,
        "scaler": scaler,
        "n_features": n_features,
        "electrodes": list(settings.electrodes),
        "parameters": n_parameters,
        "epochs": len(fitted.history),
        "kept_epoch": numbers,
        "counts": counts,
        "settings": settings.model_dump(mode="json"),
        "inputs": inputs,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "safetensors": safetensors.__version__,
        },
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
