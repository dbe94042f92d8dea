"""Deal the patients of a corpus into folds, and say for one of them who trains, validates and is tested (Table 3).

In: the index of all shards of the corpus that is divided; maybe the user's list of folds. Out: patient, fold, split,
codes (the patient's seizure types).
"""

from pathlib import Path

from pipeline.folds import assignment, deal_folds, patient_codes, read_folds
from pipeline.settings.base import Count, Number, Section, Seed, Share, parse_settings
from pipeline.stages import command
from pipeline.store import read_tables, write_table


class Settings(Section):
    """What this stage uses."""

    fold: Number
    count: Count
    validation_share: Share
    seed: Seed


def main() -> None:
    """Read, deal, write."""
    parser = command.parser(__doc__)
    for name in ("recordings", "seizures"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--list", type=Path, default=None, help="TSV with the columns patient, fold")
    parser.add_argument("--folds", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    codes = patient_codes(read_tables(arguments.recordings), read_tables(arguments.seizures))
    if arguments.list is not None:
        folds = read_folds(arguments.list, set(codes), count=settings.count)
    else:
        folds = deal_folds(codes, count=settings.count, seed=settings.seed)
    share, seed = settings.validation_share, settings.seed
    table = assignment(folds, codes, fold=settings.fold, validation_share=share, seed=seed)
    write_table(arguments.folds, table)
    counts = table["split"].value_counts()
    log.info("fold %d of %d: %s patients", settings.fold, settings.count, counts.to_dict())


if __name__ == "__main__":
    command.run(main)
