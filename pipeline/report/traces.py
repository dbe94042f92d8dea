"""Picture 1: EEG in the double banana, negative up, with the annotated seizure and what the model used.

Occlusion values are shown per derivation and second as the difference of its two electrodes, coloured only beyond 0.5
(Tang et al. 2022, figures 3 and 4), and below the traces as the map itself, electrode by second. Where the nodes of a
model are derivations, the value shown is that of the derivation.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.report.derivations import DOUBLE_BANANA, bipolar, node_word, present, side
from pipeline.report.examples import ClipView, for_display
from pipeline.report.picture import (
    ACCENT,
    LEFT,
    MIDLINE,
    RIGHT,
    VALUE_MAP,
    Picture,
    drawing,
    finish,
    plural,
    slug,
    tidy,
)

SENSITIVITIES_UV_MM = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)
PITCH_MM = 8.0  # distance between two traces
CUT_ROWS = 2.2  # a pop does not run over the page; `sensitivity` lets the rest reach 2 rows
MARKED_ABOVE = 0.5  # an overlay is drawn beyond this difference
_COLOURS = {"left": LEFT, "right": RIGHT, "midline": MIDLINE}


def trace_picture(view: ClipView, *, synthetic: bool, dpi: int) -> Picture:
    """The trace page of one clip."""
    names = present(view.electrodes)
    traces = bipolar(for_display(view.signal, view.rate_hz), view.electrodes)
    numbers = trace_numbers(view, names, traces)
    with drawing(12.0, 8.6 if view.occlusion is None else 10.6, layout=None) as figure:
        draw_page(figure, view, traces, numbers)
        figure.text(0.012, 0.985, _headline(view), fontsize=10.5, weight="bold", va="top")
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=256)
    return Picture(
        f"traces-{slug(view.clip)}", f"Traces of {view.clip}", _caption(view, numbers), _alt(view), numbers, png
    )


def draw_page(
    figure: FigureBase,
    view: ClipView,
    traces: NDArray[np.float64],
    numbers: dict[str, Any],
    *,
    cells: list[dict[str, Any]] | None = None,
    left: float = 0.07,
    lift: float = 0.0,
) -> Axes:
    """Traces (derivation, s) in µV with what `numbers` (of `trace_numbers`) says of them, and the map below, if any.

    The page fills `figure`, which may be a part of a larger one. `cells`: what is coloured in place of the overlay of
    `numbers` (derivation, second, and a value up to 1), with an outline. `left`: share of the width that
    labels take; `lift`: of the height below, where there is no map. Returns the axes of the traces.
    """
    names: list[str] = numbers["derivations"]
    rows = _row_positions(names)
    top, below = _axes(figure, view, rows, left=left, lift=lift)
    _draw_spans(top, view, names, rows)
    for cell in numbers["overlay"] if cells is None else cells:
        value = abs(cell["difference" if cells is None else "value"])
        _draw_cell(top, cell["second"], rows[cell["derivation"]], value, outlined=cells is not None)
    _draw_traces(top, view, names, rows, traces, numbers["sensitivity_uv_per_mm"])
    if below is not None:
        _draw_map(below, view)
    return top


def trace_numbers(view: ClipView, names: list[str], traces: NDArray[np.float64]) -> dict[str, Any]:
    """All that the picture shows, in numbers. traces: (derivation, s) in µV."""
    overlay: list[dict[str, Any]] = []
    if view.occlusion is not None:
        seconds = min(view.occlusion.shape[1], view.length_s)
        difference = bipolar(view.occlusion, view.electrodes)[:, :seconds]
        for d, t in np.argwhere(np.abs(difference) > MARKED_ABOVE):
            overlay.append({"derivation": names[d], "second": int(t), "difference": float(difference[d, t])})
    peak = np.percentile(np.abs(traces), 98, axis=1) if traces.size else np.zeros(len(names))
    step = sensitivity(peak)
    beyond = np.any(np.abs(traces) > CUT_ROWS * PITCH_MM * step, axis=1).tolist()
    return tidy(
        {
            "clip": view.clip,
            "derivations": names,
            "sensitivity_uv_per_mm": step,
            "cut": [name for name, cut in zip(names, beyond, strict=True) if cut],
            "peak_uv": dict(zip(names, peak, strict=True)),
            "spans": [vars(span) for span in view.spans],
            "overlay": overlay,
            "occlusion": None if view.occlusion is None else np.round(view.occlusion, 4),
            "probability": view.probability,
            "localisation": view.localisation,
        }
    )


def sensitivity(peak_uv: NDArray[np.floating]) -> int:
    """Microvolts per millimetre: the smallest usual step that keeps the median trace within its own row.

    The largest trace may reach over two rows to either side, no more: a focal seizure stays readable.
    """
    if not len(peak_uv):
        return SENSITIVITIES_UV_MM[0]
    wanted = max(float(np.median(peak_uv)) / (0.6 * PITCH_MM), float(np.max(peak_uv)) / (2 * PITCH_MM))
    return next((step for step in SENSITIVITIES_UV_MM if step >= wanted), SENSITIVITIES_UV_MM[-1])


def heights(trace: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Rows above its own line at which a trace (s,) in µV is drawn: negative up, as EEG is read, cut at CUT_ROWS."""
    return -np.clip(trace / (PITCH_MM * step), -CUT_ROWS, CUT_ROWS)


