"""Frames read by a thread while the batches before them are used.

Batches are read in groups: the rows of a group are each read once, in the order in which they lie in the files, however
the clips are shuffled. Two groups are in memory at a time, the one in use and the next one. The first group is small,
so that the first batch is soon there, and each is twice the one before until two fill the memory they may take.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from pipeline.settings.base import SettingsError
from pipeline.training.frames import Frames, Held, row_bytes

FIRST = 16  # the first group takes this part of a whole one
GB = 1e9
P = TypeVar("P", bound=tuple[np.ndarray, object])
Spans = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def read_ahead(
    frames: Frames, parts: Sequence[P], *, spans: Spans, most_bytes: int
) -> Iterator[tuple[Sequence[P], Held]]:
    """Groups of `parts`, in their order, with the frames of each; `spans` says which rows a part's clips have.

    Raises SettingsError where two batches take more than `most_bytes`.
    """
    sizes = [int(spans(rows)[1].sum()) * row_bytes(frames) for rows, *_ in parts]
    groups = grouped(sizes, most_bytes // 2)

    def held(group: slice) -> Held:
        firsts, lengths = zip(*(spans(rows) for rows, *_ in parts[group]), strict=True)
        return frames.hold(np.concatenate(firsts), np.concatenate(lengths))

    with ThreadPoolExecutor(1, "read-ahead") as thread:
        coming = [thread.submit(held, group) for group in groups[:1]]
        for k, group in enumerate(groups):
            now = coming.pop().result()
            coming = [thread.submit(held, following) for following in groups[k + 1 : k + 2]]
            yield parts[group], now
            del now  # before the next one is taken: never three of them


def grouped(sizes: Sequence[int], most: int) -> list[slice]:
    """Slices that follow one another, each of a sum of `sizes` of at most `most`, the first ones smaller.

    Raises SettingsError if one size alone is above `most`.
    """
    if sizes and max(sizes) > most:
        raise SettingsError(
            f"device.memory_gb leaves {2 * most / GB:.3g} GB for frames, two batches take {2 * max(sizes) / GB:.3g}; "
            "raise it, or lower training.<task>.<length>.batch and batch_evaluation"
        )
    groups, start, total, limit = [], 0, 0, max(most // FIRST, max(sizes, default=0))
    for k, size in enumerate(sizes):
        if total + size > limit:
            groups.append(slice(start, k))
            start, total, limit = k, 0, min(most, 2 * limit)
        total += size
    return [*groups, slice(start, len(sizes))] if sizes else []
