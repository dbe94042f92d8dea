"""Every table and figure of the paper on one page (Tang et al. 2022), each published cell beside the measured one.

In: the folder with the results of `paper_table`, `paper_figure` and `compare`. Out: one self-contained HTML page, and
beside it scoreboard.csv and scoreboard.parquet with the cells of all tables.
"""

from pathlib import Path

from pipeline.report.page import render
from pipeline.report.scoreboard import all_cells, board_page, read_board
from pipeline.report.tables import write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.paper import ScoreboardSettings
from pipeline.stages import command
from pipeline.store import replacing


class Settings(Section):
    """What this stage uses: the page, and what it states about maps and defects."""

    page: ScoreboardSettings
    occlusion: OcclusionSettings
    compat: dict[str, bool | str]


def main() -> None:
    """Read, build, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder with table*.json and figure*.png")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    board = read_board(arguments.folder)
    write_both(arguments.out.parent, "scoreboard", all_cells(board))
    page = board_page(board, settings.page, occlusion=settings.occlusion, compat=settings.compat)
    html = render(page, max_mb=settings.page.max_mb)
    with replacing(arguments.out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    log.info("%d tables, %d figures, %.1f MB", len(board.tables), len(board.figures), len(html.encode()) / 1e6)


if __name__ == "__main__":
    command.run(main)
