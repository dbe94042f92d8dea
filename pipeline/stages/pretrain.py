"""Pre-train an encoder: predict the next 12 seconds of the recording (Tang et al. 2022, section 2.4).

In: features, clips and graphs of the training shards, then of the validation shards; the scaler. Out: weights of the
encoder and decoder, card, history. Killed, it goes on from its last state.
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
    for name in ("features", "clips", "graphs"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("scaler", "checkpoints", "encoder", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--checkpoint-minutes", type=float, default=None, help="keep parts of longer epochs, too")
    command.memory_option(parser)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(FitSettings, arguments.settings)
    inputs = Inputs(arguments.features, arguments.clips, arguments.graphs, arguments.scaler, None)
    outputs = Outputs(arguments.encoder, arguments.card, arguments.history)
    try:
        run_job(
            inputs,
            outputs,
            settings=settings,
            code=arguments.code,
            checkpoints=arguments.checkpoints,
            checkpoint_minutes=arguments.checkpoint_minutes,
            memory_gb=arguments.memory_gb,
        )
    except (Diverged, UnfitData) as error:
        raise command.StageError(f"{arguments.encoder}: {error}") from error


if __name__ == "__main__":
    command.run(main)
