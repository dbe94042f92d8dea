"""Questions put to the 12-s detection models of one corpus (spec simulator.md, sections 10 and 11).

In: models, cards and predictions, parallel, one a run and seed; features, clips, graphs (parallel, or one distance
graph), signals and segments of validation and test shards; one scaler for all models, or one each; maybe predictions
of four-class models with their cards, and the answer of the stage `record_split`. Out: the answers with patient
intervals (JSON), and the scores behind them, one row a model and test clip (Parquet), which the trial over several
corpora pools.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.explain.answers import classification_answers, detection_answers
from pipeline.explain.permutation import electrode_permutations, permuted_logits
from pipeline.explain.questions import COLUMNS, read_corpus
from pipeline.explain.single_channel import best_channel, clip_line_lengths
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, read_tables, write_json, write_table
from pipeline.training.clip_data import load_clips
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_model


class Settings(Section):
    """What this stage uses."""

    device: DeviceSettings
    experiments: ExperimentSettings


def run_name(card: dict[str, Any]) -> str:
    """`dist-ssl`, `corr-scratch` …: what the questions compare, from what a card says was done."""
    graph = {"distance": "dist", "correlation": "corr"}[card["graph"]]
    return f"{graph}-{'ssl' if card['inputs']['encoder'] else 'scratch'}"


def test_rows(card: dict[str, Any], predictions: Path) -> pd.DataFrame:
    """Test clips of one model's predictions, with COLUMNS as far as predictions know them."""
    table = read_table(predictions)
    table = table[table["split"] == "test"].reset_index(drop=True)
    table["logit"] = table["logit_seizure"] if card["task"] == "detection" else np.nan
    named = table.assign(task=card["task"], run=run_name(card), seed=card["seed"])
    return named[["task", "run", "seed", "clip", "patient", "label", "predicted", "logit"]]


def with_permutations(
    rows: pd.DataFrame, index: int, arguments: argparse.Namespace, settings: Settings
) -> pd.DataFrame:
    """The rows of model `index` with its logits under every permutation of the electrodes."""
    device, card = prepare_device(settings.device), read_json(arguments.cards[index])
    model, fit = load_model(arguments.models[index], card, device=device)
    shards = [k for k, path in enumerate(arguments.clips) if (read_table(path, ["split"])["split"] == "test").any()]
    graphs = arguments.graphs if len(arguments.graphs) == 1 else [arguments.graphs[k] for k in shards]
    data = load_clips(
        features=[arguments.features[k] for k in shards],
        clips=[arguments.clips[k] for k in shards],
        graphs=graphs,
        scaler=read_json(arguments.scalers[index if len(arguments.scalers) > 1 else 0]),
        settings=fit.model_copy(update={"device": settings.device}),
        device=device,
        memory_gb=arguments.memory_gb,
    )
    rng = np.random.default_rng(settings.experiments.seed)
    orders = electrode_permutations(len(fit.electrodes), settings.experiments.permutations, rng)
    places = pd.Index(data.table["clip"]).get_indexer(pd.Index(rows["clip"]))
    with torch.no_grad():
        logits = permuted_logits(model, data, places, orders, batch_size=fit.loop.batch_evaluation)
    return rows.assign(permuted=list(logits.T))


def channel_scores(arguments: argparse.Namespace) -> pd.DataFrame:
    """Line length of the channel that is best on the validation clips, and of the one best on the test clips."""
    segments = read_tables(arguments.segments)
    rates = segments.set_index(segments["recording"].astype(str) + "/" + segments["segment"].astype(str))["rate_hz"]
    tables = [read_table(path) for path in arguments.clips]
    values = [clip_line_lengths(path, table, rates) for path, table in zip(arguments.signals, tables, strict=True)]
    clips = pd.concat(tables, ignore_index=True)
    lengths = np.concatenate([part for part in values if len(part)])
    found = {}
    test = (clips["split"] == "test").to_numpy()
    for column, chosen_on in (("line_length", ~test), ("line_length_best", test)):
        channel = best_channel(lengths[chosen_on], clips["label"].to_numpy(dtype=np.int64)[chosen_on])
        found[column] = lengths[test, channel]
    return pd.DataFrame({"clip": clips["clip"][test].to_numpy(), **found})


def table_of(arguments: argparse.Namespace, settings: Settings) -> pd.DataFrame:
    """The whole table: COLUMNS."""
    parts = []
    for index, (card, predictions) in enumerate(zip(arguments.cards, arguments.predictions, strict=True)):
        rows = test_rows(read_json(card), predictions)
        parts.append(with_permutations(rows, index, arguments, settings))
    detection = pd.concat(parts).merge(channel_scores(arguments), on="clip", how="left", validate="many_to_one")
    pairs = zip(arguments.classification_cards, arguments.classification_predictions, strict=True)
    classified = [test_rows(read_json(card), predictions) for card, predictions in pairs]
    table = pd.concat([detection, *classified], ignore_index=True).reindex(columns=COLUMNS)
    return table.astype(dict.fromkeys(["task", "run", "clip", "patient"], "string"))


def main() -> None:
    """Read, ask, write."""
    parser = command.parser(__doc__)
    for name in ("models", "cards", "predictions", "features", "clips", "graphs", "scalers", "signals", "segments"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("classification-cards", "classification-predictions"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    parser.add_argument("--record-split", type=Path, default=None, help="answer of the stage `record_split`")
    for name in ("out", "table"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    command.memory_option(parser)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    table = table_of(arguments, settings)
    answers = list(detection_answers([read_corpus(table, "detection")], settings.experiments))
    if arguments.classification_cards:
        answers += classification_answers([read_corpus(table, "classification")], settings.experiments)
    if arguments.record_split is not None:
        answers.append(read_json(arguments.record_split))
    write_table(arguments.table, table)
    write_json(arguments.out, {"answers": answers, "permutations": settings.experiments.permutations})
    for answer in answers:
        log.info("%s %s", answer["question"], answer["sentence"])


if __name__ == "__main__":
    command.run(main)
