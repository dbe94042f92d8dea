"""The feature store and the scaler fitted on it."""

import numpy as np
import pandas as pd
import pytest

from pipeline.features._frame_store import CHUNK_SECONDS, reading_frames, write_frames
from pipeline.features._scaling import frame_uses, pool, used_moments


def items_of(lengths, n=3, f=4, seed=0, centre=4.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, 1.5, (length, n, f)).astype(np.float32) for length in lengths]


def store_of(path, lengths, **options):
    arrays = items_of(lengths, **options)
    names = [f"r{k}/0" for k in range(len(lengths))]
    write_frames(path, names, lengths, arrays, shape=arrays[0].shape[1:] if arrays else (3, 4))
    return names, arrays


@pytest.mark.parametrize("lengths", [[5], [1, 7, 2], [CHUNK_SECONDS - 1, 3, CHUNK_SECONDS, 2 * CHUNK_SECONDS + 9, 1]])
def test_what_is_written_is_read(tmp_path, lengths):
    names, arrays = store_of(tmp_path / "a.zarr.zip", lengths)
    with reading_frames(tmp_path / "a.zarr.zip") as store:
        np.testing.assert_array_equal(store.frames[...], np.concatenate(arrays))
        np.testing.assert_array_equal(np.concatenate([block for _, block in store.blocks()]), np.concatenate(arrays))
        assert store.items == tuple(names)
        rows = store.rows(pd.Series(names), pd.Series([length - 1 for length in lengths]))
        for row, array in zip(rows, arrays, strict=True):
            np.testing.assert_array_equal(store.frames[int(row)], array[-1])


def test_blocks_of_any_size_give_the_same_store(tmp_path):
    arrays = items_of([CHUNK_SECONDS + 40, 60])
    pieces = [piece for array in arrays for piece in np.array_split(array, 7)]
    for name, parts in (("whole", arrays), ("pieces", pieces)):
        write_frames(tmp_path / f"{name}.zarr.zip", ["a", "b"], [len(a) for a in arrays], parts, shape=(3, 4))
    assert (tmp_path / "whole.zarr.zip").read_bytes() == (tmp_path / "pieces.zarr.zip").read_bytes()


def test_an_empty_shard_and_an_unknown_item(tmp_path):
    write_frames(tmp_path / "e.zarr.zip", [], [], [], shape=(3, 4))
    with reading_frames(tmp_path / "e.zarr.zip") as store:
        assert store.frames.shape == (0, 3, 4)
        assert list(store.blocks()) == []
        with pytest.raises(KeyError, match="r9/0"):
            store.rows(pd.Series(["r9/0"]), pd.Series([0]))


def test_too_few_frames_are_an_error_and_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="5 frames for items of 6 s"):
        write_frames(tmp_path / "a.zarr.zip", ["a"], [6], items_of([5]), shape=(3, 4))
    assert not (tmp_path / "a.zarr.zip").exists()


def scaler_of(folder, shards):
    """The streamed scaler, and the values that should have gone in (with repetition)."""
    parts, values = [], []
    for k, (lengths, clips) in enumerate(shards):
        path = folder / f"{k}.zarr.zip"
        names, arrays = store_of(path, lengths, seed=k, centre=4.0 + 3 * k)
        table = pd.DataFrame(
            [(names[item], frame, length) for item, frame, length in clips], columns=["item", "frame", "length_s"]
        )
        with reading_frames(path) as store:
            parts.append(used_moments(store, frame_uses(store, table)))
        values += [arrays[item][frame : frame + length].ravel() for item, frame, length in clips]
    n_clips = sum(len(clips) for _, clips in shards)
    return pool(parts, values_per_frame=12, n_clips=n_clips), np.concatenate(values).astype(np.float64)


def test_scaler_equals_numpy_on_the_whole(tmp_path):
    """Two shards of different level; seconds that no clip uses (the short rests) and an empty shard do not count."""
    shards = [
        ([2000, 50], [(0, 12 * k, 12) for k in range(160)] + [(1, 0, 12), (1, 36, 12)]),
        ([61], [(0, 12, 12)]),
        ([30], []),
    ]
    scaler, values = scaler_of(tmp_path, shards)
    assert scaler.mean == pytest.approx(values.mean(), rel=1e-12)
    assert scaler.std == pytest.approx(values.std(), rel=1e-12)
    assert (scaler.n_values, scaler.n_clips) == (values.size, 163)


def test_a_frame_used_twice_counts_twice(tmp_path):
    scaler, values = scaler_of(tmp_path, [([40], [(0, 0, 12), (0, 6, 12), (0, 11, 3)])])
    assert scaler.mean == pytest.approx(values.mean(), rel=1e-12)
    assert scaler.std == pytest.approx(values.std(), rel=1e-12)


def test_a_large_offset_costs_no_digits(tmp_path):
    """Sum of squares minus square of sums in float32 would be off by orders of magnitude here."""
    path = tmp_path / "far.zarr.zip"
    array = (1e4 + np.random.default_rng(0).normal(0, 1, (500, 3, 4))).astype(np.float32)
    write_frames(path, ["a"], [500], [array], shape=(3, 4))
    with reading_frames(path) as store:
        scaler = pool([used_moments(store, np.ones(500, dtype=int))], values_per_frame=12, n_clips=1)
    assert scaler.std == pytest.approx(array.astype(np.float64).std(), rel=1e-9)
