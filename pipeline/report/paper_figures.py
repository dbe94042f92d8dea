"""The nine figures of Tang et al. 2022 by name, from one inventory of results."""

from collections.abc import Callable
from pathlib import Path

from pipeline.report.inventory import Results
from pipeline.report.paper_figures_base import FigureSettings, PaperFigure
from pipeline.report.paper_figures_channels import figure07
from pipeline.report.paper_figures_graphs import figure01, figure08, figure09
from pipeline.report.paper_figures_localisation import figure04
from pipeline.report.paper_figures_maps import figure03, figure06
from pipeline.report.paper_figures_scores import figure02, figure05
from pipeline.report.tables import write_both

FIGURES: dict[str, Callable[[Results, FigureSettings], PaperFigure]] = {
    "figure01": figure01, "figure02": figure02, "figure03": figure03, "figure04": figure04, "figure05": figure05,
    "figure06": figure06, "figure07": figure07, "figure08": figure08, "figure09": figure09,
}  # fmt: skip


def write_figure(drawn: PaperFigure, folder: Path) -> None:
    """Write `<name>.png`, `.json` (title, caption, alt text, numbers), `.csv` and `.parquet`."""
    drawn.picture.write(folder)
    write_both(folder, drawn.picture.name, drawn.table)
