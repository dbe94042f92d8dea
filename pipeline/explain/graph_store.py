"""The store of one seed's learned graphs (docs/architecture.md, Learned graphs): written and read chunk by chunk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.store import reading_store, writing_store

RECEIVER = "row i receives: (A h)_i = sum_j A_ij h_j"
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class GraphBlock:
    """Graphs of some clips, in float32: A (c, l, t, n, n), NaN from `lengths` (c,) on; prior A_0 (c, n, n);
    disagreement (c, l, t) of the heads, NaN where the model has none that differ in what they attend to."""

    A: Floats
    prior: Floats
    lengths: NDArray[np.int64]
    disagreement: Floats


@dataclass(frozen=True)
class GraphClips:
    """Whose graphs a store holds: `label` and `prediction` are class numbers; `patients` go with `clips`."""

    clips: list[str]
    patients: list[str]
    label: NDArray[np.int64]
    prediction: NDArray[np.int64]
    classes: list[str]
    electrodes: list[str]
    seed: int  # of the model's training
    variant: str
    config_hash: str  # digest of the settings that the model was trained with


def write_graphs(
    path: Path | str,
    about: GraphClips,
    blocks: Iterator[GraphBlock],
    settings: LearnedGraphSettings,
    *,
    shape: tuple[int, int],
) -> None:
    """Write the store from blocks of `settings.batch` clips (the last may be smaller); `shape`: layers, seconds.

    One block is in memory at a time. There may be no clip.
    """
    count, n, precision = len(about.clips), len(about.electrodes), settings.precision
    columns = {name: value for name, value in vars(about).items() if name not in ("label", "prediction")}
    with writing_store(path, {**columns, "row": "receiver", "convention": RECEIVER}) as group:

        def made(name: str, tail: tuple[int, ...], dtype: str) -> Any:
            chunks = (max(1, min(settings.batch, count)), *(max(1, size) for size in tail))
            return group.create_array(name, shape=(count, *tail), chunks=chunks, dtype=dtype, compressors=None)

        A, prior = made("A", (*shape, n, n), precision), made("A_0", (n, n), precision)
        lengths, label, prediction = (made(name, (), "int64") for name in ("len", "label", "prediction"))
        if count:
            label[...], prediction[...] = about.label, about.prediction
        start = 0
        for block in blocks:
            rows = slice(start, start + len(block.A))
            whole = np.full((len(block.A), *shape, n, n), np.nan, dtype=precision)
            whole[:, :, : block.A.shape[2]] = block.A
            A[rows], prior[rows], lengths[rows] = whole, block.prior.astype(precision), block.lengths
            start = rows.stop


@dataclass(frozen=True)
class GraphStore:
    """An open store: `about`, and the graphs by `blocks`."""

    about: GraphClips
    shape: tuple[int, ...]  # clips, layers, seconds, n, n
    _group: Any

    def blocks(self) -> Iterator[tuple[slice, GraphBlock]]:
        """Rows and graphs (float32) of successive chunks; `disagreement` is not stored: NaN."""
        size = self._group["A"].chunks[0]
        for start in range(0, self.shape[0], size):
            rows = slice(start, min(start + size, self.shape[0]))
            yield rows, self._read(rows)

    def clip(self, name: str) -> GraphBlock | None:
        """Graphs of one clip, as a block of one; None if the store does not have it."""
        if name not in self.about.clips:
            return None
        row = self.about.clips.index(name)
        return self._read(slice(row, row + 1))

    def _read(self, rows: slice) -> GraphBlock:
        A, prior = (np.asarray(self._group[name][rows], dtype=np.float32) for name in ("A", "A_0"))
        return GraphBlock(A, prior, np.asarray(self._group["len"][rows]), np.full(A.shape[:3], np.nan))


@contextmanager
def reading_graphs(path: Path | str) -> Iterator[GraphStore]:
    """Open a store of learned graphs; read inside the block."""
    with reading_store(path) as group:
        content: dict[str, Any] = dict(group.attrs)
        own = {name: content[name] for name in GraphClips.__dataclass_fields__ if name in content}
        numbers: dict[str, Any] = {name: np.asarray(_array(group, name)[...]) for name in ("label", "prediction")}
        yield GraphStore(GraphClips(**own, **numbers), tuple(_array(group, "A").shape), group)


def _array(group: Any, name: str) -> Any:
    return group[name]
