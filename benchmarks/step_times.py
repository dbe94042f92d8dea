"""Seconds of one training step of every network of the paper at its published size: `python -m benchmarks.step_times`.

Writes workflow/resources/step_times.csv, from which a dry run estimates the hours of its GPU jobs
(workflow/lib/budget.py). One row a network and device: `step_s` (forward, backward, clipping, Adam), `forward_s` (the
same batch without gradients), `clips` in that batch; for occlusion `step_s` is one map; two rows are of the SOZ encoder
and a clip of 120 contacts. On a CPU these are seconds of processor time of one core, which other jobs on the machine
change little; on a GPU they are seconds on the wall, at full precision. Rows of other devices, and rows that are not
measured this time (`--only`), stay.
"""

import argparse
import csv
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import soz_training
from pipeline.explain.occlusion import Clip, occlusion_map
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.distance import distance_weights
from pipeline.graphs.positions import POSITIONS
from pipeline.models.__main__ import FREQUENCIES, LENGTHS_S, SAMPLES, SUPPORTS, plugin_of, published
from pipeline.models.soz import SozEncoder
from pipeline.plugins import load_plugin
from pipeline.settings.features import GraphSettings
from workflow.lib.budget import SOZ_CLIP_S
from workflow.lib.step_times import COLUMNS, TABLE, read

N, HORIZON_S, CLIPS, REPEATS = len(POSITIONS), 12, 40, 3
SMALL = {  # clips in a batch of the networks one step of whose published batch takes a minute
    "densecnn": {12: 4, 60: 1}, "sglc": {12: 8, 60: 4}, "sglc_published": {12: 8, 60: 4},
}  # fmt: skip
GRAPHS = GraphSettings(kappa=0.9, top_neighbours=3, correlation_input="raw")


class Network(NamedTuple):
    """What one row is about; `task`: pretraining, detection, auxiliary (detection with a forecast), occlusion."""

    model: str
    task: str
    graph: str
    features: str
    length_s: int


def networks() -> Iterator[Network]:
    """Every network of the paper. Classification steps as detection does: only the number of logits differs."""
    for length_s in LENGTHS_S:
        for graph in ("distance", "correlation"):
            for task, kind in (
                ("detection", "fft"), ("detection", "time"), ("auxiliary", "fft"), ("pretraining", "fft"),
                ("occlusion", "fft"),
            ):  # fmt: skip
                yield Network("dcrnn", task, graph, kind, length_s)
        for model in ("sglc", "sglc_published"):
            for task in ("detection", "pretraining", "occlusion"):
                yield Network(model, task, "correlation", "fft", length_s)
        for model in ("lstm", "cnn_lstm", "densecnn"):
            for task in ("detection", "occlusion"):
                yield Network(model, task, "none", "fft", length_s)


def measure_network(network: Network, device: torch.device) -> dict[str, Any]:
    """One row of the table."""
    torch.manual_seed(0)
    clips = SMALL[network.model][network.length_s] if network.model in SMALL else CLIPS
    n_features = SAMPLES if network.features == "time" else FREQUENCIES
    x = torch.randn(clips, network.length_s, N, n_features, device=device)
    lengths = torch.full((clips,), network.length_s, device=device)
    supports = _supports(network, clips).to(device)
    model = _model(network, n_features).to(device)
    row = {**network._asdict(), "clips": clips, "parameters": sum(p.numel() for p in model.parameters())}
    if network.task == "occlusion":
        shared = supports if supports.dim() == 3 else supports[0]
        model.eval()
        once = _timed(lambda: _map(model, Clip(x[0], network.length_s, shared, 0)), device, repeats=1)
        return row | {"clips": 1, "step_s": once, "forward_s": 0.0}
    step, forward = _ways(model, network, x, lengths, supports)
    return row | {"step_s": _timed(step, device), "forward_s": _timed(forward, device)}


SOZ = {
    task: Network("soz", task, "none", "wpt", SOZ_CLIP_S) for task in ("pretraining", "finetuning")
}  # its clips of SOZ_CONTACTS contacts


