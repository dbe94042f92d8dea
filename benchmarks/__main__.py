"""Speed against straightforward implementations: `python -m benchmarks [--only NAME ...] [--out FILE.tsv] [--check]`.

Runs `measure()` of every module of this folder that has one and prints one table. Ratios are of the two ways of one
run on one machine; seconds are not comparable between machines. The exit status is 0 whether or not a target is met,
unless --check asks for it.
"""

import argparse
import csv
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

COLUMNS = ["name", "ours_s", "reference_s", "ratio", "target", "met", "unit"]


def modules(only: list[str]) -> dict[str, ModuleType]:
    """Modules of this folder with `measure()`, by name; all of them, or those named."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    unknown = set(only) - set(names)
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = (name for name in names if name != "__main__" and (not only or name in only))
    loaded = {name: importlib.import_module(f"benchmarks.{name}") for name in chosen}
    return {name: module for name, module in loaded.items() if hasattr(module, "measure")}


def judged(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its column `met`: yes, no, or empty where the row has no target."""
    target = row.get("target")
    return {**row, "met": "" if target is None else "yes" if row["ratio"] >= target else "NO"}


def cells(row: dict[str, Any]) -> list[str]:
    """Three significant digits; a missing value is empty."""
    values = [row.get(column) for column in COLUMNS]
    return ["" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]


def write_tsv(path: Path, rows: list[dict[str, Any]]) -> None:
    """The table with all digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="modules of benchmarks/ to run")
    parser.add_argument("--out", type=Path, help="also write the table to this TSV file")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target is missed")
    arguments = parser.parse_args()
    # before numpy is imported: one thread, as Snakemake gives a job; products of small matrices lose by more
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    rows = []
    head = "seconds, unless the unit is a size"
    print(f"{head:58}{'ours':>10}{'plain':>10}{'ratio':>8}{'target':>8}{'met':>5}  unit", flush=True)
    for module in modules(arguments.only).values():
        for row in map(judged, module.measure()):
            name, ours, reference, ratio, target, met, unit = cells(row)
            print(f"{name:58}{ours:>10}{reference:>10}{ratio:>8}{target:>8}{met:>5}  {unit}", flush=True)
            rows.append(row)
    if arguments.out:
        write_tsv(arguments.out, rows)
    if arguments.check and any(row["met"] == "NO" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
