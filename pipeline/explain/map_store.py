"""The store of one seed's occlusion maps (docs/architecture.md, Occlusion)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.store import reading_store, writing_store


@dataclass(frozen=True)
class OcclusionMaps:
    """drop (clip, n, t) and logit (clip,) float32; `target` the class whose logit was watched, per clip."""

    drop: NDArray[np.float32]
    logit: NDArray[np.float32]
    clips: list[str]
    target: list[int]
    electrodes: list[str]
    seed: int  # of the model's training


def write_maps(path: Path | str, maps: OcclusionMaps) -> None:
    """Write the store; it may hold no clip."""
    attributes = {"clips": maps.clips, "electrodes": maps.electrodes, "target": maps.target, "seed": maps.seed}
    with writing_store(path, attributes) as group:
        for name, values in (("drop", maps.drop), ("logit", maps.logit)):
            chunks = tuple(max(1, size) for size in values.shape)
            array = group.create_array(name, shape=values.shape, chunks=chunks, dtype="float32", compressors=None)
            if values.size:
                array[...] = values


def read_maps(path: Path | str) -> OcclusionMaps:
    """Read the whole store into memory (60-s maps of 1,000 clips: 5 MB)."""
    with reading_store(path) as group:
        content: dict[str, Any] = dict(group.attrs)
        arrays = {name: np.asarray(array[...]) for name, array in group.arrays()}
    return OcclusionMaps(
        arrays["drop"],
        arrays["logit"],
        list(content["clips"]),
        list(content["target"]),
        list(content["electrodes"]),
        int(content["seed"]),
    )