def _row_positions(names: list[str]) -> dict[str, float]:
    """Height of each derivation in rows, from the top; a gap of one half row between chains."""
    rows, height = {}, 0.0
    for chain in DOUBLE_BANANA:
        for name in chain:
            if name in names:
                rows[name] = -height
                height += 1.0
        height += 0.5
    for name in names:
        if name not in rows:
            rows[name] = -height
            height += 1.0
    return rows


def _axes(
    figure: FigureBase, view: ClipView, rows: dict[str, float], *, left: float, lift: float
) -> tuple[Axes, Axes | None]:
    share, wide = lift if view.occlusion is None else 0.24, 0.985 - left
    top = figure.add_axes((left, 0.06 + share, wide, 0.87 - share))
    lowest = min(rows.values(), default=0.0)
    top.set(
        xlim=(0, view.length_s),
        ylim=(lowest - CUT_ROWS - 0.1, CUT_ROWS + 0.3),
        yticks=list(rows.values()),
        yticklabels=list(rows),
    )
    for label, name in zip(top.get_yticklabels(), rows, strict=True):
        label.set_color(_COLOURS[side(name)])
    top.tick_params(axis="y", length=0)
    step = 5 if view.length_s > 20 else 1
    ticks = np.arange(-view.first_s % step, view.length_s + 1, step)
    top.set_xticks(ticks, [str(view.first_s + second) for second in ticks])
    top.grid(axis="x", color="#bbbbbb", linewidth=0.5, linestyle=":")
    top.set_axisbelow(True)
    top.spines["left"].set_visible(False)
    if view.occlusion is None:
        top.set_xlabel("seconds since the start of the clip")
        return top, None
    return top, figure.add_axes((left, 0.05, wide, 0.20), sharex=top)


def _draw_traces(
    axes: Axes, view: ClipView, names: list[str], rows: dict[str, float], traces: NDArray[np.float64], step: float
) -> None:
    per_row = PITCH_MM * step
    seconds = np.arange(traces.shape[1]) / view.rate_hz
    for name, trace in zip(names, traces, strict=True):
        colour = _COLOURS[side(name)]
        axes.plot(seconds, rows[name] + heights(trace, step), color=colour, linewidth=0.5, rasterized=True)
    bar = 0.5 * round(per_row / 10) * 10 if per_row >= 40 else per_row / 2
    x, y = view.length_s * 0.985, axes.get_ylim()[0] + 0.35
    axes.plot([x, x], [y, y + bar / per_row], color="black", linewidth=2, solid_capstyle="butt")
    note = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
    text = f"{bar:g} µV · nominal {step:g} µV/mm"
    axes.text(x * 0.994, y + bar / per_row / 2, text, ha="right", va="center", fontsize=8, bbox=note)


def _draw_spans(axes: Axes, view: ClipView, names: list[str], rows: dict[str, float]) -> None:
    low, high = axes.get_ylim()
    for span in view.spans:
        start, end = max(span.onset_s, 0.0), min(span.offset_s, float(view.length_s))
        if end <= start:
            continue
        if span.channel == "TERM":
            box = Rectangle(
                (start, low + 0.05), end - start, high - low - 0.65, fill=False, linestyle="--", linewidth=1.6
            )
            axes.add_patch(box)
            axes.text(start, high - 0.52, f"annotated seizure ({span.code})", va="bottom", fontsize=8.5, weight="bold")
        elif span.channel in names:
            y = rows[span.channel] - 0.46
            axes.plot([start, end], [y, y], color="black", linewidth=1.3, solid_capstyle="butt")


