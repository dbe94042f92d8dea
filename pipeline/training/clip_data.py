"""Clips and batches of them: a batch is one gather from standardised frames.

Axes: b clip, t second, n electrode, f feature, p support. The frames of every shard lie below one another, and are
where they fit: on the GPU, else in host memory up to `device.memory_gb`, else in their stores, from which a thread
reads what the next batches need. Batches are the same to the bit. The last row held is zero: seconds beyond a clip's
end point there, which is padding after standardisation. A batch is as long as its longest clip; further padding would
change nothing.
"""

import logging
import math
from collections.abc import Iterator, Sequence
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
from pipeline.training.frames import (
    FLOOR_MARGIN,
    Frames,
    Held,
    Scaler,
    frames_bytes,
    resident_frames,
    row_bytes,
    streamed_frames,
)
from pipeline.training.model_io import model_options
from pipeline.training.read_ahead import grouped, read_ahead

LOGGER = logging.getLogger("ictograph")
GB = 1e9
Part = tuple[np.ndarray, augment.Draws | None]  # a batch to be: rows of the clips table, and their draws


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

    @property
    def nbytes(self) -> int:
        """What they take of the memory of the host."""
        held = [self.supports] if self.mirrored is None else [self.supports, self.mirrored]
        return sum(one.nbytes for one in held if one.device.type == "cpu")

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
    frames: Frames
    first: Tensor
    first_target: Tensor
    lengths: Tensor
    graphs: Graphs
    mirror: Tensor
    scaler: Scaler
    settings: FitSettings
    device: torch.device
    ahead_bytes: int | None = None  # of frames that are read ahead of the batches; None: all are in memory

    def rows_of(self, split: str) -> np.ndarray:
        """Rows of the table that belong to `split` and, for classification, to a class of the scheme."""
        chosen = (self.table["split"] == split).to_numpy()
        return np.flatnonzero(chosen & ((self.labels >= 0) | (self.settings.task == "pretraining")))

    def batch(self, rows: np.ndarray, draws: augment.Draws | None = None) -> Batch:
        """Clips `rows` (b,) of the table; with `draws` augmented, input and (pre-training) target alike."""
        return self._assembled(self.frames.hold(*self.spans(rows)), rows, draws)

    def batches(self, parts: Sequence[Part]) -> Iterator[Batch]:
        """The batches of `parts`, in their order; what is not in memory is read while the batches before are used."""
        if self.ahead_bytes is None:
            yield from (self.batch(*part) for part in parts)
            return
        for group, held in read_ahead(self.frames, parts, spans=self.spans, most_bytes=self.ahead_bytes):
            for rows, draws in group:
                yield self._assembled(held, rows, draws)
            del held  # before the next is taken: never three

    def check_room(self, n_clips: int) -> None:
        """Raise SettingsError where batches of `n_clips` leave no room to read ahead: before an epoch, not after it."""
        if self.ahead_bytes is not None and len(self.table):
            horizon = self.settings.horizon_s if self.settings.task == "pretraining" else 0
            grouped([n_clips * (int(self.lengths.max()) + horizon) * row_bytes(self.frames)], self.ahead_bytes // 2)

    def spans(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First rows and numbers of the frames (m,) that the batch of the clips `rows` is made of."""
        firsts, lengths = self.first.numpy()[rows], self.lengths.numpy()[rows]
        if self.settings.task != "pretraining":
            return firsts, lengths
        horizon = np.full_like(lengths, self.settings.horizon_s)
        return np.concatenate([firsts, self.first_target.numpy()[rows]]), np.concatenate([lengths, horizon])

    def _assembled(self, held: Held, rows: np.ndarray, draws: augment.Draws | None) -> Batch:
        index = torch.from_numpy(rows)
        lengths, reflect = self.lengths[index], None if draws is None else torch.from_numpy(draws.reflect)
        x = self._gather(held, self.first[index], lengths, draws)
        if self.settings.task == "pretraining":
            horizon = torch.full_like(lengths, self.settings.horizon_s)
            target = self._gather(held, self.first_target[index], horizon, draws)
        else:
            target = torch.from_numpy(self.labels[rows]).to(self.device)
        supports = self.graphs.batch(index.to(self.graphs.supports.device), reflect)
        return Batch(x, lengths.to(self.device), supports, target)

    def _gather(self, held: Held, first: Tensor, lengths: Tensor, draws: augment.Draws | None) -> Tensor:
        """Frames (b, t, n, f) from rows `first` (b,) on, zero beyond `lengths` (b,)."""
        second, values = torch.arange(int(lengths.max())), held.values
        padding = second >= lengths[:, None]
        # a clip's rows follow one another wherever they are held; what lies beyond its end is never looked at
        rows = torch.where(padding, len(values) - 1, held.at(first)[:, None] + second)
        (b, t), (_, n, f) = rows.shape, values.shape
        if draws is None:
            picked = values.view(-1, n * f).index_select(0, rows.flatten().to(values.device))
            return picked.view(b, t, n, f).to(self.device)
        electrode = torch.where(torch.from_numpy(draws.reflect)[:, None], self.mirror, torch.arange(n))
        places = (rows[:, :, None] * n + electrode[:, None]).flatten().to(values.device)
        picked = values.view(-1, f).index_select(0, places).view(b, t, n, f).to(self.device)
        return self._scale(picked, torch.from_numpy(draws.scale).to(self.device), padding.to(self.device))

    def _scale(self, z: Tensor, scale: Tensor, padding: Tensor) -> Tensor:
        """Amplitudes of z (b, t, n, f) times `scale` (b,); padding (b, t) stays zero, exact-zero bins stay."""
        spare = padding[:, :, None, None].expand_as(z) if bool(padding.any()) else None
        mean, std = self.scaler.mean, self.scaler.std
        if self.settings.features.kind == "time":
            return augment.scale_samples(z, scale, mean=mean, std=std, spare=spare)
        if self.frames.has_floor and not self.settings.augment.scale_zero_bins:
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
    memory_gb: float | None = None,
) -> ClipData:
    """Read whole shards: features and clips are parallel, graphs too (correlation) or one file (distance).

    `memory_gb`: most that frames and supports may take of the host's memory; None: as much as they need.
    """
    tables = [read_table(path) for path in clips]
    standard = Scaler(scaler["mean"], scaler["std"])
    supports = _read_graphs(graphs, tables, settings, device)
    left = math.inf if memory_gb is None else memory_gb * GB - supports.nbytes
    first, first_target, shape = _first_rows(features, tables)
    frames, ahead = _frames(features, shape, standard, settings, device, left=left)
    table = pd.concat(tables, ignore_index=True)
    return ClipData(
        table=table,
        labels=_labels(table, settings.task, settings.scheme),
        frames=frames,
        first=first,
        first_target=first_target,
        lengths=torch.tensor(table["length_s"].to_numpy(dtype=np.int64)),
        graphs=supports,
        mirror=torch.from_numpy(mirror_permutation(settings.electrodes, settings.augment.mirror_pairs)),
        scaler=standard,
        settings=settings,
        device=device,
        ahead_bytes=ahead,
    )


def _frames(
    paths: Sequence[Path],
    shape: tuple[int, ...],
    scaler: Scaler,
    settings: FitSettings,
    device: torch.device,
    *,
    left: float,
) -> tuple[Frames, int | None]:
    """The frames, on the device, in memory of the host or streamed; bytes to read ahead of the last.

    `shape` (rows, n, f): of all stores below one another. `left`: bytes of host memory that they may take.
    """
    size = frames_bytes(shape)
    floor = float(np.log(settings.features.floor_amplitude)) + FLOOR_MARGIN
    if device.type != "cpu" and fits_on(device, size):
        return resident_frames(paths, shape, scaler, floor=floor, home=device), None
    if size <= left:
        return resident_frames(paths, shape, scaler, floor=floor, home=torch.device("cpu")), None
    LOGGER.info("frames take %.3g GB, %.3g are left of device.memory_gb: streamed", size / GB, left / GB)
    return streamed_frames(paths, scaler, floor=floor), max(0, int(left))


def _labels(table: pd.DataFrame, task: Task, scheme: str) -> np.ndarray:
    if task == "classification":
        return class_numbers(table["code"], scheme)
    return table["label"].to_numpy(dtype=np.int64, copy=True)


def _first_rows(paths: Sequence[Path], tables: Sequence[pd.DataFrame]) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Rows (clips,) of all stores below one another at which the clips and, pre-training, their targets begin; and
    the stores' shape (rows, n, f)."""
    first, first_target, above, row_shape = [], [], 0, tuple[int, ...]()
    for path, table in zip(paths, tables, strict=True):
        with reading_frames(path) as store:
            rows = store.rows(table["item"], table["frame"]) + above
            above, row_shape = above + store.frames.shape[0], store.frames.shape[1:]
        first.append(rows)
        first_target.append(rows + np.where(table["target_frame"] >= 0, table["target_frame"] - table["frame"], 0))
    return torch.from_numpy(np.concatenate(first)), torch.from_numpy(np.concatenate(first_target)), (above, *row_shape)


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
