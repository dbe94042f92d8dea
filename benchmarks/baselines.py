"""Training steps and maps of the baselines against their plain forms, with equal weights and equal results.

Dense-CNN as published: images of time by electrodes, channels outermost in memory. CNN-LSTM as published: two
convolutions one after the other. Maps: each hidden input from its first second to its last. OMP_NUM_THREADS says how
many threads both ways use; on a busy machine one is fairest.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.comparing import compare
from pipeline.explain.occlusion import Clip, occlusion_map, plain_logits
from pipeline.models import cnn_lstm, densecnn
from pipeline.settings.model_cnn_lstm import ModelSettings as CnnLstmSettings
from pipeline.settings.model_densecnn import ModelSettings as DenseSettings

N, BINS = 19, 100
SHAPE = {"n_features": BINS, "n_classes": 1, "n_supports": 0, "dropout": 0.0, "n_nodes": N}
NO_GRAPH = torch.zeros(0, N, N)
STEP_TARGET, MAP_TARGET = 1.0, 5.0  # a step is not slower than the plain one; of a map one part in 12 or 19 is new
STEPS = ((1.0, 12, 2), (0.1, 12, 40), (0.1, 60, 8))  # width, seconds, clips: the full width wants a GPU


def measure() -> list[dict[str, Any]]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}."""
    return [*(dense_step(*step) for step in STEPS), cnn_lstm_step(), *map_rows()]


def _dense(width: float, length_s: int) -> densecnn.Classifier:
    torch.manual_seed(0)
    settings = DenseSettings(width=width, dropout=0.0, allocate_unused=False, padding="after")
    return densecnn.classifier(settings, length_s=length_s, **SHAPE)


def _cnn_lstm() -> cnn_lstm.Classifier:
    torch.manual_seed(0)
    settings = CnnLstmSettings(channels=32, embedding=512, units=128, layers=2, cnn_lstm_batch_axis=False)
    return cnn_lstm.classifier(settings, length_s=12, **SHAPE)


def _step(network: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], None]:
    return lambda: network(x).square().sum().backward()


def dense_step(width: float, length_s: int, clips: int) -> dict[str, Any]:
    """Forward and backward pass of a batch."""
    model, x = _dense(width, length_s), torch.randn(clips, length_s, N, BINS)
    lengths = torch.full((clips,), length_s)

    def ours(x: Tensor) -> Tensor:
        return model(x, lengths, NO_GRAPH)

    def plain(x: Tensor) -> Tensor:
        image = x.transpose(2, 3).reshape(clips, 1, -1, N)  # b t n f -> b 1 (t f) n
        for stage in model.stages:
            image = _plain_stage(stage, image)
        return model.linear(torch.relu(model.norm(model.hidden(image.flatten(1)))))

    model.eval()
    torch.testing.assert_close(ours(x), plain(x), atol=1e-4, rtol=1e-3)
    model.train()
    name = f"training step, {length_s}-s clips, Dense-CNN of width {width:g}"
    return compare(name, _step(ours, x), _step(plain, x), target=STEP_TARGET, unit=f"{clips} clips", repeats=5)


def _plain_stage(stage: nn.Module, x: Tensor) -> Tensor:
    def row(layers: Any, x: Tensor) -> Tensor:  # one convolution along time and ReLU
        weight = layers[0].weight.transpose(2, 3).contiguous()
        return torch.relu(functional.conv2d(x, weight, layers[0].bias, padding=(weight.shape[2] // 2, 0)))

    def inception(block: Any, x: Tensor) -> Tensor:
        found = []
        for branch in block.branches:
            y = x
            for layers in branch:
                y = row(layers, y)
            found.append(y)
        return torch.cat(found, dim=1)

    def reduced(k: int, x: Tensor) -> Tensor:
        return x if isinstance(stage.reduce[k], nn.Identity) else row(stage.reduce[k], x)  # type: ignore[index]

    u = reduced(0, inception(stage.blocks[0], x))  # type: ignore[index]
    v = reduced(1, inception(stage.blocks[-1], u))  # type: ignore[index]
    return functional.max_pool2d(row(stage.merge, torch.cat([u, v], dim=1)), (stage.pool, 1))  # type: ignore[arg-type]


def cnn_lstm_step() -> dict[str, Any]:
    """Forward and backward pass of a batch of 40 clips of 12 s."""
    model, x, lengths = _cnn_lstm(), torch.randn(40, 12, N, BINS), torch.full((40,), 12)

    def ours(x: Tensor) -> Tensor:
        return model(x, lengths, NO_GRAPH)

    def plain(x: Tensor) -> Tensor:
        images = functional.max_pool2d(model.second(model.first(x.flatten(0, 1).unsqueeze(1))), 2)
        return model.combine(model.embedding(images.flatten(1)).view(40, 12, -1), lengths)

    torch.testing.assert_close(ours(x), plain(x), atol=1e-4, rtol=1e-3)
    name = "training step, 12-s clips, CNN-LSTM"
    return compare(name, _step(ours, x), _step(plain, x), target=STEP_TARGET, unit="40 clips", repeats=5)


def map_rows() -> list[dict[str, Any]]:
    """The map of one clip of 12 s: 228 hidden inputs."""
    clip, rows = Clip(torch.randn(12, N, BINS), 12, NO_GRAPH, 0), []
    cells = torch.cartesian_prod(torch.arange(12), torch.arange(N))
    for name, model in (("CNN-LSTM", _cnn_lstm().eval()), ("Dense-CNN of width 0.1", _dense(0.1, 12).eval())):

        def ours(model: nn.Module = model) -> Tensor:
            return occlusion_map(model, clip, fill=0.0, batch=76, electrodes_only=False)[0]

        def plain(model: nn.Module = model) -> Tensor:
            own = model(clip.x[None], torch.tensor([12]), NO_GRAPH)[0, 0]
            return (own - plain_logits(model, clip, cells, fill=0.0, batch=76)).view(-1, N).mT

        torch.testing.assert_close(ours(), plain().detach(), atol=1e-4, rtol=1e-3)
        rows.append(compare(f"map of a 12-s clip, {name}", ours, plain, target=MAP_TARGET, unit="1 clip", repeats=3))
    return rows


if __name__ == "__main__":
    for measured in measure():
        print(measured)
