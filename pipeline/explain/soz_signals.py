"""Dependence between the signals of a clip's contacts, from the signal stores (spec soz.md, section 6, controls)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.soz_attention import Floats
from pipeline.explain.soz_controls import signal_controls
from pipeline.store import read_table, reading_store


@dataclass(frozen=True)
class ClipSignals:
    """Where the signal of each clip lies. `clips`: the clips tables with the column `store`, by clip."""

    clips: pd.DataFrame
    length_s: int
    rate_hz: int

    @staticmethod
    def of(stores: Sequence[Path], clips: Sequence[Path], *, length_s: int, rate_hz: int) -> "ClipSignals":
        """From the shards' signal stores and clips tables, in one order."""
        tables = [read_table(path).assign(store=str(store)) for store, path in zip(stores, clips, strict=True)]
        table = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
        return ClipSignals(table.drop_duplicates("clip").set_index("clip"), length_s, rate_hz)

    def controls(self, clip: str, channels: Sequence[str]) -> dict[str, Floats]:
        """Weights (c, c) by name of all dependences between channels of a clip."""
        return signal_controls(self.read(clip, channels), self.rate_hz)

    def read(self, clip: str, channels: Sequence[str]) -> Floats:
        """(c, s) without their means: contacts less the average of all asked for, or a bipolar channel `A-B`.

        A common reference would make every contact depend on every other, so it goes, whatever the tokens' montage.
        """
        about = self.clips.loc[clip]
        with reading_store(str(about["store"])) as group:
            array: Any = group[f"{about['recording']}/{about['segment']}"]
            first = round((about["start_s"] - float(array.attrs["start_s"])) * self.rate_hz)
            signal = np.asarray(array[:, first : first + round(self.length_s * self.rate_hz)], np.float64)
            rows = {str(name): row for row, name in enumerate(array.attrs["channels"])}
        signal -= signal.mean(axis=1, keepdims=True)
        if set(channels) <= rows.keys():
            own: Floats = signal[[rows[name] for name in channels]]
            return own - own.mean(axis=0)
        pairs = [_ends(name, rows) for name in channels]
        return signal[[plus for plus, _ in pairs]] - signal[[minus for _, minus in pairs]]


def _ends(name: str, rows: dict[str, int]) -> tuple[int, int]:
    """Rows of the contacts A and B of a bipolar channel `A-B`; a contact's name may hold a hyphen itself."""
    cuts = [place for place, letter in enumerate(name) if letter == "-"]
    found = ((rows.get(name[:cut]), rows.get(name[cut + 1 :])) for cut in cuts)
    for plus, minus in found:
        if plus is not None and minus is not None:
            return plus, minus
    raise KeyError(f"{name} is no contact and no pair of contacts of the signal store")
