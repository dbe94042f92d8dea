"""Numbers printed in the paper, shown beside ours (Tang et al., ICLR 2022, docs/paper.md).

The CSV files in `published/` were transcribed from the paper, one value a row. They were measured on TUSZ v1.5.2;
on any other corpus they are context, not a target.
"""

import re
from functools import cache
from importlib.resources import files

import pandas as pd

SOURCE = "Tang et al., ICLR 2022, on TUSZ v1.5.2"
SPLIT = re.compile(r"split=(\w+)")  # in the notes of counts
_METRICS = {"auprc": "aupr", "precise": "precisely_localised_pct"}
_TABLES = ("table02.csv", "table03.csv", "table06.csv", "figures.csv")
_INIT = {"ssl": "ssl", "scratch": "none"}


@cache
def table_rows(table: str) -> pd.DataFrame:
    """Rows of one table (`table02`; `table05_code`: counts of the published code) with a column `split`.

    `split` is train, validation or test for counts and empty for scores. What could not be read in print is NaN.
    """
    with (files("pipeline.report") / "published" / f"{table}.csv").open(encoding="utf-8") as text:
        rows = pd.read_csv(text, keep_default_na=False, dtype=str)
    rows["split"] = [found.group(1) if (found := SPLIT.search(note)) else "" for note in rows["note"]]
    return _numbers(rows)


@cache
def published_table() -> pd.DataFrame:
    """All transcribed rows: table, model, pretraining, graph, task, clip_s, metric, class, mean, std, n_runs, note."""
    folder = files("pipeline.report") / "published"
    frames = []
    for name in _TABLES:
        with (folder / name).open(encoding="utf-8") as text:
            frames.append(pd.read_csv(text, keep_default_na=False, dtype=str))
    return _numbers(pd.concat(frames, ignore_index=True))


def _numbers(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ("clip_s", "mean", "std", "n_runs")
    return rows.assign(**{column: pd.to_numeric(rows[column], errors="coerce") for column in columns})


def published(
    task: str, length_s: int, metric: str, *, graph: str, init: str, klass: str = "all", n_classes: int = 4
) -> tuple[float, float | None] | None:
    """(mean, std over runs) of DCRNN as printed; None where the paper has no such cell. Shares, not per cent."""
    rows = published_table()
    name = f"classification_{n_classes}" if task == "classification" else task
    wanted = (
        (rows["model"] == "DCRNN") & (rows["task"] == name) & (rows["clip_s"] == length_s) & (rows["graph"] == graph)
        & (rows["pretraining"] == _INIT.get(init, init)) & (rows["metric"] == _METRICS.get(metric, metric))
        & (rows["class"] == klass) & (rows["input_domain"] == "frequency")
    )  # fmt: skip
    if not wanted.any():
        return None
    first = rows[wanted].iloc[0]
    scale = 0.01 if first["metric"].endswith("_pct") else 1.0
    std = None if pd.isna(first["std"]) else float(first["std"]) * scale
    return float(first["mean"]) * scale, std
