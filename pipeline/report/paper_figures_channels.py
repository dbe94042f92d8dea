"""Figure 7: what a classifier of seizure types used, electrode by electrode.

Here a whole channel is hidden for all seconds. M' is the fall of the predicted class's logit, scaled to 0-1 within the
clip. A bipolar derivation shows the difference of its two electrodes' values, constant over time, as in the paper: a
convention of display (report caveat 2), with a sign that only says which of the two mattered more.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from pipeline.clips import classes
from pipeline.explain.localisation import normalise
from pipeline.graphs.electrodes import coordinates
from pipeline.report.caveats import how_hidden
from pipeline.report.derivations import bipolar, node_word, present
from pipeline.report.examples import ClipView, for_display
from pipeline.report.head import draw_graph, edges
from pipeline.report.inventory import Results
from pipeline.report.paper_figures_base import (
    PRETRAINED,
    FigureSettings,
    PaperFigure,
    entries,
    label_of,
    look_of,
    table,
    without,
)
from pipeline.report.paper_figures_examples import Mapped, read_mapped, view
from pipeline.report.picture import Picture, drawing, finish, plural, tidy
from pipeline.report.traces import draw_page, trace_numbers

EXAMPLES = {"CF": 2}  # figure 7 shows two focal clips and one of each other class
DIFFERENCES = "PuOr_r"  # purple negative, orange positive; readable with every colour vision
COLUMNS = 2


@dataclass(frozen=True)
class Dropped:
    """One clip with M' (n,) and why it was chosen."""

    klass: str
    seen: ClipView
    values: NDArray[np.float64]
    why: str


