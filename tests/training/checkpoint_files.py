"""Made-up checkpoints with the keys and shapes of the published ones, as torch writes them."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from pipeline.training.published_weights import TABLE

ROOT = Path(__file__).parents[2]


def listed(graph: str, length_s: int) -> dict[str, list[int]]:
    """Key and shape of one published file."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {
        row["key"]: [int(size) for size in row["shape"].split("x")]
        for row in rows
        if (row["graph"], row["clip_s"]) == (graph, str(length_s))
    }


def made_up(graph: str, length_s: int = 12, *, tied: bool = True) -> dict[str, torch.Tensor]:
    """A state dict with the published keys and shapes and random values; layers 2 and 3 of the decoder are one."""
    rng = np.random.default_rng(length_s)
    state = {
        key: torch.from_numpy(rng.normal(0, 0.08, shape).astype(np.float32))
        for key, shape in listed(graph, length_s).items()
    }
    if tied:
        state |= {key: state[key.replace("cells.2", "cells.1")] for key in state if "decoding_cells.2" in key}
    return state


def saved(folder: Path, content: object, name: str = "made_up_12s.pth.tar", **options: object) -> Path:
    path = folder / name
    torch.save(content, path, **options)
    return path


def as_published(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """What the published code saves beside the weights."""
    optimiser = {
        "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 5e-4, "betas": (0.9, 0.999), "params": [0]}],
    }
    return {"epoch": 7, "model_state": state, "optimizer_state": optimiser}


def imported(folder: Path, file: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipeline.stages.import_weights", str(file), "--out", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
