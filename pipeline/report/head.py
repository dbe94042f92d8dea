"""Pictures 2 and 3: occlusion values on the head, as an electrode graph and as a topographic map.

Electrodes lie where their unit-sphere coordinates fall in the azimuthal equidistant projection: the vertex in the
middle, the equator (FP1, T3, O1 ...) on the head's outline, nose up. A derivation is the arrow from its first electrode
to its second: what lies between them is a difference, which no spline over the scalp can show.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Circle, FancyArrowPatch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import Delaunay

from pipeline.report.arrows import draw_derivations
from pipeline.report.derivations import node_word
from pipeline.report.picture import VALUE_MAP, Picture, drawing, finish, tidy
from pipeline.report.scalp import project

SHARES = (1.0, 0.5, 0.25)  # threshold sweep: all edges, the strongest half, the strongest quarter
_GRID = 161


def edges(weights: NDArray[np.floating], electrodes: list[str], *, share: float = 1.0) -> list[dict[str, Any]]:
    """The strongest `share` of the edges of a graph (n, n) without its diagonal, strongest first, ties included.

    A symmetric graph has one entry a pair; a directed one an entry for each direction that has a weight.
    """
    W = np.asarray(weights, dtype=np.float64)
    directed = not np.allclose(W, W.T)
    pairs = [(i, j) for i in range(len(W)) for j in range(len(W)) if (i != j if directed else i < j) and W[i, j] > 0]
    pairs.sort(key=lambda pair: (-W[pair], pair))
    weakest = W[pairs[int(np.ceil(share * len(pairs))) - 1]] if pairs else 0.0
    kept = [pair for pair in pairs if W[pair] >= weakest - 1e-9]  # equal weights stay together: the mirror is kept
    return [{"from": electrodes[i], "to": electrodes[j], "weight": float(W[i, j])} for i, j in kept]


def graph_picture(
    name: str,
    values: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    electrodes: list[str],
    positions: NDArray[np.floating],
    graph: str,
    what: str,
    synthetic: bool,
    dpi: int,
) -> Picture:
    """Electrodes coloured by `values` (n,), joined by the edges of `weights` (n, n), at three thresholds."""
    sweep = [edges(weights, electrodes, share=share) for share in SHARES]
    numbers = tidy({"values": dict(zip(electrodes, values, strict=True)), "graph": graph, "sweep": sweep})
    word = node_word(electrodes)
    with drawing(11.0, 4.4) as figure:
        panels = figure.subplots(1, len(SHARES))
        for axes, share, kept in zip(panels, SHARES, sweep, strict=True):
            directed = not np.allclose(weights, np.transpose(weights))
            dots = draw_graph(axes, values, kept, electrodes=electrodes, positions=positions, directed=directed)
            weakest = f", weight ≥ {kept[-1]['weight']:.3f}" if kept else ""
            axes.set_title(f"{_share_words(share)}: {len(kept)} edges{weakest}", loc="center", fontsize=8.5, pad=2)
        figure.colorbar(dots, ax=panels, shrink=0.7, pad=0.01, label=what)
        figure.suptitle(f"{graph} graph", x=0.01, ha="left", fontsize=10, weight="bold")
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    top = [electrodes[i] for i in np.argsort(-np.asarray(values), kind="stable")[:3]]
    caption = (
        f"{what} on each of {len(electrodes)} {word}s (nose up, left is left) and the edges of the {graph} graph "
        f"(n = {len(sweep[0])}), with weaker edges left out from left to right."
    )
    if word == "derivation":
        caption += " An arrow leads from a derivation's first electrode to its second; edges join their middles."
    alt = f"Head seen from above with {len(electrodes)} {word}s; highest values at {', '.join(top)}."
    return Picture(name, f"{word.capitalize()} graph", caption, alt, numbers, png)


def draw_graph(
    axes: Axes,
    values: NDArray[np.floating] | None,
    kept: list[dict[str, Any]],
    *,
    electrodes: list[str],
    positions: NDArray[np.floating],
    directed: bool,
    scale: Normalize | None = None,
) -> Any:
    """One head: nodes coloured by `values` (n,), joined by the edges `kept` (of `edges`); returns a colour bar's scale.

    `values` None: white nodes (derivations: all alike). `scale`: from value to colour; None: lowest to highest value.
    """
    derived = node_word(electrodes) == "derivation"
    places = dict(zip(electrodes, project(positions), strict=True))
    _outline(axes)
    _draw_edges(axes, kept, places, directed=directed, arrows=derived)
    if values is None and not derived:
        return _draw_nodes(axes, np.ones(len(electrodes)), places, Normalize(0.0, 1.0), colour_map="Greys_r")
    values = np.ones(len(electrodes)) if values is None else values
    return (draw_derivations if derived else _draw_nodes)(axes, values, places, scale or _scale(values))


def topomap_picture(
    name: str,
    panels: Sequence[tuple[str, NDArray[np.floating]]],
    *,
    electrodes: list[str],
    positions: NDArray[np.floating],
    what: str,
    synthetic: bool,
    dpi: int,
) -> Picture:
    """Interpolated maps of values (n,), one panel for each (title, values), on one scale; derivations as arrows."""
    places, word = dict(zip(electrodes, project(positions), strict=True)), node_word(electrodes)
    draw = draw_derivations if word == "derivation" else _draw_field
    both = np.concatenate([values for _, values in panels])
    scale = _scale(both)
    with drawing(3.6 * len(panels) + 1.0, 3.9) as figure:
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, values) in zip(row, panels, strict=True):
            _outline(axes)
            image = draw(axes, np.asarray(values, dtype=np.float64), places, scale)
            axes.set_title(title, loc="center", fontsize=8.5, pad=2)
        figure.colorbar(image, ax=row, shrink=0.7, pad=0.02, label=what)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    numbers = tidy({"panels": {title: dict(zip(electrodes, values, strict=True)) for title, values in panels}})
    shown = (
        f"measured at {len(electrodes)} electrodes (dots), interpolated between them by a thin-plate spline "
        "(blank beyond the outermost electrodes)"
    )
    if word == "derivation":
        shown = f"of {len(electrodes)} derivations, each the arrow from its first electrode to its second"
    titles = "; ".join(title for title, _ in panels)
    caption = f"{what}, {shown}; {len(panels)} panel{'s' if len(panels) > 1 else ''}: {titles}."
    peak = [electrodes[int(np.argmax(values))] for _, values in panels]
    kind = "Map of the derivations" if word == "derivation" else "Topographic map"
    alt = f"{kind} {'on' if word == 'derivation' else 'of'} the head; maximum at {', '.join(peak)}."
    return Picture(name, kind, caption, alt, numbers, png)


def _scale(values: NDArray[np.floating]) -> Normalize:
    low, high = float(np.min(values)), float(np.max(values))
    return Normalize(low, high if high > low else low + 1.0)


def _outline(axes: Axes) -> None:
    axes.add_patch(Circle((0, 0), 1.0, fill=False, linewidth=1.4, zorder=2))
    axes.plot([-0.1, 0.0, 0.1], [0.995, 1.12, 0.995], color="black", linewidth=1.4)
    for sign in (-1, 1):
        ear = np.array([[1.0, 0.12], [1.07, 0.14], [1.09, 0.0], [1.07, -0.14], [1.0, -0.12]]) * [sign, 1]
        axes.plot(*ear.T, color="black", linewidth=1.4)
    axes.set(xlim=(-1.22, 1.22), ylim=(-1.2, 1.25), aspect="equal")
    axes.set_axis_off()


def _draw_edges(
    axes: Axes, kept: list[dict[str, Any]], places: dict[str, NDArray], *, directed: bool, arrows: bool
) -> None:
    """Lines between nodes; where the nodes are arrows, bent from middle to middle, or those of a chain lie on them."""
    strongest = max((edge["weight"] for edge in kept), default=1.0)
    bend, gap = (0.3 if arrows else 0.1 if directed else 0.0), (0 if arrows else 7)
    for edge in kept:
        width = 0.4 + 1.8 * edge["weight"] / strongest
        arrow = FancyArrowPatch(
            tuple(places[edge["from"]]), tuple(places[edge["to"]]), arrowstyle="-|>" if directed else "-",
            mutation_scale=6,
            shrinkA=gap, shrinkB=gap + (not arrows), linewidth=width, color="#777777",
            connectionstyle=f"arc3,rad={bend}",
        )  # fmt: skip
        axes.add_patch(arrow)


def _draw_nodes(
    axes: Axes,
    values: NDArray[np.floating],
    places: dict[str, NDArray],
    scale: Normalize,
    *,
    colour_map: str = VALUE_MAP,
) -> Any:
    xy = np.array(list(places.values()))
    look: dict[str, Any] = {"s": 210, "edgecolors": "black", "linewidths": 0.8, "zorder": 3}
    dots = axes.scatter(xy[:, 0], xy[:, 1], c=values, cmap=colour_map, norm=scale, **look)
    for (label, (x, y)), value in zip(places.items(), values, strict=True):
        dark = scale(float(value)) < 0.55
        axes.text(x, y, label, ha="center", va="center", fontsize=5.6, color="white" if dark else "black", zorder=4)
    return dots


def _draw_field(axes: Axes, values: NDArray[np.float64], places: dict[str, NDArray], scale: Normalize) -> Any:
    """A spline through the electrodes' values, the electrodes as labelled dots."""
    flat = np.array(list(places.values()))
    line = np.linspace(-1.0, 1.0, _GRID)
    xx, yy = np.meshgrid(line, line)
    inside = Delaunay(flat).find_simplex(np.stack([xx, yy], axis=-1)) >= 0  # a spline says nothing beyond its points
    field = np.full(xx.shape, np.nan)
    spline = RBFInterpolator(flat, values, kernel="thin_plate_spline")
    field[inside] = spline(np.stack([xx[inside], yy[inside]], axis=1))
    extent = (-1.0, 1.0, -1.0, 1.0)
    image = axes.imshow(field, origin="lower", extent=extent, cmap=VALUE_MAP, norm=scale, interpolation="bilinear")
    if np.ptp(values) > 0:
        axes.contour(xx, yy, field, levels=6, colors="black", linewidths=0.4, alpha=0.6)
    axes.plot(*flat.T, "o", color="black", markersize=2.5)
    for label, (x, y) in places.items():
        axes.text(x, y + 0.05, label, ha="center", va="bottom", fontsize=5.5)
    return image


def _share_words(share: float) -> str:
    return {1.0: "all", 0.5: "strongest half", 0.25: "strongest quarter"}.get(share, f"strongest {share:.0%}")
