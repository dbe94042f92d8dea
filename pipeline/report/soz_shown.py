"""A picture of the SOZ pages together with the table of what it shows."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.report import blocks as parts
from pipeline.report.blocks import Block, Links, table_of
from pipeline.report.picture import Picture
from pipeline.report.tables import write_both

LONGEST = 60  # rows of a table that the page itself holds; longer ones lie beside it


def leave_room(figure: Figure) -> None:
    """A free line at the top, for the mark of synthetic data: in a small picture it would cover something."""
    figure.suptitle(" ", fontsize=9)


@dataclass(frozen=True)
class Shown:
    """A picture, and all its values as rows."""

    picture: Picture
    table: pd.DataFrame

    def write(self, folder: Path) -> None:
        """`<name>.png`, `.json` of its numbers and words, `.csv` and `.parquet` of its table."""
        self.picture.write(folder)
        write_both(folder, self.picture.name, self.table)

    def blocks(self, *, caption: str) -> list[Block]:
        """The picture, then its table: folded, or where it is long, the file alone; `caption`: what the table holds."""
        name = self.picture.name
        link = Links([(f"{caption}: table as CSV", f"figures/{name}.csv")])
        if len(self.table) > LONGEST:
            return [parts.Figure(self.picture), link]
        return [parts.Figure(self.picture), table_of(name, caption, self.table, folded=True), link]
