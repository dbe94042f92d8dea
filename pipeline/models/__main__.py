"""`python -m pipeline.models`: each model with its graph and its number of parameters."""

from pathlib import Path

import yaml

from pipeline.models import dcrnn
from pipeline.settings.model_dcrnn import ModelSettings

SUPPORTS = {"distance": 1, "correlation": 2}
CLASSES = {
    "detection": 1,
    "classification, 4 classes": 4,
    "classification, 7 classes": 7,
    "classification, 8 classes": 8,
}
FREQUENCIES, SAMPLES = 100, 200  # features of one second: log amplitudes, or raw samples (Table 4)


def parameter_counts(settings: ModelSettings) -> list[tuple[str, str, int]]:
    """(task, graph, number of parameters) of each DCRNN."""
    rows = []
    for graph, n_supports in SUPPORTS.items():
        for task, n_classes in CLASSES.items():
            rows.append((task, graph, _classifier_size(settings, FREQUENCIES, n_classes, n_supports)))
        rows.append(("detection, raw samples", graph, _classifier_size(settings, SAMPLES, 1, n_supports)))
        forecaster = dcrnn.forecaster(settings, n_features=FREQUENCIES, n_supports=n_supports)
        rows.append(("pre-training", graph, _count(forecaster)))
    return rows


def _classifier_size(settings: ModelSettings, n_features: int, n_classes: int, n_supports: int) -> int:
    shape = {"n_features": n_features, "n_classes": n_classes, "n_supports": n_supports}
    return _count(dcrnn.classifier(settings, **shape, dropout=0.0))


def _count(model: dcrnn.Classifier | dcrnn.Forecaster) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    """Print the table for the model settings of config.yaml (or of the working directory's config.yaml)."""
    config = yaml.safe_load(Path("config.yaml").read_text())
    settings = ModelSettings(**config["models"]["dcrnn"], diffusion_recursion=config["compat"]["diffusion_recursion"])
    for task, graph, count in parameter_counts(settings):
        print(f"dcrnn  {task:28s}{graph:14s}{count:>9,}")


if __name__ == "__main__":
    main()
