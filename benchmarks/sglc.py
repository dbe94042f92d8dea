"""What SGLC costs: learner, training steps, memory, maps; beside its plain form, DCRNN and the arithmetic bound.

One core, batches of 48 clips of 12 s and 19 electrodes. Seconds are processor time, the least of several runs that
alternate with what they are compared to, so that a busy machine disturbs little; where two processors share a core, a
busy neighbour still slows both. A step is loss, backward pass, clipping and Adam. Every pair is checked to be equal
before it is timed. The bound is the arithmetic of the matrix products (`flops`) at the best rate that a large float32
product reaches on this machine in the same run. Peak memory is measured in a process of its own. All of it takes some
eight minutes of an idle core, and 8 GB.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from benchmarks.peak_memory import peak_mib
from benchmarks.sglc_plain import corrected_loop, plain_network, published_loop
from pipeline.explain.occlusion import Clip, occlusion_map, plain_logits
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.distance import distance_weights
from pipeline.graphs.positions import POSITIONS
from pipeline.models import dcrnn, sglc
from pipeline.models.__main__ import configured
from pipeline.models._sglc_learner import PublishedLearner
from pipeline.models._sglc_products import affine
from pipeline.settings.config import parse_config
from pipeline.settings.features import GraphSettings
from pipeline.settings.model_sglc import ModelSettings

ROOT = Path(__file__).resolve().parents[1]
CLIPS, SECONDS, N, BINS, CLASSES = 48, 12, len(POSITIONS), 100, 4  # batch of specification sglc.md, section 9
REPEATS = 3
LEARNER_TARGET, STEP_TARGET, MAP_TARGET = 50.0, 1.0, 1.0  # issue 5, acceptance 4
MODELS = ("sglc", "sglc_published", "sglc_small")
TASKS = ("classification", "pretraining")
TOPS = {"sglc_published": 18}  # edges of the prior; config.yaml, runs
SETTINGS: dict[str, Any] = dict(configured(parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))))
Work = Callable[[], object]


def measure() -> Iterator[dict[str, Any]]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}, as they are measured."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from (learner_row(model) for model in MODELS[:2])
        for task in TASKS:
            yield from step_rows(task)
        yield from map_rows()
    finally:
        torch.set_num_threads(threads)
    yield from memory_rows()


class Network(NamedTuple):
    """A network and what it is given; `model`: a section of config.yaml, or `dcrnn-<graph>`."""

    module: nn.Module
    x: Tensor
    lengths: Tensor
    supports: Tensor

    def output(self, module: nn.Module | None = None) -> Tensor:
        """Logits (b, classes), or the forecast of the next 12 s."""
        more = () if hasattr(self.module, "head") else (SECONDS,)
        return (module or self.module)(self.x, self.lengths, self.supports, *more)


def network(model: str, task: str, clips: int = CLIPS) -> Network:
    """An untrained network and a batch of noise."""
    torch.manual_seed(0)
    name, _, graph = model.partition("-")
    graph, plugin = graph or "correlation", cast(Any, dcrnn if name == "dcrnn" else sglc)
    frames = np.random.default_rng(0).normal(size=(clips, SECONDS, N, BINS))
    chosen = GraphSettings(kappa=0.9, top_neighbours=TOPS.get(model, 3), correlation_input="raw")
    per_clip = graph == "correlation"
    weights = correlation_weights(frames, chosen) if per_clip else distance_weights(tuple(POSITIONS), kappa=0.9)
    supports = torch.from_numpy(plugin.supports(weights, graph, SETTINGS[name]))
    sizes = {"n_features": BINS, "n_supports": supports.shape[-3]}
    if task == "pretraining":
        module = plugin.forecaster(SETTINGS[name], **sizes)
    else:
        module = plugin.classifier(SETTINGS[name], n_classes=CLASSES, dropout=0.5, n_nodes=N, length_s=SECONDS, **sizes)
    return Network(module, torch.from_numpy(frames).float(), torch.full((clips,), SECONDS), supports)


def step(net: Network, module: nn.Module | None = None) -> Work:
    """One optimiser step."""
    own = (module or net.module).train()
    optimiser = torch.optim.Adam(own.parameters(), lr=1e-4)

    def work() -> None:
        optimiser.zero_grad()
        net.output(own).square().mean().backward()
        nn.utils.clip_grad_norm_(own.parameters(), 5.0)
        optimiser.step()

    return work


def least(*works: Work, repeats: int = REPEATS) -> list[float]:
    """The least seconds of processor time of each, run in turn after a first time that does not count."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(repeats + 1):
        for found, work in zip(times, works, strict=True):
            begun = time.process_time()
            work()
            if turn:
                found.append(time.process_time() - begun)
    return [min(found) for found in times]


def row(name: str, ours: float, reference: float, *, unit: str, target: float | None = None) -> dict[str, Any]:
    """One row of the table."""
    return {"name": name, "ours_s": ours, "reference_s": reference, "ratio": reference / ours, "target": target,
            "unit": unit}  # fmt: skip


