"""Figures 1, 8 and 9: the electrodes and their graphs, and what the distance graph owes to its kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from pipeline.graphs.distance import distance_weights, pairwise_distances
from pipeline.graphs.electrodes import coordinates
from pipeline.graphs.kernel import gaussian_weights
from pipeline.report.head import draw_graph, edges
from pipeline.report.inventory import Results, graph_paths
from pipeline.report.paper_figures_base import FigureSettings, PaperFigure, look_of, table, without
from pipeline.report.picture import SERIES, STYLES, VALUE_MAP, Picture, drawing, finish, plural, tidy
from pipeline.report.rule_marks import PUBLISHED_NODES
from pipeline.store import reading_store

KAPPAS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)  # figure 8
EDGES_OF_KAPPA = (22, 32, 36, 48, 62, 72)  # of the published 19 electrodes (spec dcrnn.md, section 3)
PUBLISHED_BANDWIDTH = 0.06  # figure 9, in a unit that the paper does not state
SHOWN_ABOVE = 0.02  # of the largest weight off the diagonal: a head with all 171 edges shows nothing
_MEASURE = "detection-12s"  # clips whose correlation graphs figure 1 shows


def figure01(results: Results, settings: FigureSettings) -> PaperFigure:
    """The nodes with the distance graph, the correlation graph of one clip, and the mean of those of all test clips."""
    nodes, look = list(settings.electrodes), look_of(results, settings)
    found = _correlations(results)
    if found is None:
        why = f"No test clip of {_MEASURE} has a correlation graph, so only the distance graph could be drawn."
        return without("figure01", "Electrodes and their graphs", why, **look)
    clip, one, mean, count = found
    distance = distance_weights(nodes, kappa=settings.graphs.kappa)
    panels = [
        (f"a  distance graph, κ = {settings.graphs.kappa:g}", distance, 1.0),
        ("b  correlation graph of one clip", one, 1.0),
        (f"c  mean of {plural(count, 'clip')}", mean, 0.25),
    ]
    numbers: dict[str, Any] = {"clip": clip, "clips": count, "panels": {}}
    with drawing(12.4, 4.8) as figure:
        for axes, (title, weights, share) in zip(figure.subplots(1, 3), panels, strict=True):
            kept = edges(weights, nodes, share=share)
            total = len(edges(weights, nodes))
            _head(axes, weights, kept, nodes, title=f"{title}: {_of(len(kept), total)} edges")
            numbers["panels"][title] = {"n_edges": total, "n_shown": len(kept), "edges": kept}
        png = finish(figure, **look)
    caption = (
        f"{len(nodes)} nodes on the head (nose up, left is left) and the graphs that join them; n = "
        f"{plural(count, 'test clip')} of 12 s. a: one graph for all clips, from electrode positions. b: of the first "
        f"test clip with a seizure, if any ({clip}): the {settings.graphs.top_neighbours} strongest neighbours of each "
        "node, arrows from the node whose neighbour it is. c: mean weight over clips, its strongest quarter. Lines are "
        "as wide as their weights, relative to the widest of the panel; self-edges are not drawn."
    )
    alt = f"Three heads from above with {len(nodes)} nodes: distance graph, one and the mean correlation graph."
    rows = [{"panel": title[0], **edge} for title, part in numbers["panels"].items() for edge in part["edges"]]
    picture = Picture("figure01", "Electrodes and their graphs", caption, alt, tidy(numbers), png)
    return PaperFigure(picture, table(rows))


def figure08(results: Results, settings: FigureSettings) -> PaperFigure:
    """The distance graph for six thresholds, its edges counted and compared with the published counts."""
    nodes = list(settings.electrodes)
    comparable = set(nodes) == set(PUBLISHED_NODES)
    rows: list[dict[str, Any]] = []
    numbers: dict[str, Any] = {"kappa_used": settings.graphs.kappa, "nodes": nodes, "panels": []}
    with drawing(11.0, 8.0) as figure:
        for axes, kappa, printed in zip(figure.subplots(2, 3).flat, KAPPAS, EDGES_OF_KAPPA, strict=True):
            weights = distance_weights(nodes, kappa=kappa)
            kept = edges(weights, nodes)
            rows.append({"kappa": kappa, "edges": len(kept), "expected": printed if comparable else np.nan})
            numbers["panels"].append({**rows[-1], "weights": {f"{e['from']}-{e['to']}": e["weight"] for e in kept}})
            used = ", used here" if np.isclose(kappa, settings.graphs.kappa) else ""
            _head(axes, weights, kept, nodes, title=f"κ = {kappa:g}: {len(kept)} edges{used}")
        png = finish(figure, synthetic=False, dpi=settings.report.dpi)
    same = all(row["edges"] == row["expected"] for row in rows)
    against = f"the counts of the published graphs ({', '.join(map(str, EDGES_OF_KAPPA))})"
    verdict = f"Edges {'equal' if same else 'DIFFER from'} {against}."
    caption = (
        f"Nodes farther apart than κ (radii of the head) are not joined; n = {len(nodes)} nodes, edges counted once, "
        f"self-edges left out. {verdict if comparable else 'Other nodes than published: no count to compare with.'} "
        "Positions alone: no recording enters."
    )
    alt = "Six heads: " + ", ".join(f"{row['edges']} edges at kappa {row['kappa']:g}" for row in rows) + "."
    picture = Picture("figure08", "Distance graph by threshold", caption, alt, tidy(numbers), png)
    return PaperFigure(picture, table(rows))


def figure09(results: Results, settings: FigureSettings) -> PaperFigure:
    """The distance graph by a Gaussian kernel without threshold: the printed bandwidth, and one that fits."""
    nodes = list(settings.electrodes)
    distances = pairwise_distances(nodes)
    fitting = float(distances.std() / np.sqrt(2))  # then exp(-d²/2h²) is section 2.2's exp(-(d/sigma)²)
    cases = [("printed", PUBLISHED_BANDWIDTH), ("sigma/√2", fitting)]
    numbers: dict[str, Any] = {"sigma": distances.std(), "nodes": nodes, "panels": []}
    rows: list[dict[str, Any]] = []
    with drawing(13.0, 8.2) as figure:
        grid = figure.subplots(2, 3, width_ratios=[1.0, 1.15, 1.15])
        for k, (line, (origin, h)) in enumerate(zip(grid, cases, strict=True)):
            weights = gaussian_weights(nodes, bandwidth=h)
            part = _kernel_numbers(weights, distances, nodes, h, origin)
            numbers["panels"].append(part)
            rows += [{"bandwidth": h, **edge} for edge in edges(weights, nodes)]
            _kernel_head(line[0], weights, part, nodes, letter="ab"[k])
            _matrix(line[1], weights / weights.max(), nodes, title=f"W / W(0), h = {h:.4g}")
            _curve(line[2], distances, h, settings.graphs.kappa)
        png = finish(figure, synthetic=False, dpi=settings.report.dpi)
    largest = numbers["panels"][0]["largest_off_diagonal"]
    caption = (
        f"W = exp(-d²/2h²)/(√(2π)·h) of {len(nodes)} nodes (n = {len(nodes) * (len(nodes) - 1) // 2} pairs), no "
        f"threshold. Top: h = {PUBLISHED_BANDWIDTH:g} as printed: every weight off the diagonal is at most "
        f"{largest:.2g}, the graph falls apart into single nodes; the paper's unit of distance must differ and is not "
        f"stated. Bottom: h = σ/√2 = {fitting:.4f}, σ = {distances.std():.4f} the standard deviation of all distances: "
        f"the kernel of the distance graph without its threshold κ. Edges up to {SHOWN_ABOVE:.0%} of W(0) are not "
        "drawn. Positions alone: no recording enters."
    )
    alt = f"Gaussian kernel: no visible edge at h = 0.06; at h = {fitting:.3f} {numbers['panels'][1]['n_shown']} edges."
    return PaperFigure(Picture("figure09", "Distance graph by kernel", caption, alt, tidy(numbers), png), table(rows))


def _correlations(results: Results) -> tuple[str, NDArray[np.float64], NDArray[np.float64], int] | None:
    """(clip, its graph (n, n), mean graph (n, n), clips) of the test clips; the clip: the first with a seizure."""
    clips = results.clips.get(_MEASURE, pd.DataFrame())
    seizures = set(clips.loc[clips["label"] == 1, "clip"]) if len(clips) else set()
    best: tuple[bool, str, NDArray] | None = None
    total: NDArray[np.float64] | None = None
    count = 0
    for path in graph_paths(results.inventory, "correlation", _MEASURE):
        with reading_store(path) as group:
            attributes: dict[str, Any] = dict(group.attrs)
            stored: Any = group["weights"]
            weights, names = np.asarray(stored[...], dtype=np.float64), [str(name) for name in attributes["clips"]]
        if not names:
            continue
        total = weights.sum(axis=0) if total is None else total + weights.sum(axis=0)
        count += len(names)
        clip = min(names, key=lambda name: (name not in seizures, name))
        candidate = (clip not in seizures, clip, weights[names.index(clip)])
        best = candidate if best is None else min(best, candidate, key=lambda one: one[:2])
    if total is None or best is None:
        return None
    return best[1], best[2], total / count, count


def _of(shown: int, total: int) -> str:
    return f"{shown}" if shown == total else f"{shown} of {total}"


def _head(axes: Axes, weights: NDArray, kept: list[dict[str, Any]], nodes: list[str], *, title: str) -> Any:
    """A head with white nodes: only the edges speak."""
    directed = not np.allclose(weights, weights.T)
    draw_graph(axes, None, kept, electrodes=nodes, positions=coordinates(nodes), directed=directed)
    axes.set_title(title, loc="center", fontsize=9, pad=2)


def _kernel_numbers(
    weights: NDArray[np.float64], distances: NDArray[np.float64], nodes: list[str], h: float, origin: str
) -> dict[str, Any]:
    off = weights[~np.eye(len(weights), dtype=bool)]
    shown = [edge for edge in edges(weights, nodes) if edge["weight"] > SHOWN_ABOVE * weights.max()]
    return {
        "bandwidth": h, "origin": origin, "at_zero": float(weights.max()), "largest_off_diagonal": float(off.max()),
        "smallest_distance": float(distances[distances > 0].min()), "n_shown": len(shown), "shown": shown,
    }  # fmt: skip


def _kernel_head(axes: Axes, weights: NDArray, part: dict[str, Any], nodes: list[str], *, letter: str) -> None:
    title = f"{letter}  h = {part['bandwidth']:.4g} ({part['origin']}): {part['n_shown']} edges"
    _head(axes, weights, part["shown"], nodes, title=title)


def _matrix(axes: Axes, weights: NDArray[np.float64], nodes: Sequence[str], *, title: str) -> None:
    scale = Normalize(0.0, 1.0)
    axes.imshow(weights, cmap=VALUE_MAP, norm=scale, interpolation="nearest")
    axes.set_xticks(range(len(nodes)), list(nodes), rotation=90, fontsize=6)
    axes.set_yticks(range(len(nodes)), list(nodes), fontsize=6)
    axes.set_title(title, loc="center", fontsize=9)
    axes.figure.colorbar(ScalarMappable(scale, VALUE_MAP), ax=axes, shrink=0.8, pad=0.02)


def _curve(axes: Axes, distances: NDArray[np.float64], h: float, kappa: float) -> None:
    """Both kernels over distance, with the distances that occur as ticks at the foot."""
    d = np.linspace(0.0, 2.0, 401)
    sigma = distances.std()
    axes.plot(d, np.exp(-np.square(d) / (2 * h * h)), color=SERIES[0], linestyle=STYLES[0], label=f"h = {h:.4g}")
    axes.plot(
        d, np.where(d <= kappa, np.exp(-np.square(d / sigma)), 0.0), color=SERIES[1], linestyle=STYLES[1],
        label=f"distance graph, κ = {kappa:g}",
    )  # fmt: skip
    occurring = np.unique(distances[distances > 0].round(9))
    axes.plot(occurring, np.full(len(occurring), -0.03), "|", color="black", markersize=7, label="distances that occur")
    axes.set(xlim=(-0.02, 2.02), ylim=(-0.06, 1.05), xlabel="distance (radii of the head)", ylabel="W / W(0)")
    axes.legend(fontsize=7.5, loc="upper right")
