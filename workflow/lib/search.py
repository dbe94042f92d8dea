"""The trials of the search: drawn while parsing, each a run with `overrides`, named search-000, search-001 ...

Each number of each trial has a draw of its own, made from (seed, trial, name): more trials keep the first ones, and a
range that is changed or left out keeps the other numbers. Standard library only: this is run at every parse.
"""

import math
import random
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import Overrides, RunSettings
from pipeline.settings.search import TRIAL, SearchRanges
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice
from workflow.lib.run_checks import wrong_runs

MOST_ATTEMPTS = 1000  # draws of one trial before the ranges count as used up


def with_trials(config: Config) -> Config:
    """The configuration with the trials among its runs. Raises PlanError where the section `search` does not hold."""
    if wrong := _wrong(config):
        raise PlanError("\n".join(wrong))
    return config.model_copy(update={"runs": config.runs | trials(config)})


def trials(config: Config) -> dict[str, RunSettings]:
    """The runs to be tried, by name, no two of them with the same settings. Raises PlanError for too narrow ranges."""
    search, base = config.search, config.runs[config.search.run]
    found: dict[str, RunSettings] = {}
    seen: list[Overrides] = []
    for number in range(search.trials):
        drawn = (draw(search.ranges, search.seed, number, attempt) for attempt in range(MOST_ATTEMPTS))
        fresh = next((one for one in drawn if one not in seen), None)
        if fresh is None:
            raise PlanError(f"search.trials: {search.trials}, but search.ranges hold {len(seen)} different ones or so")
        seen.append(fresh)
        found[f"{TRIAL}{number:03}"] = base.model_copy(update={"overrides": fresh})
    return found


def draw(ranges: SearchRanges, seed: int, number: int, attempt: int = 0) -> Overrides:
    """The settings of one trial; another attempt where it would repeat an earlier one."""
    chosen: dict[str, Any] = {}
    for name, bounds in ranges:
        if bounds is not None:
            share = random.Random(f"{seed} {number} {attempt} {name}").random()  # from 0 to just below 1
            chosen[name] = _value(name, bounds, share)
    return Overrides.model_validate(chosen)


def _value(name: str, bounds: Any, share: float) -> float | int:
    """The value that lies at `share` of its range; rates are rounded to what a person would paste."""
    if name == "units":
        return int(bounds[int(share * len(bounds))])
    low, high = bounds
    if name == "learning_rate":
        value = float(f"{math.exp(math.log(low) + share * math.log(high / low)):.3g}")
        return min(max(value, low), high)
    if name == "dropout":
        return float(min(max(round(low + share * (high - low), 3), low), high))
    return int(low + int(share * (high - low + 1)))


def _wrong(config: Config) -> list[str]:
    search = config.search
    wrong = [f"runs.{name}: names that begin with {TRIAL} are those of trials" for name in config.runs if _taken(name)]
    if search.run not in config.runs:
        return [*wrong, f"search.run: {search.run!r} is not in runs; {choice(search.run, list(config.runs))}"]
    base = config.runs[search.run]
    if base.auxiliary or base.overrides.of(*Overrides.model_fields):
        wrong.append(f"search.run: {search.run} has an auxiliary loss or overrides; name a run without")
    if search.length_s not in getattr(config.training, search.task):
        wrong.append(f"search.length_s: training.{search.task} has no entry for {search.length_s} s")
    largest = {name: max(bounds) for name, bounds in search.ranges if bounds is not None}
    extreme = base.model_copy(update={"overrides": Overrides.model_validate(largest)})
    problems = wrong_runs(config.model_copy(update={"runs": {**config.runs, "search": extreme}}))
    key = "runs.search.overrides."
    return wrong + [
        f"search.ranges.{one.removeprefix(key)}; set it to null or lower it" for one in problems if one.startswith(key)
    ]


def _taken(name: str) -> bool:
    return name.startswith(TRIAL)
