"""Fuzz targets that read settings: config.yaml as text and as a mapping, presets, a stage's `--settings` JSON."""

import copy
import json
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake.common.configfile import load_configfile
from snakemake_interface_common.exceptions import WorkflowError

from pipeline.settings.base import parse_settings
from pipeline.settings.config import parse_config
from pipeline.settings.training import FitSettings
from tests.fuzz.fuzz_mutations import mutate_mapping, mutate_text
from workflow.lib import job_settings, planning

ROOT = Path(__file__).parents[2]
# What Snakemake's own loader may say of a text that is no YAML mapping, before any code of ours sees it.
NOT_YAML = (WorkflowError, yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError, KeyError, IndexError)


def use(values: Any) -> str:
    """Settings as the Snakefile uses them: typed, planned, cut into the settings of jobs."""
    config = parse_config(values)
    planning.check(config)
    for entry in config.plan:
        for seed in entry.seeds[:1]:
            job_settings.as_text(job_settings.train(config, entry.run, entry.task, entry.length_s, seed))
    return "used"


def overlaid(base: dict[str, Any], over: Any) -> dict[str, Any]:
    """Overlay as Snakemake does: mappings are merged, everything else is replaced."""
    both = dict(base)
    for key, value in over.items():
        inner = base.get(key)
        both[key] = overlaid(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return both


@dataclass
class ConfigKind:
    """Text of config.yaml or of a preset over it."""

    folder: Path
    name: str = "config"
    megabytes: int = 64

    def __post_init__(self) -> None:
        self.path = self.folder / "config.yaml"
        self.text = (ROOT / "config.yaml").read_text()
        self.values = yaml.safe_load(self.text)
        self.presets = tuple(path.read_text() for path in sorted((ROOT / "workflow" / "presets").glob("*.yaml")))

    def mutated(self, dice: random.Random) -> tuple[bool, bytes]:
        """Whether it is a preset, and the broken text."""
        preset = dice.random() < 0.8  # short texts: most of the time would go into YAML's parser
        return preset, mutate_text(dice.choice(self.presets) if preset else self.text, dice, others=self.presets)

    def consume(self, payload: tuple[bool, bytes]) -> str:
        """Load it as Snakemake does, then use it."""
        preset, data = payload
        self.path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = load_configfile(self.path)
            merged = overlaid(self.values, values) if preset else values
        except NOT_YAML as error:
            return f"no YAML for Snakemake ({type(error).__name__})"
        return use(merged)


@dataclass
class SettingsKind:
    """The mapping of config.yaml, wrong somewhere."""

    folder: Path
    name: str = "settings"
    megabytes: int = 64

    def __post_init__(self) -> None:
        self.values = yaml.safe_load((ROOT / "config.yaml").read_text())

    def mutated(self, dice: random.Random) -> Any:
        """A broken mapping."""
        return mutate_mapping(copy.deepcopy(self.values), dice)

    def consume(self, payload: Any) -> str:
        """Use it."""
        return use(payload)


@dataclass
class StageSettingsKind:
    """The JSON of a stage's option `--settings`, which a person may type."""

    folder: Path
    name: str = "stage_settings"
    megabytes: int = 64

    def __post_init__(self) -> None:
        config = parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
        self.text = job_settings.as_text(job_settings.train(config, "dist-ssl", "detection", 12, 0))

    def mutated(self, dice: random.Random) -> str:
        """A broken text, or a well-formed one with wrong values."""
        if dice.random() < 0.5:
            return mutate_text(self.text.replace(",", ",\n"), dice).decode("utf-8", "replace")
        return json.dumps(mutate_mapping(json.loads(self.text), dice), default=repr, skipkeys=True)

    def consume(self, payload: str) -> str:
        """Read it as a stage does."""
        parse_settings(FitSettings, payload)
        return "used"
