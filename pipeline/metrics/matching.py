"""The same clips in the predictions of two ways of processing the same recordings.

A switch of `compat` may move labels, shift a clip by one sample, or give and take clips. Clips are the same where the
recording, the start (to a tenth of a second) and the length agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.evaluation import Predicted

START_STEP_S = 0.1  # a first classification clip that starts one sample later (clip_start_offset) is the same clip


@dataclass(frozen=True)
class Shared:
    """Rows of the first and of the second table that are the same clips, in one order, and their names."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    names: NDArray[np.str_]
    only_first: int
    only_second: int

    def pick(self, seeds: Sequence[Predicted], *, second: bool) -> list[Predicted]:
        """The shared clips of predictions in the order of the first table, or of the second."""
        return [_rows(one, self.second if second else self.first, self.names) for one in seeds]


def shared_clips(first: pd.DataFrame, second: pd.DataFrame) -> Shared:
    """Match two tables of test clips (recording, start_s, length_s), each in the order of its predictions."""
    one, other = _names(first), _names(second)
    common, rows, others = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return Shared(rows, others, common, len(one) - len(common), len(other) - len(common))


def _names(table: pd.DataFrame) -> NDArray[np.str_]:
    start = np.rint(table["start_s"].to_numpy() / START_STEP_S).astype(np.int64)
    rows = zip(table["recording"], start, table["length_s"], strict=True)
    return np.array([f"{recording}@{step}+{length}" for recording, step, length in rows], dtype=np.str_)


def _rows(one: Predicted, rows: NDArray[np.intp], names: NDArray[np.str_]) -> Predicted:
    return replace(
        one,
        labels=one.labels[rows],
        probabilities=one.probabilities[rows],
        predicted=one.predicted[rows],
        patients=one.patients[rows],
        clips=names,
        scaled=None,
        temperature=None,
    )
