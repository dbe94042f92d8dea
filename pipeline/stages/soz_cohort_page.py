"""The page of all tested patients of a SOZ run, for a person to read (spec soz.md, section 11).

In: metrics, comparisons, cohort.json, the table of contacts, folds, measures of attention and of its faithfulness, the
index's patients and recordings; ablations.tsv where it is there. Out: one HTML file; beside it, in
`figures/`, each picture as PNG, its numbers as JSON and its table as CSV and Parquet.
"""

from pathlib import Path

from pipeline.report.page import render
from pipeline.report.soz_channels import UnfitChannels
from pipeline.report.soz_cohort import CohortFiles, read_cohort
from pipeline.report.soz_cohort_page import cohort_page
from pipeline.settings.base import parse_settings
from pipeline.stages import command
from pipeline.stages.soz_patient_page import Settings
from pipeline.store import replacing

ONE = ("metrics", "comparisons", "channels", "folds", "summary")
MANY = ("measures", "faithfulness", "patients", "recordings")


def main() -> None:
    """Read, draw, write."""
    parser = command.parser(__doc__)
    for name in ONE:
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in MANY:
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--ablations", type=Path, required=True, help="ablations.tsv, which need not be there")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    files = CohortFiles(**{name: getattr(arguments, name) for name in (*ONE, *MANY, "ablations")})
    try:
        found = read_cohort(files)
    except UnfitChannels as error:
        raise command.StageError(str(error)) from error
    told, synthetic = settings.report, settings.synthetic or found.synthetic
    page, shown = cohort_page(
        found, title=told.title, corpus=settings.corpus, run=settings.run, synthetic=synthetic, dpi=told.dpi
    )
    for one in shown:
        one.write(arguments.out.parent / "figures")
    html = render(page, max_mb=told.max_mb)
    with replacing(arguments.out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    log.info("%d patients, %d pictures, %.1f MB", len(found.abstained), len(shown), len(html.encode()) / 1e6)


if __name__ == "__main__":
    command.run(main)
