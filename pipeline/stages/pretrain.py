"""Pre-train an encoder: predict the next 12 seconds of the recording (Tang et al. 2022, section 2.4).

In: features, clips and graphs of the training shards, then of the validation shards; the scaler. Out: weights of the
encoder and decoder, card, history. Killed, it goes on from its last state.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.stages.fitting import run_fit, training_options
from pipeline.training.job import Inputs, Outputs, UnfitData
from pipeline.training.loop import Diverged


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name in ("features", "clips", "graphs"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("scaler", "encoder", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    training_options(parser)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(FitSettings, arguments.settings)
    inputs = Inputs(arguments.features, arguments.clips, arguments.graphs, arguments.scaler, None)
    outputs = Outputs(arguments.encoder, arguments.card, arguments.history)
    try:
        run_fit(arguments, inputs, outputs, settings)
    except (Diverged, UnfitData) as error:
        raise command.StageError(f"{arguments.encoder}: {error}") from error


if __name__ == "__main__":
    command.run(main)
