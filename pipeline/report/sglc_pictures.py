"""Pictures of the learned graph's experiments: scores side by side, label-fraction curves, ablation differences.

A panel shows one list of test clips and no more: scores on two lists are scores on other patients.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy
from pipeline.report.sglc_ablation import drawn_over
from pipeline.report.sglc_cells import as_published
from pipeline.report.tables import records

Row = dict[str, Any]
APART = 1.2  # per cent: how far beside one another the curves stand
INTERVAL = "bars: patient-bootstrap interval of the mean over seeds"
OVER_BOTH = "bars: interval over test patients and seeds, each of which draws labelled patients of its own"


def table_picture(frame: pd.DataFrame, lists: Sequence[Row], *, synthetic: bool, dpi: int) -> Picture:
    """Weighted F1 of every run, one panel a number of classes and a list; open diamond: published on these clips.

    A published score is drawn only where the list holds the clips and patients that it does by its publication: a list
    that bears the same name may be another selection.
    """
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
                if holds is None or not as_published(holds):
                    panel = panel[panel["origin"] == "measured"]
                _draw_scores(axes, panel, labels, holds)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    n = "; ".join(f"{row['classes']} classes, list {row['list']}: {_n(row)}" for row in lists)
    seeds = seeds_in_words(measured["n_seeds"])
    caption = (
        f"Weighted F1 on the test clips, mean over {seeds}; {INTERVAL}. {_diamonds(frame, lists)} Dotted: always "
        f"guessing the most frequent class. n: {n}."
    )
    best = measured.dropna(subset="value").sort_values("value", ascending=False).drop_duplicates(["classes", "list"])
    told = [f"{r['classes']} classes, {r['list']}: highest {r['label']} {r['value']:.3f}" for r in records(best)]
    title = "Seizure types by SGLC and by both DCRNNs"
    drawn = [f"{r['classes']} classes, {r['list']}: {r['label']} {r['value']:.3f}" for r in _published(frame, lists)]
    beside = f" Published, as open diamonds: {'; '.join(drawn)}." if drawn else ""
    alt = f"Weighted F1 of every model; {'; '.join(told)}.{beside}"
    return Picture("sglc_table", title, caption, alt, tidy({"rows": records(measured)}), png)


def _published(frame: pd.DataFrame, lists: Sequence[Row]) -> list[Row]:
    """Published scores that are drawn: on lists that hold here what they hold by their publication."""
    same = {(row["list"], row["classes"]) for row in lists if as_published(row)}
    labels = set(frame.loc[frame["origin"] == "measured", "label"])
    printed = records(frame[frame["origin"] == "published"])
    return [row for row in printed if (row["list"], row["classes"]) in same and row["label"] in labels]


def _diamonds(frame: pd.DataFrame, lists: Sequence[Row]) -> str:
    named = set(frame.loc[frame["origin"] == "published", "list"])
    left = [
        f"{row['list']} ({row['classes']} classes)" for row in lists if row["list"] in named and not as_published(row)
    ]
    words = ["Open diamond: published for this list, which holds the same clips and patients."]
    words = words if _published(frame, lists) else []
    if left:
        words.append(
            f"Published scores on {', '.join(left)} are not drawn: whether it holds the same clips here is not known."
        )
    return " ".join(words) or "No published score is on one of these lists."


def seeds_in_words(numbers: Iterable[Any]) -> str:
    """`2 seeds`, `1 seed`, or `2 or 5 seeds`."""
    known = sorted({int(number) for number in numbers})
    return plural(known[0], "seed") if len(known) == 1 else f"{' or '.join(map(str, known))} seeds"


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
    bars = OVER_BOTH if (frame["n_seeds"] > 1).all() else INTERVAL
    caption = (
        f"Mean over {seeds_in_words(frame['n_seeds'])}; {bars}. Solid: with pre-training on all training "
        "recordings, dashed: without; points stand a little apart to be seen. The validation and the test patients are "
        f"the same at every share. {n}."
    )
    title = "How scores depend on the share of the labels"
    alt = f"Weighted F1 by share of the labels. {' '.join(_told(frame, name) for name in names)}"
    return Picture("label_fraction", title, caption, alt, tidy({"rows": records(frame)}), png)


def _told(frame: pd.DataFrame, name: str) -> str:
    """The weighted F1 of every curve on a list, share by share."""
    own, told = frame[frame["list"] == name].sort_values("fraction"), []
    for label in dict.fromkeys(own["label"]):
        rows = records(own[own["label"] == label])
        told.append(f"{label}: " + ", ".join(f"{row['fraction']} % {row['weighted_f1']:.3f}" for row in rows))
    return f"List {name}: {'; '.join(told)}."


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
    told = [f"list {row['list']}, {row['first']} less {row['second']} {row['difference']:+.3f}"
            for row in rows if row["difference"] is not None]  # fmt: skip
    alt = f"Differences in weighted F1: {'; '.join(told)}." if told else "No difference can be computed."
    return Picture("graph_ablation", "Does learning the graph help?", caption, alt, tidy({"rows": list(rows)}), png)


def _n(row: Row) -> str:
    return f"{plural(row['clips'], 'clip')} of {plural(row['patients'], 'patient')}"
