"""Deal the patients of the intracranial corpus into folds: train, inner (stops and calibrates), test.

In: recordings, contacts and patients of all shards. Out: `folds.parquet`, one row a fold and patient, and `folds.json`,
its hash and its counts (spec soz.md, section 7).
"""

from pathlib import Path

from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz import SozFolds
from pipeline.stages import command
from pipeline.store import read_tables, write_json, write_table
from pipeline.training.soz_folds import deal_folds, patient_table, summary


class Settings(Section):
    """What this stage uses."""

    folds: SozFolds


def main() -> None:
    """Read, deal, write."""
    parser = command.parser(__doc__)
    for name in ("recordings", "contacts", "patients"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--listed", nargs="*", default=[], help="patients or corpora with a planned fold each")
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True, help="folds.json")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings).folds
    tables = [read_tables(paths) for paths in (arguments.recordings, arguments.contacts, arguments.patients)]
    patients = patient_table(*tables)
    folds = deal_folds(patients, settings, listed=arguments.listed)
    told = summary(folds, settings, patients)
    write_table(arguments.folds, folds)
    write_json(arguments.summary, told)
    log.info("%d patients, %d folds, hash %s", len(patients), len(told["folds"]), told["hash"])


if __name__ == "__main__":
    command.run(main)
