"""Clips of chosen patients from the token stores, in memory, and batches of them (spec soz.md, sections 2 and 3).

Nothing of a patient that was not asked for is read from a store. What a channel holds that cannot be used (flat, not
finite) is left out; bands above a recording's Nyquist frequency are 0 and masked.

Axes: r row (one channel of one clip), b clip, c channel, padded to the most of the batch.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.models.soz import BANDS, FRAMES, SozInputs
from pipeline.sealing import DamagedFile
from pipeline.store import read_table, reading_store
from pipeline.training.soz_folds import strict_soz
from pipeline.training.soz_losses import UNKNOWN

PHASES = ("interictal", "pre", "ictal")  # in the model's order
CLIP_COLUMNS = ["clip", "patient", "recording", "phase", "condition", "shift"]
ROW_COLUMNS = [*CLIP_COLUMNS, "channel", "x_mm", "y_mm", "z_mm", "soz", "resected"]


@dataclass(frozen=True)
class SozScaler:
    """Mean and standard deviation (32,) of level and ratio over channels of training patients; missing ratios apart."""

    level_mean: tuple[float, ...]
    level_std: tuple[float, ...]
    ratio_mean: tuple[float, ...]
    ratio_std: tuple[float, ...]
    n_rows: int
    n_ratios: int

    def to_json(self) -> dict[str, Any]:
        """For the card."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(content: dict[str, Any]) -> "SozScaler":
        """Back from the card."""
        told: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
        return SozScaler(**told)


@dataclass(frozen=True)
class SozData:
    """Clips and their rows. `clips`: CLIP_COLUMNS, base (the unshifted clip), start and length among the rows;
    `rows`: ROW_COLUMNS. tokens (r, 32, 35), level and ratio (r, 32), band_mask (b, 32), labels (r,) 0, 1 or UNKNOWN."""

    clips: pd.DataFrame
    rows: pd.DataFrame
    tokens: NDArray[np.float32]
    level: NDArray[np.float32]
    ratio: NDArray[np.float32]
    band_mask: NDArray[np.bool_]
    labels: NDArray[np.int64]

    def digest(self) -> str:
        """Of all that a training can see of these clips."""
        found = hashlib.blake2b(digest_size=16)
        for array in (self.tokens, self.level, self.ratio, self.band_mask, self.labels):
            found.update(array.reshape(-1).view(np.uint8).data)
        found.update(self.rows[ROW_COLUMNS].to_csv(index=False).encode())
        return found.hexdigest()

    def select(
        self, patients: Collection[str], *, conditions: str = "both", shifted: bool = False, scored: bool = False
    ) -> NDArray[np.int64]:
        """Numbers of the clips of these patients and conditions; `scored`: those that a contact is judged by, which
        pre-ictal ones are not."""
        clips = self.clips
        keep = np.array(clips["patient"].isin(list(patients)))
        if conditions != "both":
            keep &= (clips["condition"] == conditions).to_numpy()
        if not shifted:
            keep &= (clips["shift"] == 0).to_numpy()
        if scored:
            keep &= (clips["phase"] != "pre").to_numpy()
        return np.flatnonzero(keep).astype(np.int64)


