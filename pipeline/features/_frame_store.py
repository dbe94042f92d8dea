"""The feature store of one shard: the frames of all its items below one another in one array.

`frames` (total seconds, n, f) float32; attributes `items` (names), `starts` and `lengths` (rows of `frames`, seconds).
An item is a segment on the whole-second grid, or a classification clip. Read whole by what works from memory, in
blocks of rows by what streams.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.store import reading_store, writing_store

CHUNK_SECONDS = 1024  # about 8 MB of 19 x 100 float32: few reads for a whole shard, small enough to stream


@dataclass(frozen=True)
class FrameStore:
    """An open feature store. `frames` is lazy: `frames[a:b]` or `frames[...]` gives (t, n, f) float32 in memory."""

    frames: Any
    items: tuple[str, ...]
    starts: np.ndarray
    lengths: np.ndarray

    def rows(self, items: pd.Series, frame: pd.Series) -> np.ndarray:
        """Row of `frames` (int64) at which each (item, frame) of a clips table lies."""
        place = pd.Index(self.items).get_indexer(pd.Index(items))
        if (place < 0).any():
            raise KeyError(f"item {items.iloc[int(np.argmin(place))]!r} is not in this feature store")
        return self.starts[place] + frame.to_numpy(dtype=np.int64)

    def blocks(self, seconds: int = CHUNK_SECONDS) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, frames) of successive blocks of whole chunks."""
        for start in range(0, self.frames.shape[0], seconds):
            yield start, self.frames[start : start + seconds]


@contextmanager
def reading_frames(path: Path | str) -> Iterator[FrameStore]:
    """Open a feature store; read arrays inside the block."""
    with reading_store(path) as group:
        attributes: dict[str, Any] = dict(group.attrs)
        starts, lengths = (np.array(attributes[name], dtype=np.int64) for name in ("starts", "lengths"))
        yield FrameStore(group["frames"], tuple(attributes["items"]), starts, lengths)


def write_frames(
    path: Path | str, items: list[str], lengths: list[int], arrays: Iterable[np.ndarray], *, shape: tuple[int, int]
) -> None:
    """Write the feature store of `items`; `arrays` yields their frames (t, n, f) in order, `shape` is (n, f).

    Frames are gathered into whole chunks, so that none is written twice.
    """
    total = int(sum(lengths))
    starts = [int(start) for start in np.cumsum([0, *lengths])[:-1]]
    attributes = {"items": list(items), "starts": starts, "lengths": [int(length) for length in lengths]}
    chunk = max(1, min(CHUNK_SECONDS, total))
    with writing_store(path, attributes) as group:
        stored = group.create_array(
            "frames", shape=(total, *shape), chunks=(chunk, *shape), dtype="float32", compressors=None
        )
        done = 0
        for block in whole_chunks(arrays, chunk):
            stored[done : done + len(block)] = block
            done += len(block)
        if done != total:  # inside the block: nothing appears under the final name
            raise ValueError(f"{path}: {done} frames for items of {total} s")


def whole_chunks(arrays: Iterable[np.ndarray], chunk: int) -> Iterator[np.ndarray]:
    """Join arrays along their first axis and cut them into pieces of `chunk` rows; the last may be shorter."""
    held: list[np.ndarray] = []
    count = 0
    for array in arrays:
        held.append(array)
        count += len(array)
        if count >= chunk:
            joined = np.concatenate(held)
            whole = count - count % chunk
            yield joined[:whole]
            held, count = [joined[whole:].copy()], count - whole
    if count:
        yield np.concatenate(held)
