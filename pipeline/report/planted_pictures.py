"""Planted and learned graphs side by side, and how well one tells the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.report.picture import MARKS, SERIES, Picture, drawing, finish, plural, tidy
from pipeline.report.tables import records

SIGNED_MAP = "PuOr_r"  # two-sided, readable with every colour vision
DIRECTIONS = {"planted": "as planted", "reversed": "driver and receiver exchanged"}


def edges_picture(
    rows: pd.DataFrame,
    planted: Mapping[str, NDArray[np.bool_]],
    graphs: Mapping[str, NDArray[np.float64]],
    electrodes: Sequence[str],
    *,
    dpi: int,
) -> Picture:
    """Above the planted edges, below what was learned, `any` and each class; at the bottom AUROC with intervals."""
    wanted = [np.any(list(planted.values()), axis=0), *planted.values()]
    learned = [graphs["all"], *graphs["own"]]
    heads = ["any class", *planted]
    with drawing(2.5 * len(heads), 8.6) as figure:
        halves: Any = figure.subfigures(2, 1, height_ratios=[2, 1])
        above, below = halves
        axes = above.subplots(2, len(heads))
        for place, name in enumerate(heads):
            _matrix(axes[0, place], wanted[place].astype(float), electrodes, f"planted, {name}", top=1.0)
            said = "learned less 1/n" if not place else f"learned, {name} less mean"
            _matrix(axes[1, place], learned[place], electrodes, said)
        _aurocs(below, rows)
        png = finish(figure, synthetic=True, dpi=dpi)
    first = records(rows)[0]
    n = ", ".join(plural(int(first[f"n_{what}s"]), what) for what in ("clip", "patient", "seed"))
    caption = (
        "Row: receiver, column: driver. Above, what was planted; below it, where the learner's own part of a graph has "
        "more weight than each electrode's equal share (any class), and more in clips of a class than in the mean of "
        "all classes; colours of each panel by its own largest value off the diagonal. Bottom: AUROC of planted edges, "
        f"mean over seeds, {n}; bar: interval over patients and seeds; cross: the same networks before training; "
        "dotted: 0.5."
    )
    told = [f"{row['class']} {row['auroc']:.2f}" for row in records(rows[rows["direction"] == "planted"])]
    alt = f"Planted and learned graphs as matrices; AUROC of planted edges: {', '.join(told)}."
    numbers = {"rows": records(rows), "electrodes": list(electrodes), "learned": dict(zip(heads, learned, strict=True))}
    return Picture("planted_graph", "Planted and learned edges", caption, alt, tidy(numbers), png)


def _matrix(
    axes: Axes, values: NDArray[np.float64], electrodes: Sequence[str], title: str, *, top: float | None = None
) -> None:
    shown = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    limit = top or max(float(np.nanmax(np.abs(shown))), 1e-9)
    axes.imshow(shown, cmap=SIGNED_MAP, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_xticks(range(len(electrodes)), electrodes, rotation=90, fontsize=5)
    axes.set_yticks(range(len(electrodes)), electrodes, fontsize=5)
    axes.set_title(title if top else f"{title} (±{limit:.3f})", fontsize=7.5)


def _aurocs(figure: Any, rows: pd.DataFrame) -> None:
    """One line a class; filled: as planted, open: exchanged."""
    axes = figure.subplots()
    names = list(dict.fromkeys(rows["class"]))
    for shift, (direction, words) in enumerate(DIRECTIONS.items()):
        own = rows[rows["direction"] == direction]
        for row in records(own):
            place = names.index(row["class"]) + (shift - 0.5) * 0.3
            if row["low"] is not None and np.isfinite(row["low"]):
                axes.plot([row["low"], row["high"]], [place, place], color=SERIES[shift], linewidth=2)
            axes.plot(row["untrained"], place, "x", color="#888888", markersize=4)
            label = words if row["class"] == names[0] else None
            axes.plot(row["auroc"], place, MARKS[shift], color=SERIES[shift], markersize=6, label=label)
    axes.axvline(0.5, color="#888888", linestyle=":", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel="AUROC of planted edges")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
