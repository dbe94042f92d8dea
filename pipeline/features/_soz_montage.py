"""What a channel of the SOZ models is: a contact less the average of its clip, less its neighbour, or as recorded.

(Spec soz.md, section 2.) The average is over good contacts that are not flat in this clip; a flat one would only
weaken it, and would no longer look flat. Where fewer than two are left nothing is subtracted.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

FLAT_SHARE = 1e-5  # of the largest amplitude: less than a step of 16 bits, more than a resampled constant is rounded by
LABELS = ["soz", "resected"]
PLACE = ["x_mm", "y_mm", "z_mm"]
COLUMNS = ["channel", "shaft", "contact", "hemisphere", *PLACE, *LABELS, "flags", "order"]


@dataclass(frozen=True)
class Montage:
    """Channels of one recording, made of the rows of its signal. `channels`: a table with COLUMNS, one row a channel.

    `plus`, `minus`: rows of the signal whose difference a bipolar channel is; `good`: which rows the average is over.
    """

    kind: Literal["average", "bipolar", "recorded"]
    channels: pd.DataFrame
    good: np.ndarray
    plus: np.ndarray
    minus: np.ndarray

    def __len__(self) -> int:
        return len(self.channels)

    def apply(self, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Channels (c, s) float32 without their means, and which are valid (c,), of contacts (n, s) as recorded.

        Not valid: flat or not finite, as recorded or once subtracted.
        """
        largest = np.abs(signal).max(axis=1)
        live = ~flat_rows(signal) & np.isfinite(largest)
        centred = signal - signal.mean(axis=1, keepdims=True)
        if self.kind == "bipolar":
            made = centred[self.plus] - centred[self.minus]
            valid, largest = live[self.plus] & live[self.minus], np.maximum(largest[self.plus], largest[self.minus])
        else:
            made, valid = centred, live
            reference = live & self.good
            if self.kind == "average" and reference.sum() > 1:
                made = centred - centred[reference].mean(axis=0)
        return made, valid & (np.ptp(made, axis=1) > FLAT_SHARE * largest)


def flat_rows(signal: np.ndarray) -> np.ndarray:
    """Which rows (n,) of a signal (n, s) do not move; in any unit, and whatever their offset."""
    return np.ptp(signal, axis=1) <= FLAT_SHARE * np.abs(signal).max(axis=1)


def montage_of(contacts: pd.DataFrame, kind: Literal["average", "bipolar", "recorded"]) -> Montage:
    """The montage of one recording; `contacts` are the rows of its signal, in that order."""
    rows = np.arange(len(contacts))
    good = contacts["good"].to_numpy(dtype=bool)
    if kind != "bipolar":
        return Montage(kind, contacts[COLUMNS].reset_index(drop=True), good, rows, rows)
    plus, minus = _neighbours(contacts)
    return Montage(kind, _pairs(contacts.iloc[plus], contacts.iloc[minus]), good, plus, minus)


def _neighbours(contacts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of contacts that follow each other on one shaft: their numbers differ by one. Others are left out."""
    table = contacts[["hemisphere", "shaft", "contact"]].reset_index(drop=True)
    table = table[table["contact"].notna() & (table["shaft"].fillna("") != "")]
    after = table.assign(contact=table["contact"] - 1, row=table.index)
    pairs = table.assign(row=table.index).merge(after, on=["hemisphere", "shaft", "contact"], suffixes=("", "_next"))
    return pairs["row"].to_numpy(dtype=np.int64), pairs["row_next"].to_numpy(dtype=np.int64)


def _pairs(plus: pd.DataFrame, minus: pd.DataFrame) -> pd.DataFrame:
    """The table of bipolar channels: `A-B`, in the middle of both; SOZ or resected if either is."""
    plus, minus = plus.reset_index(drop=True), minus.reset_index(drop=True)
    made = plus[COLUMNS].copy()
    made["channel"] = plus["channel"].astype("string") + "-" + minus["channel"].astype("string")
    made[PLACE] = (plus[PLACE] + minus[PLACE]) / 2
    for label in LABELS:
        made[label] = plus[label].astype("boolean") | minus[label].astype("boolean")  # unknown | True is True
    both = zip(plus["flags"], minus["flags"], strict=True)
    made["flags"] = [joined_flags(*pair) for pair in both]
    return made


def joined_flags(*flags: str) -> str:
    """Comma lists of check names as one, each name once."""
    return ",".join(sorted({name for text in flags for name in text.split(",") if name}))
