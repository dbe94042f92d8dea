"""Measured seconds of a training step (workflow/resources/step_times.csv, written by benchmarks/step_times.py)."""

import csv
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "resources" / "step_times.csv"
COLUMNS = [
    "device", "model", "task", "graph", "features", "length_s", "clips", "parameters", "step_s", "forward_s",
]  # fmt: skip
_TYPES: dict[str, Any] = {"length_s": int, "clips": int, "parameters": int, "step_s": float, "forward_s": float}


def read(path: Path = TABLE) -> list[dict[str, Any]]:
    """The rows of the table, numbers as numbers."""
    with path.open(newline="") as file:
        return [{name: _TYPES.get(name, str)(row[name]) for name in COLUMNS} for row in csv.DictReader(file)]
