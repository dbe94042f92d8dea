"""Two runs compared by their records: which jobs differ, in what, and which difference comes first.

A job is the same in two results folders if its record has the same name. It differs by itself if its settings, code or
versions differ, or if equal inputs gave other outputs; it follows where only its inputs differ. The order is that of
the graph, so the first line is where to look first.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.report.provenance_table import Record, in_order

SHOWN_KEYS = 4  # differences of one kind that are named; the others are counted
BY_ITSELF, FOLLOWS = "by itself", "follows"
ABSENT = "absent"


@dataclass(frozen=True)
class Difference:
    """How one job differs: `kind` (settings, code, inputs, versions, outputs, device) -> what, in words."""

    job: str
    cause: str
    what: dict[str, list[str]]

    def line(self) -> str:
        """One line for the terminal."""
        told = "; ".join(f"{kind}: {_shortened(items)}" for kind, items in self.what.items())
        return f"{self.job}  [{self.cause}]  {told}"


@dataclass(frozen=True)
class Comparison:
    """Jobs that only one run has, jobs that differ (in the order of the graph), and how many both have."""

    only_first: list[str]
    only_second: list[str]
    differences: list[Difference]
    n_common: int

    @property
    def outputs_differ(self) -> bool:
        """Whether a job that both runs have made something else."""
        return any("outputs" in difference.what for difference in self.differences)

    @property
    def match(self) -> bool:
        """Whether both runs have the same jobs, at least one, and these have made the same."""
        return bool(self.n_common) and not (self.only_first or self.only_second or self.outputs_differ)

    def lines(self) -> list[str]:
        """The comparison in words."""
        lines = [f"{self.n_common} jobs are in both"]
        for place, jobs in (("first", self.only_first), ("second", self.only_second)):
            lines += [f"only in the {place}: {job}" for job in jobs]
        if self.differences:
            lines += ["these differ, in the order of the graph: look at the first that does so by itself"]
            lines += [difference.line() for difference in self.differences]
        elif self.n_common:
            lines += ["none of them differs in settings, code, inputs, versions or outputs"]
        if not self.n_common:
            lines += ["the runs do not match: they have no job in common (is each a results folder, of one corpus?)"]
        elif alone := len(self.only_first) + len(self.only_second):
            lines += [f"the runs do not match: only one of them has the outputs of {alone} jobs"]
        return lines


def compared(first: list[Record], second: list[Record]) -> Comparison:
    """Compare the records of two results folders, both in the order of the graph."""
    theirs = {record["job"]: record for record in second}
    mine = {record["job"]: record for record in first}
    order = in_order([*first, *(record for record in second if record["job"] not in mine)])
    common = [record["job"] for record in order if record["job"] in mine and record["job"] in theirs]
    found = [difference_of(mine[job], theirs[job]) for job in common]
    return Comparison(
        only_first=[record["job"] for record in first if record["job"] not in theirs],
        only_second=[record["job"] for record in second if record["job"] not in mine],
        differences=[difference for difference in found if difference is not None],
        n_common=len(common),
    )


def difference_of(first: Record, second: Record) -> Difference | None:
    """How two records of one job differ; None if in nothing that makes a result.

    The device is told only where outputs differ with nothing else to explain it: equal work elsewhere is no difference.
    """
    what = {
        "settings": changed_keys(first["settings"], second["settings"]),
        "code": [] if first["code"] == second["code"] else [f"{first['code']} | {second['code']}"],
        "versions": changed_keys(first["versions"], second["versions"]),
        "inputs": changed_keys(contents(first["inputs"]), contents(second["inputs"]), values=False),
        "outputs": changed_keys(contents(first["outputs"]), contents(second["outputs"]), values=False),
    }
    own = [kind for kind in ("settings", "code", "versions") if what[kind]]
    if what["outputs"] and not own and not what["inputs"]:
        own = ["outputs"]
        what["device"] = changed_keys(first["device"], second["device"])
    told = {kind: items for kind, items in what.items() if items}
    return Difference(first["job"], BY_ITSELF if own else FOLLOWS, told) if told else None


def contents(rows: list[Record]) -> dict[str, Any]:
    """Name of each file -> its digest, or its size where it was not read as a whole."""
    return {row["name"]: row["digest"] or row["size"] for row in rows}


def changed_keys(first: Any, second: Any, *, values: bool = True, at: str = "") -> list[str]:
    """Where two values differ: `loop.learning_rate 0.001 | 0.0007`, or the key alone."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(set(first) | set(second))
        pairs = ((key, first.get(key, ABSENT), second.get(key, ABSENT)) for key in keys)
        found = (changed_keys(a, b, values=values, at=f"{at}.{key}" if at else key) for key, a, b in pairs)
        return [item for items in found for item in items]
    if first == second:
        return []
    if values:
        return [f"{at} {first} | {second}"]
    return [f"{at} ({'only there' if first == ABSENT else 'only here'})" if ABSENT in (first, second) else at]


def _shortened(items: list[str]) -> str:
    more = len(items) - SHOWN_KEYS
    return ", ".join(items[:SHOWN_KEYS]) + (f", and {more} more" if more > 0 else "")
