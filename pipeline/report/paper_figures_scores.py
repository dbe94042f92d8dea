"""Figures 2 and 5: ROC of the median run, and confusion of seizure types, mean of the runs.

Figure 5 shows how far the focal types (focal non-specific FN, simple partial SP, complex partial CP) are told apart.
The four-class models cannot say: to them all three are one class. So the predictions are those of the eight-class
models (Table 9), of the test clips whose true type is one of the three. A fourth column counts the answers outside the
three: leaving them out, or choosing anew among the three, would show a model that nobody trained.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.metrics.evaluation import of_list
from pipeline.metrics.roc import sensitivity_at
from pipeline.report.confusion import confusion_numbers, draw_matrix
from pipeline.report.figure_cells import BEST_BASELINE
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.paper_figures_base import (
    PRETRAINED,
    FigureSettings,
    PaperFigure,
    beside,
    context,
    entries,
    in_print,
    label_of,
    look_of,
    model_of,
    table,
    without,
)
from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy
from pipeline.report.score_files import over_seeds, read_curves
from pipeline.store import read_table

FALSE_POSITIVE_RATE = 0.25  # figure 2a quotes sensitivities here
FOCAL = ("FN", "SP", "CP")


def figure02(results: Results, settings: FigureSettings) -> PaperFigure:
    """a: ROC of each model's median run, 12-s detection; b: four-class confusion of three models, 12 s."""
    title, look = "Detection and classification of 12-s clips", look_of(results, settings)
    detectors = [one for entry in entries(results, "detection", 12) if (one := _median_run(results, entry))]
    matrices = [one for entry in _compared(results) if (one := _confused(results, entry))]
    if not detectors and not matrices:
        why = "No run on 12-s clips can be shown: test clips of detection hold one class only, there is none of types."
        return without("figure02", title, why, **look)
    with drawing(13.2, 10.0) as figure:
        grid = figure.add_gridspec(2, 6, height_ratios=[1.1, 1.0])
        _draw_roc(figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3:]), detectors)
        for k, one in enumerate([*matrices, None, None, None][:3]):
            _draw_confusion(figure.add_subplot(grid[1, 2 * k : 2 * k + 2]), one, letter="" if k else "b  ")
        png = finish(figure, **look)
    numbers = tidy({"roc": detectors, "confusion": matrices})
    picture = Picture("figure02", title, _caption02(results, detectors, matrices), _alt02(detectors), numbers, png)
    return PaperFigure(picture, table([*_roc_rows(detectors), *_matrix_rows(matrices, panel="b")]))


def figure05(results: Results, settings: FigureSettings) -> PaperFigure:
    """Focal types FN, SP, CP under the eight-class models, one row a model, one column a clip length."""
    title, look = "Focal seizure types under the eight-class models", look_of(results, settings)
    runs = [entry for entry in results.inventory.runs if entry.task == "classification" and entry.scheme == "eight"]
    found = [one for entry in runs if (one := _confused(results, entry, rows=FOCAL))]
    if not any(sum(one["n"]) for one in found):
        why = "No test clip has a seizure of type FN, SP or CP, or no eight-class model was trained."
        return without("figure05", title, why, **look)
    labels = list(dict.fromkeys(one["label"] for one in found))
    lengths = sorted({one["length_s"] for one in found})
    by_place = {(one["label"], one["length_s"]): one for one in found}
    with drawing(1.2 + 5.0 * len(lengths), 3.6 * len(labels)) as figure:
        grid = figure.subplots(len(labels), len(lengths), squeeze=False)
        for line, label in zip(grid, labels, strict=True):
            for axes, length in zip(line, lengths, strict=True):
                _draw_confusion(axes, by_place.get((label, length)), length_s=length)
        png = finish(figure, **look)
    n = "; ".join(f"{one['label']}, {one['length_s']} s: {_counted(one)}" for one in found)
    caption = (
        "Row-normalised confusion, mean of the runs, of test clips whose true type is focal non-specific (FN), simple "
        "partial (SP) or complex partial (CP), as the eight-class models of Table 9 answered; the last column holds "
        f"every other answer. “-”: no such test clip. n: {n}."
    )
    hits = [f"{one['label']} at {one['length_s']} s: {_hits(one)}" for one in found]
    picture = Picture(
        "figure05", title, caption, f"Confusion of focal types; {'; '.join(hits)}.", tidy({"confusion": found}), png
    )
    return PaperFigure(picture, table(_matrix_rows(found, panel="")))


