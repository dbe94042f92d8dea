"""What a model is shown where an electrode-second is hidden, and the graph that goes with it (occlusion.* settings)."""

import math
from typing import Any

import torch
from torch import Tensor

from pipeline.explain.occlusion import Regraph
from pipeline.graphs.correlation import correlation_weights
from pipeline.plugins import load_plugin
from pipeline.settings.base import SettingsError
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.features import FeatureSettings, GraphSettings
from pipeline.settings.training import FitSettings
from pipeline.training.model_io import model_options


def fill_value(settings: OcclusionSettings, features: FeatureSettings, scaler: dict[str, Any]) -> float:
    """Standardised value of a hidden frame: 0, the training mean, or what a second of zero microvolts gives."""
    if settings.value == "mean":
        return 0.0
    silent = 0.0 if features.kind == "time" else math.log(features.floor_amplitude)
    return (silent - scaler["mean"]) / scaler["std"]


def graph_of_hidden(
    occlusion: OcclusionSettings, fit: FitSettings, graphs: GraphSettings | None, scaler: dict[str, Any]
) -> Regraph | None:
    """How the graph follows what is hidden; None where it is held, and where there is none or only distances, which
    do not change."""
    if occlusion.graph == "held" or fit.graph != "correlation":
        return None
    if graphs is None:
        raise SettingsError("--settings: occlusion.graph: recomputed needs the section graphs")
    return correlation_regraph(fit, graphs, scaler)


def correlation_regraph(fit: FitSettings, graphs: GraphSettings, scaler: dict[str, Any]) -> Regraph:
    """Makes the correlation graph of each hidden input anew, from its frames before standardisation."""
    supports, options = load_plugin("models", fit.model).supports, model_options(fit)

    def regraph(frames: Tensor) -> Tensor:
        raw = frames.cpu().numpy() * scaler["std"] + scaler["mean"]
        weights = correlation_weights(raw, graphs, training_mean=scaler["mean"])
        return torch.from_numpy(supports(weights, fit.graph, options)).to(frames.device)

    return regraph
