"""Train one model for detection or classification, from scratch, from an encoder or from another corpus's detector.

In: features, clips and graphs of the training shards, then of the validation shards; the scaler; maybe first weights.
Out: weights, card, history (Tang et al. 2022, sections 2.3 and 3). Killed, it goes on from its last state.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.training.job import Inputs, Outputs, UnfitData, run_job
from pipeline.training.loop import Diverged
from pipeline.training.start import UnfitWeights


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name, number in (("features", "+"), ("clips", "+"), ("graphs", "*")):  # graphs: none for a model without
        parser.add_argument(f"--{name}", type=Path, nargs=number, required=True)
    for name in ("scaler", "checkpoints", "model", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--encoder", type=Path, default=None, help="weights of the stages `pretrain`, `import_weights`")
    start.add_argument("--detector", type=Path, default=None, help="model of the stage `train` for detection")
    parser.add_argument("--checkpoint-minutes", type=float, default=None, help="keep parts of longer epochs, too")
    command.memory_option(parser)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(FitSettings, arguments.settings)
    start_from = (arguments.encoder, arguments.detector)
    inputs = Inputs(arguments.features, arguments.clips, arguments.graphs, arguments.scaler, *start_from)
    outputs = Outputs(arguments.model, arguments.card, arguments.history)
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
    except (Diverged, UnfitData, UnfitWeights) as error:
        raise command.StageError(f"{arguments.model}: {error}") from error


if __name__ == "__main__":
    command.run(main)
