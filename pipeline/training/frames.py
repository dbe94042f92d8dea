"""Standardised frames of many stores: all in memory, or the rows that are wanted read from the stores.

Axes: n electrode, f feature. The frames of all stores lie below one another; a row has the same number either way and
the same bits, since standardising looks at each value by itself. So only speed and memory depend on which it is.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.features._frame_rows import FrameRows
from pipeline.features._frame_store import reading_frames

FLOOR_MARGIN = 1e-3  # in ln units: above rounding, far below any amplitude that is not exactly zero


@dataclass(frozen=True)
class Scaler:
    """z = (f - mean) / std, of the training patients' frames."""

    mean: float
    std: float

    def apply(self, frames: Tensor) -> Tensor:
        """`frames`, standardised in place."""
        return frames.sub_(self.mean).div_(self.std)


@dataclass(frozen=True)
class Held:
    """Frames in memory. `values` (rows + 1, n, f), the last row zero; runs of rows that follow one another in the
    stores begin there at `firsts` and here at `places`, both ascending; None: every row is at its own number."""

    values: Tensor
    firsts: Tensor | None = None
    places: Tensor | None = None

    def at(self, rows: Tensor) -> Tensor:
        """Where in `values` the rows of the stores lie."""
        if self.firsts is None or self.places is None:
            return rows
        run = torch.searchsorted(self.firsts, rows, right=True) - 1
        return self.places[run] + (rows - self.firsts[run])


class Frames(Protocol):
    """All frames of some stores."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, n, f)."""
        ...

    @property
    def has_floor(self) -> bool:
        """Whether a bin is of exactly zero amplitude."""
        ...

    def hold(self, firsts: np.ndarray, lengths: np.ndarray) -> Held:
        """In memory at least the `lengths` (m,) rows from `firsts` (m,) on."""
        ...


@dataclass(frozen=True)
class Resident:
    """All frames in memory, with a row of zeros below them: `values` (rows + 1, n, f)."""

    values: Tensor
    has_floor: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, n, f)."""
        return len(self.values) - 1, *self.values.shape[1:]

    def hold(self, firsts: np.ndarray, lengths: np.ndarray) -> Held:
        """All of them."""
        return Held(self.values)


@dataclass(frozen=True)
class Streamed:
    """Frames that stay in their stores."""

    stores: list[FrameRows]
    scaler: Scaler
    has_floor: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, n, f)."""
        return sum(store.shape[0] for store in self.stores), *self.stores[0].shape[1:]

    def hold(self, firsts: np.ndarray, lengths: np.ndarray) -> Held:
        """Those rows, each once, read in the order in which they lie in the files."""
        starts, stops = merged(firsts, lengths)
        places = np.cumsum(stops - starts) - (stops - starts)
        values = _mapped((int((stops - starts).sum()) + 1, *self.shape[1:]))
        self._read(starts, stops, values.numpy())
        self.scaler.apply(values)[-1] = 0.0
        return Held(values, torch.from_numpy(starts), torch.from_numpy(places))

    def _read(self, starts: np.ndarray, stops: np.ndarray, into: np.ndarray) -> None:
        into[-1] = 0.0  # what lies there could be no number
        ends = np.cumsum([store.shape[0] for store in self.stores])
        work: list[list[tuple[int, np.ndarray]]] = [[] for _ in self.stores]
        done = 0
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            while start < stop:
                k = int(np.searchsorted(ends, start, side="right"))
                count = min(stop, int(ends[k])) - start
                first = start - int(ends[k]) + self.stores[k].shape[0]
                work[k].append((first, into[done : done + count]))
                start, done = start + count, done + count
        for store, runs in zip(self.stores, work, strict=True):
            if runs:
                store.read(runs)


def _mapped(shape: tuple[int, ...]) -> Tensor:
    """An empty float32 tensor whose memory goes back to the system as soon as it is freed: the heap might keep it."""
    return torch.frombuffer(mmap.mmap(-1, 4 * int(np.prod(shape))), dtype=torch.float32).view(shape)


def merged(firsts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and stops (runs,), ascending and apart, of the rows that the spans `firsts`, `lengths` (m,) cover."""
    order = np.argsort(firsts, kind="stable")
    starts, reached = firsts[order], np.maximum.accumulate((firsts + lengths)[order])
    new = np.ones(len(starts), dtype=bool)
    new[1:] = starts[1:] > reached[:-1]
    last = np.append(np.flatnonzero(new)[1:], len(starts)) - 1
    return starts[new].astype(np.int64), reached[last].astype(np.int64)


def row_bytes(frames: Frames) -> int:
    """What one row takes in memory."""
    return 4 * int(np.prod(frames.shape[1:]))


def frames_bytes(shape: tuple[int, ...]) -> int:
    """What frames of `shape` (rows, n, f) take in memory."""
    return 4 * int(np.prod(shape))


def resident_frames(
    paths: Sequence[Path], shape: tuple[int, ...], scaler: Scaler, *, floor: float, home: torch.device
) -> Resident:
    """Read all frames to `home`, block by block: on a GPU the host holds no more than one.

    `shape` (rows, n, f): of all stores below one another.
    """
    values = torch.empty(shape[0] + 1, *shape[1:], device=home)
    values[-1] = 0.0
    done, has_floor = 0, False
    for block in _blocks(paths):
        has_floor = has_floor or bool((block <= floor).any())
        values[done : done + len(block)] = scaler.apply(torch.tensor(block))  # the same bits on every device
        done += len(block)
    return Resident(values, has_floor)


def streamed_frames(paths: Sequence[Path], scaler: Scaler, *, floor: float) -> Streamed:
    """Frames that are read when they are wanted; all of them are looked at once, which finds damage beforehand."""
    stores, has_floor = [FrameRows(path) for path in paths], False
    for block in _blocks(paths):
        has_floor = has_floor or bool((block <= floor).any())
    return Streamed(stores, scaler, has_floor)


def _blocks(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    for path in paths:
        with reading_frames(path) as store:
            for _, block in store.blocks():
                yield block
