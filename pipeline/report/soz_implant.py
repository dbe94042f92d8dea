"""Where a patient's contacts lie and how probable each is: in mm from three sides, and shaft by shaft."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from pipeline.report.picture import SERIES, VALUE_MAP, Picture, drawing, finish, plural, tidy
from pipeline.report.soz_channels import NO_SHAFT
from pipeline.report.soz_shown import Shown, leave_room
from pipeline.report.tables import records

VIEWS = (("x", "y", "from above"), ("x", "z", "from the front"), ("y", "z", "from the side"))
WORDS = {"x": "x (mm), left to right", "y": "y (mm), back to front", "z": "z (mm), down to up"}
NAMED = 5  # contacts whose names stand in the picture
SOZ_LOOK: dict[str, Any] = {"edgecolors": SERIES[1], "linewidths": 1.8}
PLAIN_LOOK: dict[str, Any] = {"edgecolors": "#333333", "linewidths": 0.5}
COLUMNS = ["channel", "line", "contact", "x", "y", "z", "p_cal", "rank", "label_soz", "resected"]


def implant_picture(own: pd.DataFrame, *, patient: str, synthetic: bool, dpi: int) -> Shown | None:
    """Contacts of one patient (rows of `of_patient`) from three sides; None where none has coordinates."""
    placed = own[own[["x", "y", "z"]].notna().all(axis=1)]
    if placed.empty:
        return None
    with drawing(11.0, 4.6) as figure:
        for axes, (across, up, words) in zip(figure.subplots(1, 3), VIEWS, strict=True):
            _view(axes, placed, across, up)
            axes.set(title=f"Seen {words}", xlabel=WORDS[across], ylabel=WORDS[up])
            axes.set_aspect("equal", adjustable="datalim")
        shown = ScalarMappable(Normalize(0, 1), VALUE_MAP)
        figure.colorbar(shown, ax=figure.axes, shrink=0.8, pad=0.01, label="probability (calibrated)")
        figure.legend(handles=marks(own), loc="outside lower center", ncols=4, fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    without = len(own) - len(placed)
    gone = f" Without coordinates and not shown here: {plural(without, 'contact')}." if without else ""
    caption = (
        f"n = {plural(len(placed), 'contact')} at their coordinates in mm, as the side files give them; grey lines "
        f"join the contacts of a shaft. Names: the {NAMED} highest ranks, where one does not lie on another.{gone}"
        f" {label_words(own)}"
    )
    alt = f"Implant from three sides; most probable: {named(placed)}."
    name = f"{patient}-implant"
    return Shown(_picture(name, "The implant in space", caption, alt, placed, png), placed[COLUMNS])


def _view(axes: Axes, placed: pd.DataFrame, across: str, up: str) -> None:
    """One projection; the most probable on top."""
    for line, shaft in placed.groupby("line", sort=True):
        if line != NO_SHAFT:
            ordered = shaft.sort_values("contact", kind="stable")
            axes.plot(ordered[across], ordered[up], color="#bbbbbb", linewidth=0.8, zorder=1)
    ordered = placed.sort_values("p_cal", kind="stable", na_position="first")
    inside = ordered["label_soz"].fillna(False).to_numpy(dtype=bool)
    for chosen, mark, look in ((~inside, "o", PLAIN_LOOK), (inside, "D", SOZ_LOOK)):
        part = ordered[chosen]
        axes.scatter(
            part[across], part[up], c=part["p_cal"], cmap=VALUE_MAP, vmin=0, vmax=1, marker=mark, s=34, zorder=3, **look
        )  # fmt: skip
    gone = ordered[ordered["resected"].fillna(False).to_numpy(dtype=bool)]
    axes.plot(gone[across], gone[up], "x", color="#000000", markersize=3.5, markeredgewidth=0.8, zorder=4)
    for row in _apart(placed, across, up):
        axes.annotate(
            row["channel"], (row[across], row[up]), xytext=(5, 4), textcoords="offset points", fontsize=7, zorder=5
        )
    axes.grid(color="#eeeeee", linewidth=0.5)


def _apart(placed: pd.DataFrame, across: str, up: str) -> list[dict[str, Any]]:
    """The highest ranks in turn, without those whose name would lie on the name of a higher one in this view."""
    span = max(float(np.ptp(placed[across])), float(np.ptp(placed[up])), 1.0)
    kept: list[dict[str, Any]] = []
    for row in records(placed[placed["rank"] <= NAMED].sort_values("rank", kind="stable")):
        wide = [abs(row[across] - other[across]) < 0.14 * span for other in kept]
        high = [abs(row[up] - other[up]) < 0.05 * span for other in kept]
        if not any(near and beside for near, beside in zip(wide, high, strict=True)):
            kept.append(row)
    return kept


def shaft_picture(
    own: pd.DataFrame, *, patient: str, synthetic: bool, dpi: int, title: str = "The implant shaft by shaft"
) -> Shown:
    """One row a shaft, one cell a contact in the order of its numbers: needs no coordinates."""
    lines = list(dict.fromkeys(own["line"]))
    cells = pd.concat([_numbered(own[own["line"] == line], row) for row, line in enumerate(lines)])
    width = int(cells["column"].max()) + 1
    with drawing(2.2 + 0.42 * width, 1.2 + 0.4 * len(lines)) as figure:
        axes = figure.subplots()
        values = np.full((len(lines), width), np.nan)
        values[cells["row"], cells["column"]] = cells["p_cal"]
        image = axes.imshow(values, cmap=VALUE_MAP, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        for cell in records(cells):
            _cell(axes, cell)
        axes.set_yticks(range(len(lines)), lines)
        axes.set_xticks([])
        axes.set(xlim=(-0.5, width - 0.5), ylim=(len(lines) - 0.5, -0.5), xlabel="contacts, lowest number first")
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, shrink=0.9, pad=0.01, label="probability (calibrated)")
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"n = {plural(len(own), 'contact')} in {plural(len(lines), 'row')}, one a shaft or grid; in each cell its "
        f"number and, of the ten highest ranks, the rank after #. Orange frame: marked as SOZ; cross: resected. "
        f"{label_words(own)}"
    )
    alt = f"Grid of contacts by shaft; most probable: {named(own)}."
    name = f"{patient}-shafts"
    return Shown(_picture(name, title, caption, alt, own, png), own[COLUMNS])


def _numbered(shaft: pd.DataFrame, row: int) -> pd.DataFrame:
    ordered = shaft.sort_values(["contact", "channel"], kind="stable")
    return ordered.assign(row=row, column=range(len(ordered)))


def _cell(axes: Axes, cell: dict[str, Any]) -> None:
    row, column, p = cell["row"], cell["column"], cell["p_cal"]
    ink = "#ffffff" if np.isfinite(p) and p < 0.5 else "#000000"
    number = "" if not np.isfinite(cell["contact"]) else f"{cell['contact']:.0f}"
    rank = f"\n#{cell['rank']:.0f}" if cell["rank"] <= 10 else ""
    axes.text(column, row, f"{number}{rank}", ha="center", va="center", fontsize=6.5, color=ink)
    if cell["label_soz"] is True or cell["label_soz"] == 1:
        frame = [[column - 0.42, column + 0.42], [row - 0.4, row + 0.4]]
        (left, right), (top, bottom) = frame
        axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color=SERIES[1], linewidth=2)
    if cell["resected"] is True or cell["resected"] == 1:
        axes.plot(column + 0.33, row - 0.3, "x", color=ink, markersize=3.5, markeredgewidth=0.9)


def marks(own: pd.DataFrame) -> list[Line2D]:
    """What the marks mean."""
    look: dict[str, Any] = {"linestyle": "", "markersize": 6, "color": "#888888"}
    made = [
        Line2D([], [], marker="o", markeredgecolor="#333333", label="not marked as SOZ, or unknown", **look),
        Line2D([], [], marker="D", markeredgecolor=SERIES[1], markeredgewidth=1.8, label="marked as SOZ", **look),
        Line2D([], [], linestyle="", marker="x", color="#000000", markersize=4, label="resected"),
    ]
    return made


def label_words(own: pd.DataFrame) -> str:
    """How many contacts clinicians marked, of how many they said anything of."""
    known = own["label_soz"].dropna()
    if known.empty:
        return "Nobody marked which contacts are SOZ: the labels are unknown."
    return f"Marked as SOZ: {int(known.sum())} of {plural(len(known), 'labelled contact')}."


def named(own: pd.DataFrame) -> str:
    """The highest ranks in words."""
    top = own[own["rank"] <= NAMED].sort_values("rank", kind="stable")
    return ", ".join(f"{row['channel']} {row['p_cal']:.2f}" for row in records(top)) or "no contact is scored"


def _picture(name: str, title: str, caption: str, alt: str, own: pd.DataFrame, png: bytes) -> Picture:
    rows = own[COLUMNS].astype(object).where(own[COLUMNS].notna(), None)
    return Picture(name, title, caption, alt, tidy({"contacts": records(rows)}), png)
