"""Figures 3 and 6: what a detector used during a focal and during a generalised seizure, Corr-DCRNN and Dense-CNN.

Each row: EEG of the seizure with the map over its seconds, and the mean of those seconds on the head with the clip's
graph. The map is scaled to 0-1 within its whole clip, as in section 2.5 of the paper, and then cut to the seizure.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from pipeline.graphs.electrodes import coordinates
from pipeline.report.caveats import how_hidden
from pipeline.report.derivations import bipolar, node_word, present
from pipeline.report.examples import ClipView, for_display
from pipeline.report.head import draw_graph, edges
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.paper_figures_base import (
    PRETRAINED,
    FigureSettings,
    PaperFigure,
    entries,
    label_of,
    look_of,
    model_of,
    table,
    without,
)
from pipeline.report.paper_figures_examples import SHORTEST_S, Mapped, crop, read_mapped, seizure, typical, view
from pipeline.report.picture import Picture, drawing, finish, plural, tidy
from pipeline.report.traces import draw_page, trace_numbers

GROUPS = ("focal", "generalised")
CONTEXT_S = 2  # shown before and after the seizure
RULE = (
    "Chosen by rule: of each group the clip in the middle by localisation (by probability where no channel is "
    f"annotated), a clip with the onset and {SHORTEST_S} s of seizure before others"
)
SAME = ", of the pre-trained DCRNN (figure 3), or, where this model missed it, of those that both detected"
LONGEST_S = 30  # shown at most: beyond it, one second is too narrow to be seen


@dataclass(frozen=True)
class Row:
    """One example: the whole clip, the seconds shown, the seconds of the seizure (all since the clip's start)."""

    group: str
    seen: ClipView
    shown: tuple[int, int]
    ictal: tuple[int, int]
    why: str


def figure03(results: Results, settings: FigureSettings) -> PaperFigure:
    """Corr-DCRNN with pre-training: the two examples."""
    title = "Occlusion maps during seizures, Corr-DCRNN with pre-training"
    entry = graph_run(results)
    if entry is None:
        why = "No pre-trained DCRNN on 60-s clips has occlusion maps."
        return without("figure03", title, why, **look_of(results, settings))
    mapped = read_mapped(entry)
    rows = [_row(results, mapped, group, typical(results, mapped, group, among=mapped.maps)) for group in GROUPS]
    return _drawn("figure03", title, results, settings, mapped, rows)


def figure06(results: Results, settings: FigureSettings) -> PaperFigure:
    """Dense-CNN on the clips of figure 3; where it missed such a seizure, on one that both models detected."""
    title = "Occlusion maps during seizures, Dense-CNN"
    runs = entries(results, "detection", 60, mapped=True)
    subject = next((entry for entry in runs if model_of(results, entry) == "densecnn"), None)
    if subject is None:
        why = "No Dense-CNN on 60-s clips has occlusion maps."
        return without("figure06", title, why, **look_of(results, settings))
    mapped, reference = read_mapped(subject), graph_run(results)
    other = read_mapped(reference) if reference else None
    rows = [_row(results, mapped, group, _same_clip(results, mapped, other, group)) for group in GROUPS]
    return _drawn("figure06", title, results, settings, mapped, rows)


def graph_run(results: Results) -> RunEntry | None:
    """The run of figure 3: DCRNN with pre-training, on the correlation graph if there is one."""
    runs = [entry for entry in entries(results, "detection", 60, mapped=True) if model_of(results, entry) == "dcrnn"]
    runs = [entry for entry in runs if entry.init == PRETRAINED]
    return next((entry for entry in runs if entry.graph == "correlation"), runs[0] if runs else None)


def _same_clip(results: Results, mapped: Mapped, other: Mapped | None, group: str) -> tuple[str, str] | None:
    if other is None:
        return typical(results, mapped, group, among=mapped.maps)
    first = typical(results, other, group, among=other.maps)
    if first is not None and first[0] in mapped.maps:
        return first[0], "the clip of figure 3"
    missed = "the clip of figure 3 was not detected by this model; here, of those that both detected, "
    both = typical(results, other, group, among=mapped.maps)
    if both is not None:
        return both[0], missed + both[1]
    alone = typical(results, mapped, group, among=mapped.maps)
    return None if alone is None else (alone[0], f"no {group} seizure was detected by both models; {alone[1]}")


def _row(results: Results, mapped: Mapped, group: str, chosen: tuple[str, str] | None) -> Row | None:
    if chosen is None:
        return None
    seen = view(results, mapped, *chosen)
    if seen is None or seen.occlusion is None:
        return None
    ictal = seizure(seen) or (0, seen.length_s)
    start = max(0, ictal[0] - CONTEXT_S)
    end = min(seen.length_s, ictal[1] + CONTEXT_S, start + LONGEST_S)
    return Row(group, seen, (start, end), ictal, chosen[1])


def _drawn(
    name: str, title: str, results: Results, settings: FigureSettings, mapped: Mapped, rows: list[Row | None]
) -> PaperFigure:
    look, label = look_of(results, settings), label_of(results, mapped.entry)
    shown = [row for row in rows if row is not None]
    if not shown:
        count = len(mapped.maps)
        why = f"{label} detected no test clip with a focal or generalised seizure whose map is not flat ({count} maps)."
        if count and not results.inventory.signals:
            why = f"{label} has {plural(count, 'map')}, but the inventory names no signals to draw them on."
        return without(name, title, why, **look)
    parts: list[dict[str, Any]] = []
    with drawing(15.0, 8.2 * len(shown), layout=None) as figure:
        grid: Any = figure.subfigures(len(shown), 2, width_ratios=[1.0, 0.46], squeeze=False)
        for letter, line, row in zip("ab", grid, shown, strict=False):
            parts.append(_draw_traces(line[0], row, letter=letter))
            _draw_mean(line[1], row, parts[-1], graph=mapped.entry.graph)
        png = finish(figure, colours=None, **look)  # a palette would show steps in the maps
    absent = [group for group, row in zip(GROUPS, rows, strict=True) if row is None]
    caption = f"{_caption(label, mapped, parts, absent)} {how_hidden(settings.occlusion)}"
    alt = "; ".join(f"{part['group']} seizure, mean map highest at {', '.join(part['highest'])}" for part in parts)
    picture = Picture(name, title, caption, f"Occlusion maps of {label}: {alt}.", tidy({"examples": parts}), png)
    return PaperFigure(
        picture, table(cell for row, part in zip(shown, parts, strict=True) for cell in _cells(row, part))
    )


def _draw_traces(figure: SubFigure, row: Row, *, letter: str) -> dict[str, Any]:
    """Traces and map of the seconds shown; returns the example's numbers."""
    seen, part = row.seen, crop(row.seen, *row.shown)
    names = present(seen.electrodes)
    traces = bipolar(for_display(seen.signal, seen.rate_hz), seen.electrodes)  # filtered whole: no edge within
    first, last = (round(second * seen.rate_hz) for second in row.shown)
    numbers = trace_numbers(part, names, traces[:, first:last])
    cells = [{**cell, "value": abs(cell["difference"])} for cell in numbers["overlay"]]
    top = draw_page(figure, part, traces[:, first:last], numbers, cells=cells)
    top.tick_params(labelbottom=False)  # the map below has the same clock
    score = "" if seen.localisation is None else f" · localisation {seen.localisation:.2f}"
    headline = f"{letter}  {row.group} ({seen.code}) · {seen.clip} · p(seizure) = {seen.probability or 0:.2g}{score}"
    figure.text(0.012, 0.985, headline, fontsize=10.5, weight="bold", va="top")
    return {
        "group": row.group, "why": row.why, "shown_s": list(row.shown), "seizure_s": list(row.ictal),
        "patient": seen.patient, "code": seen.code, "scaled_within": "clip", **numbers,
        "localisation": seen.localisation,
    }  # fmt: skip


def _draw_mean(figure: SubFigure, row: Row, part: dict[str, Any], *, graph: str) -> None:
    """Mean of the seizure's seconds on the head; adds it to the example's numbers."""
    seen = row.seen
    values = seizure_mean(seen, row.ictal)
    kept = [] if seen.weights is None else edges(seen.weights, seen.electrodes)
    directed = seen.weights is not None and not np.allclose(seen.weights, seen.weights.T)
    axes = figure.add_axes((0.02, 0.2, 0.76, 0.66))
    dots = draw_graph(
        axes, values, kept, electrodes=seen.electrodes, positions=coordinates(seen.electrodes), directed=directed
    )
    word = f"{graph} graph" if kept else f"no graph: the model sees {node_word(seen.electrodes)}s in a row"
    axes.set_title(f"mean of {row.ictal[1] - row.ictal[0]} s of seizure\n{word}", loc="center", fontsize=9.5)
    figure.colorbar(dots, cax=figure.add_axes((0.81, 0.33, 0.03, 0.4)), label="occlusion value")
    part |= {
        "mean": dict(zip(seen.electrodes, values.tolist(), strict=True)), "edges": kept,
        "highest": [seen.electrodes[k] for k in np.argsort(-values, kind="stable")[:3]],
    }  # fmt: skip


def seizure_mean(seen: ClipView, ictal: tuple[int, int]) -> NDArray[np.float64]:
    """Mean map value (n,) over the seizure's seconds."""
    assert seen.occlusion is not None
    return np.asarray(seen.occlusion[:, ictal[0] : ictal[1]].mean(axis=1), dtype=np.float64)


def _caption(label: str, mapped: Mapped, parts: list[dict[str, Any]], absent: list[str]) -> str:
    chosen = "; ".join(f"{part['group']}: {part['why']}" for part in parts)
    text = (
        f"{label}, correctly predicted 60-s test clips (n = {len(parts)} of {len(mapped.maps)} with a map, seed "
        f"{mapped.entry.seeds[0]}). Left: EEG of the seizure with {CONTEXT_S} s before and after it (at most "
        f"{LONGEST_S} s; double banana, negative up, 1-40 Hz; dashed box: annotated seizure; line below a trace: this "
        "derivation is annotated; orange: the values of its two electrodes differ by more than 0.5), and below it the "
        "map over the seconds, scaled to 0-1 within the whole clip. Right: mean over the seconds of the seizure. "
        f"{RULE}{SAME if mapped.entry.graph == 'none' else ''}. Here: {chosen}."
    )
    for group in absent:
        known = (mapped.predictions["focal"] == group) & mapped.predictions["clip"].isin(list(mapped.maps))
        why = "could be drawn: the samples are not there" if known.any() else "was predicted correctly"
        text += f" No {group} clip {why}."
    return text


def _cells(row: Row, part: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a node and second shown."""
    assert row.seen.occlusion is not None
    return [
        {
            "group": row.group, "clip": row.seen.clip, "patient": row.seen.patient, "node": name, "second": second,
            "in_seizure": row.ictal[0] <= second < row.ictal[1], "value": float(row.seen.occlusion[k, second]),
            "seizure_mean": part["mean"][name],
        }
        for k, name in enumerate(row.seen.electrodes)
        for second in range(*row.shown)
    ]  # fmt: skip
