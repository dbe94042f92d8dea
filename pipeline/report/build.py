"""All chapters of the report in their order, as one page and its files."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.report.answers import answers_chapter
from pipeline.report.blocks import Figure
from pipeline.report.caveats import REAL_LINE, SYNTHETIC_LINE, caveats
from pipeline.report.explained import examples_chapter, localisation_chapter
from pipeline.report.inventory import Results
from pipeline.report.learned_chapter import learned_chapters
from pipeline.report.overview import Chapter, findings_chapter, what_ran
from pipeline.report.page import Page, render
from pipeline.report.picture import Picture
from pipeline.report.provenance import provenance
from pipeline.report.scores import brief_chapter, scored_runs, scores_chapters
from pipeline.report.tables import write_both
from pipeline.report.trained import training_chapter
from pipeline.settings.evaluation import LocalisationSettings, OcclusionSettings
from pipeline.settings.report import ReportSettings
from pipeline.store import replacing


@dataclass(frozen=True)
class Built:
    """A page with the pictures on it and the tables behind it."""

    page: Page
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """Pictures in the order of the page."""
        return [block.picture for part in self.page.sections for block in part.blocks if isinstance(block, Figure)]


def build(
    results: Results,
    settings: ReportSettings,
    *,
    localisation: LocalisationSettings,
    occlusion: OcclusionSettings,
    stamp: str = "",
) -> Built:
    """The whole report."""
    groups = scored_runs(results)
    chapters = [
        brief_chapter(results, groups),
        what_ran(results),
        findings_chapter(results),
        *scores_chapters(results, settings, groups),
        examples_chapter(results, settings, localisation=localisation),
        localisation_chapter(results, settings, localisation=localisation),
        *learned_chapters(results, settings),
        training_chapter(results, settings),
        answers_chapter(results),
    ]
    mapped, learned = (any(getattr(entry, kind) for entry in results.inventory.runs) for kind in ("maps", "learned"))
    hidden = occlusion if mapped else None
    page = Page(
        title=settings.title,
        subtitle=f"Seizure detection, classification and localisation on the corpus “{results.inventory.corpus}”",
        banner=SYNTHETIC_LINE if results.synthetic else REAL_LINE,
        synthetic=results.synthetic,
        sections=[chapter.section for chapter in chapters],
        caveats=caveats(synthetic=results.synthetic, occlusion=hidden, node=results.node, learned=learned),
        provenance=provenance(results),
        stamp=stamp,
    )
    return Built(page, merged_tables(chapters))


def merged_tables(chapters: list[Chapter]) -> dict[str, pd.DataFrame]:
    """Tables of all chapters; one name is used once."""
    merged: dict[str, pd.DataFrame] = {}
    for chapter in chapters:
        for name, frame in chapter.tables.items():
            if name in merged:
                raise ValueError(f"two tables of the report are called {name!r}")
            merged[name] = frame
    return merged


def write(built: Built, folder: Path, *, max_mb: float) -> None:
    """Write figures/ and tables/, then index.html last: where it stands, the rest is complete."""
    for stale in [*folder.glob("figures/*.png"), *folder.glob("figures/*.json"), *folder.glob("tables/*.*")]:
        stale.unlink()
    for picture in built.pictures:
        picture.write(folder / "figures")
    for name, frame in built.tables.items():
        if len(frame.columns):
            write_both(folder / "tables", name, frame)
    html = render(built.page, max_mb=max_mb)
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(html, encoding="utf-8")
