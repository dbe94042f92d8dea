"""Ask whether a split by recording would flatter a 12-s detection model (guard G5; spec simulator.md, section 10).

In: features, clips and graphs of all shards, the scaler, and card and predictions of the model that a split by patient
gave. Trains one more model, alike but for some clips of the tested patients' other recordings. It is thrown away.
Out: the answer with its patient interval (JSON) and both models' logits of the tested clips (Parquet).
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explain.record_split import Deal, deal, record_split_answer, redealt
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.stages.fitting import run_fit, training_options
from pipeline.store import read_json, read_table, write_json, write_table
from pipeline.training.clip_data import load_clips
from pipeline.training.device import prepare_device
from pipeline.training.job import Inputs, Outputs, UnfitData
from pipeline.training.loop import Diverged
from pipeline.training.model_io import load_model
from pipeline.training.predicting import NotFinite, prediction_table


class Settings(Section):
    """What this stage uses; `fit` is what the model with the card was trained with."""

    fit: FitSettings
    experiments: ExperimentSettings


def train_again(arguments: argparse.Namespace, dealt: Deal, fit: FitSettings, folder: Path) -> pd.DataFrame:
    """Predictions on the tested clips of a model that learnt from `dealt.record`; its files stay in `folder`."""
    tables = [read_table(path) for path in arguments.clips]
    learning, testing = [folder / "learning", folder / "testing"]
    for place, table in enumerate(tables):
        write_table(learning / f"{place}.parquet", redealt(table, dealt.record))
        write_table(testing / f"{place}.parquet", table[table["clip"].isin(dealt.tested)])
    shards = range(len(tables))
    outputs = Outputs(folder / "model.safetensors", folder / "card.json", folder / "history.parquet")
    inputs = Inputs(
        arguments.features, [learning / f"{k}.parquet" for k in shards], arguments.graphs, arguments.scaler, None
    )
    # the clips are dealt already: of them, no patients are to be set aside once more
    whole = fit.model_copy(update={"sampling": fit.sampling.model_copy(update={"label_fraction": 1.0})})
    run_fit(arguments, inputs, outputs, whole)
    device, card = prepare_device(fit.device), read_json(outputs.card)
    model, _ = load_model(outputs.weights, card, device=device)
    wanted = [k for k in shards if tables[k]["clip"].isin(dealt.tested).any()]
    data = load_clips(
        features=[arguments.features[k] for k in wanted],
        clips=[testing / f"{k}.parquet" for k in wanted],
        graphs=arguments.graphs,
        scaler=read_json(arguments.scaler),
        settings=whole,
        device=device,
        memory_gb=arguments.memory_gb,
    )
    # only logits are read: the threshold rule plays no part
    return prediction_table(model, data, card, batch_size=fit.loop.batch_evaluation, strict=False)


def logits_of_both(arguments: argparse.Namespace, settings: Settings, card: dict[str, Any]) -> pd.DataFrame:
    """Tested clips (clip, patient, label, logit_patient, logit_record); none if no patient has two recordings."""
    if card["settings"] != settings.fit.model_dump(mode="json") or card["inputs"]["encoder"]:
        raise command.StageError(f"{arguments.card}: this model was not trained from scratch with these settings")
    clips = pd.concat([read_table(path) for path in arguments.clips], ignore_index=True)
    dealt = deal(clips, sampling=settings.fit.sampling, seed=settings.fit.seed)
    plain = read_table(arguments.predictions, ["clip", "patient", "label", "logit_seizure"])
    plain = plain[plain["clip"].isin(dealt.tested)].rename(columns={"logit_seizure": "logit_patient"})
    if not dealt.tested:
        return plain.assign(logit_record=plain["logit_patient"]).reset_index(drop=True)
    with tempfile.TemporaryDirectory() as folder:
        found = train_again(arguments, dealt, settings.fit, Path(folder))
    again = found[["clip", "logit_seizure"]].rename(columns={"logit_seizure": "logit_record"})
    return plain.merge(again, on="clip", how="outer", validate="one_to_one").reset_index(drop=True)


def main() -> None:
    """Deal, train, compare, write."""
    parser = command.parser(__doc__)
    for name in ("features", "clips", "graphs"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("scaler", "card", "predictions", "out", "table"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    training_options(parser)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    try:
        table = logits_of_both(arguments, settings, read_json(arguments.card))
    except (Diverged, NotFinite, UnfitData) as error:
        raise command.StageError(f"{arguments.out}: {error}") from error
    answer = record_split_answer([table], settings.experiments)
    write_table(arguments.table, table)
    write_json(arguments.out, answer)
    log.info("%s %s", answer["question"], answer["sentence"])


if __name__ == "__main__":
    command.run(main)
