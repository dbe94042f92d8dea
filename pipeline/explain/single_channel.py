"""What a single channel can do without a model: its line length in each clip (spec simulator.md, guard G2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import auroc
from pipeline.store import reading_store


def clip_line_lengths(path: Path, clips: pd.DataFrame, rates: pd.Series) -> NDArray[np.float64]:
    """(clips, n) mean |x[s] - x[s-1]| in µV of the clips of one shard's signal store; `rates` (Hz) by item.

    Clips lie on the whole-second grid: `frame` counts seconds from the start of `item`.
    """
    found: list[NDArray[np.float64]] = []
    with reading_store(path) as group:
        for item, own in clips.groupby("item", sort=False):
            stored: Any = group[str(item)]
            signal = np.asarray(stored[...], dtype=np.float64)
            rate = int(rates[str(item)])
            starts = own["frame"].to_numpy(dtype=np.int64) * rate
            samples = own["length_s"].to_numpy(dtype=np.int64) * rate
            found += [_line_length(signal[:, a : a + size]) for a, size in zip(starts, samples, strict=True)]
    order = np.concatenate([np.asarray(rows) for rows in clips.groupby("item", sort=False).indices.values()])
    table = np.empty((len(clips), len(found[0]) if found else 0))
    for row, values in zip(order, found, strict=True):
        table[row] = values
    return table


def _line_length(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) of samples (n, s)."""
    return np.abs(np.diff(samples, axis=1)).mean(axis=1)


def best_channel(values: NDArray[np.float64], labels: NDArray[np.int64]) -> int:
    """The channel of values (clips, n) whose line length tells seizure clips best (AUROC); 0 where none can be told."""
    ones = np.ones((1, len(labels)))
    areas: Sequence[float] = [float(auroc(labels == 1, column, ones)[0]) for column in values.T]
    return int(np.nanargmax(areas)) if np.isfinite(areas).any() else 0
