"""A value for each derivation, drawn as an arrow from its first electrode to its second."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from pipeline.graphs.electrodes import coordinates
from pipeline.report.picture import VALUE_MAP
from pipeline.report.scalp import project
from pipeline.signals.montages import electrodes_of

START, END = 0.1, 0.9  # of the way from electrode to electrode: neighbours in a chain stay apart
ON_MIDLINE = 1e-6
SHAPE: dict[str, Any] = {
    "arrowstyle": "simple,head_length=6,head_width=9,tail_width=4.5", "shrinkA": 0, "shrinkB": 0, "zorder": 3,
}  # fmt: skip


def draw_derivations(
    axes: Axes, values: NDArray[np.floating], places: dict[str, NDArray[np.float64]], scale: Normalize
) -> Any:
    """Arrows coloured by `values` (n,), one for each key of `places` (`F7-T3`); returns what a colour bar needs."""
    mappable = ScalarMappable(norm=scale, cmap=VALUE_MAP)
    colours = mappable.to_rgba(np.asarray(values, dtype=np.float64))
    electrodes = list(dict.fromkeys(end for name in places for end in electrodes_of(name)))
    at = dict(zip(electrodes, project(coordinates(electrodes)), strict=True))
    names = list(places)
    for place in np.argsort(np.asarray(values), kind="stable"):  # the highest on top
        first, second = (at[end] for end in electrodes_of(names[place]))
        start, end = first + START * (second - first), first + END * (second - first)
        arrow = (tuple(start), tuple(end))
        axes.add_patch(FancyArrowPatch(*arrow, color=colours[place], **SHAPE))
        axes.add_patch(FancyArrowPatch(*arrow, facecolor="none", edgecolor="black", linewidth=0.6, **SHAPE))
    for label, (x, y) in at.items():
        axes.plot(x, y, "o", color="black", markersize=2.5, zorder=4)
        side = -1 if x < -ON_MIDLINE else 1
        axes.text(x + 0.055 * side, y, label, ha="left" if side > 0 else "right", va="center", fontsize=5.8, zorder=5)
    return mappable
