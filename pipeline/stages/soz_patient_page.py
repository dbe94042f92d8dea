"""The page of one patient of a SOZ run, for a person to read (spec soz.md, section 11).

In: the table of contacts, predictions, cards, graphs and shafts left out of every fold and seed, tokens and rows, the
index tables and findings. Out: one HTML file; beside it, in `figures/`, each picture as PNG, its numbers as JSON and
its table as CSV and Parquet.
"""

from pathlib import Path

from pipeline.report.page import render
from pipeline.report.soz_channels import UnfitChannels
from pipeline.report.soz_patient import PatientFiles, read_patient
from pipeline.report.soz_patient_page import patient_page
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.report import ReportSettings
from pipeline.stages import command
from pipeline.store import replacing

MANY = (
    "predictions", "cards", "attention", "shafts", "tokens", "rows", "recordings", "contacts", "patients", "seizures",
    "findings",
)  # fmt: skip


class Settings(Section):
    """What both SOZ pages are told."""

    corpus: str
    run: str
    synthetic: bool  # a simulated corpus takes part
    report: ReportSettings


def main() -> None:
    """Read, draw, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--patient", required=True)
    parser.add_argument("--channels", type=Path, required=True, help="channel_soz.tsv")
    for name in MANY:
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    files = PatientFiles(**{name: getattr(arguments, name) for name in ("channels", *MANY)})
    try:
        found = read_patient(files, arguments.patient)
    except UnfitChannels as error:
        raise command.StageError(str(error)) from error
    told, synthetic = settings.report, settings.synthetic or found.synthetic
    page, shown = patient_page(
        found, title=told.title, corpus=settings.corpus, run=settings.run, synthetic=synthetic, dpi=told.dpi
    )
    for one in shown:
        one.write(arguments.out.parent / "figures")
    html = render(page, max_mb=told.max_mb)
    with replacing(arguments.out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    log.info("%s: %d pictures, %.1f MB", arguments.patient, len(shown), len(html.encode()) / 1e6)


if __name__ == "__main__":
    command.run(main)
