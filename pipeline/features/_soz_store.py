"""The token store of one shard, and the table that says what each of its rows is (docs/soz.md).

`tokens` (r, 32, 35) robust z, `level` (r, 32) mean log energy, `ratio` (r, 32) level of an ictal clip less that of its
baseline (NaN where there is none), `valid` (r,), `band_mask` (b, 32); attributes `clips`, `starts`, `lengths`: the rows
of each clip. Rows that are not valid, and masked bands, are 0 (`ratio`: NaN).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from pipeline.features._frame_store import whole_chunks
from pipeline.features._soz_measures import MEASURES, channel_measures
from pipeline.features._soz_montage import Montage, joined_flags, montage_of
from pipeline.features._soz_tokens import clip_tokens, energies, usable_bands, without_mains
from pipeline.settings.soz_data import SozTokens
from pipeline.store import write_table, writing_store

CHUNK_ROWS = 2048  # 9 MB of tokens
ROWS = {
    "clip": "string", "patient": "string", "recording": "string", "phase": "string", "condition": "string",
    "shift": "int64", "channel": "string", "shaft": "string", "contact": "Int64", "hemisphere": "string",
    "x_mm": "float64", "y_mm": "float64", "z_mm": "float64", "soz": "boolean", "resected": "boolean", "flags": "string",
    **dict.fromkeys(MEASURES, "float64"), "order": "int64",
}  # fmt: skip
OF_CLIP = ["clip", "patient", "recording", "phase", "condition", "shift"]


class TokenError(ValueError):
    """A signal or a setting from which no tokens can be made; the message names the recording and the remedy."""


@dataclass(frozen=True)
class Source:
    """One segment of the signal store: its lazy array (n, s), where it begins, and what its channels are."""

    array: Any
    start_s: float
    recorded_hz: float  # the lowest of its contacts: all bands that are not masked were recorded by all
    mains_hz: float
    montage: Montage


@dataclass(frozen=True)
class TokenJob:
    """How tokens are made: `length` and `margin` in samples."""

    settings: SozTokens
    rate_hz: int
    length: int
    margin: int


def sources_of(
    signals: zarr.Group, clips: pd.DataFrame, contacts: pd.DataFrame, recordings: pd.DataFrame, settings: SozTokens
) -> dict[str, Source]:
    """The segments that clips lie in, by `<recording>/<segment>`. Raises TokenError where a channel is no contact."""
    mains = recordings.drop_duplicates("recording").set_index("recording")["mains_hz"]
    made = {}
    for recording, segment in clips[["recording", "segment"]].drop_duplicates().itertuples(index=False):
        own = f"{recording}/{segment}"
        array = signals[own]
        table = contacts[contacts["recording"] == recording].drop_duplicates("channel").set_index("channel", drop=False)
        channels = [str(channel) for channel in array.attrs["channels"]]  # type: ignore[union-attr]
        if strangers := sorted(set(channels) - set(table.index)):
            raise TokenError(f"{own}: {', '.join(strangers)} is in the signals and no contact; ingest the shard anew")
        made[own] = Source(
            array=array,
            start_s=float(array.attrs["start_s"]),  # type: ignore[arg-type]
            recorded_hz=min(array.attrs["recorded_hz"]),  # type: ignore[arg-type, type-var]
            mains_hz=float(mains[recording]),
            montage=montage_of(table.loc[channels], settings.montage),
        )
    return made


def write_tokens(
    store: Path, rows: Path, clips: pd.DataFrame, sources: dict[str, Source], job: TokenJob
) -> tuple[int, int]:
    """Write both files; how many rows there are, and how many of them are valid. Memory is bounded but for the levels.

    Raises TokenError.
    """
    homes = (clips["recording"] + "/" + clips["segment"]).tolist()
    lengths = [len(sources[home].montage) for home in homes]
    total, starts = sum(lengths), np.cumsum([0, *lengths])[:-1].astype(int)
    bands, seconds = 1 << job.settings.level, job.length // (job.rate_hz * job.settings.frame_s)
    usable = np.array([_usable(sources[home], job) for home in homes]).reshape(-1, bands)
    attributes = {"clips": clips["clip"].tolist(), "starts": starts.tolist(), "lengths": lengths}
    level, valid = np.zeros((total, bands), np.float32), np.zeros(total, bool)
    tables: list[pd.DataFrame] = []
    with writing_store(store, attributes) as group:
        chunk = max(1, min(CHUNK_ROWS, total))
        stored = group.create_array(
            "tokens", shape=(total, bands, seconds), chunks=(chunk, bands, seconds), dtype="float32", compressors=None
        )
        done = 0
        for block in whole_chunks(_tokens(clips, homes, sources, job, level, valid, tables), chunk):
            stored[done : done + len(block)] = block
            done += len(block)
        ratio = baseline_ratio(clips, starts, lengths, level, valid, usable)
        for name, values in (("level", level), ("ratio", ratio), ("valid", valid), ("band_mask", usable)):
            made = group.create_array(name, shape=values.shape, chunks="auto", dtype=values.dtype, compressors=None)
            made[...] = values
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(ROWS))
        write_table(rows, table[list(ROWS)].astype(ROWS))
    return total, int(valid.sum())


def _usable(source: Source, job: TokenJob) -> np.ndarray:
    return usable_bands(source.recorded_hz, rate_hz=job.rate_hz, bands=1 << job.settings.level)


def _tokens(
    clips: pd.DataFrame,
    homes: list[str],
    sources: dict[str, Source],
    job: TokenJob,
    level: np.ndarray,
    valid: np.ndarray,
    tables: list[pd.DataFrame],
) -> Iterator[np.ndarray]:
    """Tokens (c, 32, 35) of each clip in order; fills `level`, `valid` and `tables` on the way."""
    first = 0
    entries: list[dict[str, Any]] = clips.to_dict("records")  # type: ignore[assignment]
    for clip, home in zip(entries, homes, strict=True):
        source = sources[home]
        rows = slice(first, first + len(source.montage))
        signal, live, margin = _read(clip, source, job)
        energy = energies(signal, job.settings, rate_hz=job.rate_hz, margin=margin)
        made = clip_tokens(energy, live, _usable(source, job), floor_share=job.settings.floor_share)
        level[rows], valid[rows], first = made.level, made.valid, rows.stop
        measured = dict.fromkeys(MEASURES, np.full(len(signal), np.nan))
        if clip["shift"] == 0:  # copies are for training alone
            measured = channel_measures(
                signal, energy, rate_hz=job.rate_hz, recorded_hz=source.recorded_hz, margin=margin
            )
        tables.append(_rows(clip, source.montage.channels, made.valid, measured))
        yield made.tokens


def _read(clip: dict[str, Any], source: Source, job: TokenJob) -> tuple[np.ndarray, np.ndarray, int]:
    """Channels (c, s) of a clip, which are valid, and the samples of margin at either end."""
    start, count = (round(seconds * job.rate_hz) for seconds in (clip["read_from_s"] - source.start_s, clip["read_s"]))
    margin = (count - job.length) // 2
    recorded = source.array[:, start : start + count]
    if recorded.shape[1] != count or margin not in (0, job.margin):
        raise TokenError(f"{clip['clip']}: {recorded.shape[1]} samples rather than {count}; cut the clips anew")
    signal, valid = source.montage.apply(recorded)
    if job.settings.notch:
        if not source.mains_hz > 0:
            raise TokenError(
                f"{clip['recording']}: the mains frequency is not known: set tokens.notch: false, or write "
                "PowerLineFrequency into its _ieeg.json"
            )
        signal = without_mains(signal, source.mains_hz, rate_hz=job.rate_hz)
    return signal, valid, margin


def _rows(
    clip: dict[str, Any], channels: pd.DataFrame, valid: np.ndarray, measured: dict[str, np.ndarray]
) -> pd.DataFrame:
    """The rows of one clip: what it is, what each channel is, what it measures; flat channels are flagged."""
    table = channels.assign(**{name: clip[name] for name in OF_CLIP}, **measured)
    marked = zip(channels["flags"].fillna(""), valid, strict=True)
    return table.assign(flags=[flags if ok else joined_flags(flags, "flat") for flags, ok in marked])


def baseline_ratio(
    clips: pd.DataFrame,
    starts: np.ndarray,
    lengths: list[int],
    level: np.ndarray,
    valid: np.ndarray,
    usable: np.ndarray,
) -> np.ndarray:
    """(r, 32) level of each ictal clip, copies too, less that of the pre-ictal clip of its seizure; NaN elsewhere."""
    ratio = np.full(level.shape, np.nan, np.float32)
    keys = list(zip(clips["recording"], clips["seizure"], strict=True))
    phases = clips["phase"].tolist()
    before = {key: i for i, key in enumerate(keys) if phases[i] == "pre"}
    for i, key in enumerate(keys):
        j = before.get(key)
        if phases[i] != "ictal" or j is None or lengths[i] != lengths[j]:
            continue
        own, base = (slice(starts[k], starts[k] + lengths[k]) for k in (i, j))
        known = (valid[own] & valid[base])[:, None] & usable[i]
        ratio[own] = np.where(known, level[own] - level[base], np.nan)
    return ratio
