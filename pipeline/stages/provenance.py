"""What made the results: a table of all records below a folder, or how two runs differ. Run by hand or by its target.

    python -m pipeline.stages.provenance results/<corpus>            prints the table, writes provenance.tsv, .parquet
    python -m pipeline.stages.provenance --compare A/results B/results

In: the records that the stages leave (pipeline/provenance.py). Two results folders may have been made on two machines;
of a copy the folders `provenance/` are enough. The comparison ends with status 1 if outputs differ, or only one run has
them.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from pipeline.provenance import RECORDS
from pipeline.report.provenance_comparison import compared
from pipeline.report.provenance_table import Record, lines_of, read_records, results_of, table_of, unfinished
from pipeline.stages.command import StageError, run
from pipeline.store import write_table, write_tsv


def main() -> None:
    """Read the records; print and write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="results of one corpus, or all of them")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="two results folders")
    arguments = parser.parse_args()
    if (arguments.folder is None) == (arguments.compare is None):
        parser.error("give one folder of results, or --compare with two")
    if arguments.compare is not None:
        comparison = compared(*(recorded(folder) for folder in arguments.compare))
        print("\n".join(comparison.lines()))
        sys.exit(0 if comparison.match else 1)
    print("\n".join(listed(arguments.folder)))


def recorded(folder: Path) -> list[Record]:
    """The records below a folder, in the order of the graph. Raises StageError where there are none."""
    records = read_records(folder)
    if not records:
        raise StageError(f"{folder}: no record of provenance below it; name a folder of results, e.g. `results`")
    return records


def listed(folder: Path) -> list[str]:
    """Write the table of a folder; its lines for the terminal, and where it was written."""
    results = results_of(folder)
    ended, begun = table_of(read_records(folder), results=results), unfinished(folder, results=results)
    if ended.empty and begun.empty:
        return [f"{folder}: no record of provenance yet"]
    table = pd.concat([part for part in (ended, begun) if len(part)], ignore_index=True)
    write_table(folder / f"{RECORDS}.parquet", table)
    write_tsv(folder / f"{RECORDS}.tsv", table)
    counts = ", ".join(f"{count} {state}" for state, count in table["state"].value_counts().items())
    return [*lines_of(table), f"{len(table)} jobs ({counts}); all columns: {folder / RECORDS}.tsv"]


if __name__ == "__main__":
    run(main)
