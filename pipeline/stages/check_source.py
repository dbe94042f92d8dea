"""Check that weights learnt on another corpus (runs with a `source`) have seen none of this corpus's test patients.

In: the segments of both corpora, and the splits that `check_splits` found clean for each. Out: how many patients learnt
there and are tested here (JSON). Stops where one of them is the same by name, or the same samples are on both sides.
"""

from pathlib import Path

import pandas as pd

from pipeline.folds import with_splits
from pipeline.leaks import leaks_between
from pipeline.settings.base import Section, parse_settings
from pipeline.stages import command
from pipeline.store import read_table, read_tables, write_json

COLUMNS = ["recording", "segment", "patient", "split", "digest"]


class Settings(Section):
    """What this stage uses."""

    corpus: str
    source: str


def segments_of(paths: list[Path], splits: Path, *wanted: str) -> pd.DataFrame:
    """Segments of the patients that are in one of the splits `wanted`; of a fold, its own splits count."""
    table = with_splits(read_tables(paths, COLUMNS), read_table(splits))
    return table[table["split"].isin(wanted)].reset_index(drop=True)


def main() -> None:
    """Read, compare, write."""
    parser = command.parser(__doc__)
    for name in ("learnt", "tested"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True, help=f"segments of the corpus {name}")
        parser.add_argument(f"--{name}-splits", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    learnt = segments_of(arguments.learnt, arguments.learnt_splits, "train", "validation")
    tested = segments_of(arguments.tested, arguments.tested_splits, "test")
    if problems := leaks_between(learnt, tested):
        where = f"weights learnt on {settings.source} may not be tested on {settings.corpus}"
        raise command.StageError(f"{where}: {'; '.join(problems)}. Choose another source, or take them out of one side")
    counts = {"learnt_patients": learnt["patient"].nunique(), "tested_patients": tested["patient"].nunique()}
    write_json(arguments.out, {"corpus": settings.corpus, "source": settings.source, **counts})
    log.info("%d patients of %s, none of them tested here", counts["learnt_patients"], settings.source)


if __name__ == "__main__":
    command.run(main)
