"""Occlusion map of one 60-s clip, 19 electrodes, 1,140 hidden inputs: shared work against the plain batched loop.

The reference is our own model's forward pass over batches of whole hidden inputs; both use the same weights, threads
and values, and their maps are compared before anything is reported.
"""

from statistics import median
from time import perf_counter

import torch

from pipeline.explain.occlusion import Clip, plain_logits, shared_logits
from pipeline.models import dcrnn
from pipeline.settings.model_dcrnn import InitSettings, ModelSettings

SECONDS, ELECTRODES, BINS, BATCH = 60, 19, 100, 128
REPEATS = 5
TARGET = 2.5  # issue 2, acceptance 8
SETTINGS = ModelSettings(
    units=64,
    layers=2,
    pretraining_layers=3,
    diffusion_steps=2,
    decoder_tied=True,
    init=InitSettings(gate_bias=2.0),
    diffusion_recursion="powers",
)


def measure() -> list[dict]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}: medians of alternating runs, for both graphs."""
    return [compare(graph) for graph in ("distance", "correlation")]


def compare(graph: str) -> dict:
    """One row: both ways on the same clip and weights."""
    clip, model = example(graph)
    cells = torch.cartesian_prod(torch.arange(SECONDS), torch.arange(ELECTRODES))
    ours, reference = [], []
    for _ in range(REPEATS):
        started = perf_counter()
        plain = plain_logits(model, clip, cells, fill=0.0, batch=BATCH)
        reference.append(perf_counter() - started)
        started = perf_counter()
        shared = shared_logits(model, clip, fill=0.0, batch=BATCH)
        ours.append(perf_counter() - started)
        torch.testing.assert_close(shared, plain, atol=1e-5, rtol=0)
    ours_s, reference_s = median(ours), median(reference)
    return {
        "name": f"occlusion map, 60-s clip, {graph} graph",
        "ours_s": ours_s,
        "reference_s": reference_s,
        "ratio": reference_s / ours_s,
        "target": TARGET,
        "unit": "map",
    }


def example(graph: str) -> tuple[Clip, dcrnn.Classifier]:
    """A clip of noise and an untrained model of the published size."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    x = torch.randn(SECONDS, ELECTRODES, BINS, generator=generator)
    weights = torch.rand(ELECTRODES, ELECTRODES, generator=generator, dtype=torch.float64)
    weights = (weights + weights.mT) / 2 if graph == "distance" else weights
    supports = torch.from_numpy(dcrnn.supports(weights.numpy(), graph, SETTINGS))
    model = dcrnn.Classifier(SETTINGS, n_features=BINS, n_classes=1, n_supports=len(supports), dropout=0.0)
    return Clip(x, SECONDS, supports, 0), model.eval()


if __name__ == "__main__":
    for row in measure():
        print(row)