def measure_soz(device: torch.device) -> Iterator[tuple[Network, dict[str, Any]]]:
    """Rows of the SOZ encoder: the steps of benchmarks/soz_training.py for one clip."""
    cost, parameters = soz_training.costs(device), sum(p.numel() for p in SozEncoder(soz_training.MODEL).parameters())
    steps = {"pretraining": (cost.pretraining, 0.0), "finetuning": (cost.finetuning, cost.answering)}
    for task, (step_s, forward_s) in steps.items():
        about = {"clips": 1, "parameters": parameters, "step_s": step_s, "forward_s": forward_s}
        yield SOZ[task], SOZ[task]._asdict() | about


def _map(model: nn.Module, clip: Clip) -> None:
    occlusion_map(model, clip, fill=0.0, batch=304, electrodes_only=False)


def _model(network: Network, n_features: int) -> nn.Module:
    settings = published()[network.model]
    module = load_plugin("models", plugin_of(settings))
    n_supports = SUPPORTS[network.graph]
    if network.task == "pretraining":
        return module.forecaster(settings, n_features=n_features, n_supports=n_supports)
    make = module.joint_classifier if network.task == "auxiliary" else module.classifier
    return make(
        settings, n_features=n_features, n_classes=1, n_supports=n_supports, dropout=0.0, n_nodes=N,
        length_s=network.length_s,
    )  # fmt: skip


def _supports(network: Network, clips: int) -> Tensor:
    if network.graph == "none":
        return torch.zeros(0, N, N)
    settings = published()[network.model]
    module = load_plugin("models", plugin_of(settings))
    weights = distance_weights(tuple(POSITIONS), kappa=GRAPHS.kappa)
    if network.graph == "correlation":
        frames = np.random.default_rng(0).normal(size=(clips, 12, N, FREQUENCIES))
        weights = correlation_weights(frames, GRAPHS)
    return torch.from_numpy(module.supports(weights, network.graph, settings))


def _ways(
    model: nn.Module, network: Network, x: Tensor, lengths: Tensor, supports: Tensor
) -> tuple[Callable[[], object], Callable[[], object]]:
    """An optimiser step, and a pass without gradients."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)

    def outputs() -> list[Tensor]:
        if network.task == "auxiliary":
            return list(model.joint(x, lengths, supports, seen=network.length_s // 2, horizon=6))
        if network.task == "pretraining":
            return [model(x, lengths, supports, HORIZON_S)]
        return [model(x, lengths, supports)]

    def step() -> None:
        model.train()
        optimiser.zero_grad()
        torch.stack([output.square().mean() for output in outputs()]).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()

    def forward() -> None:
        model.eval()
        with torch.no_grad():
            outputs()

    return step, forward


def _timed(work: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """Median seconds: of one core's processor time, or on a GPU on the wall after a run to warm up."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times = []
    for _ in range(repeats if device.type == "cpu" else repeats + 1):
        started = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - started)
    return median(times if device.type == "cpu" else times[1:])


def device_name(device: torch.device) -> str:
    """What the row's device is called in the table."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = found[0].split(":")[1].strip() if found else platform.processor() or platform.machine()
    return f"one core of {name}"


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """The table, sorted, with four significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in sorted(rows, key=lambda row: [str(row[name]) for name in COLUMNS[:6]]):
            shown = {name: f"{row[name]:.4g}" for name in ("step_s", "forward_s")}
            writer.writerow({**row, **shown})


def main() -> None:
    """Measure what is asked for, print it, put it into the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="rows in which all these words stand")
    parser.add_argument("--out", type=Path, default=TABLE)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.set_num_threads(1 if device.type == "cpu" else len(os.sched_getaffinity(0)))
    known = read(arguments.out) if arguments.out.exists() else []
    rows = {_key(row): row for row in known}
    for measured in measured_rows(arguments.only, device):
        row = {"device": device_name(device)} | measured
        print(*(f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row.values()), flush=True)
        rows[_key(row)] = row
        write(list(rows.values()), arguments.out)


def measured_rows(only: list[str], device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the networks in whose names all words of `only` stand."""

    def asked(network: Network) -> bool:
        return set(only) <= {str(part) for part in network}

    for network in networks():
        if asked(network):
            yield measure_network(network, device)
    if any(map(asked, SOZ.values())):
        yield from (row for network, row in measure_soz(device) if asked(network))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in COLUMNS[:6])


if __name__ == "__main__":
    main()
