"""Clips in memory: all frames standardised once, so that a batch is one gather.

Axes: b clip, t second, n electrode, f feature, p support. The frames of every shard lie below one another in one
tensor (rows, n, f), which lies where it fits: on the GPU, else in host memory. Its last row is zero: seconds beyond a
clip's end point there, which is padding after standardisation. A batch is as long as its longest clip; further
padding would change nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.clips import class_numbers
from pipeline.features._frame_store import reading_frames
from pipeline.graphs.electrodes import mirror_permutation
from pipeline.plugins import load_plugin
from pipeline.settings.clips import Task
from pipeline.settings.training import FitSettings
from pipeline.store import read_table, reading_store
from pipeline.training import augment
from pipeline.training.device import fits_on
from pipeline.training.model_io import model_options

LOGGER = logging.getLogger("ictograph")
FLOOR_MARGIN = 1e-3  # in ln units: above rounding, far below any amplitude that is not exactly zero


@dataclass(frozen=True)
class Scaler:
    """z = (f - mean) / std, of the training patients' frames."""

    mean: float
    std: float


@dataclass(frozen=True)
class Batch:
    """x (b, t, n, f) standardised; lengths (b,) seconds; supports (p, n, n) or (b, p, n, n); target per task."""

    x: Tensor
    lengths: Tensor
    supports: Tensor
    target: Tensor


@dataclass(frozen=True)
class Graphs:
    """Supports (1 or clips, p, n, n) of each clip and of its reflection; None: the reflection has the same.

    Without a graph there are no supports: p = 0.
    """

    supports: Tensor
    mirrored: Tensor | None

    def batch(self, rows: Tensor, reflect: Tensor | None) -> Tensor:
        """Supports of the clips `rows`: shared (p, n, n) where one graph serves all, else (b, p, n, n)."""
        shared = len(self.supports) == 1
        chosen = self.supports[0] if shared else self.supports[rows]
        if reflect is None or self.mirrored is None:
            return chosen
        mirrored = self.mirrored[0] if shared else self.mirrored[rows]
        return torch.where(reflect.to(chosen.device)[:, None, None, None], mirrored, chosen)


@dataclass(frozen=True)
class ClipData:
    """All clips of some shards. `table` is the clips table; `labels` (clips,) class numbers, -1 where excluded."""

    table: pd.DataFrame
    labels: np.ndarray
    frames: Tensor
    first: Tensor
    first_target: Tensor
    lengths: Tensor
    graphs: Graphs
    mirror: Tensor
    scaler: Scaler
    settings: FitSettings
    has_floor: bool
    device: torch.device

    def rows_of(self, split: str) -> np.ndarray:
        """Rows of the table that belong to `split` and, for classification, to a class of the scheme."""
        chosen = (self.table["split"] == split).to_numpy()
        return np.flatnonzero(chosen & ((self.labels >= 0) | (self.settings.task == "pretraining")))

    def batch(self, rows: np.ndarray, draws: augment.Draws | None = None) -> Batch:
        """Clips `rows` (b,) of the table; with `draws` augmented, input and (pre-training) target alike."""
        index = torch.from_numpy(rows)
        lengths, reflect = self.lengths[index], None if draws is None else torch.from_numpy(draws.reflect)
        x = self._gather(self.first[index], lengths, draws)
        if self.settings.task == "pretraining":
            horizon = torch.full_like(lengths, self.settings.horizon_s)
            target = self._gather(self.first_target[index], horizon, draws)
        else:
            target = torch.from_numpy(self.labels[rows]).to(self.device)
        supports = self.graphs.batch(index.to(self.graphs.supports.device), reflect)
        return Batch(x, lengths.to(self.device), supports, target)

    def _gather(self, first: Tensor, lengths: Tensor, draws: augment.Draws | None) -> Tensor:
        """Frames (b, t, n, f) from rows `first` (b,) on, zero beyond `lengths` (b,)."""
        second = torch.arange(int(lengths.max()))
        padding = second >= lengths[:, None]
        rows = torch.where(padding, len(self.frames) - 1, first[:, None] + second)
        (b, t), (_, n, f) = rows.shape, self.frames.shape
        if draws is None:
            picked = self.frames.view(-1, n * f).index_select(0, rows.flatten().to(self.frames.device))
            return picked.view(b, t, n, f).to(self.device)
        electrode = torch.where(torch.from_numpy(draws.reflect)[:, None], self.mirror, torch.arange(n))
        places = (rows[:, :, None] * n + electrode[:, None]).flatten().to(self.frames.device)
        picked = self.frames.view(-1, f).index_select(0, places).view(b, t, n, f).to(self.device)
        return self._scale(picked, torch.from_numpy(draws.scale).to(self.device), padding.to(self.device))

    def _scale(self, z: Tensor, scale: Tensor, padding: Tensor) -> Tensor:
        """Amplitudes of z (b, t, n, f) times `scale` (b,); padding (b, t) stays zero, exact-zero bins stay."""
        spare = padding[:, :, None, None].expand_as(z) if bool(padding.any()) else None
        mean, std = self.scaler.mean, self.scaler.std
        if self.settings.features.kind == "time":
            return augment.scale_samples(z, scale, mean=mean, std=std, spare=spare)
        if self.has_floor and not self.settings.augment.scale_zero_bins:
            floor = z <= (np.log(self.settings.features.floor_amplitude) + FLOOR_MARGIN - mean) / std
            spare = floor if spare is None else spare | floor
        return augment.scale_log_amplitudes(z, scale, std=std, spare=spare)


