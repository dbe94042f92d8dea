"""One figure of Tang et al. 2022, drawn from results (figures 1 to 9; docs/paper.md says what each shows).

In: the figure's inventory (JSON, in the form of the report's): which file of which run lies where. Out, in one folder:
figureNN.png, figureNN.json with caption, alt text and all numbers shown, figureNN.csv and .parquet with the numbers as
a table.
"""

from pathlib import Path

from pipeline.report.inventory import read_results
from pipeline.report.paper_figures import FIGURES, write_figure
from pipeline.report.paper_figures_base import FigureSettings
from pipeline.settings.base import parse_settings
from pipeline.stages import command


def main() -> None:
    """Read, draw, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--figure", choices=sorted(FIGURES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the picture, its numbers and the table")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(FigureSettings, arguments.settings)
    drawn = FIGURES[arguments.figure](read_results(arguments.inventory), settings)
    write_figure(drawn, arguments.out)
    log.info("%s: %s", arguments.figure, drawn.picture.caption)


if __name__ == "__main__":
    command.run(main)
