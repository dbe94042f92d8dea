"""What the nine figures of the paper have in common: the settings they state, names of models, numbers in print.

A figure is one picture (PNG, with its numbers as JSON) and one tidy table of the same numbers. Where a figure cannot be
drawn (no map, no focal clip predicted correctly, one class only) the picture says why, and the table may be empty.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypedDict

import pandas as pd

from pipeline.report.inventory import Results, RunEntry
from pipeline.report.paper_inventory import PRINTED_MODELS
from pipeline.report.picture import Picture, drawing, finish, tidy
from pipeline.report.published import SOURCE, published_table
from pipeline.settings.base import Section
from pipeline.settings.evaluation import LocalisationSettings, OcclusionSettings
from pipeline.settings.features import GraphSettings
from pipeline.settings.report import ReportSettings

GRAPHS = {"distance": "Dist-", "correlation": "Corr-", "none": ""}
PRETRAINED = "ssl"


class FigureSettings(Section):
    """What the stage uses: sections that pictures draw by or captions state, and the nodes of the graphs."""

    report: ReportSettings
    localisation: LocalisationSettings
    occlusion: OcclusionSettings
    graphs: GraphSettings
    electrodes: tuple[str, ...]


class Look(TypedDict):
    """What `finish` asks of every picture."""

    synthetic: bool
    dpi: int


@dataclass(frozen=True)
class PaperFigure:
    """A picture and its numbers, one row a value."""

    picture: Picture
    table: pd.DataFrame = field(default_factory=pd.DataFrame)


def look_of(results: Results, settings: FigureSettings) -> Look:
    """Marked where the data are synthetic, at the report's resolution."""
    return {"synthetic": results.synthetic, "dpi": settings.report.dpi}


def model_of(results: Results, entry: RunEntry) -> str:
    """The model plug-in of a run, as the inventory or else the card of its first seed says."""
    return entry.model or str(results.cards[entry.cards[0]]["settings"]["model"])


def label_of(results: Results, entry: RunEntry) -> str:
    """`Corr-DCRNN with pre-training`, as the paper calls the runs; a model that it does not have by its own name."""
    model = model_of(results, entry)
    return run_label(PRINTED_MODELS.get(model, model), graph=entry.graph, pretrained=entry.init == PRETRAINED)


def run_label(model: str, *, graph: str, pretrained: bool) -> str:
    """The same of a model by its name in print."""
    name = GRAPHS[graph] + model
    return name if model != "DCRNN" else f"{name} {'with' if pretrained else 'without'} pre-training"


def entries(results: Results, task: str, length_s: int, *, mapped: bool = False) -> list[RunEntry]:
    """Runs of the inventory on a task and clip length, in its order; `mapped`: only those with occlusion maps."""
    chosen = [entry for entry in results.inventory.runs if (entry.task, entry.length_s) == (task, length_s)]
    return [entry for entry in chosen if entry.maps or not mapped]


def in_print(
    results: Results, entry: RunEntry, figure: str, metric: str, *, klass: str = "all", model: str | None = None
) -> float | None:
    """A number that the paper prints for a run in `figure` (fig2a, fig2b, fig4c); per cent become shares.

    `model`: the name to look for, where it is not the run's own.
    """
    rows = published_table()
    name = model or PRINTED_MODELS.get(model_of(results, entry), "")
    wanted = {
        "table": figure, "model": name, "metric": metric, "class": klass,
        "graph": "" if entry.graph == "none" else entry.graph,
        "pretraining": "ssl" if entry.init == PRETRAINED else "none",
    }  # fmt: skip
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    if not len(rows):
        return None
    return float(rows["mean"].iloc[0]) * (0.01 if metric.endswith("_pct") else 1.0)


def beside(value: float | None) -> str:
    """` (published 84.3 %)`, or nothing."""
    return "" if value is None else f" (published {value:.1%})"


def context(results: Results) -> str:
    """The sentence that every caption with published numbers ends with."""
    text = f"Published: {SOURCE}."
    return f"{text} Other data: context, no target." if results.synthetic else text


def without(
    name: str, title: str, why: str, *, synthetic: bool, dpi: int, numbers: dict[str, Any] | None = None
) -> PaperFigure:
    """A picture that says why there is nothing to draw."""
    with drawing(7.5, 2.4) as figure:
        figure.text(0.03, 0.86, title, fontsize=11, weight="bold", va="top")
        figure.text(0.03, 0.55, textwrap.fill(why, 88), fontsize=10, va="top")
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    found = tidy({"reason": why, **(numbers or {})})
    return PaperFigure(Picture(name, title, f"{why} n = 0.", f"No picture: {why}", found, png))


def table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A tidy table of rows with equal keys."""
    return pd.DataFrame(list(rows))