def load_clips(
    *,
    features: Sequence[Path],
    clips: Sequence[Path],
    graphs: Sequence[Path],
    scaler: dict[str, Any],
    settings: FitSettings,
    device: torch.device,
) -> ClipData:
    """Read whole shards: features and clips are parallel, graphs too (correlation) or one file (distance)."""
    tables = [read_table(path) for path in clips]
    standard = Scaler(scaler["mean"], scaler["std"])
    frames, first, first_target, has_floor = _read_frames(features, tables, standard, settings)
    if frames.nbytes > settings.device.memory_gb * 1e9:
        LOGGER.warning("frames take %.1f GB, device.memory_gb is %g", frames.nbytes / 1e9, settings.device.memory_gb)
    home = device if fits_on(device, frames.nbytes, settings.device) else torch.device("cpu")
    table = pd.concat(tables, ignore_index=True)
    return ClipData(
        table=table,
        labels=_labels(table, settings.task, settings.scheme),
        frames=frames.to(home),
        first=first,
        first_target=first_target,
        lengths=torch.tensor(table["length_s"].to_numpy(dtype=np.int64)),
        graphs=_read_graphs(graphs, tables, settings, device),
        mirror=torch.from_numpy(mirror_permutation(settings.electrodes, settings.augment.mirror_pairs)),
        scaler=standard,
        settings=settings,
        has_floor=has_floor,
        device=device,
    )


def _labels(table: pd.DataFrame, task: Task, scheme: str) -> np.ndarray:
    if task == "classification":
        return class_numbers(table["code"], scheme)
    return table["label"].to_numpy(dtype=np.int64, copy=True)


def _read_frames(
    paths: Sequence[Path], tables: Sequence[pd.DataFrame], scaler: Scaler, settings: FitSettings
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Standardised frames of all stores and a zero row (rows, n, f); first rows of clips and targets; any zero bin?"""
    sizes, shape = [], (0, 0)
    for path in paths:
        with reading_frames(path) as store:
            sizes.append(store.frames.shape[0])
            shape = store.frames.shape[1:]
    frames = torch.empty(sum(sizes) + 1, *shape)
    frames[-1] = 0.0
    first, first_target, has_floor = [], [], False
    floor = np.log(settings.features.floor_amplitude) + FLOOR_MARGIN
    for path, table, offset in zip(paths, tables, np.cumsum([0, *sizes[:-1]]), strict=True):
        with reading_frames(path) as store:
            for start, block in store.blocks():
                has_floor = has_floor or bool((block <= floor).any())
                held = frames[offset + start : offset + start + len(block)]
                held.copy_(torch.from_numpy(block)).sub_(scaler.mean).div_(scaler.std)
            rows = store.rows(table["item"], table["frame"]) + offset
            first.append(rows)
            shift = np.where(table["target_frame"] >= 0, table["target_frame"] - table["frame"], 0)
            first_target.append(rows + shift)
    return frames, torch.from_numpy(np.concatenate(first)), torch.from_numpy(np.concatenate(first_target)), has_floor


def _read_graphs(
    paths: Sequence[Path], tables: Sequence[pd.DataFrame], settings: FitSettings, device: torch.device
) -> Graphs:
    """Supports of every clip and of its mirror image, computed once; no file is read for a model without a graph."""
    if settings.graph == "none":
        n = len(settings.electrodes)
        return Graphs(torch.zeros(1, 0, n, n, device=device), None)
    parts = []
    for path in paths:
        with reading_store(path) as group:
            stored: Any = group["weights"]
            parts.append(np.asarray(stored[...]))
    weights = np.concatenate(parts)
    clips = sum(len(table) for table in tables)
    if settings.graph == "correlation" and len(weights) != clips:
        raise ValueError(f"{paths[0]} and the other graph stores hold {len(weights)} graphs for {clips} clips")
    supports = load_plugin("models", settings.model).supports
    options = model_options(settings)
    mirrored = augment.mirrored_weights(weights, settings.electrodes, settings.augment, graph=settings.graph)
    plain, mirrored = supports(weights, settings.graph, options), supports(mirrored, settings.graph, options)
    same = np.allclose(plain, mirrored, atol=1e-6)
    return Graphs(torch.from_numpy(plain).to(device), None if same else torch.from_numpy(mirrored).to(device))
