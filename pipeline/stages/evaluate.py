"""Score the test predictions of a run, over its seeds (Tang et al. 2022, Tables 2 and 6).

In: predictions and card of every seed, in one order; the splits that `check_splits` found clean; the seizures of the
test recordings where a list of test clips is read (docs/sglc.md). Out: metrics.parquet (run, task, length_s, list,
seed or -1 for all seeds, metric, class, value, std, n_seeds, low, high, n_clips, n_patients, reason) and, of all test
clips, curves.json (per seed: fpr, tpr, recall, precision, point, reliability, reliability_scaled, confusion;
classification has the curves per class under `classes`). What is `scaled` had its temperature fitted on the validation
clips (docs/statistics.md); ranking and operating point are of the probabilities as they were predicted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from pipeline.clips import classes as scheme_classes
from pipeline.metrics.calibration import fit_temperature, rescaled
from pipeline.metrics.clip_lists import NamedList, listed, named_lists
from pipeline.metrics.curves import model_curves
from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.metrics.thresholds import predict
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clip_lists import ClipList
from pipeline.settings.clips import Task
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, read_tables, write_json, write_table


class Settings(Section):
    """What this stage uses."""

    run: str
    task: Task
    length_s: int
    scheme: str
    evaluation: EvaluationSettings
    lists: dict[str, ClipList] = Field(default_factory=dict)


def read_predicted(path: Path, card: dict[str, Any], classes: tuple[str, ...], *, strict: bool) -> Predicted:
    """The test clips of one seed's predictions, at the card's threshold; clips in the order of their names.

    The temperature is fitted on the validation clips of the same file.
    """
    everything = read_table(path)
    table = everything[everything["split"] == "test"].sort_values("clip", kind="stable")
    p = table[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64)
    threshold = card["threshold"]
    predicted = table["predicted"].to_numpy() if threshold is None else predict(p[:, 0], threshold, strict=strict)
    validation = everything[everything["split"] == "validation"]
    temperature = fit_temperature(validation["label"].to_numpy(dtype=np.int64), _logits(validation, classes))
    scaled = None if temperature is None else rescaled(_logits(table, classes), temperature).reshape(p.shape)
    return Predicted(
        card["seed"],
        table["label"].to_numpy(dtype=np.int64),
        p,
        predicted,
        table["patient"].to_numpy(dtype=object).astype(str),
        clips=table["clip"].to_numpy(dtype=object).astype(str),
        scaled=scaled,
        temperature=temperature,
    )


def _logits(table: pd.DataFrame, classes: tuple[str, ...]) -> NDArray[np.float64]:
    """(i, c), or (i,) of the one logit of detection."""
    logits = table[[f"logit_{name}" for name in classes]].to_numpy(dtype=np.float64)
    return logits[:, 0] if len(classes) == 1 else logits


def check_patients(seeds: list[Predicted], splits: pd.DataFrame, path: Path) -> None:
    """Raise StageError unless every test patient is one of the split table's, and all seeds saw the same clips."""
    known = set(splits.loc[splits["split"] == "test", "patient"])
    for one in seeds:
        if foreign := sorted(set(one.patients) - known):
            raise command.StageError(f"{path}: patient {foreign[0]} of seed {one.seed} is no test patient")
        if not np.array_equal(one.labels, seeds[0].labels):
            raise command.StageError(f"seeds {seeds[0].seed} and {one.seed} predicted different test clips")


def listed_metrics(
    seeds: list[Predicted], lists: list[NamedList], classes: tuple[str, ...], settings: EvaluationSettings
) -> pd.DataFrame:
    """The metrics of every list of test clips, `all` first; each row bears the name of its list."""
    tables = []
    for chosen in lists:
        table = metrics_table([listed(one, chosen) for one in seeds], classes, settings)
        table.insert(0, "list", chosen.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def lists_of(
    predictions: Path, lists: dict[str, ClipList], *, splits: pd.DataFrame, seizures: list[Path]
) -> list[NamedList]:
    """`all` and the lists named, on the test clips of one seed's predictions."""
    table = read_table(predictions, ["clip", "recording", "patient", "split", "start_s", "code"]) if lists else None
    test = pd.DataFrame() if table is None else table[table["split"] == "test"]
    patients = set(splits.loc[splits["split"] == "test", "patient"])
    return named_lists(lists, test, patients=patients, seizures=read_tables(seizures) if seizures else None)


def main() -> None:
    """Read, score, write."""
    parser = command.parser(__doc__)
    for name in ("predictions", "cards"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("splits", "metrics", "curves"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seizures", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    classes = ("seizure",) if settings.task == "detection" else scheme_classes(settings.scheme)
    cards = [read_json(path) for path in arguments.cards]
    strict = settings.evaluation.threshold_strict
    pairs = zip(arguments.predictions, cards, strict=True)
    seeds = [read_predicted(path, card, classes, strict=strict) for path, card in pairs]
    splits = read_table(arguments.splits)
    check_patients(seeds, splits, arguments.splits)
    lists = lists_of(arguments.predictions[0], settings.lists, splits=splits, seizures=arguments.seizures)
    if not len(seeds[0].labels):
        log.warning("%s: no test clip; every metric is without a value", arguments.predictions[0])
    table = listed_metrics(seeds, lists, classes, settings.evaluation)
    head: dict[str, Any] = {"run": settings.run, "task": settings.task, "length_s": settings.length_s}
    for place, (name, value) in enumerate(head.items()):
        table.insert(place, name, value)
    write_table(arguments.metrics, table)
    bins = settings.evaluation.calibration_bins
    write_json(arguments.curves, head | curves(seeds, cards, classes, bins=bins))
    for row in table[(table["seed"] == -1) & (table["class"] == "")].to_dict("records"):
        log.info(
            "%s: %s %.4f [%.4f, %.4f] %s",
            row["list"],
            row["metric"],
            row["value"],
            row["low"],
            row["high"],
            row["reason"],
        )


def curves(
    seeds: list[Predicted], cards: list[dict[str, Any]], classes: tuple[str, ...], *, bins: int
) -> dict[str, Any]:
    """Content of curves.json below its head."""
    labels = seeds[0].labels
    detection = len(classes) == 1
    names = ["background", "seizure"] if detection else list(classes)
    drawn = []
    for one, card in zip(seeds, cards, strict=True):
        how: dict[str, Any] = {"classes": classes, "threshold": card["threshold"], "bins": bins, "scaled": one.scaled}
        drawn.append({"seed": one.seed} | model_curves(one.labels, one.probabilities, one.predicted, **how))
    return {
        "classes": names,
        "n_clips": len(labels),
        "n_positive": int((labels == 1).sum()) if detection else None,
        "n_per_class": np.bincount(labels, minlength=len(names)).tolist(),
        "n_patients": len(np.unique(seeds[0].patients)),
        "seeds": drawn,
    }


if __name__ == "__main__":
    command.run(main)
