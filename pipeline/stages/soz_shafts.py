"""What the patients that one SOZ model tests would be told without one shaft after the other (spec soz.md, section 11).

In: token stores and tables of rows, folds, weights and card. Out: one row for each patient, condition (and both), shaft
that is left out, and contact of another shaft: p, p_without, change. Columns: docs/soz.md.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explain.soz_graphs import shaft_names
from pipeline.explain.soz_shafts import COLUMNS, patient_rows
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.stages.soz_attention import contacts_of
from pipeline.store import read_json, read_table, write_table
from pipeline.training.device import prepare_device
from pipeline.training.soz_card import load_trained
from pipeline.training.soz_data import SozBatches, load_clips
from pipeline.training.soz_folds import fold_hash, members


class Settings(Section):
    """What this stage uses."""

    device: DeviceSettings


def main() -> None:
    """Read, leave out shaft by shaft, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "model", "card", "shafts"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    device, card = prepare_device(settings.device), read_json(arguments.card)
    trained = load_trained(arguments.model, card, device)
    told, folds = trained.settings, read_table(arguments.folds)
    folds = folds[folds["fold"] == told.fold]
    if fold_hash(folds) != card["fold_hash"]:
        raise command.StageError(f"{arguments.folds}: not the folds that {arguments.model} was trained with")
    tested = sorted(members(folds, told.fold)["test"])
    data = load_clips(arguments.tokens, arguments.rows, patients=tested, labels=told.labels, shifted=False)
    batches, contacts = SozBatches(data, trained.scaler, device), contacts_of(arguments.rows)
    rows: list[dict[str, Any]] = []
    for patient in tested:
        own = contacts[contacts["patient"] == patient]
        rows += patient_rows(trained, batches, patient, dict(zip(own["channel"], shaft_names(own), strict=True)))
    about = {"fold": told.fold, "seed": told.seed}
    table = pd.DataFrame([row | about for row in rows], columns=list(COLUMNS)).astype(COLUMNS)
    write_table(arguments.shafts, table)
    log.info("%d shafts left out of %d patients", len(table[["patient", "shaft"]].drop_duplicates()), len(tested))


if __name__ == "__main__":
    command.run(main)
