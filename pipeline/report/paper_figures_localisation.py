"""Figure 4: coverage and localisation of every model's maps, and two clips that were localised well.

a-d: histograms over clips and seeds, focal and generalised apart, one row a model. The paper quotes from c the share of
focal clips that are precisely localised. e, f: two focal clips of the pre-trained Corr-DCRNN with a localisation above
0.9, of two patients where there are two; every derivation-second with a marked cell (M above 0.5) at one of its two
electrodes is coloured.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from pipeline.report.derivations import bipolar, present
from pipeline.report.examples import ClipView, for_display
from pipeline.report.histograms import BINS, GROUPS, SCORES, histogram_numbers
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.paper_figures_base import (
    FigureSettings,
    PaperFigure,
    beside,
    context,
    entries,
    in_print,
    label_of,
    look_of,
    table,
    without,
)
from pipeline.report.paper_figures_examples import main_rows, ranked_clips, read_mapped, view
from pipeline.report.paper_figures_maps import graph_run
from pipeline.report.picture import SERIES, Picture, drawing, finish, plural, tidy
from pipeline.report.traces import draw_page, trace_numbers
from pipeline.signals.montages import are_derivations
from pipeline.store import read_json

WELL = 0.9  # e and f show localisation above this
PANELS = tuple((score, group) for score in SCORES for group in GROUPS)  # a, b, c, d


def figure04(results: Results, settings: FigureSettings) -> PaperFigure:
    """Histograms of all runs with maps on 60-s clips, and the two examples."""
    title, look = "Coverage and localisation of occlusion maps", look_of(results, settings)
    runs = [entry for entry in entries(results, "detection", 60, mapped=True) if entry.localisation and entry.summary]
    parts = [_scored(results, entry, settings) for entry in runs]
    if not any(part["histogram"][group]["rows"] for part in parts for group in GROUPS):
        why = "No map of a focal or generalised seizure: no run has maps, or no such test clip was predicted correctly."
        return without("figure04", title, why, **look)
    shown, best = _examples(results, settings)
    above, below = 2.1 * len(parts) + 0.9, 8.3 if shown else 0.8
    with drawing(15.0, above + below) as figure:
        pair: Any = figure.subfigures(2, 1, height_ratios=[above, below])
        _draw_histograms(pair[0], parts, precise=settings.localisation.precise)
        _draw_examples(pair[1], shown, best, settings)
        png = finish(figure, **look)
    numbers = tidy({"models": parts, "examples": [_told(seen, settings) for seen in shown]})
    caption, alt = _caption(results, settings, parts, shown, best), _alt(parts)
    return PaperFigure(Picture("figure04", title, caption, alt, numbers, png), table(_rows(parts)))


def _scored(results: Results, entry: RunEntry, settings: FigureSettings) -> dict[str, Any]:
    """Histograms of one run over all its seeds, and the share precisely localised with its patient interval."""
    assert entry.summary is not None
    cases: list[dict[str, Any]] = read_json(entry.summary).get("cases", [])  # the main label rule comes first
    focal: dict[str, Any] = next((case for case in cases if case["group"] == "focal"), {})
    rows = main_rows(entry)
    return {
        "label": label_of(results, entry), "run": entry.run, "seeds": entry.seeds,
        "histogram": histogram_numbers(rows, precise=settings.localisation.precise),
        "precise": focal.get("precise") or {}, "above_null": focal.get("above_electrodes") or {},
        "null": {group: _null(rows[rows["focal"] == group]) for group in GROUPS},
        "published": in_print(results, entry, "fig4c", "precisely_localised_pct", klass="focal"),
    }  # fmt: skip


def _null(rows: pd.DataFrame) -> float | None:
    """Mean localisation with the map's electrodes permuted, over the clips that define it."""
    values = rows.loc[rows["localisation"].notna(), "null_electrodes"].dropna()
    return float(values.mean()) if len(values) else None


