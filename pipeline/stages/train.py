"""Train one model for detection or classification, from scratch or from a pre-trained encoder.

In: features, clips and graphs of the training shards, then of the validation shards; the scaler; maybe an encoder.
Out: weights, card, history (Tang et al. 2022, sections 2.3 and 3). Killed, it goes on from its last whole epoch.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.training.job import Inputs, Outputs, UnfitData, run_job
from pipeline.training.loop import Diverged


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name, number in (("features", "+"), ("clips", "+"), ("graphs", "*")):  # graphs: none for a model without
        parser.add_argument(f"--{name}", type=Path, nargs=number, required=True)
    for name in ("scaler", "checkpoints", "model", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=None, help="weights of the stage `pretrain`")
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(FitSettings, arguments.settings)
    inputs = Inputs(arguments.features, arguments.clips, arguments.graphs, arguments.scaler, arguments.encoder)
    outputs = Outputs(arguments.model, arguments.card, arguments.history)
    try:
        run_job(inputs, outputs, settings=settings, code=arguments.code, checkpoints=arguments.checkpoints)
    except (Diverged, UnfitData) as error:
        raise command.StageError(f"{arguments.model}: {error}") from error


if __name__ == "__main__":
    command.run(main)
