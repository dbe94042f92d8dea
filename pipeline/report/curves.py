"""Picture 4: ROC and precision-recall curves of one task, median and band over seeds, with the operating point."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy

GRID = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True)
class SeedCurves:
    """Curves of one trained model on the test clips, and the point where its threshold puts it."""

    seed: int
    fpr: list[float]
    tpr: list[float]
    recall: list[float]
    precision: list[float]
    point: dict[str, float]  # fpr, tpr, recall, precision, threshold; empty: none


@dataclass(frozen=True)
class RunCurves:
    """One run: its seeds, and the test clips behind them."""

    run: str
    seeds: list[SeedCurves]
    n_clips: int
    n_positive: int
    n_patients: int


def on_grid(x: list[float], y: list[float]) -> NDArray[np.float64]:
    """A curve read off at 201 equal steps of x; where x repeats (a vertical piece), the highest y."""
    order = np.lexsort((y, x))
    xs, ys = np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]
    last = np.append(xs[1:] != xs[:-1], True)
    return np.interp(GRID, xs[last], ys[last])


def curve_numbers(runs: list[RunCurves]) -> dict[str, Any]:
    """Median, lowest and highest curve over seeds for every run, and the operating points."""
    out: dict[str, Any] = {}
    for run in runs:
        roc = np.stack([on_grid(seed.fpr, seed.tpr) for seed in run.seeds])
        pr = np.stack([on_grid(seed.recall, seed.precision) for seed in run.seeds])
        out[run.run] = {
            "n_clips": run.n_clips, "n_positive": run.n_positive, "n_patients": run.n_patients,
            "seeds": [seed.seed for seed in run.seeds],
            "roc": {"fpr": GRID, "median": np.median(roc, 0), "low": roc.min(0), "high": roc.max(0)},
            "pr": {"recall": GRID, "median": np.median(pr, 0), "low": pr.min(0), "high": pr.max(0)},
            "points": [seed.point for seed in run.seeds],
        }  # fmt: skip
    return tidy(out)


def curves_picture(name: str, title: str, runs: list[RunCurves], *, synthetic: bool, dpi: int) -> Picture:
    """ROC left, precision-recall right; one line a run."""
    numbers = curve_numbers(runs)
    with drawing(10.0, 4.7) as figure:
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":", label="chance")
        for index, run in enumerate(runs):
            _draw_run(left, numbers[run.run]["roc"], "fpr", index, run.run)
            _draw_run(right, numbers[run.run]["pr"], "recall", index, run.run)
            for seed in run.seeds:
                if seed.point:
                    style = {"color": SERIES[index % len(SERIES)], "markeredgecolor": "black", "markersize": 7}
                    left.plot(seed.point["fpr"], seed.point["tpr"], MARKS[index % len(MARKS)], **style)
                    right.plot(seed.point["recall"], seed.point["precision"], MARKS[index % len(MARKS)], **style)
        for share in sorted({run.n_positive / run.n_clips for run in runs if run.n_clips}):
            right.axhline(share, color="#888888", linewidth=0.8, linestyle=":")
        _label(left, "1 - specificity", "sensitivity", "ROC")
        _label(right, "recall (sensitivity)", "precision", "Precision-recall")
        left.legend(loc="lower right", fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    return Picture(name, title, _caption(runs), _alt(runs), numbers, png)


def _draw_run(axes: Axes, curve: dict[str, Any], x: str, index: int, label: str) -> None:
    colour, style = SERIES[index % len(SERIES)], STYLES[index % len(STYLES)]
    axes.plot(curve[x], curve["median"], color=colour, linestyle=style, linewidth=1.6, label=label)
    if curve["low"] != curve["high"]:
        axes.fill_between(curve[x], curve["low"], curve["high"], color=colour, alpha=0.18, linewidth=0)


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y, title=title, aspect="equal")
    axes.grid(color="#dddddd", linewidth=0.5)


def _caption(runs: list[RunCurves]) -> str:
    parts = [
        f"{run.run}: {plural(run.n_clips, 'test clip')} ({run.n_positive:,} with seizure) of "
        f"{plural(run.n_patients, 'patient')}, {plural(len(run.seeds), 'seed')}"
        for run in runs
    ]
    return (
        "Line: median over seeds; band: lowest to highest seed. Marker: operating point of the threshold chosen on "
        f"the validation patients. Dotted: chance. n: {'; '.join(parts)}."
    )


def _alt(runs: list[RunCurves]) -> str:
    parts = []
    for run in runs:
        rates = [seed.point["tpr"] for seed in run.seeds if seed.point]
        if rates:
            false = [seed.point["fpr"] for seed in run.seeds if seed.point]
            parts.append(f"{run.run} sensitivity {np.mean(rates):.2f} at {np.mean(false):.2f} false positive rate")
        else:
            parts.append(run.run)
    return f"ROC and precision-recall curves: {'; '.join(parts)}."