def _examples(results: Results, settings: FigureSettings) -> tuple[list[ClipView], float | None]:
    """Up to two focal clips localised above WELL, of different patients if possible; and the best localisation."""
    entry = graph_run(results)
    if entry is None or not entry.localisation:
        return [], None
    mapped = read_mapped(entry)
    scores = mapped.scores.loc[mapped.scores["focal"] == "focal", "localisation"].dropna()
    names = ranked_clips(mapped, "focal", above=WELL)
    owners = {name: str(mapped.predictions["patient"].to_dict()[name]) for name in names}
    other = [name for name in names if owners[name] != owners[names[0]]]
    chosen = [*names[:1], *(other or names[1:])[:1]]
    seen = [view(results, mapped, name, "") for name in chosen]
    found = [one for one in seen if one is not None and one.occlusion is not None]
    return found, float(scores.max()) if len(scores) else None


def _draw_histograms(figure: SubFigure, parts: list[dict[str, Any]], *, precise: float) -> None:
    words = f"Correctly detected 60-s test clips\ndashed: above {precise:g}, precisely localised; "
    words += "dotted: mean localisation with electrodes permuted"
    figure.suptitle(words, x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(len(parts), len(PANELS), squeeze=False, sharex=True, sharey=True)
    for k, (line, part) in enumerate(zip(grid, parts, strict=True)):
        for letter, axes, (score, group) in zip("abcd", line, PANELS, strict=True):
            found = part["histogram"][group][score]
            if score == "localisation" and part["null"][group] is not None:
                axes.axvline(part["null"][group], color="#b3261e", linestyle=":", linewidth=1.6)
            _draw_bars(axes, found, colour=SERIES[GROUPS.index(group)], precise=precise)
            words = f"n = {found['defined']}"
            if score == "localisation" and found["share_precise"] is not None:
                words += f"\n{found['share_precise']:.1%} > {precise:g}"
                words += _interval_words(part) if group == "focal" else ""
            paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
            axes.text(0.03, 0.95, words, transform=axes.transAxes, va="top", fontsize=8.5, bbox=paper)
            if k == 0:
                axes.set_title(f"{letter}  {score}, {group} seizures", fontsize=10)
            if k == len(parts) - 1:
                axes.set_xlabel(score)
        line[0].set_ylabel(f"{part['label'].replace(' with', chr(10) + 'with')}\nshare of clips", fontsize=8.5)
    grid[0][0].set(xlim=(0, 1), ylim=(0, 1.05))


def _draw_bars(axes: Axes, found: dict[str, Any], *, colour: str, precise: float) -> None:
    counts = np.asarray(found["counts"], dtype=np.float64)
    heights = counts / max(found["defined"], 1)
    axes.bar(BINS[:-1] + 0.005, heights, width=0.09, align="edge", color=colour, edgecolor="black", linewidth=0.5)
    axes.axvline(precise, color="black", linestyle="--", linewidth=0.9)


def _interval_words(part: dict[str, Any]) -> str:
    low, high = (part["precise"].get(name) for name in ("low", "high"))
    text = "" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{text}\n{beside(part['published']).strip(' ()')}" if part["published"] is not None else text


def _draw_examples(figure: SubFigure, shown: list[ClipView], best: float | None, settings: FigureSettings) -> None:
    if not shown:
        reached = "none is defined" if best is None else f"the best reached is {best:.2f}"
        text = f"e, f  no focal clip of the pre-trained DCRNN has a localisation above {WELL:g}: {reached}"
        figure.text(0.012, 0.7, text, fontsize=10.5, weight="bold", va="top")
        return
    pages: Any = figure.subfigures(1, 2)
    for letter, page, seen in zip("ef", pages, shown, strict=False):
        traces = bipolar(for_display(seen.signal, seen.rate_hz), seen.electrodes)
        numbers = trace_numbers(seen, present(seen.electrodes), traces)
        cells = marked_cells(seen, settings.localisation.threshold)
        draw_page(page, seen, traces, numbers, cells=cells, left=0.09).tick_params(labelbottom=False)
        headline = f"{letter}  {seen.code} · {seen.clip} · localisation {seen.localisation:.2f}"
        page.text(0.012, 0.985, headline, fontsize=10, weight="bold", va="top")


def marked_cells(seen: ClipView, threshold: float) -> list[dict[str, Any]]:
    """Derivation-seconds in which one of the two electrodes is marked (M above `threshold`), with the larger M."""
    assert seen.occlusion is not None
    names = present(seen.electrodes)
    if are_derivations(seen.electrodes):
        values = bipolar(seen.occlusion, seen.electrodes)
    else:
        ends = [[seen.electrodes.index(end) for end in name.split("-")] for name in names]
        values = np.asarray(seen.occlusion, dtype=np.float64)[np.array(ends).reshape(-1, 2)].max(axis=1)
    return [
        {"derivation": names[d], "second": int(t), "value": float(values[d, t])}
        for d, t in np.argwhere(values > threshold)
    ]


def _told(seen: ClipView, settings: FigureSettings) -> dict[str, Any]:
    return {
        "clip": seen.clip, "patient": seen.patient, "code": seen.code, "localisation": seen.localisation,
        "probability": seen.probability, "marked": marked_cells(seen, settings.localisation.threshold),
    }  # fmt: skip


def _caption(
    results: Results, settings: FigureSettings, parts: list[dict[str, Any]], shown: list[ClipView], best: float | None
) -> str:
    chosen = settings.localisation
    counts = "; ".join(
        f"{part['label']} ({plural(len(part['seeds']), 'seed')}): "
        + ", ".join(
            f"{plural(part['histogram'][group]['clips'], f'{group} clip')} of "
            f"{plural(part['histogram'][group]['patients'], 'patient')}"
            for group in GROUPS
        )
        for part in parts
    )
    text = (
        "60-s test clips with a seizure, of each model those that it detected itself, so that models are not shown on "
        "the same clips; each clip counts once for each seed. Coverage: share of "
        f"the annotated cells that are marked (M above {chosen.threshold:g}); localisation: share of the marked cells "
        f"that are annotated; precisely localised: above {chosen.precise:g} (dashed), with patient-bootstrap interval "
        f"in brackets. n in a panel: clips and seeds that define the score. n: {counts}. Dotted: mean "
        "localisation when the map's electrodes are permuted (null). Focal clips, mean localisation less that of the "
        f"null: {_above(parts)}. {context(results)}"
    )
    if shown:
        text += (
            f" e, f: focal clips with localisation above {WELL:g}, seed {graph_seed(results)}; orange: a marked cell "
            "at one of the derivation's electrodes; dashed box: annotated seizure; line below a trace: annotated "
            "derivation."
        )
    elif best is not None:
        text += f" No focal clip has a localisation above {WELL:g}; the best has {best:.2f}."
    return text


def _above(parts: list[dict[str, Any]]) -> str:
    """`Corr-DCRNN with pre-training +0.12 [0.05, 0.20] over a null of 0.31`."""
    words = []
    for part in parts:
        value, low, high = (part["above_null"].get(name) for name in ("value", "low", "high"))
        null = part["null"]["focal"]
        if value is None or null is None:
            words.append(f"{part['label']} undefined")
            continue
        bounds = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
        words.append(f"{part['label']} {value:+.2f}{bounds} over a null of {null:.2f}")
    return "; ".join(words)


def graph_seed(results: Results) -> int:
    """The seed whose maps are shown as examples."""
    entry = graph_run(results)
    assert entry is not None
    return entry.seeds[0]


def _alt(parts: list[dict[str, Any]]) -> str:
    words = []
    for part in parts:
        share = part["histogram"]["focal"]["localisation"]["share_precise"]
        found = "none defined" if share is None else f"{share:.1%}"
        words.append(f"{part['label']} {found}{beside(part['published'])}")
    return f"Histograms of coverage and localisation; focal clips precisely localised: {'; '.join(words)}."


def _rows(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a model, panel and bin; the share precisely localised is repeated in each row of its panel."""
    return [
        {
            "model": part["label"], "run": part["run"], "score": score, "group": group, "bin_low": float(BINS[k]),
            "bin_high": float(BINS[k + 1]), "count": count, "n_defined": found["defined"],
            "n_undefined": found["undefined"], "mean": found["mean"], "share_precise": found["share_precise"],
            "low": part["precise"].get("low") if (score, group) == ("localisation", "focal") else None,
            "high": part["precise"].get("high") if (score, group) == ("localisation", "focal") else None,
            "null_mean": part["null"][group] if score == "localisation" else None,
            "published": part["published"] if (score, group) == ("localisation", "focal") else None,
            "n_clips": part["histogram"][group]["clips"], "n_patients": part["histogram"][group]["patients"],
            "n_seeds": len(part["seeds"]),
        }
        for part in parts
        for score, group in PANELS
        for found in [part["histogram"][group][score]]
        for k, count in enumerate(found["counts"])
    ]  # fmt: skip
