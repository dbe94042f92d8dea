"""Settings of the synthetic intracranial corpus for tests: those of config.yaml or the large preset, changed."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.settings.ieeg_simulation import IeegSimulationSettings

ROOT = Path(__file__).parents[2]
CORPUS = "synthetic-ieeg"


def ieeg(size: str = "tiny", **changes: Any) -> IeegSimulationSettings:
    """The settings of a size (`tiny`, `full`) with other values at the top level."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())["corpora"][CORPUS]["simulate"]
    if size == "full":
        large = yaml.safe_load((ROOT / "workflow" / "presets" / "soz-full.yaml").read_text())
        values = {**values, **large["corpora"][f"{CORPUS}-full"]["simulate"]}
    return IeegSimulationSettings.model_validate({**values, **changes})
