"""Apply a trained model to the clips of the validation and test shards.

In: weights and card; features, clips and graphs of the shards; the scaler that the model was trained with. Out: one row
a clip with logits, probabilities and the predicted class.
"""

from pathlib import Path

from pipeline.settings.base import Section, parse_settings
from pipeline.settings.training import DeviceSettings
from pipeline.stages import command
from pipeline.store import read_json, write_table
from pipeline.training.clip_data import load_clips
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_model
from pipeline.training.predicting import NotFinite, prediction_table


class Settings(Section):
    """What this stage uses."""

    device: DeviceSettings
    batch: int
    threshold_strict: bool  # compat.threshold_strict


def main() -> None:
    """Read, predict, write."""
    parser = command.parser(__doc__)
    for name, number in (("features", "+"), ("clips", "+"), ("graphs", "*")):  # graphs: none for a model without
        parser.add_argument(f"--{name}", type=Path, nargs=number, required=True)
    for name in ("model", "card", "scaler", "predictions"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    command.memory_option(parser)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    device, card = prepare_device(settings.device), read_json(arguments.card)
    scaler = read_json(arguments.scaler)
    if scaler != card["scaler"]:
        raise command.StageError(f"{arguments.scaler}: not the scaler that {arguments.model} was trained with")
    model, trained = load_model(arguments.model, card, device=device)
    data = load_clips(
        features=arguments.features,
        clips=arguments.clips,
        graphs=arguments.graphs,
        scaler=scaler,
        settings=trained.model_copy(update={"device": settings.device}),
        device=device,
        memory_gb=arguments.memory_gb,
    )
    try:
        table = prediction_table(model, data, card, batch_size=settings.batch, strict=settings.threshold_strict)
    except NotFinite as error:
        raise command.StageError(f"{arguments.model}: {error}") from None
    table = table[table["split"] != "train"].reset_index(drop=True)  # there under compat.mysz_split: published
    write_table(arguments.predictions, table)
    log.info(
        "%d clips, %d of them predicted as labelled", len(table), int((table["predicted"] == table["label"]).sum())
    )


if __name__ == "__main__":
    command.run(main)
