"""What the published defects change: one corpus processed and trained in two ways, compared on the clips of both.

In: predictions and cards of every run, task, length and seed (as `lines` of the settings says), first those of the
default, then those of its twin under the published switches. Out: a table (Parquet, CSV) and the same as text, which is
printed too: metric of either way, published less default with its interval over patients and seeds, and how many clips
or labels differ. docs/compat.md, docs/statistics.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.clips import classes as scheme_classes
from pipeline.metrics.clip_metrics import Key
from pipeline.metrics.comparisons import holm, paired_difference
from pipeline.metrics.evaluation import Predicted
from pipeline.metrics.matching import shared_clips
from pipeline.report.tables import records, write_both
from pipeline.settings.base import parse_settings
from pipeline.settings.compat_report import ComparedLine, CompatReportSettings
from pipeline.stages import command
from pipeline.stages.evaluate import read_predicted
from pipeline.store import read_json, read_table, replacing

METRICS = {
    "detection": ("auroc", "auprc", "f1", "sensitivity", "specificity"),
    "classification": ("weighted_f1", "macro_f1", "accuracy"),
}
COLUMNS = ["recording", "clip", "split", "start_s", "length_s"]


@dataclass(frozen=True)
class Way:
    """Test predictions of every seed of a run, and its test clips in the same order."""

    seeds: list[Predicted]
    clips: pd.DataFrame


def read_way(predictions: list[Path], cards: list[Path], classes: tuple[str, ...], *, strict: bool) -> Way:
    """The files of one line."""
    pairs = zip(predictions, cards, strict=True)
    seeds = [read_predicted(path, read_json(card), classes, strict=strict) for path, card in pairs]
    table = read_table(predictions[0], COLUMNS)
    return Way(seeds, table[table["split"] == "test"].sort_values("clip", kind="stable").reset_index(drop=True))


def compare(
    line: ComparedLine, classes: tuple[str, ...], default: Way, published: Way, settings: CompatReportSettings
) -> list[dict[str, Any]]:
    """One row for each metric of a line."""
    shared, evaluation = shared_clips(default.clips, published.clips), settings.evaluation
    first, second = shared.pick(published.seeds, second=True), shared.pick(default.seeds, second=False)
    about = {"run": line.run, "task": line.task, "length_s": line.length_s}
    counts = {
        "moved_labels": int((first[0].labels != second[0].labels).sum()),
        "only_default": shared.only_first,
        "only_published": shared.only_second,
    }
    rows = []
    for metric in METRICS[line.task]:
        found = paired_difference(
            first, second, classes, metric=Key(metric, ""), draws=evaluation.bootstrap,
            confidence=evaluation.confidence, seed=evaluation.seed,
        )  # fmt: skip
        measured = {
            "metric": metric, "default": found.second, "published": found.first, "difference": found.value,
            "low": found.low, "high": found.high, "p": found.p, "p_holm": None, "n_seeds": found.n_seeds,
            "n_patients": found.n_patients, "n_clips": found.n_clips,
        }  # fmt: skip
        rows.append({**about, **measured, **counts, "reason": found.reason})
    return rows


def sentences(table: pd.DataFrame, settings: CompatReportSettings) -> Iterator[str]:
    """The report as text."""
    yield f"{settings.published} is {settings.default} under the published switches:"
    for name, (default, published) in sorted(settings.switches.items()):
        yield f"  compat.{name}: {str(published).lower()} (default: {str(default).lower()})"
    share = f"{100 * settings.evaluation.confidence:g} %"
    yield f"Metric of the default, then published less default with its {share} interval over patients and seeds"
    yield "(one seed: over patients alone)."
    for (run, task, length_s), rows in table.groupby(["run", "task", "length_s"], sort=False):
        some = rows.iloc[0]
        yield (
            f"{run}, {task}, {length_s} s: {some['n_clips']} clips of {some['n_patients']} patients in both, "
            f"{some['moved_labels']} with another label; {some['only_default']} in the default alone, "
            f"{some['only_published']} in the published alone; seeds: {some['n_seeds']}"
        )
        yield from (f"  {_line(row)}" for row in records(rows))


def _line(row: dict[str, Any]) -> str:
    if row["reason"]:
        return f"{row['metric']}: {row['reason']}"
    interval = f"[{row['low']:+.4f}, {row['high']:+.4f}]"
    return f"{row['metric']}: {row['default']:.4f}, {row['difference']:+.4f} {interval}, p (Holm) {row['p_holm']:.3f}"


def compared(arguments: argparse.Namespace, settings: CompatReportSettings) -> pd.DataFrame:
    """The table: every line read and compared; p is corrected over the whole table."""
    rows: list[dict[str, Any]] = []
    start = 0
    for line in settings.lines:
        own = slice(start, start + len(line.seeds))
        start = own.stop
        classes = ("seizure",) if line.task == "detection" else scheme_classes(line.scheme)
        files = arguments.default_predictions[own], arguments.default_cards[own]
        default = read_way(*files, classes, strict=settings.default_strict)
        files = arguments.published_predictions[own], arguments.published_cards[own]
        published = read_way(*files, classes, strict=settings.published_strict)
        rows += compare(line, classes, default, published, settings)
    adjusted = holm([row["p"] for row in rows])
    table = pd.DataFrame([row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)])
    return table.astype(dict.fromkeys(["default", "published", "difference", "low", "high", "p", "p_holm"], "float64"))


def main() -> None:
    """Read, compare, write, print."""
    parser = command.parser(__doc__)
    for way in ("default", "published"):
        for name in ("predictions", "cards"):
            parser.add_argument(f"--{way}-{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of compat_report.parquet, .csv, .txt")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(CompatReportSettings, arguments.settings)
    table = compared(arguments, settings)
    write_both(arguments.out, "compat_report", table)
    text = list(sentences(table, settings))
    with replacing(arguments.out / "compat_report.txt") as temporary:
        temporary.write_text("\n".join(text) + "\n", encoding="utf-8")
    for sentence in text:
        log.info("%s", sentence)


if __name__ == "__main__":
    command.run(main)
