"""Freeze the models of a finished SOZ run into a folder that predicts new patients. Run by hand (docs/soz.md).

    python -m pipeline.stages.soz_bundle --config config.yaml --results results/synthetic-ieeg --run main --bundle DIR

In: the configuration that the run was made with (several files: later ones lie over earlier ones, as with Snakemake's
--configfile), and the results folder of its corpus. Out: a new folder with weights, cards, `bundle.json` and
`MODEL_CARD.md` (spec soz.md, section 12).
"""

import argparse
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from pipeline.settings.base import SettingsError, check_extent, parse_section
from pipeline.settings.overlay import overlaid
from pipeline.settings.soz_runs import SozConfig
from pipeline.stages import command
from pipeline.store import read_json
from pipeline.training.soz_bundle import Origin, UnfitBundle, freeze


def options() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--config", type=Path, nargs="+", default=[Path("config.yaml")], metavar="YAML")
    made.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<corpus>")
    made.add_argument("--run", required=True, help="a run of soz.runs")
    made.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    made.add_argument("--log", type=Path, default=None, help="also write the log to this file")
    return made


def main() -> None:
    """Read, check, freeze."""
    arguments = options().parse_args()
    log = command.start(arguments)
    content = read_config(arguments.config)
    models = sorted((arguments.results / "soz" / arguments.run).glob("fold*/seed*/model.safetensors"), key=_place)
    if not models:
        folder = arguments.results / "soz" / arguments.run
        raise command.StageError(f"{folder}: no fold*/seed*/model.safetensors; run the target soz first")
    origin = origin_of(content, arguments.run)
    check_same(content, arguments.run, models)
    try:
        bundle = freeze(models, arguments.bundle, origin)
    except UnfitBundle as error:
        folder = arguments.results / "soz" / arguments.run
        raise command.StageError(str(error)) from None
    log.info("%s: %d models, %d training patients", arguments.bundle, len(models), len(bundle.training_patients))


def _place(model: Path) -> tuple[int, int]:
    """Fold and seed, as numbers: fold10 comes after fold2."""
    return int(model.parts[-3].removeprefix("fold")), int(model.parts[-2].removeprefix("seed"))


def read_config(paths: list[Path]) -> dict[str, Any]:
    """The configuration of several YAML files. Raises SettingsError."""
    contents = []
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingsError(f"{path}: {error}") from None
        check_extent(content, where=str(path))
        contents.append(content)
    merged: dict[str, Any] = reduce(overlaid, contents)
    if not isinstance(merged, dict) or not isinstance(merged.get("soz"), dict):
        raise SettingsError(f"{', '.join(map(str, paths))}: no section soz; give config.yaml first")
    return merged


def origin_of(content: dict[str, Any], run: str) -> Origin:
    """How the run's recordings were read, cut and turned into tokens. Raises SettingsError."""
    soz = parse_section(SozConfig, content["soz"], where="soz")
    corpora = content.get("corpora", {})
    return Origin(
        run=run,
        corpora=soz.corpora,
        synthetic=all(bool(corpora.get(name, {}).get("simulate")) for name in soz.corpora),
        reading=soz.reading_of(soz.corpus),
        clips=soz.clips,
        tokens=soz.of(run).tokens,
    )


def check_same(content: dict[str, Any], run: str, models: list[Path]) -> None:
    """Raise StageError where the models were trained with other settings than the configuration has for the run."""
    chosen = parse_section(SozConfig, content["soz"], where="soz").of(run)
    for path in models:
        told = read_json(path.with_name("card.json"))["settings"]
        for name in ("model", "finetuning", "calibration"):
            own = chosen.model_dump(mode="json")[name]
            if told[name] != own:
                raise command.StageError(
                    f"{path}: soz.{name} was {told[name]}, and is {own} in the configuration; give --config the files "
                    "that the run was made with"
                )


if __name__ == "__main__":
    command.run(main)
