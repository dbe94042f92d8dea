"""One table of the paper (Tang et al. 2022, Tables 1 to 10), measured beside published.

In: the inventory (JSON) that the workflow writes: which file is which cell. Out: <table>.parquet and <table>.csv (one
row a value: measured, std over seeds, patient interval, n, published, difference, where the protocol differs) and
<table>.json with the same cells, the title and the meaning of the marks, for the scoreboard.
"""

from pathlib import Path

from pipeline.report.paper_inventory import read_paper_inventory
from pipeline.report.paper_tables import TITLES, paper_table, table_content
from pipeline.report.tables import write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.stages import command
from pipeline.store import write_json


class Settings(Section):
    """What this stage uses: how scores over folds get their intervals."""

    evaluation: EvaluationSettings


def main() -> None:
    """Read, measure, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--table", choices=sorted(TITLES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    inventory = read_paper_inventory(arguments.inventory)
    if inventory.table != arguments.table:
        raise command.StageError(f"{arguments.inventory}: is of {inventory.table}, not of {arguments.table}")
    frame = paper_table(inventory, settings.evaluation)
    write_both(arguments.out, arguments.table, frame)
    write_json(arguments.out / f"{arguments.table}.json", table_content(inventory, frame))
    both = frame["measured"].notna() & frame["published"].notna()
    log.info("%s: %d values, %d of them measured and published", arguments.table, len(frame), int(both.sum()))


if __name__ == "__main__":
    command.run(main)