def _draw_cell(axes: Axes, second: int, row: float, value: float, *, outlined: bool) -> None:
    """One second of one derivation, behind its trace; `outlined` also before it, for traces that hide it."""
    place: dict[str, Any] = {"xy": (second, row - 0.42), "width": 1.0, "height": 0.84}
    strength = 0.35 + 0.5 * (value - MARKED_ABOVE) / (1 - MARKED_ABOVE)
    axes.add_patch(Rectangle(**place, facecolor=ACCENT, alpha=strength, linewidth=0, zorder=0.6))
    if outlined:
        axes.add_patch(Rectangle(**place, fill=False, edgecolor=ACCENT, linewidth=1.6, zorder=6))


def _draw_map(axes: Axes, view: ClipView) -> None:
    assert view.occlusion is not None
    n, seconds = view.occlusion.shape
    order = sorted(range(n), key=lambda row: {"left": 0, "midline": 1, "right": 2}[side(view.electrodes[row])])
    image = axes.imshow(
        view.occlusion[order], aspect="auto", extent=(0, seconds, n, 0), cmap=VALUE_MAP, vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_yticks(np.arange(n) + 0.5, [view.electrodes[row] for row in order], fontsize=6)
    axes.set(xlim=(0, view.length_s), xlabel="seconds since the start of the clip")
    for second in view.breaks_s:
        axes.axvline(second, color="white", linewidth=2.5)
    axes.set_ylabel(f"occlusion, {node_word(view.electrodes)}", fontsize=8)
    inset = axes.inset_axes((0.80, 1.035, 0.2, 0.05))
    bar = axes.figure.colorbar(image, cax=inset, orientation="horizontal", ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=6.5, length=2, pad=1, top=True, labeltop=True, bottom=False, labelbottom=False)
    for span in view.spans:
        if span.channel == "TERM":
            for edge in (span.onset_s, span.offset_s):
                if 0 < edge < view.length_s:
                    axes.axvline(edge, color="white", linestyle="--", linewidth=1.2)


def _headline(view: ClipView) -> str:
    parts = [view.clip, f"patient {view.patient}" if view.patient else "", view.code]
    if view.probability is not None:
        parts.append(f"p(seizure) = {view.probability:.2f}")
    return " · ".join(part for part in parts if part)


def _caption(view: ClipView, numbers: dict[str, Any]) -> str:
    step, cells = numbers["sensitivity_uv_per_mm"], len(numbers["overlay"])
    count = f"{len(view.breaks_s) + 1} clips side by side (n = 1 recording)" if view.breaks_s else "One clip (n = 1)"
    text = (
        f"{view.why} {count} of {view.length_s} s, {plural(len(numbers['derivations']), 'derivation')}, "
        f"negative up, {step} µV/mm (nominal; use the scale bar), shown at 1-40 Hz; left chains blue, right chains red."
    )
    if numbers["cut"]:
        text += f" Cut at {CUT_ROWS:g} rows: {plural(len(numbers['cut']), 'derivation')}."
    if any(span.channel == "TERM" for span in view.spans):
        text += " Dashed box: annotated seizure; black line under a trace: this derivation is annotated."
    hidden = sorted({span.channel for span in view.spans} - set(numbers["derivations"]) - {"TERM"})
    if hidden:
        text += f" Also annotated, not in this montage: {', '.join(hidden)}."
    if view.occlusion is not None:
        node = node_word(view.electrodes)
        marked = "the occlusion values of the two electrodes differ by more than"
        if node == "derivation":
            marked = "the occlusion value is above"
        text += (
            f" Orange: {plural(cells, 'derivation-second')} where {marked} 0.5. "
            f"Bottom: the occlusion map itself, left, midline and right {node}s, scaled to 0-1 "
            f"within {'each part between white lines' if view.breaks_s else 'this clip'}."
        )
    return text.strip()


def _alt(view: ClipView) -> str:
    seizure = [span for span in view.spans if span.channel == "TERM"]
    where = (
        f"annotated seizure from {seizure[0].onset_s:.0f} to {seizure[0].offset_s:.0f} s" if seizure else "no seizure"
    )
    shown = "with occlusion overlay" if view.occlusion is not None else "without occlusion overlay"
    return f"EEG traces of {view.length_s} s in the double banana montage, {where}, {shown}."
