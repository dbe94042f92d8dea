"""Reliability curves of one task: how often a prediction of 0.7 comes true, before and after temperature scaling."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy

PANELS = {"reliability": "As predicted", "reliability_scaled": "After temperature scaling"}


def reliability_numbers(curves: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """curves: content of curves.json by run -> of each run and panel, the bins of all seeds together.

    Each bin has mean prediction, observed share and number of clips, a clip counting once for every seed.
    """
    out: dict[str, Any] = {}
    for run, content in curves.items():
        seeds = content["seeds"]
        panels = {name: _pooled([seed[name] for seed in seeds if name in seed]) for name in PANELS}
        out[run] = {"n_clips": content["n_clips"], "n_patients": content["n_patients"], "seeds": len(seeds), **panels}
    return dict(tidy(out))


def reliability_picture(
    name: str, title: str, curves: dict[str, dict[str, Any]], *, synthetic: bool, dpi: int
) -> Picture:
    """One panel before scaling, one after; one line a run, its marks as large as the bins are full."""
    numbers = reliability_numbers(curves)
    with drawing(10.0, 4.7) as figure:
        for axes, (panel, words) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":", label="as it should be")
            for index, run in enumerate(curves):
                _draw(axes, numbers[run][panel], index, run)
            axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title=words, aspect="equal")
            axes.set(xlabel="mean predicted probability", ylabel="observed share")
            axes.grid(color="#dddddd", linewidth=0.5)
            axes.legend(loc="best", fontsize=8)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    first = next(iter(numbers.values()))
    caption = (
        "Test clips by their predicted probability (of a seizure; of types: of the type that was named), in bins of "
        "equal width: mean prediction against the share that came true, the clips of all seeds together. Area of a "
        "mark: number of clips. Above the diagonal the probability is too low, below it too high. The temperature was "
        "fitted on the validation clips. "
        f"n = {plural(first['n_clips'], 'test clip')} of {plural(first['n_patients'], 'patient')}."
    )
    worst = [f"{run} up to {_gap(numbers[run]['reliability']):.2f}" for run in curves]
    alt = f"Reliability curves; largest distance from the diagonal in a bin: {', '.join(worst)}."
    return Picture(name, title, caption, alt, numbers, png)


def _pooled(bins: list[dict[str, Any]]) -> dict[str, Any]:
    """The bins of several seeds as one list: clips added up, the means over all of their clips."""
    united: dict[str, list[Any]] = {"predicted": [], "observed": [], "n_clips": []}
    for number in sorted({number for seed in bins for number in seed["bin"]}):
        own = [{key: seed[key][seed["bin"].index(number)] for key in united} for seed in bins if number in seed["bin"]]
        counts = [one["n_clips"] for one in own]
        for key in ("predicted", "observed"):
            united[key].append(float(np.average([one[key] for one in own], weights=counts)))
        united["n_clips"].append(sum(counts))
    return united


def _draw(axes: Axes, bins: dict[str, Any], index: int, run: str) -> None:
    colour, n = SERIES[index % len(SERIES)], np.asarray(bins["n_clips"], dtype=np.float64)
    if not len(n):
        axes.plot([], [], color=colour, label=f"{run}: no temperature")
        return
    style = STYLES[index % len(STYLES)]
    axes.plot(bins["predicted"], bins["observed"], color=colour, linestyle=style, linewidth=1.3, label=run)
    size = 12 + 120 * n / n.max()
    mark = MARKS[index % len(MARKS)]
    axes.scatter(bins["predicted"], bins["observed"], s=size, color=colour, marker=mark, alpha=0.75, linewidths=0)


def _gap(bins: dict[str, Any]) -> float:
    return float(np.max(np.abs(np.subtract(bins["predicted"], bins["observed"])), initial=0.0))
