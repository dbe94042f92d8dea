"""Rank the trials of the search by the validation clips; no test clip is read, and no prediction of one was made.

In: card and history of every trial; benchmark files of their trainings, where they are there. Out: search.parquet and
.csv (rank, run, metric, value, validation loss, epochs, parameters, the settings of the trial), an overlay of
config.yaml with the settings of the best (Tang et al. 2022, appendix: ranges), and the same ranks with the seconds that
each training took: durations differ from one run to the next, so they lie beside the benchmark files.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline.report.tables import write_both
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clips import Task
from pipeline.settings.runs import LOOP_OVERRIDES, MODEL_OVERRIDES, Overrides
from pipeline.stages import command
from pipeline.store import read_json, read_table, replacing

SETTINGS = list(Overrides.model_fields)


class Settings(Section):
    """What this stage uses."""

    run: str
    model: str
    task: Task
    length_s: int
    checkpoint: str  # the metric of the validation clips that chooses the epoch, and here the trial
    trials: dict[str, Overrides]


def ranked(trials: dict[str, Overrides], cards: list[Path], histories: list[Path], *, checkpoint: str) -> pd.DataFrame:
    """One row a trial, best first: highest metric of the kept epoch (lowest loss), ties by loss, then by number."""
    rows = []
    for (name, chosen), card, history in zip(trials.items(), cards, histories, strict=True):
        table = read_table(history)
        kept = table[table["kept"]].iloc[0]
        loss = float(kept["validation_loss"])
        value = loss if checkpoint == "loss" else kept[f"validation_{checkpoint}"]
        known = {"run": name, "metric": f"validation_{checkpoint}", "value": value, "validation_loss": loss}
        size = {"kept_epoch": int(kept["epoch"]), "epochs": len(table), "parameters": read_json(card)["parameters"]}
        rows.append(known | size | {key: getattr(chosen, key) for key in SETTINGS})
    found = pd.DataFrame(rows)
    found["value"] = found["value"].astype(float)
    down = found["value"] if checkpoint == "loss" else -found["value"]
    order = found.assign(down=down).sort_values(["down", "validation_loss", "run"], na_position="last").index
    found = found.loc[order].reset_index(drop=True)
    found.insert(0, "rank", range(1, len(found) + 1))
    return found


def overlay(settings: Settings, best: dict[str, Any], n_trials: int) -> str:
    """config.yaml's own keys with the settings of the best trial, and what it was chosen by."""
    chosen = settings.trials[best["run"]]
    content: dict[str, Any] = {}
    if loop := chosen.of(*LOOP_OVERRIDES):
        content["training"] = {settings.task: {settings.length_s: loop}}
    if sizes := chosen.of(*MODEL_OVERRIDES):
        content["models"] = {settings.model: sizes}
    if neighbours := chosen.of("top_neighbours"):
        content["graphs"] = neighbours
    what = f"{settings.run}, {settings.task} on {settings.length_s}-s clips"
    return (
        f"# Best of {n_trials} trials of {what}: {best['run']},\n"
        f"# {best['metric']} {best['value']:.4f} in epoch {best['kept_epoch']}. Chosen on the validation clips alone.\n"
        "# Sections `models` and `graphs` hold for every run of the model and for every correlation graph.\n"
        + yaml.safe_dump(content, sort_keys=False)
    )


def seconds(path: Path) -> float | None:
    """Wall time of a training, as its benchmark file says (a resumed one: of its last part); None without a file."""
    if not path.is_file():
        return None
    return float(pd.read_csv(path, sep="\t")["s"].iloc[-1])


def main() -> None:
    """Read, rank, write."""
    parser = command.parser(__doc__)
    for name in ("cards", "histories", "benchmarks"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--seconds", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    table = ranked(settings.trials, arguments.cards, arguments.histories, checkpoint=settings.checkpoint)
    write_both(arguments.out, "search", table)
    best = {str(key): value for key, value in table.iloc[0].items()}
    with replacing(arguments.out / "best.yaml") as temporary:
        temporary.write_text(overlay(settings, best, len(table)), encoding="utf-8")
    took = {name: seconds(path) for name, path in zip(settings.trials, arguments.benchmarks, strict=True)}
    timed = table[["rank", "run", "value", "parameters"]].assign(seconds=table["run"].map(took))
    with replacing(arguments.seconds) as temporary:
        timed.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    for row in timed.to_dict("records"):
        chosen = settings.trials[row["run"]].of(*SETTINGS)
        log.info("%(rank)d. %(run)s %(value).4f, %(parameters)d parameters, %(seconds)s s" + f" {chosen}", row)


if __name__ == "__main__":
    command.run(main)
