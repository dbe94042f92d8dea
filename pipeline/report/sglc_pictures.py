"""Pictures of the learned graph's experiments: scores side by side, label-fraction curves, ablation differences.

A panel shows one list of test clips and no more: scores on two lists are scores on other patients.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy
from pipeline.report.sglc_ablation import drawn_over
from pipeline.report.tables import records

Row = dict[str, Any]
APART = 1.2  # per cent: how far beside one another the curves stand
INTERVAL = "bars: patient-bootstrap interval of the mean over seeds"


def table_picture(frame: pd.DataFrame, lists: Sequence[Row], *, synthetic: bool, dpi: int) -> Picture:
    """Weighted F1 of every run, one panel a number of classes and a list; open diamond: published on that list."""
    measured = frame[(frame["metric"] == "weighted_f1") & (frame["origin"] == "measured")]
    names = list(dict.fromkeys(measured["list"]))
    classes = sorted({int(number) for number in measured["classes"]})
    labels = list(dict.fromkeys(measured["label"]))
    with drawing(2.6 + 3.4 * len(names), 0.9 + 0.34 * len(labels) * len(classes) + 0.6 * len(classes)) as figure:
        grid = figure.subplots(len(classes), len(names), squeeze=False, sharex=True, sharey=True)
        for line, number in zip(grid, classes, strict=True):
            for axes, name in zip(line, names, strict=True):
                panel = frame[(frame["classes"] == number) & (frame["list"] == name)]
                holds = next((row for row in lists if (row["classes"], row["list"]) == (number, name)), None)
                _draw_scores(axes, panel, labels, holds)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    n = "; ".join(f"{row['classes']} classes, list {row['list']}: {_n(row)}" for row in lists)
    caption = (
        f"Weighted F1 on the test clips, mean over seeds; {INTERVAL}. Open diamond: published for exactly this list of "
        f"test clips. Dotted: always guessing the most frequent class. n: {n}."
    )
    best = measured.sort_values("value", ascending=False).drop_duplicates(["classes", "list"])
    told = [f"{r['classes']} classes, {r['list']}: highest {r['label']} {r['value']:.3f}" for r in records(best)]
    title = "Seizure types by SGLC and by both DCRNNs"
    alt = f"Weighted F1 of every model; {'; '.join(told)}."
    return Picture("sglc_table", title, caption, alt, tidy({"rows": records(measured)}), png)


def _draw_scores(axes: Axes, panel: pd.DataFrame, labels: Sequence[str], holds: Row | None) -> None:
    rows = panel[panel["metric"] == "weighted_f1"]
    for row in records(rows[rows["class"] == ""]):
        if row["label"] not in labels:
            continue
        place = labels.index(row["label"])
        if row["origin"] == "published":
            axes.plot(row["value"], place, "D", markerfacecolor="none", markeredgecolor=SERIES[1], markersize=6)
            continue
        if np.isfinite(row["low"]):
            axes.plot([row["low"], row["high"]], [place, place], color=SERIES[0], linewidth=2, solid_capstyle="butt")
        axes.plot(row["value"], place, MARKS[0], color=SERIES[0], markersize=6)
    if holds is not None and holds["majority_weighted_f1"] is not None:
        axes.axvline(holds["majority_weighted_f1"], color="#888888", linestyle=":", linewidth=1)
    shown = "" if holds is None else f"{holds['classes']} classes, list {holds['list']}"
    axes.set_yticks(range(len(labels)), labels)
    axes.set(ylim=(len(labels) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel="weighted F1", title=shown)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)


def fraction_picture(frame: pd.DataFrame, *, synthetic: bool, dpi: int) -> Picture:
    """Weighted and macro F1 against the share of the labels, one row of panels a list; `frame`: rows over seeds."""
    names, metrics = list(dict.fromkeys(frame["list"])), {"weighted_f1": "weighted F1", "macro_f1": "macro F1"}
    curves = list(dict.fromkeys(frame["label"]))
    with drawing(9.6, 1.1 + 3.3 * len(names)) as figure:
        grid = figure.subplots(len(names), len(metrics), squeeze=False, sharex=True, sharey=True)
        for line, name in zip(grid, names, strict=True):
            for axes, (metric, words) in zip(line, metrics.items(), strict=True):
                _draw_fractions(axes, frame[frame["list"] == name], curves, metric)
                axes.set(xlabel="labels (%)", ylabel=words, title=f"List {name}: {words}")
        handles, texts = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3, fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    sizes = {(r["list"], int(r["n_test_clips"]), int(r["n_test_patients"])) for r in records(frame)}
    n = "; ".join(f"list {a}: {plural(b, 'test clip')} of {plural(c, 'patient')}" for a, b, c in sorted(sizes))
    seeds = sorted({int(number) for number in frame["n_seeds"]})
    caption = (
        f"Mean over {' or '.join(map(str, seeds))} seeds; {INTERVAL}. Solid: with pre-training on all training "
        "recordings, dashed: without; points stand a little apart to be seen. The validation and the test patients are "
        f"the same at every share. {n}."
    )
    title = "How scores depend on the share of the labels"
    alt = f"Curves of {', '.join(curves)} over {', '.join(str(x) for x in sorted(set(frame['fraction'])))} per cent."
    return Picture("label_fraction", title, caption, alt, tidy({"rows": records(frame)}), png)


def _draw_fractions(axes: Axes, rows: pd.DataFrame, curves: Sequence[str], metric: str) -> None:
    """One line a model and start; intervals as bars beside one another, since bands of six curves hide each other."""
    systems = list(dict.fromkeys(label.rsplit(", ", 1)[0] for label in curves))
    for place, label in enumerate(curves):
        own = rows[rows["label"] == label].sort_values("fraction")
        index = systems.index(label.rsplit(", ", 1)[0])
        style = STYLES[0] if (own["init"] == "ssl").all() else STYLES[1]
        x = own["fraction"].to_numpy() + APART * (place - (len(curves) - 1) / 2)
        look: dict[str, Any] = {"color": SERIES[index], "linewidth": 1.4}
        axes.plot(x, own[metric], linestyle=style, marker=MARKS[index], markersize=5, label=label, **look)
        axes.vlines(x, own[f"{metric}_low"], own[f"{metric}_high"], linestyle=style, **look)
    axes.set(ylim=(-0.02, 1.02), xticks=sorted(set(rows["fraction"])))
    axes.grid(color="#dddddd", linewidth=0.5)


def ablation_picture(rows: Sequence[Row], *, confidence: float, synthetic: bool, dpi: int) -> Picture:
    """Learned less fixed graph, with interval, one panel a list."""
    names = list(dict.fromkeys(row["list"] for row in rows))
    with drawing(3.0 + 3.6 * len(names), 2.6) as figure:
        line = figure.subplots(1, len(names), squeeze=False, sharex=True, sharey=True)[0]
        for axes, name in zip(line, names, strict=True):
            own = [row for row in rows if row["list"] == name]
            for place, row in enumerate(own):
                if row["low"] is not None:
                    axes.plot([row["low"], row["high"]], [place, place], color=SERIES[0], linewidth=2.2)
                if row["difference"] is not None:
                    axes.plot(row["difference"], place, MARKS[0], color=SERIES[0], markersize=7)
            axes.axvline(0, color="#888888", linestyle=":", linewidth=1)
            axes.set_yticks(range(len(own)), [f"{row['first']} less {row['second']}" for row in own])
            axes.set(ylim=(len(own) - 0.5, -0.5), xlabel="difference in weighted F1", title=f"List {name}")
            axes.grid(axis="x", color="#dddddd", linewidth=0.5)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    n = "; ".join(dict.fromkeys(f"list {r['list']}: {plural(int(r['n_clips']), 'clip')} of "
                                f"{plural(int(r['n_patients']), 'patient')}, {plural(int(r['n_seeds']), 'seed')}"
                                for r in rows))  # fmt: skip
    caption = (
        f"Learned graph less a graph that is not learned, on the same test clips; bar: {confidence:.0%} interval over "
        f"{drawn_over(rows)}. Where it holds 0, no benefit is claimed. n: {n}."
    )
    told = [f"{row['second']} {row['difference']:+.3f}" for row in rows if row["difference"] is not None]
    alt = f"Differences of {rows[0]['first']}: {'; '.join(told)}." if rows else "No comparison."
    return Picture("graph_ablation", "Does learning the graph help?", caption, alt, tidy({"rows": list(rows)}), png)


def _n(row: Row) -> str:
    return f"{plural(row['clips'], 'clip')} of {plural(row['patients'], 'patient')}"
