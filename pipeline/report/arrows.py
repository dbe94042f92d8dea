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


def draw_derivations(
    axes: Axes, values: NDArray[np.floating], places: dict[str, NDArray[np.float64]], scale: Normalize
) -> Any:
    """Arrows coloured by `values` (n,), one for each key of `places` (`F7-T3`); returns what a colour bar needs."""
    mappable = ScalarMappable(norm=scale, cmap=VALUE_MAP)
    colours = mappable.to_rgba(np.asarray(values, dtype=np.float64))
    electrodes = list(dict.fromkeys(end for name in places for end in electrodes_of(name)))
    at = dict(zip(electrodes, project(coordinates(electrodes)), strict=True))
    order = np.argsort(np.asarray(values), kind="stable")  # the highest on top
    names = list(places)
    for place in order:
        first, second = electrodes_of(names[place])
        look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 3, "shrinkB": 3}
        for width, edge in ((5.4, "black"), (4.2, colours[place])):  # a dark rim: the palest value is seen on white
            axes.add_patch(
                FancyArrowPatch(tuple(at[first]), tuple(at[second]), linewidth=width, color=edge, zorder=3, **look)
            )
    for label, (x, y) in at.items():
        axes.plot(x, y, "o", color="black", markersize=3.5, zorder=4)
        axes.text(x, y + 0.06, label, ha="center", va="bottom", fontsize=5.8, zorder=5)
    return mappable
