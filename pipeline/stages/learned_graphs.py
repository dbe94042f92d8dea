"""The graphs that a trained model joined the electrodes by, of every test clip, layer and second (spec sglc.md, 13).

In: model, card and predictions; features, clips and graphs of the test shards, the scaler. Out: a store of the graphs
with the prior, and a table with a row of measures for each clip, layer and second (docs/architecture.md, Learned
graphs). Clips go through in batches: no more graphs are in memory than those of one batch.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.graph_store import GraphBlock, GraphClips, write_graphs
from pipeline.explain.learned_graphs import GraphLearner, NoGraph, graph_blocks, measures
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, write_table
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_model

REPORT_EVERY_S = 10.0  # of the progress lines in the log
DETECTED = ["no seizure", "seizure"]  # labels 0 and 1 of detection, whose model has one output
REPEATED = ["clip", "patient", "label", "predicted"]  # of the predictions, in each row of the table


class Settings(Section):
    """What this stage uses."""

    device: DeviceSettings
    learned_graphs: LearnedGraphSettings


def rows_of(data: ClipData, chosen: pd.DataFrame, predictions: Path) -> np.ndarray:
    """Rows of the clips table that the `chosen` predictions are of, in their order."""
    rows = pd.Index(data.table["clip"]).get_indexer(pd.Index(chosen["clip"]))
    if (rows < 0).any():
        clip = chosen["clip"].iloc[int(np.argmin(rows))]
        raise command.StageError(f"{predictions}: clip {clip} is in none of the --clips tables; give those of its run")
    return np.asarray(rows)


def about(chosen: pd.DataFrame, card: dict[str, Any]) -> GraphClips:
    """Whose graphs the store holds, from the predictions and the model's card."""
    settings = json.dumps(card["settings"], sort_keys=True)
    return GraphClips(
        clips=chosen["clip"].astype(str).tolist(),
        patients=chosen["patient"].astype(str).tolist(),
        label=chosen["label"].to_numpy(dtype=np.int64),
        prediction=chosen["predicted"].to_numpy(dtype=np.int64),
        classes=DETECTED if card["task"] == "detection" else list(card["classes"]),
        electrodes=list(card["electrodes"]),
        seed=int(card["seed"]),
        variant=str(card["settings"]["options"].get("variant", "")),
        config_hash=hashlib.blake2b(settings.encode(), digest_size=8).hexdigest(),
    )


def watched(
    blocks: Iterator[GraphBlock], chosen: pd.DataFrame, card: dict[str, Any], tables: list[pd.DataFrame]
) -> Iterator[GraphBlock]:
    """The blocks as they come; the measures of each are added to `tables`, and the log says how far it is."""
    log, started, done = logging.getLogger("ictograph"), monotonic(), 0
    reported = started
    for block in blocks:
        own = chosen.iloc[done : done + len(block.A)]
        tables.append(measures(block, own[REPEATED], list(card["electrodes"])))
        done += len(block.A)
        if (now := monotonic()) - reported > REPORT_EVERY_S or done == len(chosen):
            log.info("%d of %d clips, %.0f s", done, len(chosen), now - started)
            reported = now
        yield block


def table_of(tables: list[pd.DataFrame], chosen: pd.DataFrame, card: dict[str, Any]) -> pd.DataFrame:
    """All rows; of no clip a table with the same columns."""
    n = len(card["electrodes"])
    none = GraphBlock(np.empty((0, 1, 1, n, n)), np.empty((0, n, n)), np.empty(0, np.int64), np.empty((0, 1, 1)))
    found = tables or [measures(none, chosen.iloc[:0][REPEATED], list(card["electrodes"]))]
    return pd.concat(found, ignore_index=True).astype({"clip": "string", "patient": "string"})


def read(arguments: argparse.Namespace, device: DeviceSettings, card: dict[str, Any]) -> tuple[GraphLearner, ClipData]:
    """The trained model and the clips of its shards. Raises StageError for a model that learns no graph."""
    where = prepare_device(device)
    model, trained = load_model(arguments.model, card, device=where)
    if not isinstance(model, GraphLearner):
        raise command.StageError(f"{arguments.model}: model {trained.model} learns no graph; name a run that does")
    data = load_clips(
        features=arguments.features,
        clips=arguments.clips,
        graphs=arguments.graphs,
        scaler=read_json(arguments.scaler),
        settings=trained.model_copy(update={"device": device}),
        device=where,
        memory_gb=arguments.memory_gb,
    )
    return model, data


def main() -> None:
    """Read, compute, write."""
    parser = command.parser(__doc__)
    for name in ("model", "card", "predictions", "scaler", "store", "table"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("features", "clips", "graphs"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    command.memory_option(parser)
    arguments = parser.parse_args()
    command.start(arguments)
    settings, card = parse_settings(Settings, arguments.settings), read_json(arguments.card)
    model, data = read(arguments, settings.device, card)
    predictions = read_table(arguments.predictions)
    chosen = predictions[predictions["split"] == "test"].reset_index(drop=True)
    rows, shape = rows_of(data, chosen, arguments.predictions), (int(data.settings.options["layers"]), card["length_s"])
    tables: list[pd.DataFrame] = []
    blocks = graph_blocks(model, data, rows, batch=settings.learned_graphs.batch)
    try:
        found = watched(blocks, chosen, card, tables)
        write_graphs(arguments.store, about(chosen, card), found, settings.learned_graphs, shape=shape)
    except NoGraph as error:
        raise command.StageError(f"{arguments.model}: {error}") from None
    write_table(arguments.table, table_of(tables, chosen, card))


if __name__ == "__main__":
    command.run(main)
