"""The correlation graph of every clip of one shard (Tang et al. 2022, section 2.2.2).

In: the shard's features and clips (and the scaler, if the graph is made of standardised features). Out: a store with
`weights` (clip, n, n) float32 in the order of the clips table, and the names of the clips.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.features._frame_store import FrameStore, reading_frames
from pipeline.graphs.correlation import correlation_weights
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.features import GraphSettings
from pipeline.stages import command
from pipeline.store import read_json, read_table, writing_store

BLOCK_SECONDS = 2048  # frames of one block of clips: 16 MB of float32


class Settings(Section):
    """What this stage uses."""

    graphs: GraphSettings


def clip_blocks(store: FrameStore, clips: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places in the table, frames (b, t, n, f)) of blocks of clips of equal length, in the order of the store."""
    rows, lengths = store.rows(clips["item"], clips["frame"]), clips["length_s"].to_numpy()
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        alike = alike[np.argsort(rows[alike], kind="stable")]
        size = max(1, BLOCK_SECONDS // int(length))
        for start in range(0, len(alike), size):
            places = alike[start : start + size]
            low, high = rows[places[0]], rows[places[-1]] + length
            frames = store.frames[low:high]
            yield places, frames[(rows[places] - low)[:, None] + np.arange(length)]


def main() -> None:
    """Read, compute, write."""
    parser = command.parser(__doc__)
    for name in ("features", "clips", "graphs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--scaler", type=Path, default=None, help="only for correlation_input: standardised")
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings).graphs
    if settings.correlation_input == "standardised" and arguments.scaler is None:
        raise command.StageError("graphs.correlation_input: standardised needs --scaler, the training clips' scaler")
    mean = None if arguments.scaler is None else read_json(arguments.scaler)["mean"]
    clips = read_table(arguments.clips)
    with reading_frames(arguments.features) as store:
        n = store.frames.shape[1]
        weights = np.zeros((len(clips), n, n), dtype=np.float32)
        for places, frames in clip_blocks(store, clips):
            weights[places] = correlation_weights(frames, settings, training_mean=mean)
    with writing_store(arguments.graphs, {"clips": clips["clip"].tolist()}) as group:
        chunks = (max(1, min(4096, len(clips))), n, n)
        stored = group.create_array("weights", shape=weights.shape, chunks=chunks, dtype="float32", compressors=None)
        stored[...] = weights
    log.info("%d graphs, %g edges each", len(weights), settings.top_neighbours * n)


if __name__ == "__main__":
    command.run(main)
