"""Which pairs of runs are compared: those that config.yaml names, on the tasks and lengths of their table's plan."""

from dataclasses import dataclass
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry
from workflow.lib import paper
from workflow.lib.inventory import run_files
from workflow.lib.paths import run_folder
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice


@dataclass(frozen=True)
class Pair:
    """Two lines of one table's plan: equal task and length."""

    table: str
    first: PlanEntry
    second: PlanEntry


def pairs(config: Config) -> list[Pair]:
    """Every comparison, table by table. Raises PlanError where a pair names a run that its table does not have."""
    found = []
    for table, named in sorted(config.comparisons.families.items()):
        lines = {(e.run, e.task, e.length_s): e for e in paper.plan(config, table)[config.corpus]}
        known = sorted({run for run, _, _ in lines})
        places = list(dict.fromkeys((task, length) for _, task, length in lines))
        for pair in named:
            if unknown := [run for run in pair if run not in known]:
                hint = choice(unknown[0], known)
                raise PlanError(f"comparisons.families.{table}: {unknown[0]!r} is not of that table; {hint}")
            both = [(lines.get((pair[0], *place)), lines.get((pair[1], *place))) for place in places]
            found += [Pair(table, one, other) for one, other in both if one is not None and other is not None]
    return found


def inventory(config: Config) -> dict[str, Any]:
    """The files of every run that is compared, once, and the pairs of them by their folder."""
    wanted = pairs(config)
    lines = {run_folder(entry): entry for pair in wanted for entry in (pair.first, pair.second)}
    return {
        "splits": f"{config.results}/{config.corpus}/splits.parquet",
        "runs": {folder: _files(config, entry) for folder, entry in lines.items()},
        "pairs": [
            {
                "table": pair.table,
                "metric": getattr(config.comparisons, pair.first.task),
                "first": run_folder(pair.first),
                "second": run_folder(pair.second),
            }
            for pair in wanted
        ],
    }


def _files(config: Config, entry: PlanEntry) -> dict[str, Any]:
    told = run_files(config, config.corpus, entry)
    kept = {name: told[name] for name in ("run", "task", "length_s", "predictions", "cards")}
    return kept | {"scheme": config.runs[entry.run].scheme}