def figure07(results: Results, settings: FigureSettings) -> PaperFigure:
    """Correctly classified 60-s test clips, CF twice, GN, AB and CT once where there are such."""
    title, look = "Occlusion of whole channels, classification", look_of(results, settings)
    runs = [entry for entry in entries(results, "classification", 60, mapped=True) if entry.scheme == "four"]
    runs = sorted(runs, key=lambda entry: (entry.init != PRETRAINED, entry.graph != "correlation"))
    if not runs:
        return without("figure07", title, "No classifier of 60-s clips has occlusion maps.", **look)
    mapped = read_mapped(runs[0])
    shown = [one for name in classes("four") for one in _of_class(results, mapped, name)]
    absent = [name for name in classes("four") if name not in {one.klass for one in shown}]
    label = label_of(results, mapped.entry)
    if not shown:
        why = f"{label} classified no test clip correctly, or its maps are flat ({len(mapped.maps)} maps)."
        if mapped.maps and not results.inventory.signals:
            why = f"{label} has {plural(len(mapped.maps), 'map')}, but the inventory names no signals to draw them on."
        return without("figure07", title, why, **look)
    rows = -(-len(shown) // COLUMNS)
    with drawing(9.4 * COLUMNS, 5.6 * rows, layout=None) as figure:
        grid: Any = figure.subfigures(rows, COLUMNS, squeeze=False)
        for letter, part, one in zip("abcde", grid.ravel(), shown, strict=False):
            _draw(part, one, letter=letter, graph=mapped.entry.graph)
        png = finish(figure, **look)
    numbers = tidy({"examples": [_told(one) for one in shown], "absent": absent})
    alt = "; ".join(f"{one.klass}: highest at {', '.join(_highest(one))}" for one in shown)
    caption = f"{_caption(label, mapped, shown, absent)} {how_hidden(settings.occlusion)}"
    picture = Picture("figure07", title, caption, f"Channel maps: {alt}.", numbers, png)
    return PaperFigure(picture, table(row for one in shown for row in _rows(one)))


def _of_class(results: Results, mapped: Mapped, klass: str) -> list[Dropped]:
    """Examples of a class, by rank in the predicted probability: the middle one, or as many evenly spread ranks."""
    number = classes("four").index(klass)
    rows = mapped.predictions.loc[sorted(mapped.maps)]
    rows = rows[(rows["label"] == number) & (rows["predicted"] == number)]
    rows = rows[rows["clip"].isin([clip for clip, drop in mapped.maps.items() if normalise(drop) is not None])]
    ranked = rows.reset_index(drop=True).sort_values([f"p_{klass}", "clip"], kind="stable")
    wanted = min(EXAMPLES.get(klass, 1), len(ranked))
    places = [round((k + 1) * (len(ranked) + 1) / (wanted + 1)) - 1 for k in range(wanted)]
    found = []
    for place in places:
        row = ranked.iloc[place]
        why = f"{klass}: rank {place + 1} of {plural(len(ranked), 'clip')} by probability, lowest first"
        one = _dropped(results, mapped, klass, row, why)
        found += [one] if one is not None else []
    return found


def _dropped(results: Results, mapped: Mapped, klass: str, row: pd.Series, why: str) -> Dropped | None:
    clip = str(row["clip"])
    seen, scaled = view(results, mapped, clip, why), normalise(mapped.maps[clip])
    if seen is None or scaled is None:
        return None
    held = ClipView(**{**vars(seen), "occlusion": None, "probability": float(row[f"p_{klass}"])})
    return Dropped(klass, held, scaled[:, 0], why)


def _draw(figure: SubFigure, one: Dropped, *, letter: str, graph: str) -> None:
    """Traces with the derivations' differences behind them on the left, the head on the right."""
    parts: Any = figure.subfigures(1, 2, width_ratios=[1.0, 0.54])
    page, head = parts
    traces = bipolar(for_display(one.seen.signal, one.seen.rate_hz), one.seen.electrodes)
    numbers = trace_numbers(one.seen, present(one.seen.electrodes), traces)
    axes = draw_page(page, one.seen, traces, numbers, left=0.11, lift=0.04)
    scale = Normalize(-1.0, 1.0)
    bands = ScalarMappable(scale, DIFFERENCES)
    for row, value in zip(axes.get_yticks(), differences(one), strict=True):
        axes.axhspan(row - 0.42, row + 0.42, color=bands.to_rgba(value, alpha=0.55), linewidth=0, zorder=0.4)
    headline = (
        f"{letter}  {one.klass} ({one.seen.code}) · {one.seen.clip} · p({one.klass}) = {one.seen.probability:.2g}"
    )
    page.text(0.012, 0.985, headline, fontsize=9.5, weight="bold", va="top")
    _draw_head(head, one, graph=graph, bands=bands)


def _draw_head(figure: SubFigure, one: Dropped, *, graph: str, bands: ScalarMappable) -> None:
    seen = one.seen
    kept = [] if seen.weights is None else edges(seen.weights, seen.electrodes)
    directed = seen.weights is not None and not np.allclose(seen.weights, seen.weights.T)
    axes = figure.add_axes((0.0, 0.24, 0.78, 0.68))
    places: dict[str, Any] = {"electrodes": seen.electrodes, "positions": coordinates(seen.electrodes)}
    dots = draw_graph(axes, one.values, kept, directed=directed, scale=Normalize(0.0, 1.0), **places)
    axes.set_title(f"{graph} graph" if kept else "no graph", loc="center", fontsize=9)
    figure.colorbar(dots, cax=figure.add_axes((0.80, 0.38, 0.03, 0.4)), label=f"M′, {node_word(seen.electrodes)}")
    bar = figure.colorbar(bands, cax=figure.add_axes((0.09, 0.15, 0.6, 0.03)), orientation="horizontal", alpha=0.55)
    bar.set_label("derivation: first electrode less second", fontsize=8)


def differences(one: Dropped) -> NDArray[np.float64]:
    """M' of each derivation shown (d,): first electrode less second; nodes that are derivations as they are."""
    return bipolar(one.values[:, None], one.seen.electrodes)[:, 0]


def _highest(one: Dropped) -> list[str]:
    return [one.seen.electrodes[k] for k in np.argsort(-one.values, kind="stable")[:3]]


def _told(one: Dropped) -> dict[str, Any]:
    names = present(one.seen.electrodes)
    return {
        "class": one.klass, "clip": one.seen.clip, "patient": one.seen.patient, "code": one.seen.code,
        "probability": one.seen.probability, "why": one.why,
        "values": dict(zip(one.seen.electrodes, one.values, strict=True)),
        "derivations": dict(zip(names, differences(one), strict=True)),
    }  # fmt: skip


def _caption(label: str, mapped: Mapped, shown: list[Dropped], absent: list[str]) -> str:
    text = (
        f"{label}, correctly classified 60-s test clips (n = {len(shown)} of {len(mapped.maps)} with a map, seed "
        f"{mapped.entry.seeds[0]}). Each channel is hidden over the whole clip; M′: fall of the predicted class's "
        "logit, scaled to 0-1 within the clip, so that colours are not to be compared between clips. Right: on the "
        "head, with the clip's graph. Left: EEG (double banana, negative up, 1-40 Hz; dashed box: annotated seizure; "
        "line below a trace: annotated derivation), each derivation on the difference of its electrodes' values. A "
        "clip ends with its seizure, 60 s at most. Chosen by rule: of each class the clip in the middle by its "
        f"probability (of CF two, a third and two thirds of the way). Here: {'; '.join(one.why for one in shown)}."
    )
    rows = mapped.predictions.loc[sorted(mapped.maps)]
    right = set(rows.loc[rows["label"] == rows["predicted"], "label"])
    held = [name for name in absent if classes("four").index(name) in right]
    if missed := [name for name in absent if name not in held]:
        text += f" No clip of {', '.join(missed)} was classified correctly."
    return text + (f" No clip of {', '.join(held)} could be drawn: no samples, or a flat map." if held else "")


def _rows(one: Dropped) -> list[dict[str, Any]]:
    """One row a node, one a derivation."""
    head = {"class": one.klass, "clip": one.seen.clip, "patient": one.seen.patient}
    node = node_word(one.seen.electrodes)
    nodes = zip(one.seen.electrodes, one.values.tolist(), strict=True)
    pairs = zip(present(one.seen.electrodes), differences(one).tolist(), strict=True)
    rows = [{**head, "kind": node, "name": name, "value": value} for name, value in nodes]
    return rows + [{**head, "kind": "difference", "name": name, "value": value} for name, value in pairs]