class SozBatches:
    """The clips of `data`, standardised and on a device, by the batch."""

    def __init__(self, data: SozData, scaler: SozScaler, device: torch.device) -> None:
        usable = np.repeat(data.band_mask, data.clips["length"], axis=0)
        level = _scaled(data.level, scaler.level_mean, scaler.level_std, usable)
        ratio = _scaled(data.ratio, scaler.ratio_mean, scaler.ratio_std, usable & np.isfinite(data.ratio))
        xyz = data.rows[["x_mm", "y_mm", "z_mm"]].to_numpy(np.float32, na_value=np.nan)
        self.data, self.device = data, device
        self.starts, self.lengths = data.clips["start"].to_numpy(), data.clips["length"].to_numpy()
        self.tokens, self.labels = torch.from_numpy(data.tokens).to(device), torch.from_numpy(data.labels).to(device)
        self.stats = torch.from_numpy(np.concatenate([level, ratio], axis=1)).to(device)  # missing ratio: 0, the mean
        self.xyz = torch.from_numpy(np.nan_to_num(xyz)).to(device)
        self.has_xyz = torch.from_numpy(np.isfinite(xyz).all(axis=1)).to(device)
        self.band_mask = torch.from_numpy(data.band_mask).to(device)
        self.phase = torch.tensor([PHASES.index(phase) for phase in data.clips["phase"]], device=device)

    def batch(self, chosen: NDArray[np.integer]) -> tuple[SozInputs, Tensor]:
        """The clips `chosen` (numbers of rows of `clips`), and labels (b, c), UNKNOWN where a channel is padding."""
        numbers = torch.as_tensor(np.asarray(chosen), device=self.device)
        lengths = torch.as_tensor(self.lengths[chosen], device=self.device)
        valid = torch.arange(int(self.lengths[chosen].max()), device=self.device)[None] < lengths[:, None]
        inputs = SozInputs(
            tokens=self._padded(self.tokens, chosen),
            stats=self._padded(self.stats, chosen),
            valid=valid,
            band_mask=self.band_mask[numbers],
            phase=self.phase[numbers],
            xyz=self._padded(self.xyz, chosen),
            has_xyz=self._padded(self.has_xyz, chosen),
        )
        return inputs, self._padded(self.labels, chosen, UNKNOWN)

    def _padded(self, values: Tensor, chosen: NDArray[np.integer], fill: int = 0) -> Tensor:
        """(b, c, …) of rows (r, …)."""
        out = values.new_full((len(chosen), int(self.lengths[chosen].max()), *values.shape[1:]), fill)
        for place, number in enumerate(chosen):
            start, length = self.starts[number], self.lengths[number]
            out[place, :length] = values[start : start + length]
        return out


def load_clips(
    tokens: Sequence[Path],
    rows: Sequence[Path],
    *,
    patients: Collection[str],
    labels: str,
    shifted: bool,
    pre_ictal: bool = True,
) -> SozData:
    """All clips of these patients from the shards' stores and tables of rows, sorted by patient and clip.

    `labels`: `soz`, or `strict` (SOZ and resected). `shifted`, `pre_ictal`: whether those clips are wanted, too.
    """

    def wanted(fact: dict[Any, Any]) -> bool:
        return fact["patient"] in own and (shifted or not fact["shift"]) and (pre_ictal or fact["phase"] != "pre")

    own = frozenset(patients)
    found = [clip for pair in zip(tokens, rows, strict=True) for clip in _shard(*pair, wanted)]
    found.sort(key=lambda clip: (clip.facts["patient"], clip.facts["clip"]))
    lengths = np.array([len(clip.rows) for clip in found], np.int64)
    clips = pd.DataFrame([clip.facts for clip in found], columns=CLIP_COLUMNS)
    clips = clips.assign(base=clips["clip"].str.split("#").str[0], length=lengths, start=np.cumsum(lengths) - lengths)
    table = pd.concat([clip.rows for clip in found], ignore_index=True) if found else pd.DataFrame(columns=ROW_COLUMNS)
    mask = np.array([clip.band_mask for clip in found], bool).reshape(len(found), BANDS)
    n = int(lengths.sum())
    data = SozData(
        clips=clips,
        rows=table,
        tokens=np.zeros((n, BANDS, FRAMES), np.float32),
        level=np.zeros((n, BANDS), np.float32),
        ratio=np.full((n, BANDS), np.nan, np.float32),
        band_mask=mask,
        labels=label_numbers(table, labels),
    )
    _fill(data, found)
    return data


def label_numbers(table: pd.DataFrame, labels: str) -> NDArray[np.int64]:
    """1 positive, 0 negative, UNKNOWN: of a table with `soz` and `resected`, under labels `soz` or `strict`."""
    known = strict_soz(table) if labels == "strict" else table["soz"].astype("boolean")
    return np.array(known.astype("Int64").fillna(UNKNOWN), np.int64)


