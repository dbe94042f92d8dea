"""Compute the feature frames of one shard, one a second (Tang et al. 2022, section 3.1).

In: signals and segments; for classification also its clips, which start off the grid of whole seconds. Out: the feature
store, with one item a segment (its whole seconds) or one item a classification clip.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import item_names
from pipeline.features._frame_store import write_frames
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.features import FeatureSettings
from pipeline.stages import command
from pipeline.store import read_table, reading_store

BLOCK_SECONDS = 3600  # an hour of 19 electrodes: 55 MB of signal, 27 MB of frames


class Settings(Section):
    """What this stage uses."""

    features: FeatureSettings
    rate_hz: float


def grid_items(segments: pd.DataFrame, rate: int) -> pd.DataFrame:
    """item, array, first (sample), seconds: one row a segment that has a whole second."""
    items = pd.DataFrame({"item": item_names(segments), "array": item_names(segments), "first": 0})
    items["seconds"] = segments["n_samples"] // rate
    return items[items["seconds"] > 0].reset_index(drop=True)


def clip_items(clips: pd.DataFrame, segments: pd.DataFrame, rate: int) -> pd.DataFrame:
    """item, array, first (sample within the segment), seconds: one row a clip."""
    starts = pd.Series(segments["start_s"].to_numpy(), index=item_names(segments))
    array = item_names(clips)
    first = np.rint(clips["start_s"] * rate) - np.rint(starts.reindex(array).to_numpy() * rate)
    return pd.DataFrame(
        {"item": clips["item"], "array": array, "first": first.astype(np.int64), "seconds": clips["length_s"]}
    )


def compute(signals: Any, items: pd.DataFrame, kind: ModuleType, settings: Settings) -> Iterator[np.ndarray]:
    """Frames (t, n, f) of each item in order, at most BLOCK_SECONDS at a time: a day of signal is never held whole."""
    rate = round(settings.rate_hz)
    for array, first, seconds in zip(items["array"], items["first"], items["seconds"], strict=True):
        stored, end = signals[array], first + seconds * rate
        for start in range(first, end, BLOCK_SECONDS * rate):
            block = stored[:, start : min(start + BLOCK_SECONDS * rate, end)]
            frames = kind.frames(block, settings.rate_hz, settings.features)
            if not np.isfinite(frames).all():
                raise command.StageError(f"{array}: frames that are no numbers; ingest the recording anew")
            yield frames


def main() -> None:
    """Read, compute, write."""
    parser = command.parser(__doc__)
    for name in ("signals", "segments", "features"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--clips", type=Path, default=None, help="one item a clip instead of one a segment")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    rate = round(settings.rate_hz)
    kind = load_plugin("features", settings.features.kind)
    segments = read_table(arguments.segments)
    grid = arguments.clips is None
    items = grid_items(segments, rate) if grid else clip_items(read_table(arguments.clips), segments, rate)
    with reading_store(arguments.signals) as signals:
        attributes: dict[str, Any] = dict(signals.attrs)
        nothing = np.zeros((len(attributes["electrodes"]), 0), dtype=np.float32)
        shape = kind.frames(nothing, settings.rate_hz, settings.features).shape[1:]
        write_frames(
            arguments.features, items["item"].tolist(), items["seconds"].tolist(),
            compute(signals, items, kind, settings), shape=shape,
        )  # fmt: skip
    log.info("%d items, %d s of %s features, %d a second and electrode", len(items), items["seconds"].sum(),
             settings.features.kind, shape[1])  # fmt: skip


if __name__ == "__main__":
    command.run(main)
