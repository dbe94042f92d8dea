"""All results of one corpus as tables, figures and one self-contained page.

In: the inventory (JSON) that the workflow writes: which file of which run lies where. Out: index.html, figures/ (PNG
with the JSON of their numbers), tables/ (CSV and Parquet). Two runs on equal results give equal bytes, unless --stamp
puts a line of its own into the page.
"""

from pathlib import Path

from pipeline.report.build import build, write
from pipeline.report.inventory import read_results
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.evaluation import LocalisationSettings, OcclusionSettings
from pipeline.settings.report import ReportSettings
from pipeline.stages import command


class Settings(Section):
    """What this stage uses: what is shown, and two sections that captions state."""

    report: ReportSettings
    localisation: LocalisationSettings
    occlusion: OcclusionSettings


def main() -> None:
    """Read, build, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for index.html, figures/ and tables/")
    parser.add_argument("--stamp", default="", help="when or where this was built; the only part that may differ")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    results = read_results(arguments.inventory)
    built = build(
        results,
        settings.report,
        localisation=settings.localisation,
        occlusion=settings.occlusion,
        stamp=arguments.stamp,
    )
    write(built, arguments.out, max_mb=settings.report.max_mb)
    size = (arguments.out / "index.html").stat().st_size / 1e6
    log.info("%d pictures, %d tables, page of %.1f MB", len(built.pictures), len(built.tables), size)


if __name__ == "__main__":
    command.run(main)