def fit_scaler(data: SozData, patients: Collection[str]) -> SozScaler:
    """Statistics over the unshifted clips of these patients, band by band, where the recording has the band."""
    clips = np.isin(data.clips["patient"], list(patients)) & (data.clips["shift"] == 0).to_numpy()
    rows = np.repeat(clips, data.clips["length"])
    usable = np.repeat(data.band_mask, data.clips["length"], axis=0)[rows]
    level, ratio = data.level[rows], data.ratio[rows]
    known = usable & np.isfinite(ratio)
    return SozScaler(*_moments(level, usable), *_moments(ratio, known), int(rows.sum()), int(known.any(axis=1).sum()))


def _moments(values: NDArray[np.float32], known: NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each band where it is known; 0 and 1 of a band that is not, or that does not vary."""
    n = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / n
    std = np.sqrt((np.where(known, filled - mean, 0.0) ** 2).sum(axis=0) / n)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def _scaled(
    values: NDArray[np.float32], mean: tuple[float, ...], std: tuple[float, ...], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    scaled = (np.nan_to_num(values) - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.where(known, scaled, np.float32(0))


@dataclass(frozen=True)
class _Clip:
    """One clip of a store: which of its rows are usable, and what is known of them."""

    store: Path
    start: int  # of its rows in the store
    valid: NDArray[np.bool_]
    facts: dict[Any, Any]
    rows: pd.DataFrame
    band_mask: NDArray[np.bool_]


def _shard(store: Path, rows: Path, wanted: Callable[[dict[Any, Any]], bool]) -> Iterator[_Clip]:
    """The wanted clips of one shard that have a usable row."""
    table = read_table(rows)
    with reading_store(store) as group:
        attributes: dict[str, Any] = dict(group.attrs)
        names, starts, lengths = (attributes[name] for name in ("clips", "starts", "lengths"))
        shape = tuple(getattr(group["tokens"], "shape", ()))
        if shape != (len(table), BANDS, FRAMES) or sum(lengths) != len(table):
            raise DamagedFile(store, f"tokens {shape} do not fit the {len(table)} rows of {rows.name}", sealed=True)
        valid, band_mask = (np.asarray(group[name], bool) for name in ("valid", "band_mask"))
    first: list[dict[Any, Any]] = table.drop_duplicates("clip")[CLIP_COLUMNS].to_dict("records")
    facts = {row["clip"]: row for row in first}
    for place, name in enumerate(names):
        fact, span = facts.get(name), slice(starts[place], starts[place] + lengths[place])
        if fact is not None and wanted(fact) and valid[span].any():
            own = table.iloc[span].loc[valid[span], ROW_COLUMNS]
            yield _Clip(store, span.start, valid[span], fact, own, band_mask[place])


def _fill(data: SozData, found: Sequence[_Clip]) -> None:
    """Read the rows of the clips into the arrays of `data`: each chunk of a store that holds some of them, once."""
    usable = np.repeat(data.band_mask, data.clips["length"], axis=0)
    for store in sorted({clip.store for clip in found}):
        with reading_store(store) as group:
            arrays: dict[str, Any] = dict(group.arrays())
            homes = _homes(data, [clip for clip in found if clip.store == store], arrays["valid"].shape[0])
            for name, empty in (("tokens", 0.0), ("level", 0.0), ("ratio", np.nan)):
                into, array = getattr(data, name), arrays[name]
                for start in range(0, len(homes), array.chunks[0]):
                    block = slice(start, start + array.chunks[0])
                    wanted = homes[block] >= 0
                    if wanted.any():
                        rows = homes[block][wanted]
                        known = usable[rows][..., None] if name == "tokens" else usable[rows]
                        into[rows] = np.where(known, np.asarray(array[block])[wanted], np.float32(empty))


def _homes(data: SozData, found: Sequence[_Clip], n_rows: int) -> NDArray[np.int64]:
    """For each row of a store, the row of `data` that it becomes; -1: none."""
    starts = dict(zip(data.clips["clip"], data.clips["start"], strict=True))
    homes = np.full(n_rows, -1, np.int64)
    for clip in found:
        first = starts[clip.facts["clip"]]
        homes[clip.start + np.flatnonzero(clip.valid)] = np.arange(first, first + clip.valid.sum())
    return homes
