"""How scores depend on the share of the labels: SGLC and both DCRNNs, pre-trained or not (spec sglc.md, section 10).

In: an inventory (JSON) of the runs with their predictions and cards, and of the tables that the training clips are in;
the splits that `check_splits` found clean; the seizures of the test recordings where a list of test clips is read. Out:
label_fraction.parquet and .csv (one row a run, seed or -1 for all, and list of test clips: training patients and clips
of each class, both scores with intervals, of one seed over patients, of all over patients and seeds),
label_fraction.png, and label_fraction.json for the page.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.metrics.clip_lists import listed
from pipeline.metrics.evaluation import OVER_SEEDS
from pipeline.report.sglc_fractions import METRICS, bounds, fraction_rows, labelled
from pipeline.report.sglc_inventory import SglcInventory, SglcRun
from pipeline.report.sglc_pictures import fraction_picture
from pipeline.report.tables import records, write_both
from pipeline.settings.base import parse_settings
from pipeline.stages import command
from pipeline.stages.evaluate import listed_metrics
from pipeline.stages.sglc_table import Settings, content_of, parsed, read_answers
from pipeline.store import read_json, read_tables, write_json


def seen_by(run: SglcRun, clips: pd.DataFrame) -> dict[int, dict[str, int]]:
    """What each seed of a run learnt from. Raises StageError where the model's card says otherwise."""
    found = {}
    for path in run.cards:
        card = read_json(path)
        seen = labelled(clips, card)
        counted = {"training_patients": seen["n_patients"], "training_clips": sum(list(seen.values())[1:])}
        if differing := [name for name, number in counted.items() if card["counts"][name] != number]:
            name = differing[0]
            raise command.StageError(
                f"{path}: {name} {card['counts'][name]}, but {counted[name]} are chosen from today's clips; "
                "the model was trained on others: remove its folder and run again"
            )
        found[int(card["seed"])] = seen
    return found


def check_shared(inventory: SglcInventory) -> None:
    """Every share of a model starts from one encoder, and is validated on the same clips: else StageError."""
    known: dict[tuple[str, str], tuple[str, Any]] = {}
    for run in inventory.runs:
        for path in run.cards:
            card = read_json(path)
            facts = (card["inputs"]["encoder"], card["counts"]["validation_clips"])
            first, wanted = known.setdefault((f"{run.model}-{run.graph}", run.init), (path, facts))
            if facts != wanted:
                raise command.StageError(f"{path}: encoder and validation clips {facts}, those of {first} {wanted}")


def main() -> None:
    """Read, score, write."""
    arguments, log, inventory = parsed(__doc__)
    settings = parse_settings(Settings, arguments.settings)
    check_shared(inventory)
    answered = read_answers(inventory, settings.lists, strict=settings.evaluation.threshold_strict)
    clips, rows = read_tables(inventory.clips), []
    for one in answered:
        metrics = listed_metrics(one.seeds, one.lists, one.classes, settings.evaluation)
        over_seeds = {
            (chosen.name, metric): bounds(
                [listed(seed, chosen) for seed in one.seeds], one.classes, metric, settings.evaluation
            )
            for chosen in one.lists
            for metric in METRICS
        }
        rows.append(fraction_rows(one.run, metrics, seen_by(one.run, clips), over_seeds))
    frame = pd.concat(rows, ignore_index=True)
    write_both(arguments.out, inventory.target, frame)
    content = content_of(inventory, frame, answered)
    write_json(arguments.out / f"{inventory.target}.json", content)
    mean = frame[frame["seed"] == OVER_SEEDS]
    picture = fraction_picture(mean, synthetic=content["synthetic"], dpi=settings.dpi)
    picture.write(Path(arguments.out) / "figures")
    for row in records(mean):
        log.info("%s, list %s: %s", row["run"], row["list"], ", ".join(f"{m} {row[m]:.3f}" for m in METRICS))


if __name__ == "__main__":
    command.run(main)
