"""The experiments on the learned graph on one page: seizure types, shares of the labels, graphs that are not learned.

In: the folder with the results of `sglc_table`, `label_fraction` and `graph_ablation`; an inventory (JSON) of the runs
whose learned graphs were exported. Out: one self-contained HTML page, and beside it the pictures of learned graphs with
their numbers.
"""

from pathlib import Path

from pipeline.report.blocks import Figure
from pipeline.report.inventory import read_results
from pipeline.report.learned_chapter import learned_chapters
from pipeline.report.page import render
from pipeline.report.sglc_page import read_contents, read_pictures, sglc_page
from pipeline.report.tables import write_both
from pipeline.settings.base import Positive, Section, parse_settings
from pipeline.settings.report import ReportSettings
from pipeline.stages import command
from pipeline.store import replacing


class Settings(Section):
    """What this stage uses: title and resolution of the report, size of the page."""

    report: ReportSettings
    max_mb: Positive


def main() -> None:
    """Read, build, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the three targets")
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    chapters = learned_chapters(read_results(arguments.inventory), settings.report)
    graphs = [chapter.section for chapter in chapters]
    for block in (block for section in graphs for block in section.blocks if isinstance(block, Figure)):
        block.picture.write(arguments.out.parent / "figures")
    for name, frame in (pair for chapter in chapters for pair in chapter.tables.items()):
        write_both(arguments.out.parent / "figures", name, frame)
    contents, pictures = read_contents(arguments.folder), read_pictures(arguments.folder)
    html = render(sglc_page(contents, pictures, title=settings.report.title, graphs=graphs), max_mb=settings.max_mb)
    with replacing(arguments.out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    log.info("%d chapters on learned graphs, %.1f MB", len(graphs), len(html.encode()) / 1e6)


if __name__ == "__main__":
    command.run(main)
