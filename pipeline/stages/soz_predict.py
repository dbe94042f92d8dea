"""Apply a trained SOZ model to the unshifted clips of its fold's inner and test patients.

In: weights and card, token stores and tables of rows of all shards, the folds. Out: one row a clip and channel: clip,
patient, condition, phase, channel, part, logit, p_raw, p_cal, soz, resected, fold, seed. Pre-ictal clips are there for
the eye; scores leave them out (spec soz.md, section 7).
"""

from pathlib import Path

from pipeline.settings.base import Section, parse_settings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, write_table
from pipeline.training.device import prepare_device
from pipeline.training.soz_card import load_trained
from pipeline.training.soz_data import load_clips
from pipeline.training.soz_folds import fold_hash, members
from pipeline.training.soz_predicting import prediction_table
from pipeline.training.soz_scores import NotFinite


class Settings(Section):
    """What this stage uses."""

    device: DeviceSettings


def main() -> None:
    """Read, predict, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "model", "card", "predictions"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    device, card = prepare_device(settings.device), read_json(arguments.card)
    trained = load_trained(arguments.model, card, device)
    folds = read_table(arguments.folds)
    folds = folds[folds["fold"] == trained.settings.fold]
    parts = members(folds, trained.settings.fold)
    if fold_hash(folds) != card["fold_hash"]:
        raise command.StageError(f"{arguments.folds}: not the folds that {arguments.model} was trained with")
    wanted = [*parts["inner"], *parts["test"]]
    labels = trained.settings.labels
    data = load_clips(arguments.tokens, arguments.rows, patients=wanted, labels=labels, shifted=False)
    try:
        table = prediction_table(trained, data, parts, device=device, settings=settings.device)
    except NotFinite as error:
        raise command.StageError(f"{arguments.model}: {error}") from None
    write_table(arguments.predictions, table)
    log.info("%d clips of %d patients", table["clip"].nunique(), table["patient"].nunique())


if __name__ == "__main__":
    command.run(main)
