"""Signals of a clip from the stores: the right seconds and rows, less the common average, or bipolar."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.explain.soz_signals import ClipSignals
from pipeline.store import write_table, writing_store

RATE_HZ, LENGTH_S = 64, 2
CHANNELS = ["LA1", "LA2", "B-1", "B-2", "C1"]  # names may hold a hyphen themselves


@pytest.fixture
def signals(tmp_path: Path) -> tuple[ClipSignals, np.ndarray]:
    """Two shards; the clip is in the second one, 3 s after the segment's start."""
    values = np.random.default_rng(0).standard_normal((5, 8 * RATE_HZ)).astype("float32")
    clips = []
    for shard, recording in enumerate(("P1_r0", "P2_r0")):
        with writing_store(tmp_path / f"{shard}.zarr.zip") as group:
            about = {"channels": CHANNELS, "start_s": 100.0, "recorded_hz": [512.0] * 5}
            array = group.create_array(f"{recording}/0", shape=values.shape, dtype="float32", attributes=about)
            array[...] = values * (1 if shard else 0)
        row = {"clip": f"{recording}/0@103.000", "recording": recording, "segment": "0", "start_s": 103.0}
        write_table(tmp_path / f"{shard}.parquet", pd.DataFrame([row]))
        clips.append(tmp_path / f"{shard}.parquet")
    stores = [tmp_path / f"{shard}.zarr.zip" for shard in range(2)]
    made = ClipSignals.of(stores, clips, length_s=LENGTH_S, rate_hz=RATE_HZ)
    return made, values[:, 3 * RATE_HZ : 5 * RATE_HZ].astype(np.float64)


def test_contacts_less_the_average_of_those_asked_for(signals: tuple[ClipSignals, np.ndarray]) -> None:
    store, values = signals
    own = values[[3, 0, 4]]
    own = own - own.mean(axis=1, keepdims=True)
    found = store.read("P2_r0/0@103.000", ["B-2", "LA1", "C1"])
    np.testing.assert_allclose(found, own - own.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-12)


def test_bipolar_channels(signals: tuple[ClipSignals, np.ndarray]) -> None:
    store, values = signals
    centred = values - values.mean(axis=1, keepdims=True)
    found = store.read("P2_r0/0@103.000", ["LA1-LA2", "B-1-B-2", "LA2-C1"])
    np.testing.assert_allclose(found, [centred[0] - centred[1], centred[2] - centred[3], centred[1] - centred[4]])


def test_a_channel_of_neither_kind_is_named(signals: tuple[ClipSignals, np.ndarray]) -> None:
    with pytest.raises(KeyError, match="LA9-LA2"):
        signals[0].read("P2_r0/0@103.000", ["LA9-LA2"])


def test_controls_of_a_clip(signals: tuple[ClipSignals, np.ndarray]) -> None:
    found = signals[0].controls("P2_r0/0@103.000", CHANNELS)
    assert all(weights.shape == (5, 5) and np.isfinite(weights).all() for weights in found.values())
