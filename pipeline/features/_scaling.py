"""One mean and one standard deviation over all frames that training clips use (Tang et al. 2022, section 3.1).

Streamed block by block in float64: the moments of each frame first, then of all frames together, so that neither
memory nor rounding grows with the corpus. Padding is no frame and never counts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.features._frame_store import FrameStore


@dataclass(frozen=True)
class Moments:
    """Frames counted so far: how often each is used, its mean and its variance, all (t,) float64."""

    uses: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class Scaler:
    """z = (f - mean) / std; `n_values` features of `n_clips` clips went in."""

    mean: float
    std: float
    n_values: int
    n_clips: int


def frame_uses(store: FrameStore, clips: pd.DataFrame) -> np.ndarray:
    """(t,) int64: by how many `clips` each row of the store is used; `length_s` frames from (item, frame) on."""
    first = store.rows(clips["item"], clips["frame"])
    edges = np.zeros(store.frames.shape[0] + 1, dtype=np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, first + clips["length_s"].to_numpy(dtype=np.int64), -1)
    return np.cumsum(edges[:-1])


def used_moments(store: FrameStore, uses: np.ndarray) -> Moments:
    """Moments of the frames of one store that some clip uses."""
    parts: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0))]
    for start, block in store.blocks():
        used = block[uses[start : start + len(block)] > 0]
        parts.append((used.mean(axis=(1, 2), dtype=np.float64), used.var(axis=(1, 2), dtype=np.float64)))
    mean, variance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Moments(uses[uses > 0].astype(np.float64), mean, variance)


def pool(parts: list[Moments], *, values_per_frame: int, n_clips: int) -> Scaler:
    """The scaler over all frames of all stores: population standard deviation, as numpy's on the whole."""
    uses = np.concatenate([part.uses for part in parts])
    mean = np.concatenate([part.mean for part in parts])
    variance = np.concatenate([part.variance for part in parts])
    total = uses.sum()
    centre = (uses * mean).sum() / total
    spread = np.sqrt((uses * (variance + (mean - centre) ** 2)).sum() / total)
    return Scaler(float(centre), float(spread), int(total) * values_per_frame, n_clips)
