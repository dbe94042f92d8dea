"""Train one model for detection or classification, from scratch, from an encoder or from another corpus's detector.

In: features, clips and graphs of the training shards, then of the validation shards; the scaler; maybe first weights.
Out: weights, card, history (Tang et al. 2022, sections 2.3 and 3). Killed, it goes on from its last state.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.stages.fitting import run_fit, training_options
from pipeline.training.job import Inputs, Outputs, UnfitData
from pipeline.training.loop import Diverged
from pipeline.training.start import UnfitWeights


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name, number in (("features", "+"), ("clips", "+"), ("graphs", "*")):  # graphs: none for a model without
        parser.add_argument(f"--{name}", type=Path, nargs=number, required=True)
    for name in ("scaler", "model", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--encoder", type=Path, default=None, help="weights of the stages `pretrain`, `import_weights`")
    start.add_argument("--detector", type=Path, default=None, help="model of the stage `train` for detection")
    training_options(parser)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(FitSettings, arguments.settings)
    start_from = (arguments.encoder, arguments.detector)
    inputs = Inputs(arguments.features, arguments.clips, arguments.graphs, arguments.scaler, *start_from)
    outputs = Outputs(arguments.model, arguments.card, arguments.history)
    try:
        run_fit(arguments, inputs, outputs, settings)
    except (Diverged, UnfitData, UnfitWeights) as error:
        raise command.StageError(f"{arguments.model}: {error}") from error


if __name__ == "__main__":
    command.run(main)
