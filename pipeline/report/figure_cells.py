"""Numbers that the paper prints in figures 2 and 4, each beside the measured one: cells of the scoreboard's files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.paper_figures_base import run_label
from pipeline.report.published import table_rows
from pipeline.report.tables import records

Cell = dict[str, Any]
METRICS = ("tpr_at_fpr_0.25", "accuracy", "precisely_localised_pct")  # of figures 2a, 2b, 4c
FIGURES = {"fig2a": "figure02", "fig2b": "figure02", "fig4c": "figure04"}
BEST_BASELINE = "best baseline"  # as the paper calls it where it does not say which
MEASURED = ("measured", "std", "n_seeds", "low", "high", "n_clips", "n_patients")


def figure_cells(figures: Mapping[str, Mapping[str, Any]], cells: Sequence[Cell]) -> list[Cell]:
    """One cell a printed number; `figures` maps a figure to its numbers, `cells` are the tables', for the marks."""
    rows = [row for row in records(table_rows("figures")) if row["table"] in FIGURES and row["metric"] in METRICS]
    return [_cell(row, figures.get(FIGURES[row["table"]], {}), cells) for row in rows]


def _cell(row: Cell, numbers: Mapping[str, Any], cells: Sequence[Cell]) -> Cell:
    found = next(_measured(row, numbers), {})
    published = row["mean"] * (0.01 if row["metric"].endswith("_pct") else 1.0)
    run, measured = found.get("run", ""), found.get("measured")
    same = ("task", "clip_s")
    beside = [one for one in cells if run and one["run"] == run and all(one[name] == row[name] for name in same)]
    names = ("model", "pretraining", "graph", "input_domain", "task", "clip_s", "metric", "class", "note")
    return {
        "table": FIGURES[row["table"]], **{name: row[name] for name in names}, "split": "", "over": row["table"],
        "corpus": beside[0]["corpus"] if beside else "", "run": run,
        **{name: found.get(name) for name in MEASURED}, "published": published, "published_std": None,
        "difference": None if measured is None else measured - published,
        "protocol": beside[0]["protocol"] if beside else "", "marks": beside[0]["marks"] if beside else "",
        "reason": "" if measured is not None else "the figure shows no such model or clip",
    }  # fmt: skip


def _measured(row: Cell, numbers: Mapping[str, Any]) -> Iterator[Cell]:
    """What a figure's numbers hold of a printed one."""
    label = run_label(row["model"], graph=row["graph"] or "none", pretrained=row["pretraining"] == "ssl")
    for one in numbers.get("roc", []) if row["table"] == "fig2a" else []:
        if one["label"] == label:
            sizes = {name: one[name] for name in ("run", "n_seeds", "n_clips", "n_patients")}
            yield {**sizes, "measured": one["sensitivity"], "std": one["sensitivity_std"]}
    for one in numbers.get("confusion", []) if row["table"] == "fig2b" else []:
        baseline = row["model"] == BEST_BASELINE and "DCRNN" not in one["label"]
        if (one["label"] == label or baseline) and row["class"] in one["rows"]:
            k = one["rows"].index(row["class"])
            sizes = {"run": one["run"], "n_seeds": one["n_seeds"], "n_clips": one["n"][k]}
            yield {**sizes, "measured": one["shares"][k][one["answers"].index(row["class"])]}
    for one in numbers.get("models", []) if row["table"] == "fig4c" else []:
        if one["label"] == label:
            precise = {name: one["precise"].get(name) for name in ("low", "high", "n_clips", "n_patients")}
            yield {**precise, "run": one["run"], "measured": one["precise"].get("value"), "n_seeds": len(one["seeds"])}
