"""Settings of a planted-graph corpus for tests: the preset's with two of its classes, changed at the top level."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.corpora.driven.recording import SCALP
from pipeline.settings.driven import DrivenSettings

PRESET = Path(__file__).parents[2] / "workflow" / "presets" / "planted-graph.yaml"
__all__ = ["SCALP", "driven"]


def driven(**changes: Any) -> DrivenSettings:
    """The settings of the preset's corpus, two classes alone, with other values."""
    values = yaml.safe_load(PRESET.read_text())["corpora"]["planted"]["simulate"]
    two = {"graphs": {name: values["graphs"][name] for name in ("CF", "GN")}, "events_per_class": 8}
    return DrivenSettings.model_validate({**values, **two, **changes})
