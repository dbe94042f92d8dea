"""Train the SOZ model of one fold, from scratch or from the fold's encoder: focal class-balanced BCE, then calibration.

In: token stores and tables of rows of all shards, the folds; maybe the encoder. Out: weights, card
(scaler, class counts, calibrator, threshold, fold hash, patients), history (spec soz.md, sections 3 and 5). Killed, it
goes on from its last epoch.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.soz_jobs import SozTrainJob
from pipeline.stages import command
from pipeline.training.loop import Diverged
from pipeline.training.soz_card import UnfitEncoder
from pipeline.training.soz_fold import Inputs, UnfitData
from pipeline.training.soz_job import Outputs, run_training
from pipeline.training.soz_scores import NotFinite


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "checkpoints", "model", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    beside = "weights of the stage `soz_pretrain`; their card, encoder.json, lies beside them. Without: from scratch"
    parser.add_argument("--encoder", type=Path, default=None, help=beside)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(SozTrainJob, arguments.settings)
    inputs = Inputs(arguments.tokens, arguments.rows, arguments.folds, arguments.encoder)
    outputs = Outputs(arguments.model, arguments.card, arguments.history)
    try:
        run_training(inputs, outputs, settings, code=arguments.code, checkpoints=arguments.checkpoints)
    except (Diverged, NotFinite, UnfitData, UnfitEncoder) as error:
        raise command.StageError(f"{arguments.model}: {error}") from error


if __name__ == "__main__":
    command.run(main)