def learner_row(model: str) -> dict[str, Any]:
    """Graphs of 12 s of 48 clips and their gradients: heads and clips at once, against a loop over them."""
    net = network(model, "classification")
    learner: Any = net.module.encoder.stack()[0].learner.eval()  # type: ignore[operator,union-attr]
    published = isinstance(learner, PublishedLearner)
    plain = published_loop if published else corrected_loop
    x, s, A_0 = net.x.transpose(0, 1).contiguous(), torch.randn(CLIPS, N, SETTINGS[model].units), net.supports[:, 0]
    first = torch.rand(CLIPS, N, N) - 0.5 if published else A_0  # published: some pairs have no edge

    def ours(x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        given, made = learner.prepare(x, A_0), [A]
        made += [A := learner(given, t, s, A, A_0) for t in range(len(x))]
        return torch.stack(made)

    def loop(x: Tensor, s: Tensor, A: Tensor, A_0: Tensor) -> Tensor:
        return torch.stack([A, *(A := plain(learner, second, s, A, A_0) for second in x)])

    def backward(way: Callable[..., Tensor]) -> Work:
        return lambda: way(x, s, first, A_0).square().sum().backward()

    learner.double()
    exact = [x[:2].double(), *(tensor.double() for tensor in (s, first, A_0))]
    torch.testing.assert_close(ours(*exact), loop(*exact), atol=1e-6, rtol=0)
    learner.float()
    s.requires_grad_()
    seconds = least(backward(ours), backward(loop))
    return row(f"learner of {model} / double loop", *seconds, target=LEARNER_TARGET, unit="48 clips")


def step_rows(task: str) -> Iterator[dict[str, Any]]:
    """Steps of each model against its plain form, the bound and DCRNN on both graphs."""
    others = [network(f"dcrnn-{graph}", task) for graph in ("distance", "correlation")]
    rate = peak_rate()
    for model in MODELS:
        net, name = network(model, task), f"{task} step, {model}"
        plain = plain_network(net.module)
        with torch.no_grad():
            pair = (net.output(module.eval()) for module in (net.module, plain))
            torch.testing.assert_close(*pair, atol=1e-4, rtol=0)
        ours, by_equations, distance, correlation = least(
            step(net), step(net, plain), *(step(other) for other in others)
        )
        work = 3 * flops(SETTINGS[model], task)
        yield row(f"{name} / autograd", ours, by_equations, target=STEP_TARGET, unit="48 clips")
        yield row(f"{name} / DCRNN distance", ours, distance, unit="48 clips")
        yield row(f"{name} / DCRNN correlation", ours, correlation, unit="48 clips")
        unit = f"{work / 1e9:.0f} GFLOP at {rate / 1e9:.0f} GFLOP/s"
        yield row(f"{name} / arithmetic bound", ours, work / rate, unit=unit)


def flops(settings: ModelSettings, task: str) -> float:
    """Multiplications and additions of the matrix products of one forward pass; forward and backward take three times.

    Of a graph network's step on one node of width D: 9 D^2 weights (Wr, Wz and Wh, 3D x D each) and two messages from
    N nodes. A learner's are its scores; what it does with each pair is not counted.
    """
    d, steps = settings.units, settings.ggnn_steps
    layers = settings.pretraining_layers if task == "pretraining" else settings.layers
    total = 0.0
    for n_inputs in [BINS] + [d] * (layers - 1):
        D = n_inputs + d
        scores = 2 * D * 2 * settings.heads if settings.variant == "corrected" else 2 * n_inputs * 2
        total += 2 * steps * (2 * 9 * D**2 + 2 * 2 * N * D) + 2 * D * 3 * d + scores
    if task == "pretraining":
        total = 2 * total + 2 * d * BINS  # the decoder and its projection
    return total * CLIPS * SECONDS * N


def peak_rate(n: int = 1536) -> float:
    """Floating-point operations a second of one core in a large product, by the faster of torch's two libraries."""
    x, y = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(least(lambda: x @ y, lambda: affine(x, y, None), repeats=5))


def map_rows() -> Iterator[dict[str, Any]]:
    """The map of one clip of 12 s, 228 hidden inputs: what the shared work saves, and DCRNN's beside it."""
    cells = torch.cartesian_prod(torch.arange(SECONDS), torch.arange(N))
    maps: dict[str, Work] = {}
    for model in ("sglc", "sglc_small", "dcrnn-correlation"):
        net = network(model, "classification", clips=1)
        module, clip = net.module.eval(), Clip(net.x[0], SECONDS, net.supports[0], 0)

        def ours(module: nn.Module = module, clip: Clip = clip) -> Tensor:
            return occlusion_map(module, clip, fill=0.0, batch=304, electrodes_only=False)[0]

        def plain(module: nn.Module = module, clip: Clip = clip) -> Tensor:
            return plain_logits(module, clip, cells, fill=0.0, batch=304)

        with torch.no_grad():
            logit = module(net.x, net.lengths, net.supports)[0, 0]
            torch.testing.assert_close(ours(), (logit - plain()).view(-1, N).mT, atol=1e-4, rtol=0)
        seconds = least(ours, plain, repeats=2)
        maps[model] = ours
        yield row(f"map of a 12-s clip, {model} / plain", *seconds, target=MAP_TARGET, unit="1 clip")


def memory_rows() -> Iterator[dict[str, Any]]:
    """Peak memory that a step adds, in MiB: ours, the plain form, DCRNN."""
    for task in TASKS:
        others = {graph: _peak(f"dcrnn-{graph}", task, "ours") for graph in ("distance", "correlation")}
        for model in MODELS:
            ours, name = _peak(model, task, "ours"), f"{task} peak memory, {model}"
            yield row(f"{name} / autograd", ours, _peak(model, task, "plain"), unit="MiB")
            for graph, other in others.items():
                yield row(f"{name} / DCRNN {graph}", ours, other, unit="MiB")


def _peak(*asked: str) -> float:
    command = [sys.executable, "-m", "benchmarks.sglc", *asked]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """MODEL TASK ours|plain: print the MiB that two steps add to the peak of this process."""
    model, task, way = sys.argv[1:]
    torch.set_num_threads(1)
    net = network(model, task)
    work = step(net, plain_network(net.module) if way == "plain" else None)
    before = peak_mib()
    work(), work()
    print(peak_mib() - before)


if __name__ == "__main__":
    main()
