"""Settings of the synthetic intracranial corpus for tests: those of docs/soz.md, changed at the top level."""

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.settings.ieeg_simulation import IeegSimulationSettings

DOCS = Path(__file__).parents[2] / "docs" / "soz.md"


def documented(size: str) -> dict[str, Any]:
    """The block of docs/soz.md that begins with `# tiny` or `# full`."""
    block = re.search(rf"```yaml\n# {size}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert block is not None, f"docs/soz.md has no settings for {size}"
    values: dict[str, Any] = yaml.safe_load(block[1])
    return values


def ieeg(size: str = "tiny", **changes: Any) -> IeegSimulationSettings:
    """The settings of a size with other values."""
    return IeegSimulationSettings.model_validate({**documented(size), **changes})
