"""Fit the scaler of one task and length on the training patients (Tang et al. 2022, section 3.1).

In: features and clips of all training shards; under compat.mysz_split: published those of validation, too. Out: JSON
with mean, std, n_values, n_clips. Every second of every training clip counts, before any balancing; padding and seconds
that no clip uses do not.
"""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pipeline.features._frame_store import reading_frames
from pipeline.features._scaling import Moments, frame_uses, pool, used_moments
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.clips import MyoclonicSplit, Task
from pipeline.stages import command
from pipeline.store import read_table, write_json


class Settings(Section):
    """What this stage uses."""

    task: Task
    length_s: int
    mysz_split: MyoclonicSplit = "patient"  # published: shards of training and validation are given, as clips moved


def training_clips(clips: pd.DataFrame, path: Path, *, mysz_split: MyoclonicSplit) -> pd.DataFrame:
    """The clips to fit on. Raise StageError if one is not of a training patient: nothing may be fitted on it."""
    given = ["train"] if mysz_split == "patient" else ["train", "validation"]
    foreign = clips[~clips["split"].isin(given)]
    if len(foreign):
        first = foreign.iloc[0]
        raise command.StageError(
            f"{path}: {len(foreign)} clips are not of the training split, first {first['clip']} ({first['split']}); "
            "give the scaler training shards only"
        )
    return clips[clips["split"] == "train"]


def main() -> None:
    """Read, fit, write."""
    parser = command.parser(__doc__)
    for name in ("features", "clips"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--scaler", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    parts: list[Moments] = []
    n_clips = values_per_frame = 0
    for features, path in zip(arguments.features, arguments.clips, strict=True):
        clips = read_table(path, ["clip", "split", "item", "frame", "length_s"])
        clips = training_clips(clips, path, mysz_split=settings.mysz_split)
        with reading_frames(features) as store:
            parts.append(used_moments(store, frame_uses(store, clips)))
            values_per_frame = store.frames.shape[1] * store.frames.shape[2]
        n_clips += len(clips)
    if n_clips == 0:
        raise command.StageError(
            f"no training clip for {settings.task} of {settings.length_s} s in {len(arguments.clips)} shards"
        )
    scaler = pool(parts, values_per_frame=values_per_frame, n_clips=n_clips)
    write_json(arguments.scaler, asdict(scaler))
    log.info("mean %.6f, std %.6f over %d clips", scaler.mean, scaler.std, n_clips)


if __name__ == "__main__":
    command.run(main)
