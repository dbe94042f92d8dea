"""Seizure types by SGLC and by both DCRNNs, four and eight classes, beside the published numbers (spec sglc.md, 1, 2).

In: an inventory (JSON) of the runs with their predictions and cards; the splits that `check_splits` found clean; the
seizures of the test recordings where a list of test clips is read. Out: sglc_table.parquet and .csv (one row a list of
test clips, run, metric and class: value over seeds, std, patient interval, clips and patients; published numbers are
rows of their own, with the list that they are of), sglc_table.png with .json of its numbers, and sglc_table.json with
the rows, what was trained, and what the lists hold.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.clips import classes as scheme_classes
from pipeline.metrics.clip_lists import NamedList
from pipeline.metrics.evaluation import Predicted
from pipeline.report.picture import tidy
from pipeline.report.sglc_cells import list_contents, published_rows, score_rows
from pipeline.report.sglc_inventory import SglcInventory, SglcRun, grid_of, read_sglc_inventory
from pipeline.report.sglc_pictures import table_picture
from pipeline.report.tables import records, write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clip_lists import ClipList
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.stages import command
from pipeline.stages.evaluate import check_patients, listed_metrics, lists_of, read_predicted
from pipeline.store import read_json, read_table, write_json

Lists = dict[str, dict[str, ClipList]]  # by scheme, by name


class Settings(Section):
    """What this stage uses: how scores get their intervals, the lists of each scheme, the resolution of the picture."""

    evaluation: EvaluationSettings
    lists: Lists = Field(default_factory=dict)
    dpi: int


@dataclass(frozen=True)
class Answered:
    """A run with its test clips as every seed answered them, and the lists that they are scored on."""

    run: SglcRun
    seeds: list[Predicted]
    lists: list[NamedList]
    classes: tuple[str, ...]


def read_answers(inventory: SglcInventory, lists: Lists, *, strict: bool) -> list[Answered]:
    """Predictions of every run. Raises StageError where two runs of a scheme did not answer the same test clips."""
    splits, found = read_table(inventory.splits), []
    for run in inventory.runs:
        classes = scheme_classes(run.scheme)
        files = [(Path(path), read_json(card)) for path, card in zip(run.predictions, run.cards, strict=True)]
        seeds = [read_predicted(path, card, classes, strict=strict) for path, card in files]
        check_patients(seeds, splits, files[0][0])
        seizures = [Path(path) for path in inventory.seizures]
        named = lists_of(files[0][0], lists.get(run.scheme, {}), splits=splits, seizures=seizures)
        found.append(Answered(run, seeds, named, classes))
        check_alike(next(one for one in found if one.run.scheme == run.scheme), found[-1])
    return found


def check_alike(first: Answered, other: Answered) -> None:
    """One column holds scores of one set of clips: raise StageError where two runs have others."""
    for name in ("clips", "labels"):
        if not np.array_equal(getattr(first.seeds[0], name), getattr(other.seeds[0], name)):
            raise command.StageError(
                f"{first.run.run} and {other.run.run} answered test clips of other {name}; train both on one corpus"
            )


def parsed(doc: str | None) -> tuple[argparse.Namespace, Logger, SglcInventory]:
    """Command line and inventory of a target of the learned graph; its stage bears the target's name."""
    parser = command.parser(doc)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    log = command.start(arguments)
    return arguments, log, read_sglc_inventory(arguments.inventory)


def content_of(
    inventory: SglcInventory, frame: pd.DataFrame, answered: Sequence[Answered], **more: Any
) -> dict[str, Any]:
    """What the page reads of a target: its rows without NaN, what was trained, what the lists hold, and more."""
    first = {one.run.scheme: one for one in answered}
    return {
        "target": inventory.target,
        "corpus": inventory.corpus,
        "synthetic": inventory.is_synthetic,
        "grid": [tidy(row) for row in grid_of(inventory)],
        "lists": [row for one in first.values() for row in list_contents(one.seeds[0], one.lists, one.classes)],
        "rows": [tidy(row) for row in records(frame)],
        **more,
    }


def main() -> None:
    """Read, score, write."""
    arguments, log, inventory = parsed(__doc__)
    settings = parse_settings(Settings, arguments.settings)
    answered = read_answers(inventory, settings.lists, strict=settings.evaluation.threshold_strict)
    scored = [
        score_rows(one.run, listed_metrics(one.seeds, one.lists, one.classes, settings.evaluation)) for one in answered
    ]
    frame = pd.concat([*scored, published_rows()], ignore_index=True)
    write_both(arguments.out, inventory.target, frame)
    content = content_of(inventory, frame, answered)
    write_json(arguments.out / f"{inventory.target}.json", content)
    picture = table_picture(frame, content["lists"], synthetic=content["synthetic"], dpi=settings.dpi)
    picture.write(arguments.out / "figures")
    for row in records(frame[(frame["metric"] == "weighted_f1") & (frame["origin"] == "measured")]):
        log.info("%s, %d classes, list %s: weighted F1 %.3f [%.3f, %.3f]", row["run"], row["classes"], row["list"],
                 row["value"], row["low"], row["high"])  # fmt: skip


if __name__ == "__main__":
    command.run(main)