def _median_run(results: Results, entry: RunEntry) -> dict[str, Any] | None:
    """The seed whose AUROC is the median (the lower of two), its curve and sensitivity; None: no AUROC."""
    rows = of_list(read_table(entry.metrics))
    rows = rows[(rows["metric"] == "auroc") & (rows["seed"] >= 0)].sort_values(["value", "seed"], kind="stable")
    if not len(rows) or rows["value"].isna().any():
        return None
    seed = int(rows["seed"].iloc[(len(rows) - 1) // 2])
    at = np.array([_sensitivity(path) for path in entry.predictions])
    curve = next(one for one in read_curves(entry)["seeds"] if one["seed"] == seed)
    every = over_seeds(entry)
    mean = every[every["metric"] == "auroc"].iloc[0]
    return {
        "label": label_of(results, entry), "run": entry.run, "seed": seed, "n_seeds": len(rows),
        "n_clips": int(mean["n_clips"]), "n_patients": int(mean["n_patients"]),
        "auroc": float(rows["value"].iloc[(len(rows) - 1) // 2]), "auroc_mean": float(mean["value"]),
        "auroc_std": float(mean["std"]), "auroc_low": float(mean["low"]), "auroc_high": float(mean["high"]),
        "sensitivity": float(at[entry.seeds.index(seed)]), "sensitivity_mean": float(at.mean()),
        "sensitivity_std": float(at.std(ddof=1)) if len(at) > 1 else None,
        "published": in_print(results, entry, "fig2a", "tpr_at_fpr_0.25"), "fpr": curve["fpr"], "tpr": curve["tpr"],
    }  # fmt: skip


def _sensitivity(path: str) -> float:
    clips = read_table(path, ["split", "label", "p_seizure"])
    clips = clips[clips["split"] == "test"]
    positive, p = clips["label"].to_numpy() == 1, clips["p_seizure"].to_numpy(dtype=np.float64)
    return sensitivity_at(positive, p, false_positive_rate=FALSE_POSITIVE_RATE)


def _compared(results: Results) -> list[RunEntry]:
    """The baseline with the highest mean weighted F1, and the DCRNN without and with pre-training (Dist- if there)."""
    runs = [entry for entry in entries(results, "classification", 12) if entry.scheme == "four"]
    baselines = [entry for entry in runs if model_of(results, entry) != "dcrnn"]
    best = sorted(baselines, key=lambda entry: (-_weighted_f1(entry), entry.run))[:1]
    own = [entry for entry in runs if entry not in baselines]
    own = [entry for entry in own if entry.graph == "distance"] or own
    plain, pretrained = ([entry for entry in own if (entry.init == PRETRAINED) is kind][:1] for kind in (False, True))
    return [*best, *plain, *pretrained]


def _weighted_f1(entry: RunEntry) -> float:
    rows = over_seeds(entry)
    value = rows.loc[rows["metric"] == "weighted_f1", "value"]
    return float(value.iloc[0]) if len(value) and np.isfinite(value.iloc[0]) else -1.0


def _confused(results: Results, entry: RunEntry, *, rows: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """Mean counts and row shares over seeds; `rows`: only these true classes, other answers in one column."""
    content = read_curves(entry)
    counts = np.array([seed["confusion"] for seed in content.get("seeds", [])], dtype=np.float64)
    if not counts.size or not counts.sum():
        return None
    classes = list(content["classes"])
    answers = [*rows, "other"] if rows else classes
    if rows:
        kept = [classes.index(name) for name in rows]
        others = [k for k in range(len(classes)) if k not in kept]
        counts = counts[:, kept]
        counts = np.concatenate([counts[..., kept], counts[..., others].sum(axis=-1, keepdims=True)], axis=-1)
    numbers = confusion_numbers(counts, answers)
    baseline = model_of(results, entry) != "dcrnn"
    printed = {name: _printed_share(results, entry, name, baseline=baseline) for name in classes if not rows}
    return {
        "label": label_of(results, entry), "run": entry.run, "length_s": entry.length_s, "n_seeds": numbers["seeds"],
        "rows": list(rows) or classes, "answers": answers, "counts": numbers["counts"], "shares": numbers["shares"],
        "n": counts.mean(axis=0).sum(axis=1).tolist(), "n_patients": content["n_patients"],
        "published": {name: value for name, value in printed.items() if value is not None},
    }  # fmt: skip


def _printed_share(results: Results, entry: RunEntry, klass: str, *, baseline: bool) -> float | None:
    own = in_print(results, entry, "fig2b", "accuracy", klass=klass)
    if own is not None or not baseline:
        return own
    return in_print(results, entry, "fig2b", "accuracy", klass=klass, model=BEST_BASELINE)


def _draw_roc(left: Axes, right: Axes, detectors: list[dict[str, Any]]) -> None:
    left.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":")
    left.axvline(FALSE_POSITIVE_RATE, color="#888888", linewidth=0.8, linestyle="--")
    for k, one in enumerate(detectors):
        colour, mark = SERIES[k % len(SERIES)], MARKS[k % len(MARKS)]
        label = f"{one['label']}: AUROC {one['auroc']:.3f}{_mean_words(one)}"
        left.plot(one["fpr"], one["tpr"], color=colour, linestyle=STYLES[k % len(STYLES)], linewidth=1.6, label=label)
        left.plot(FALSE_POSITIVE_RATE, one["sensitivity"], mark, color=colour, markeredgecolor="black", markersize=6)
        right.plot(one["sensitivity"], -k, mark, color=colour, markeredgecolor="black", markersize=8)
        if one["published"] is not None:
            right.plot(one["published"], -k, mark, color="white", markeredgecolor=colour, markersize=9, zorder=1)
        text = f"{one['sensitivity']:.1%}{beside(one['published'])}"
        right.text(0.02, -k + 0.2, f"{one['label']}: {text}", fontsize=8.5, va="bottom")
    left.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel="false positive rate", ylabel="true positive rate")
    left.set(title="a  ROC of the median run, 12-s detection", aspect="equal")
    left.legend(loc="lower right", fontsize=8)
    right.set(xlim=(0, 1.02), ylim=(-len(detectors) + 0.4, 0.8), yticks=[], xlabel="true positive rate")
    right.set(title=f"at {FALSE_POSITIVE_RATE:.0%} false positives; hollow: published")
    right.grid(axis="x", color="#dddddd", linewidth=0.5)
    right.set_axisbelow(True)


def _mean_words(one: dict[str, Any]) -> str:
    """`, mean 0.871 [0.84, 0.90]`: over seeds, interval over patients."""
    bounds = [one["auroc_low"], one["auroc_high"]]
    interval = f" [{bounds[0]:.2f}, {bounds[1]:.2f}]" if np.isfinite(bounds).all() else ""
    return f",\nmean of {plural(one['n_seeds'], 'seed')} {one['auroc_mean']:.3f}{interval}"


def _draw_confusion(axes: Axes, one: dict[str, Any] | None, *, letter: str = "", length_s: int | None = None) -> None:
    if one is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not trained, or no test clip", ha="center", va="center", transform=axes.transAxes)
        return
    counts = np.asarray(one["counts"], dtype=np.float64)
    shares = np.array([[np.nan if cell is None else cell for cell in line] for line in one["shares"]])
    printed = ", ".join(f"{name} {value:.0%}" for name, value in one["published"].items())
    head = f"{letter}{one['label']}" + ("" if length_s is None else f", {length_s} s")
    title = f"{head}\npublished: {printed}" if printed else head
    draw_matrix(axes, counts.round(1), shares, rows=one["rows"], columns=one["answers"], title=title)


def _caption02(results: Results, detectors: list[dict[str, Any]], matrices: list[dict[str, Any]]) -> str:
    runs = "; ".join(
        f"{one['label']}: seed {one['seed']} of {plural(one['n_seeds'], 'seed')}, "
        f"{plural(one['n_clips'], 'test clip')} of {plural(one['n_patients'], 'patient')}"
        for one in detectors
    )
    confused = "; ".join(f"{one['label']}: {_counted(one)}" for one in matrices)
    return (
        "a: ROC of the run whose AUROC is the median of its seeds (of two, the lower), beside it the mean of the seeds "
        "with its patient-bootstrap interval; the point at a false positive "
        f"rate of {FALSE_POSITIVE_RATE:.0%} is read off straight lines between scores. n: {runs or 'none'}. b (below): "
        "row-normalised confusion, mean of the runs, of the baseline with the highest mean weighted F1 on the same "
        f"test clips, and of the DCRNN without and with pre-training. n: {confused or 'none'}. {context(results)} "
        "Published 91 % (of a baseline that the paper does not name), 27 % and 26 % follow from differences it states."
    )


def _alt02(detectors: list[dict[str, Any]]) -> str:
    parts = [f"{one['label']} {one['sensitivity']:.0%}" for one in detectors]
    return f"True positive rate at 25 % false positives: {', '.join(parts) or 'none'}; three confusion matrices."


def _counted(one: dict[str, Any]) -> str:
    clips = plural(round(sum(one["n"])), "test clip")
    return f"{clips} of {plural(one['n_patients'], 'test patient')} in all, {plural(one['n_seeds'], 'seed')}"


def _hits(one: dict[str, Any]) -> str:
    shares = [one["shares"][k][one["answers"].index(name)] for k, name in enumerate(one["rows"])]
    words = ["absent" if share is None else f"{share:.0%}" for share in shares]
    return ", ".join(f"{name} {word}" for name, word in zip(one["rows"], words, strict=True))


def _roc_rows(detectors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two rows a detector: sensitivity, and AUROC with the interval of its mean."""
    rows = []
    for one in detectors:
        sizes = {name: one[name] for name in ("n_seeds", "n_clips", "n_patients")}
        known = {"panel": "a", "model": one["label"], "run": one["run"], "length_s": 12, "true": "seizure"}
        rows += [
            {
                **known, "predicted": f"at false positive rate {FALSE_POSITIVE_RATE:g}",
                "measured": one["sensitivity"], "mean": one["sensitivity_mean"], "std": one["sensitivity_std"],
                "low": np.nan, "high": np.nan, "published": one["published"], "count": np.nan, **sizes,
            },
            {
                **known, "predicted": "AUROC", "measured": one["auroc"], "mean": one["auroc_mean"],
                "std": one["auroc_std"], "low": one["auroc_low"], "high": one["auroc_high"], "published": None,
                "count": np.nan, **sizes,
            },
        ]  # fmt: skip
    return rows


def _matrix_rows(matrices: list[dict[str, Any]], *, panel: str) -> list[dict[str, Any]]:
    """One row a cell: `measured` the share of the true class that was given this answer."""
    return [
        {
            "panel": panel, "model": one["label"], "run": one["run"], "length_s": one["length_s"], "true": true,
            "predicted": answer, "measured": _number(one["shares"][i][j]), "mean": _number(one["shares"][i][j]),
            "std": np.nan, "low": np.nan, "high": np.nan,
            "published": one["published"].get(true) if true == answer else None,
            "count": one["counts"][i][j], "n_seeds": one["n_seeds"], "n_clips": one["n"][i],
            "n_patients": one["n_patients"],
        }
        for one in matrices
        for i, true in enumerate(one["rows"])
        for j, answer in enumerate(one["answers"])
    ]  # fmt: skip


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
