"""Compare runs in pairs on the same test clips, over patients and seeds, Holm-corrected within each table of the paper.

In: an inventory (JSON) of the runs with their predictions and cards, and of the pairs; the splits that `check_splits`
found clean. Out: comparisons.parquet and .csv: table, task, length_s, metric, first, second, value of either, the
difference (first less second) with its interval, p, p_holm, n_comparisons of the table, n_seeds, n_patients, n_clips,
reason, and the finding in words (docs/statistics.md).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import classes as scheme_classes
from pipeline.metrics.clip_metrics import Key
from pipeline.metrics.comparisons import DifferentClips, Drawn, difference_of, draw_metric, holm
from pipeline.report.picture import plural
from pipeline.report.tables import write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clips import Task
from pipeline.settings.comparison import ComparisonSettings
from pipeline.stages import command
from pipeline.stages.evaluate import check_patients, read_predicted
from pipeline.store import read_json, read_table

NUMBERS = ["value_first", "value_second", "difference", "low", "high", "p", "p_holm"]
NAMES = {
    "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "weighted_f1": "weighted F1", "macro_f1": "macro F1",
    "accuracy": "accuracy",
}  # fmt: skip


class Settings(Section):
    """What this stage uses."""

    comparisons: ComparisonSettings


class Compared(Section):
    """One run of the inventory: its files, one a seed."""

    run: str
    task: Task
    length_s: int
    scheme: str
    predictions: list[Path]
    cards: list[Path]


def drawn_run(one: Compared, metric: str, splits: pd.DataFrame, settings: ComparisonSettings) -> Drawn:
    """The metric of every seed of a run, plain and in the draws that all runs on the same patients share."""
    classes = ("seizure",) if one.task == "detection" else scheme_classes(one.scheme)
    strict = settings.threshold_strict
    files = zip(one.predictions, one.cards, strict=True)
    seeds = [read_predicted(path, read_json(card), classes, strict=strict) for path, card in files]
    check_patients(seeds, splits, one.predictions[0])
    return draw_metric(seeds, classes, metric=Key(metric, ""), draws=settings.draws, seed=settings.seed)


def compared(inventory: dict[str, Any], settings: ComparisonSettings) -> pd.DataFrame:
    """One row a pair. Raises StageError where two runs did not predict the same clips."""
    runs = {folder: Compared.model_validate(files) for folder, files in inventory["runs"].items()}
    splits, known, rows = read_table(inventory["splits"]), {}, []
    for pair in inventory["pairs"]:
        for folder in (pair["first"], pair["second"]):
            if (folder, pair["metric"]) not in known:
                known[folder, pair["metric"]] = drawn_run(runs[folder], pair["metric"], splits, settings)
        one, other = (runs[pair[which]] for which in ("first", "second"))
        drawn = [known[pair[which], pair["metric"]] for which in ("first", "second")]
        how: dict[str, Any] = {"confidence": settings.confidence, "seed": settings.seed}
        try:
            found = difference_of(*drawn, metric=Key(pair["metric"], ""), **how)
        except DifferentClips as error:
            raise command.StageError(f"{pair['first']} and {pair['second']}: {error}") from error
        if not np.array_equal(drawn[0].labels, drawn[1].labels):
            raise command.StageError(f"{pair['first']} and {pair['second']}: labels differ; compare runs of one scheme")
        rows.append({
            "table": pair["table"].removeprefix("table"), "task": one.task, "length_s": one.length_s,
            "metric": pair["metric"], "first": one.run, "second": other.run,
            "value_first": found.first, "value_second": found.second, "difference": found.value,
            "low": found.low, "high": found.high, "p": found.p,
            "n_seeds": found.n_seeds, "n_patients": found.n_patients, "n_clips": found.n_clips, "reason": found.reason,
        })  # fmt: skip
    return finished(rows, settings.confidence)


def finished(rows: list[dict[str, Any]], confidence: float) -> pd.DataFrame:
    """The rows with Holm's p over each table, how many comparisons that is, and the finding in words."""
    for table in {row["table"] for row in rows}:
        own = [row for row in rows if row["table"] == table]
        for row, adjusted in zip(own, holm([row["p"] for row in own]), strict=True):
            row["p_holm"], row["n_comparisons"] = adjusted, sum(other["p"] is not None for other in own)
    for row in rows:
        row["words"] = in_words(row, confidence)
    front = ["table", "task", "length_s", "metric", "first", "second", *NUMBERS]
    back = ["n_comparisons", "n_seeds", "n_patients", "n_clips", "reason", "words"]
    return pd.DataFrame(rows, columns=[*front, *back]).astype(dict.fromkeys(NUMBERS, np.float64))


def in_words(row: dict[str, Any], confidence: float) -> str:
    """`dist-ssl above dist-scratch by 0.031 [0.004, 0.058] ...: established / not established`, in plain words."""
    where = f"{NAMES[row['metric']]} of {row['task']} on {row['length_s']}-s clips"
    if row["p"] is None:
        return f"{row['first']} and {row['second']}, {where}: cannot be compared, since {row['reason']}."
    side = "equal to" if row["difference"] == 0 else "higher than" if row["difference"] > 0 else "lower than"
    amount = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    shown = f"p {_p(row['p'])}; after Holm over {plural(row['n_comparisons'], 'comparison')} p {_p(row['p_holm'])}"
    if row["p_holm"] < 1 - confidence:
        verdict = f"established for {'these models, one of each' if row['n_seeds'] == 1 else 'these runs'}"
    elif row["p"] < 1 - confidence:
        verdict = "not established once the whole table is counted"
    else:
        verdict = "not established"
    return f"{row['first']} {side} {row['second']}, {where}: {amount} ({shown}): {verdict}."


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def main() -> None:
    """Read, compare, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    log = command.start(arguments)
    table = compared(read_json(arguments.inventory), parse_settings(Settings, arguments.settings).comparisons)
    write_both(arguments.out, "comparisons", table)
    for words in table["words"]:
        log.info("%s", words)


if __name__ == "__main__":
    command.run(main)
