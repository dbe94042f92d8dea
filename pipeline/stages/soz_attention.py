"""Attention graphs of the patients that one SOZ model tests, their nulls, controls and faithfulness (spec soz.md, 6).

In: weights and card, the encoder that the training started from (if there was one), token stores and tables of rows,
folds, signals and clips. Out: a store of graphs, a table with a row for each patient, condition, graph, layer and head,
and a table of what hiding contacts does. Columns: docs/soz.md.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.explain.soz_faithfulness import COLUMNS as FAITHFULNESS
from pipeline.explain.soz_graph_store import CONTACTS, write_graphs
from pipeline.explain.soz_patient_graphs import Explained, Work, one_patient
from pipeline.explain.soz_signals import ClipSignals
from pipeline.models.soz import SozEncoder
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz import SozAttention
from pipeline.settings.soz_data import SozClips
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, read_tables, write_table
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_weights
from pipeline.training.soz_card import Trained, load_trained
from pipeline.training.soz_data import SozBatches, load_clips
from pipeline.training.soz_folds import fold_hash, members

KEYS = {
    "patient": "string", "condition": "string", "graph": "string", "layer": "int64", "head": "int64",
    "n_contacts": "int64", "n_soz": "int64", "mixed_shafts": "int64", "n_clips": "int64", "fold": "int64",
    "seed": "int64",
}  # fmt: skip
OF_CLIP = {"patient": "string", "condition": "string", "clip": "string"}


class Settings(Section):
    """What this stage uses."""

    attention: SozAttention
    clips: SozClips  # length_s
    rate_hz: int  # reading.rate_hz
    device: DeviceSettings


def contacts_of(rows: list[Path]) -> pd.DataFrame:
    """Every contact of every patient once, in the order of the graphs: patient and CONTACTS."""
    columns = ["patient", *CONTACTS, "order"]
    table = read_tables(rows, columns=columns).drop_duplicates(["patient", "channel"])
    return table.sort_values(["patient", "order", "channel"], kind="stable").reset_index(drop=True)


def encoders(arguments: argparse.Namespace, trained: Trained, seed: int) -> dict[str, SozEncoder]:
    """The trained network, an untrained one of its size, and the pre-trained one if the training started from one."""
    torch.manual_seed(seed)
    made = {"attention": trained.model, "untrained": SozEncoder(trained.settings.model)}
    if arguments.encoder is not None:
        made["pretrained"] = SozEncoder(trained.settings.model)
        state, weights = made["pretrained"].state_dict(), load_weights(arguments.encoder)
        if wrong := sorted(name for name, w in weights.items() if name not in state or w.shape != state[name].shape):
            raise command.StageError(f"{arguments.encoder}: {', '.join(wrong)[:200]} do not fit {arguments.model}")
        made["pretrained"].load_state_dict(state | weights)
    device = next(trained.model.parameters()).device
    return {name: model.to(device).eval() for name, model in made.items()}


def prepared(arguments: argparse.Namespace, settings: Settings) -> tuple[Work, list[str], dict[str, Any]]:
    """Everything read; the patients that this model tests, and its card. Raises StageError."""
    device, card = prepare_device(settings.device), read_json(arguments.card)
    trained = load_trained(arguments.model, card, device)
    folds = read_table(arguments.folds)
    folds = folds[folds["fold"] == trained.settings.fold]
    if fold_hash(folds) != card["fold_hash"]:
        raise command.StageError(f"{arguments.folds}: not the folds that {arguments.model} was trained with")
    tested = sorted(members(folds, trained.settings.fold)["test"])
    data = load_clips(arguments.tokens, arguments.rows, patients=tested, labels=trained.settings.labels, shifted=False)
    signals = ClipSignals.of(
        arguments.signals, arguments.clips, length_s=settings.clips.length_s, rate_hz=settings.rate_hz
    )
    models = encoders(arguments, trained, settings.attention.seed)
    batches, contacts = SozBatches(data, trained.scaler, device), contacts_of(arguments.rows)
    return Work(settings.attention, trained, models, batches, contacts, signals), tested, card


def table_of(rows: list[dict[str, Any]], types: dict[str, str]) -> pd.DataFrame:
    """Rows with `types` first; all other columns are numbers."""
    table = pd.DataFrame(rows, columns=None if rows else list(types))
    others = [name for name in table.columns if name not in types]
    return table[[*types, *others]].astype(types | dict.fromkeys(others, "float64"))


def main() -> None:
    """Read, compute patient by patient, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows", "signals", "clips"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "model", "card", "attention", "measures", "faithfulness"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, help="the pre-trained encoder that the training started from")
    arguments = parser.parse_args()
    command.start(arguments)
    work, tested, card = prepared(arguments, parse_settings(Settings, arguments.settings))
    found = Explained()
    for number, patient in enumerate(tested, start=1):
        found.add(own := one_patient(work, patient))
        logging.getLogger("ictograph").info(
            "%d/%d %s: graphs of %d conditions", number, len(tested), patient, len(own.graphs)
        )
    told = work.trained.settings
    write_graphs(
        arguments.attention, iter(found.graphs), fold=told.fold, seed=told.seed, model_hash=card["model_hash"],
        precision=work.settings.precision,
    )  # fmt: skip
    measures = [row | {"fold": told.fold, "seed": told.seed} for row in found.measures]
    write_table(arguments.measures, table_of(measures, KEYS))
    write_table(arguments.faithfulness, table_of(found.faithful, OF_CLIP | FAITHFULNESS))


if __name__ == "__main__":
    command.run(main)
