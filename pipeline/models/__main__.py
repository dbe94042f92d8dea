"""`python -m pipeline.models [CONFIG.yaml]`: every model of the paper with its number of parameters.

Two counts stand side by side: with the settings of config.yaml (or of the file that is named), and with the published
sizes. They differ where a configuration makes a model smaller. The SOZ encoder, which has no published size, follows.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import nn

from pipeline.models.soz import SozEncoder
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, parse_section
from pipeline.settings.config import Config, parse_config
from pipeline.settings.named_models import model_settings
from pipeline.settings.soz import SozModel

SUPPORTS = {"distance": 1, "correlation": 2, "none": 0}
CLASSES = {
    "detection": 1,
    "classification, 4 classes": 4,
    "classification, 7 classes": 7,
    "classification, 8 classes": 8,
}
FREQUENCIES, SAMPLES, ELECTRODES = 100, 200, 19  # features of one second: log amplitudes, or raw samples (Table 4)
LENGTHS_S = (12, 60)
SGLC = {
    "variant": "corrected", "adjacency": "learned", "units": 64, "layers": 2, "pretraining_layers": 2,
    "allow_depth_mismatch": False, "ggnn_steps": 5, "learner_units": 70, "heads": 8, "mixing": 0.3,
    "attention_dropout": 0.5, "sparsify": "topk", "keep_edges": 3, "edge_threshold": 0.3, "recurrence": "anchored",
    "support": "all", "decoder_tied": True, "regularisers": {"smooth": 0, "degree": 0, "sparsity": 0},
    "init": {"gate_bias": 0.0},
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = {  # Tang et al. 2022 and its code; compat switches change no count
    "dcrnn": {
        "units": 64, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": True,
        "init": {"gate_bias": 0.0}, "diffusion_recursion": "powers",
    },
    "lstm": {"units": 64, "layers": 2},
    "cnn_lstm": {"channels": 32, "embedding": 512, "units": 128, "layers": 2, "cnn_lstm_batch_axis": False},
    "densecnn": {"width": 1.0, "dropout": 0.2, "allocate_unused": True, "padding": "after"},
    "sglc": SGLC,  # the corrected variant at the published sizes
    "sglc_published": SGLC | {"variant": "published", "pretraining_layers": 3, "allow_depth_mismatch": True},
}  # fmt: skip
SOZ_LARGE = {"width": 128, "layers": 4, "feedforward": 512}  # spec soz.md, section 3: about .92 M
PLUGINS = {"sglc_published": "sglc"}  # of a name that is not the plug-in's


class Row(NamedTuple):
    """One network of a section of `models`: its use, graph, the clip length it is made for (None: any), its size."""

    model: str
    task: str
    graph: str
    length_s: int | None
    parameters: int


def configured(config: Config) -> dict[str, Section]:
    """The settings of every model in config.yaml, with the switches of `compat` that concern it."""
    compat = config.compat.model_dump()
    found = {}
    for model, section in config.models.items():
        plugin = model_settings(config.plugin_of(model))
        switches = plugin.ModelSettings.model_fields.keys() - plugin.ModelConfig.model_fields.keys()
        values = section | {name: compat[name] for name in sorted(switches)}
        found[model] = parse_section(plugin.ModelSettings, values, where=f"models.{model}")
    return found


def published() -> dict[str, Section]:
    """The settings of every model with the published sizes."""
    return {
        model: parse_section(model_settings(PLUGINS.get(model, model)).ModelSettings, values)
        for model, values in PUBLISHED.items()
    }


def parameter_counts(models: dict[str, Section]) -> list[Row]:
    """Every network of the models, in the order of the settings."""
    with torch.device("meta"):  # counted, not computed
        return [row for model, settings in models.items() for row in _networks(model, settings)]


def plugin_of(settings: Section) -> str:
    """The plug-in that a model's settings belong to: whatever a section is called, its type has one home."""
    return type(settings).__module__.rpartition(".model_")[2]


def _networks(model: str, settings: Section) -> Iterator[Row]:
    """Detection and classification for every graph; raw samples, pre-training and layers where the model has them."""
    module, plugin = load_plugin("models", plugin_of(settings)), model_settings(plugin_of(settings))
    for graph in plugin.GRAPHS:
        for task, n_classes in CLASSES.items():
            sizes = [
                _count(_classifier(module, settings, graph, n_classes, FREQUENCIES, length)) for length in LENGTHS_S
            ]
            if len(set(sizes)) == 1:
                yield Row(model, task, graph, None, sizes[0])
            else:
                yield from (Row(model, task, graph, *pair) for pair in zip(LENGTHS_S, sizes, strict=True))
        if plugin.PRETRAINS:
            size = _count(_classifier(module, settings, graph, 1, SAMPLES, LENGTHS_S[0]))
            yield Row(model, "detection, raw samples", graph, None, size)
            forecaster = module.forecaster(settings, n_features=FREQUENCIES, n_supports=SUPPORTS[graph])
            yield Row(model, "pre-training", graph, None, _count(forecaster))
            layers = _classifier(module, settings, graph, 1, FREQUENCIES, LENGTHS_S[0]).encoder.layers
            for number, layer in enumerate(layers, start=1):
                yield Row(model, f"encoder layer {number}", graph, None, _count(layer))


def _classifier(module: Any, settings: Section, graph: str, n_classes: int, n_features: int, length_s: int) -> Any:
    return module.classifier(
        settings,
        n_features=n_features,
        n_classes=n_classes,
        n_supports=SUPPORTS[graph],
        dropout=0.0,
        n_nodes=ELECTRODES,
        length_s=length_s,
    )


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def soz_counts(settings: SozModel) -> dict[str, tuple[int, int]]:
    """Weights of the SOZ encoder with its head, and of the projector of its pre-training: as configured, and large."""
    with torch.device("meta"):
        sizes = {"soz": settings, "soz_large": settings.model_copy(update=SOZ_LARGE)}
        models = {name: SozEncoder(size) for name, size in sizes.items()}
    return {name: (_count(model) - _count(model.projector), _count(model.projector)) for name, model in models.items()}


def main() -> None:
    """Print both counts, line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", default=Path("config.yaml"), help="a whole config.yaml")
    config = parse_config(yaml.safe_load(parser.parse_args().config.read_text()))
    own = {row[:4]: row.parameters for row in parameter_counts(configured(config))}
    printed = {row[:4]: row.parameters for row in parameter_counts(published())}
    print(f"{'model':18}{'task':28}{'graph':14}{'clips':>6}{'config.yaml':>14}{'published':>14}")
    for key in {**printed, **own}:
        model, task, graph, length_s = key
        length, counts = f"{length_s} s" if length_s else "any", (own.get(key), printed.get(key))
        shown = "".join(f"{'-' if count is None else f'{count:,}':>14}" for count in counts)
        print(f"{model:18}{task:28}{graph:14}{length:>6}{shown}")
    for model, counts in soz_counts(config.soz.model).items():
        for task, count in zip(("contacts", "projector, pre-training"), counts, strict=True):
            print(f"{model:18}{task:28}{'attention':14}{'35 s':>6}{count:>14,}{'-':>14}")


if __name__ == "__main__":
    main()
