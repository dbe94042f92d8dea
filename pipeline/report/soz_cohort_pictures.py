"""Pictures of the cohort: the model beside baselines, patient by patient, calibration, strata."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.metrics.soz_contacts import BOTH
from pipeline.metrics.soz_evaluation import ALL, MODEL
from pipeline.report.picture import MARKS, SERIES, STYLES, Picture, drawing, finish, plural, tidy
from pipeline.report.soz_shown import Shown, leave_room
from pipeline.report.tables import records

PANELS = {"auroc": "AUROC", "auprc": "average precision"}
KINDS = {"raw": "before calibration", "cal": "after calibration"}


def systems_picture(metrics: pd.DataFrame, *, synthetic: bool, dpi: int) -> Shown | None:
    """The run and its baselines, both conditions, with intervals; None where nobody has a value."""
    rows = metrics[(metrics["scope"] == "cohort") & (metrics["condition"] == BOTH) & (metrics["factor"] == ALL)]
    rows = rows[rows["metric"].isin(PANELS) & rows["value"].notna()]
    if rows.empty:
        return None
    order = rows[rows["metric"] == "auroc"].sort_values("value", ascending=False, kind="stable")["system"]
    systems = [MODEL, *(name for name in dict.fromkeys([*order, *rows["system"]]) if name != MODEL)]
    with drawing(9.0, 1.5 + 0.3 * len(systems)) as figure:
        for axes, (metric, words) in zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True):
            for row in records(rows[rows["metric"] == metric]):
                _dot(axes, row, systems.index(row["system"]), first=row["system"] == MODEL)
            if metric == "auroc":
                axes.axvline(0.5, color="#888888", linestyle=":", linewidth=1)
            axes.set_yticks(range(len(systems)), systems)
            axes.set(ylim=(len(systems) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel=words)
            axes.grid(axis="x", color="#dddddd", linewidth=0.5)
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    own = rows[(rows["system"] == MODEL) & (rows["metric"] == "auroc")]
    n = int(own["n_patients"].iloc[0]) if len(own) else 0
    caption = (
        f"Mean over patients; bar: interval over patients, folds and seeds. n = {plural(n, 'patient')} with both "
        "classes (the model's). Round: the model, square: baselines and other runs on the same folds. Dotted: chance."
    )
    told = [f"{row['system']} {row['value']:.2f}" for row in records(rows[rows["metric"] == "auroc"])]
    table = rows[["system", "metric", "value", "low", "high", "n_patients", "n_excluded"]].reset_index(drop=True)
    numbers = tidy({"rows": records(table)})
    picture = Picture(
        "cohort-systems", "The model beside baselines", caption, f"AUROC: {', '.join(told)}.", numbers, png
    )
    return Shown(picture, table)


def _dot(axes: Axes, row: dict[str, Any], place: int, *, first: bool) -> None:
    colour = SERIES[0] if first else "#666666"
    if np.isfinite(row["low"]) and np.isfinite(row["high"]):
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
    axes.plot(row["value"], place, MARKS[0] if first else MARKS[1], color=colour, markersize=6)


def patients_picture(patients: pd.DataFrame, *, synthetic: bool, dpi: int) -> Shown | None:
    """AUROC of every patient, lowest first; None where no patient has both classes."""
    known = patients[patients["auroc"].notna()].sort_values(["auroc", "patient"], kind="stable").reset_index(drop=True)
    if known.empty:
        return None
    with drawing(max(4.5, 2.0 + 0.2 * len(known)), 3.4) as figure:
        axes = figure.subplots()
        axes.plot(range(len(known)), known["auroc"], MARKS[0], color=SERIES[0], markersize=5)
        axes.axhline(0.5, color="#888888", linestyle=":", linewidth=1)
        axes.set_xticks(range(len(known)), known["patient"], rotation=90, fontsize=7)
        axes.set(ylim=(-0.03, 1.03), ylabel="AUROC")
        axes.grid(axis="y", color="#dddddd", linewidth=0.5)
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"n = {plural(len(known), 'patient')} with both classes, lowest first; mean over seeds, both conditions. "
        "Dotted: chance. A patient's AUROC rests on its few SOZ contacts: one place in the ranking moves it."
    )
    ends = [f"{row['patient']} {row['auroc']:.2f}" for row in records(known.iloc[[0, -1]])]
    columns = [name for name in ("patient", "n_contacts", "n_soz", "auroc", "auprc", "auprc_ratio", "recall_at_soz",
                                 "top1", "top3", "top5", "precision_10", "mm_to_soz") if name in known]  # fmt: skip
    numbers = tidy({"rows": records(known[["patient", "auroc"]])})
    alt = f"AUROC patient by patient, from {ends[0]} to {ends[1]}."
    return Shown(Picture("cohort-patients", "Patient by patient", caption, alt, numbers, png), known[columns])


def reliability_picture(bins: dict[str, list[dict[str, Any]]], *, synthetic: bool, dpi: int) -> Shown | None:
    """Bins of equal mass before (`raw`) and after (`cal`) calibration; None without a labelled contact."""
    rows = [row | {"kind": kind} for kind in KINDS for row in bins[kind]]
    if not rows:
        return None
    table = pd.DataFrame(rows)[["kind", "bin", "predicted", "observed", "n_contacts"]]
    with drawing(5.0, 4.6) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":", label="as it should be")
        for k, (kind, words) in enumerate(KINDS.items()):
            own = table[table["kind"] == kind]
            look: dict[str, Any] = {"color": SERIES[k], "linestyle": STYLES[k], "marker": MARKS[k], "markersize": 5}
            axes.plot(own["predicted"], own["observed"], label=words, **look)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set(xlabel="mean predicted probability", ylabel="share marked as SOZ")
        axes.legend(loc="upper left", fontsize=8)
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    n = int(table.loc[table["kind"] == "cal", "n_contacts"].sum())
    caption = (
        f"n = {plural(n, 'labelled contact')} of all tested patients, each once a seed, in up to ten bins of equal "
        "mass. Above the diagonal the probability is too low, below it too high. Calibrated on inner patients alone."
    )
    gaps = [f"{words} {_gap(table[table['kind'] == kind]):.2f}" for kind, words in KINDS.items()]
    alt = f"Reliability; largest distance from the diagonal: {', '.join(gaps)}."
    picture = Picture("cohort-reliability", "Calibration", caption, alt, tidy({"rows": records(table)}), png)
    return Shown(picture, table)


def _gap(own: pd.DataFrame) -> float:
    return float((own["predicted"] - own["observed"]).abs().max()) if len(own) else float("nan")


def strata_picture(strata: pd.DataFrame, *, synthetic: bool, dpi: int) -> Shown | None:
    """AUROC by level of each factor: columns factor, level, value, low, high, n_patients; None where none is known."""
    known = strata[strata["value"].notna()].reset_index(drop=True)
    if known.empty:
        return None
    names = [f"{row['factor']}: {row['level']} (n = {row['n_patients']})" for row in records(known)]
    with drawing(7.6, 1.4 + 0.3 * len(known)) as figure:
        axes = figure.subplots()
        for place, row in enumerate(records(known)):
            _dot(axes, row, place, first=True)
        axes.axvline(0.5, color="#888888", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(known)), names)
        axes.set(ylim=(len(known) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel="AUROC")
        axes.grid(axis="x", color="#dddddd", linewidth=0.5)
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        "Mean AUROC of the patients of each group; bar: interval over patients, folds and seeds; n: patients with both "
        "classes. Groups of few patients have wide intervals or none, and nobody was dealt into them by chance."
    )
    alt = f"AUROC by group: {', '.join(f'{name} {v:.2f}' for name, v in zip(names, known['value'], strict=True))}."
    numbers = tidy({"rows": records(known)})
    return Shown(Picture("cohort-strata", "Strata and subgroups", caption, alt, numbers, png), known)


def ablation_picture(table: pd.DataFrame, *, reference: str, synthetic: bool, dpi: int) -> Shown | None:
    """Difference in AUROC of every run of soz.ablations from the run of reference; None where none is known."""
    known = table[(table["metric"] == "auroc") & table["difference"].notna()].reset_index(drop=True)
    if known.empty:
        return None
    names: Sequence[str] = known["run"].tolist()
    with drawing(7.6, 1.4 + 0.28 * len(known)) as figure:
        axes = figure.subplots()
        shown = known.rename(columns={"value": "mean", "low": "mean_low", "high": "mean_high"})
        shown = shown.rename(columns={"difference": "value", "difference_low": "low", "difference_high": "high"})
        for place, row in enumerate(records(shown)):
            _dot(axes, row, place, first=True)
        axes.axvline(0, color="#888888", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.5, -0.5), xlabel=f"difference in AUROC from {reference}")
        axes.grid(axis="x", color="#dddddd", linewidth=0.5)
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"Each run less {reference}, the same patients and folds; bar: paired interval over patients, folds and seeds. "
        f"Where it holds 0, no difference is claimed. n = {plural(int(known['n_patients'].max()), 'patient')} at most."
    )
    told = [f"{row['run']} {row['difference']:+.2f}" for row in records(known)]
    alt = f"Differences in AUROC: {', '.join(told)}."
    numbers = tidy({"rows": records(known)})
    return Shown(Picture("cohort-ablations", "Ablations", caption, alt, numbers, png), known)
