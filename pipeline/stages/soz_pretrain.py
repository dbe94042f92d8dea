"""Pre-train the SOZ encoder of one fold: focal class-balanced SupCon among the contacts of each clip.

It uses labels, so it is done inside the fold, on training patients alone. In: token stores and tables of rows of all
shards, the folds. Out: encoder, its card, history (spec soz.md, section 4). Killed, it goes on from its last epoch.
"""

from pathlib import Path

from pipeline.settings.base import parse_settings
from pipeline.settings.soz_jobs import SozPretrainJob
from pipeline.stages import command
from pipeline.training.loop import Diverged
from pipeline.training.soz_fold import Inputs, UnfitData
from pipeline.training.soz_job import Outputs, run_pretraining


def main() -> None:
    """Read, train, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "checkpoints", "encoder", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    command.start(arguments)
    settings = parse_settings(SozPretrainJob, arguments.settings)
    inputs = Inputs(arguments.tokens, arguments.rows, arguments.folds)
    outputs = Outputs(arguments.encoder, arguments.card, arguments.history)
    try:
        run_pretraining(inputs, outputs, settings, code=arguments.code, checkpoints=arguments.checkpoints)
    except (Diverged, UnfitData) as error:
        raise command.StageError(f"{arguments.encoder}: {error}") from error


if __name__ == "__main__":
    command.run(main)
