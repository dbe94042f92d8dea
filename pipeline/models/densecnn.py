"""Dense-CNN baseline: inception blocks over the whole clip, each electrode by itself until the last layers; no graph.

Tang et al., ICLR 2022, section 3.2 (after Saab et al. 2020). The features of all seconds follow one another: one row of
t f numbers for each electrode. Convolutions run along the row only, so that electrodes meet first in the linear layers.
Clips shorter than the model's length are padded to it.

Axes: b clip, t second, n electrode, f feature, l place in the row, c channel. Images are (b, c, n, l) with the channels
innermost in memory: on a CPU two to four times as fast as any other order (`python -m benchmarks --only densecnn`).
`embed` looks at each electrode alone, which occlusion makes use of.
"""

from math import floor, sqrt
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.settings.base import SettingsError
from pipeline.settings.model_densecnn import ModelSettings

POOLS = (7, 5, 5, 4)  # kernel and stride after each stage
SHORTEST = 7 * 5 * 5 * 4  # a row of which something is left
HIDDEN = 128  # of the linear layer
LONGEST_KERNEL = 21  # first of the third branch, in every block


def convolution(n_in: int, n_out: int, length: int) -> nn.Sequential:
    """Convolution along the row that keeps its length, and ReLU. Weights have standard deviation sqrt(2 / (k c))."""
    layer = nn.Conv2d(n_in, n_out, (1, length), padding=(0, length // 2))
    nn.init.normal_(layer.weight, std=sqrt(2 / (length * n_out)))
    return nn.Sequential(layer, nn.ReLU(inplace=True))


class Inception(nn.Module):
    """Three branches side by side, with kernels of a, a | b, b, b | 21, c: (b, n_in, n, l) -> (b, 3 n_out, n, l)."""

    def __init__(self, n_in: int, n_out: int, a: int, b: int, c: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                convolution(n_in, n_out, lengths[0]), *(convolution(n_out, n_out, length) for length in lengths[1:])
            )
            for lengths in ((a, a), (b, b, b), (LONGEST_KERNEL, c))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Channels of the branches one after the other."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Stage(nn.Module):
    """u = block(x), v = block(u), each reduced to fewer channels where it says so; [u, v] reduced and pooled.

    With one block of two it is applied twice, as in the published code (D20).
    """

    def __init__(self, blocks: list[Inception], reduce: list[nn.Module], merge: nn.Module, pool: int) -> None:
        super().__init__()
        self.blocks, self.reduce, self.merge = nn.ModuleList(blocks), nn.ModuleList(reduce), merge
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, n, l) -> (b, c', n, l // pool)."""
        u = self.reduce[0](self.blocks[0](x))
        v = self.reduce[1](self.blocks[-1](u))
        return functional.max_pool2d(self.merge(torch.cat([u, v], dim=1)), (1, self.pool))


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that uses the running statistics for a training batch of one: one clip has no spread."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, h) -> (b, h)."""
        if self.training and len(x) == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def _stages(width: float) -> list[Stage]:
    """The four stages; channel numbers as published, times `width`."""

    def of(channels: int) -> int:
        return max(1, floor(channels * width + 0.5))

    def block(n_in: int, n_out: int, a: int, b: int, c: int) -> Inception:
        return Inception(n_in, of(n_out), a, b, c)

    def to(channels: int, n_in: int) -> nn.Module:
        return convolution(n_in, of(channels), 1)

    few, some, many = 3 * of(10), 3 * of(30), 3 * of(90)  # channels of an Inception with as many outputs a branch
    most = 3 * of(180)
    return [
        Stage(
            [block(1, 10, 9, 15, 21), block(few, 30, 9, 13, 17)],
            [nn.Identity(), nn.Identity()],
            to(90, few + some),
            POOLS[0],
        ),
        Stage(
            [block(of(90), 90, 7, 11, 15), block(of(180), 180, 5, 7, 9)],
            [to(180, many), to(180, most)],
            to(180, 2 * of(180)),
            POOLS[1],
        ),
        *(
            Stage(
                [block(of(180), 180, 3, 5, 7)],
                [to(180, most), to(270, most)],
                to(last, of(180) + of(270)),
                pool,
            )
            for last, pool in ((180, POOLS[2]), (360, POOLS[3]))
        ),
    ]


class Classifier(nn.Module):
    """Four stages of inception blocks along the row of every electrode, then two linear layers over all."""

    parts: Literal["electrode"] = "electrode"  # what `embed` treats apart
    mixes_clips = True  # in training: the normalisation is over the batch

    def __init__(
        self, settings: ModelSettings, *, n_features: int, n_classes: int, n_nodes: int, length_s: int
    ) -> None:
        super().__init__()
        if length_s * n_features < SHORTEST:
            raise SettingsError(
                f"models.densecnn: {length_s} s of {n_features} features are {length_s * n_features} numbers, which "
                f"pooling leaves nothing of; it needs {SHORTEST}: use longer clips"
            )
        self.length_s = length_s
        self.stages = nn.Sequential(*_stages(settings.width))
        channels = cast(nn.Conv2d, self.stages[-1].merge[0]).out_channels  # type: ignore[index]
        self.hidden = nn.Linear(n_nodes * channels * (length_s * n_features // SHORTEST), HIDDEN)
        self.norm, self.dropout = BatchNorm(HIDDEN), nn.Dropout(settings.dropout)
        self.linear = nn.Linear(HIDDEN, n_classes)
        unused = 2 if settings.allocate_unused else 0  # drawn last: the other weights are the same with and without
        n_in = cast(nn.Conv2d, self.stages[2].merge[0]).out_channels  # type: ignore[index]
        self.unused = nn.ModuleList(Inception(n_in, n_in, 3, 5, 7) for _ in range(unused))
        if settings.padding == "before":  # D16
            self.register_buffer("padding", torch.zeros(()))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def pad_with(self, value: float) -> None:
        """Under `padding: before`: what a frame of zeros becomes when it is standardised."""
        if "padding" in self._buffers:
            cast(Tensor, self.padding).fill_(value)

    def forward(self, x: Tensor, lengths: Tensor, supports: Tensor) -> Tensor:
        """Logits (b, classes) of standardised x (b, t, n, f); what lies beyond `lengths` (b,) does not matter."""
        return self.combine(self.embed(x, lengths), lengths)

    def embed(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(b, n, c l) of x (b, t, n, f): each electrode by itself."""
        rows = self.whole(x, lengths).permute(0, 2, 1, 3).flatten(2).unsqueeze(1)  # b t n f -> b 1 n (t f)
        return self.stages(rows.contiguous(memory_format=torch.channels_last)).transpose(1, 2).flatten(2)

    def combine(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Logits (b, classes) of the electrodes (b, n, c l)."""
        flat = embedded.transpose(1, 2).flatten(1)  # b n (c l) -> b (c l n), the published order
        return self.linear(self.dropout(torch.relu(self.norm(self.hidden(flat)))))

    def whole(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (b, t, n, f) padded to the model's length; zero, the training mean, unless `padding: before`."""
        value = cast(Tensor, self.padding) if "padding" in self._buffers else x.new_zeros(())
        x = functional.pad(x, (0, 0, 0, 0, 0, self.length_s - x.shape[1]))
        beyond = torch.arange(self.length_s, device=x.device) >= lengths[:, None]
        return torch.where(beyond[:, :, None, None], value, x)


def classifier(
    settings: ModelSettings,
    *,
    n_features: int,
    n_classes: int,
    n_supports: int,
    dropout: float,
    n_nodes: int,
    length_s: int,
) -> Classifier:
    """The network of detection (one logit) and classification; it has no graph, and a dropout of its own."""
    return Classifier(settings, n_features=n_features, n_classes=n_classes, n_nodes=n_nodes, length_s=length_s)
