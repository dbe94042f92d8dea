"""Does learning the graph help? The learned graph against the prior, a uniform and a random one (sglc.md, section 10).

In: an inventory (JSON) of the four runs with their predictions and cards, and of the pairs; the splits that
`check_splits` found clean; the seizures of the test recordings where a list of test clips is read. Out:
graph_ablation.parquet and .csv (one row a list of test clips and pair: difference with its interval over patients and
seeds, p, Holm's p over the pairs, whether a benefit is claimed, the finding in words), graph_ablation.png, and
graph_ablation.json for the page.
"""

from typing import Any

import pandas as pd
from pydantic import Field

from pipeline.metrics.clip_lists import NamedList, listed
from pipeline.metrics.comparisons import difference_of, draw_metric
from pipeline.report.picture import tidy
from pipeline.report.sglc_ablation import METRIC, budget_differences, with_claims
from pipeline.report.sglc_inventory import SglcInventory
from pipeline.report.sglc_pictures import ablation_picture
from pipeline.report.tables import records, write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.comparison import ComparisonSettings
from pipeline.stages import command
from pipeline.stages.compare import finished
from pipeline.stages.sglc_table import Answered, Lists, content_of, parsed, read_answers
from pipeline.store import read_json, write_json


class Settings(Section):
    """What this stage uses: how differences are drawn, the lists of each scheme, the resolution of the picture."""

    comparisons: ComparisonSettings
    lists: Lists = Field(default_factory=dict)
    dpi: int


def compared(
    inventory: SglcInventory, answered: list[Answered], settings: ComparisonSettings, cards: dict[str, Any]
) -> pd.DataFrame:
    """One row a list and pair; Holm's p is over the pairs of one list. `cards`: one of each run."""
    known = {one.run.run: one for one in answered}
    frames = []
    for chosen in answered[0].lists:
        rows = [pair_row(known[first], known[second], chosen, settings) for first, second in inventory.pairs]
        frames.append(finished(rows, settings.confidence).assign(list=chosen.name))
    return with_claims(pd.concat(frames, ignore_index=True), settings.confidence, cards)


def pair_row(first: Answered, second: Answered, chosen: NamedList, settings: ComparisonSettings) -> dict[str, Any]:
    """The first run's score less the second's on the clips of one list."""
    drawn = [
        draw_metric(
            [listed(seed, chosen) for seed in one.seeds], one.classes, metric=METRIC, draws=settings.draws,
            seed=settings.seed,
        )
        for one in (first, second)
    ]  # fmt: skip
    found = difference_of(*drawn, metric=METRIC, confidence=settings.confidence, seed=settings.seed)
    return {
        "table": chosen.name, "task": "classification", "length_s": first.run.length_s, "metric": METRIC.metric,
        "first": first.run.run, "second": second.run.run, "value_first": found.first, "value_second": found.second,
        "difference": found.value, "low": found.low, "high": found.high, "p": found.p, "n_seeds": found.n_seeds,
        "n_patients": found.n_patients, "n_clips": found.n_clips, "reason": found.reason,
    }  # fmt: skip


def main() -> None:
    """Read, compare, write."""
    arguments, log, inventory = parsed(__doc__)
    settings = parse_settings(Settings, arguments.settings)
    answered = read_answers(inventory, settings.lists, strict=settings.comparisons.threshold_strict)
    cards = {one.run.run: read_json(one.run.cards[0]) for one in answered}
    frame = compared(inventory, answered, settings.comparisons, cards)
    write_both(arguments.out, inventory.target, frame)
    budget = budget_differences(cards)
    content = content_of(inventory, frame, answered, budget=budget, confidence=settings.comparisons.confidence)
    write_json(arguments.out / f"{inventory.target}.json", content)
    rows = [tidy(row) for row in records(frame)]
    how: dict[str, Any] = {"confidence": settings.comparisons.confidence, "dpi": settings.dpi}
    ablation_picture(rows, synthetic=content["synthetic"], **how).write(arguments.out / "figures")
    for words in frame["claim"]:
        log.info("%s", words)


if __name__ == "__main__":
    command.run(main)
