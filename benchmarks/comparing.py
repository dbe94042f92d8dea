"""What every benchmark shares: time two ways in turn, and put the pair into a row of the table.

The two ways alternate within one run, so that a busy machine slows both; the median of the repeats counts.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

REPEATS = 7  # issue 2, acceptance 8: medians of at least five


def compare(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    target: float | None,
    unit: str,
    repeats: int = REPEATS,
) -> dict[str, Any]:
    """One row {name, ours_s, reference_s, ratio, target, unit}: median seconds of both after a run to warm up.

    `target` is the ratio to be reached, None where there is none.
    """
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    ours(), reference()
    for _ in range(repeats):
        for way, work in (("reference", reference), ("ours", ours)):
            started = perf_counter()
            work()
            times[way].append(perf_counter() - started)
    ours_s, reference_s = median(times["ours"]), median(times["reference"])
    return {
        "name": name, "ours_s": ours_s, "reference_s": reference_s, "ratio": reference_s / ours_s,
        "target": target, "unit": unit,
    }  # fmt: skip
