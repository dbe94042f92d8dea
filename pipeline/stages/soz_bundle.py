"""Freeze the models of a finished SOZ run into a folder that predicts new patients. Run by hand (docs/soz.md).

    python -m pipeline.stages.soz_bundle --results results/synthetic-ieeg --run main --bundle DIR

In: the results folder of the run's corpus, as the target `soz` left it. What the run's `cohort.json` lists is frozen:
the models of every fold and seed that its pages and channel_soz.tsv are of, and how their recordings were read. Out: a
new folder with weights, cards, `bundle.json` and `MODEL_CARD.md` (spec soz.md, section 12).
"""

import argparse
from pathlib import Path
from typing import Any

from pipeline.settings.base import parse_section
from pipeline.settings.soz_made import Made
from pipeline.stages import command
from pipeline.store import read_json
from pipeline.training.soz_bundle import Origin, UnfitBundle, freeze


def options() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<corpus>")
    made.add_argument("--run", required=True, help="a run of soz.runs")
    made.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    made.add_argument("--log", type=Path, default=None, help="also write the log to this file")
    return made


def main() -> None:
    """Read, check, freeze."""
    arguments = options().parse_args()
    log = command.start(arguments)
    folder = arguments.results / "soz" / arguments.run
    if not (folder / "cohort.json").is_file():
        raise command.StageError(f"{folder}: no cohort.json; run the target soz first")
    cohort = read_json(folder / "cohort.json")
    origin, models = origin_of(cohort, where=str(folder / "cohort.json")), models_of(cohort, folder)
    for path in sorted(set(folder.glob("fold*/seed*/model.safetensors")) - set(models)):
        log.info("%s: not of the run that cohort.json is of; left out", path)
    try:
        bundle = freeze(models, arguments.bundle, origin)
    except UnfitBundle as error:
        raise command.StageError(str(error)) from None
    log.info("%s: %d models, %d training patients", arguments.bundle, len(models), len(bundle.training_patients))


def origin_of(cohort: dict[str, Any], *, where: str) -> Origin:
    """Whose models they are, and how their recordings were read, cut and turned into tokens. Raises SettingsError."""
    made = parse_section(Made, cohort.get("made", {}), where=f"{where}: made")
    return Origin(run=str(cohort["run"]), synthetic=bool(cohort["synthetic"]), made=made)


def models_of(cohort: dict[str, Any], folder: Path) -> list[Path]:
    """The weights of every fold and seed that was evaluated.

    Raises StageError where one is missing, or is not the one that was evaluated.
    """
    hashes, found = {int(own["fold"]): str(own["hash"]) for own in cohort["folds"]["folds"]}, []
    wanted = {(fold, int(seed)) for fold in hashes for seed in cohort["seeds"]}
    told = {(int(own["fold"]), int(own["seed"])): str(own["model_hash"]) for own in cohort["models"]}
    if wanted != told.keys():
        raise command.StageError(f"{folder / 'cohort.json'}: it does not list every fold and seed; run the target soz")
    for (fold, seed), model_hash in sorted(told.items()):
        path = folder / f"fold{fold}" / f"seed{seed}" / "model.safetensors"
        if not path.is_file():
            raise command.StageError(f"{path}: not there, and cohort.json lists it; run the target soz again")
        card = read_json(path.with_name("card.json"))
        if (card["model_hash"], card["fold_hash"]) != (model_hash, hashes[fold]):
            raise command.StageError(f"{path}: trained anew since cohort.json was written; run the target soz again")
        found.append(path)
    return found


if __name__ == "__main__":
    command.run(main)
