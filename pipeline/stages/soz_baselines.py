"""Baselines of the SOZ arm on the folds of the runs: who ranks contacts how well without an encoder.

In: token stores and tables of rows of all shards, the folds. Out: the columns of predictions and `baseline`, of the
inner and test patients of every fold (spec soz.md, section 7; docs/soz.md lists the baselines).
"""

from pathlib import Path

from pipeline.settings.base import Section, Seed, parse_settings
from pipeline.stages import command
from pipeline.store import read_table, write_table
from pipeline.training.soz_baselines import baseline_table, load_features


class Settings(Section):
    """What this stage uses."""

    seed: Seed  # of soz.evaluation


def main() -> None:
    """Read, fit, write."""
    parser = command.parser(__doc__)
    for name in ("tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("folds", "baselines"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    folds = read_table(arguments.folds)
    features = load_features(arguments.tokens, arguments.rows, sorted(set(folds["patient"])))
    table = baseline_table(features, folds, seed=settings.seed)
    write_table(arguments.baselines, table)
    log.info("%d baselines, %d patients", table["baseline"].nunique(), table["patient"].nunique())


if __name__ == "__main__":
    command.run(main)
