"""Frames read from their stores: the same rows, batches and trained models, to the bit, within the memory allowed."""

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_files import MEAN, STD, F, Files, N, fit_settings, make_files

from pipeline.features import _frame_rows, _frame_store
from pipeline.features._frame_rows import FrameRows
from pipeline.features._frame_store import reading_frames, write_frames
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, reading_store, writing_store
from pipeline.training import augment
from pipeline.training.clip_data import GB, Batch, ClipData, Part, load_clips
from pipeline.training.frames import Held, Resident, Scaler, Streamed, merged, resident_frames, streamed_frames
from pipeline.training.read_ahead import grouped

ROW_BYTES = 4 * N * F
CPU = torch.device("cpu")
LIMIT_GB = 60_000 / GB  # of the 290 kB that the three shards take


@pytest.fixture(scope="module", params=["detection", "classification", "pretraining"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Files]:
    return request.param, make_files(tmp_path_factory.mktemp(request.param), request.param, clips_per_shard=32)


def load(task: str, files: Files, graph: str, memory_gb: float | None, **changes: Any) -> ClipData:
    settings = FitSettings.model_validate(fit_settings(task, graph, **changes))
    job: dict[str, Any] = files.job(slice(0, 3), graph) | {"scaler": read_json(files.scaler)}
    return load_clips(**job, settings=settings, device=CPU, memory_gb=memory_gb)


def parts_of(data: ClipData, *, size: int = 8, drawn: bool = True) -> list[Part]:
    """All clips in a random order, in batches."""
    rng = np.random.default_rng(3)
    order = rng.permutation(len(data.table))
    draws = augment.draw(len(order), data.settings.augment, rng)
    slices = [slice(start, start + size) for start in range(0, len(order), size)]
    return [(order[one], draws[one] if drawn else None) for one in slices]


def assert_same(ours: Batch, expected: Batch) -> None:
    for name in ("x", "lengths", "supports", "target"):
        assert torch.equal(getattr(ours, name), getattr(expected, name)), name


@pytest.mark.parametrize("drawn", [True, False])
def test_batches_are_those_of_frames_in_memory(made: tuple[str, Files], drawn: bool) -> None:
    task, files = made
    whole, streamed = (load(task, files, "distance", limit) for limit in (None, LIMIT_GB))
    assert isinstance(whole.frames, Resident)
    assert isinstance(streamed.frames, Streamed)
    assert streamed.frames.shape == whole.frames.shape
    parts = parts_of(whole, drawn=drawn)
    for ours, expected in zip(streamed.batches(parts), whole.batches(parts), strict=True):
        assert_same(ours, expected)
    assert_same(streamed.batch(*parts[3]), whole.batch(*parts[3]))


def test_a_graph_of_each_clip_counts_towards_the_memory(made: tuple[str, Files]) -> None:
    task, files = made
    size = load(task, files, "distance", None).graphs.nbytes
    graphs = load(task, files, "correlation", None).graphs.nbytes
    assert graphs > 30 * size
    frames = 4 * int(np.prod(load(task, files, "correlation", None).frames.shape))
    fitting = load(task, files, "correlation", (frames + graphs + 1) / GB)
    streamed = load(task, files, "correlation", (frames + graphs - 1) / GB)
    assert isinstance(fitting.frames, Resident)
    assert isinstance(streamed.frames, Streamed)
    parts = parts_of(fitting)
    for ours, expected in zip(streamed.batches(parts), fitting.batches(parts), strict=True):
        assert_same(ours, expected)


def test_never_more_frames_in_memory_than_allowed(made: tuple[str, Files], monkeypatch: pytest.MonkeyPatch) -> None:
    task, files = made
    data = load(task, files, "distance", LIMIT_GB)
    assert data.ahead_bytes is not None
    alive: list[weakref.ref[torch.Tensor]] = []
    most, calls, plain = 0, 0, Streamed.hold

    def watched(frames: Streamed, firsts: np.ndarray, lengths: np.ndarray) -> Held:
        nonlocal most, calls
        held = plain(frames, firsts, lengths)
        alive.append(weakref.ref(held.values))
        most, calls = max(most, sum(one.nbytes for ref in alive if (one := ref()) is not None)), calls + 1
        return held

    monkeypatch.setattr(Streamed, "hold", watched)
    parts = parts_of(data, size=3)
    for _ in data.batches(parts):
        pass
    assert 4 < calls < len(parts)
    assert 0 < most <= data.ahead_bytes + 2 * ROW_BYTES  # each of two has a row of zeros


def test_memory_that_holds_no_two_batches_is_refused(made: tuple[str, Files]) -> None:
    task, files = made
    data = load(task, files, "distance", 4_000 / GB)
    with pytest.raises(SettingsError, match=r"device\.memory_gb leaves .* two batches take"):
        list(data.batches(parts_of(data)))
    with pytest.raises(SettingsError, match="two batches take"):
        data.check_room(8)
    load(task, files, "distance", LIMIT_GB).check_room(8)


def test_an_error_of_the_reading_thread_reaches_the_training(made: tuple[str, Files], tmp_path: Path) -> None:
    task, files = made
    copies = [tmp_path / path.name for path in files.features]
    for path, copy in zip(files.features, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    moved = Files(copies, files.clips, files.distance, files.correlation, files.scaler)
    data = load(task, moved, "distance", LIMIT_GB)
    copies[1].unlink()
    with pytest.raises(FileNotFoundError, match=copies[1].name):
        list(data.batches(parts_of(data)))


def test_a_batch_that_is_not_wanted_any_more_leaves_no_thread(made: tuple[str, Files]) -> None:
    import threading

    task, files = made
    batches = load(task, files, "distance", LIMIT_GB).batches(parts_of(load(task, files, "distance", None)))
    next(batches)
    del batches
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def write_rows(path: Path, frames: np.ndarray) -> Path:
    write_frames(path, ["item"], [len(frames)], [frames], shape=frames.shape[1:])
    return path


def test_rows_of_a_store_are_those_that_zarr_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(2500, 3, 2)).astype(np.float32)
    frames[1024:2048] = 0.0  # a chunk of zeros, which is not stored
    path = write_rows(tmp_path / "f.zarr.zip", frames)
    with reading_frames(path) as store:
        stored = store.frames[...]
    rows = FrameRows(path)
    assert rows.shape == frames.shape
    runs = [(start, np.full((count, 3, 2), np.nan, np.float32)) for start, count in
            [(0, 1), (1000, 100), (0, 2500), (2047, 2), (2499, 1), (1500, 10)]]  # fmt: skip
    rows.read(runs)
    for start, into in runs:
        np.testing.assert_array_equal(into, stored[start : start + len(into)])


def test_a_store_that_was_cut_short_since_is_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "f.zarr.zip", np.ones((100, 3, 2), np.float32))
    rows = FrameRows(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DamagedFile, match=r"f\.zarr\.zip.*it ends before byte"):
        rows.read([(0, np.empty((100, 3, 2), np.float32))])


def test_streamed_rows_cross_stores_and_are_standardised_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(MEAN, STD, (rows, 3, 2)).astype(np.float32) for rows in (5, 1, 7)]
    paths = [write_rows(tmp_path / f"{k}.zarr.zip", part) for k, part in enumerate(parts)]
    scaler = Scaler(MEAN, STD)
    whole = resident_frames(paths, (13, 3, 2), scaler, floor=-10.0, home=CPU)
    streamed = streamed_frames(paths, scaler, floor=-10.0)
    assert (whole.has_floor, streamed.has_floor) == (False, False)
    assert streamed_frames(paths, scaler, floor=float(parts[2].min())).has_floor
    firsts, lengths = np.array([9, 3, 4, 0]), np.array([4, 5, 1, 1])
    held = streamed.hold(firsts, lengths)
    assert len(held.values) == 1 + 5 + 4 + 1
    for first, length in zip(firsts, lengths, strict=True):
        rows = torch.arange(first, first + length)
        assert torch.equal(held.values[held.at(rows)], whole.values[rows])
    assert (held.values[-1] == 0).all()
    assert (whole.values[-1] == 0).all()


@pytest.mark.parametrize(("memory_gb", "opened"), [(None, 2), (LIMIT_GB, 3)])
def test_a_store_is_opened_once_for_its_table_once_for_its_frames_once_for_places_of_rows(
    made: tuple[str, Files], monkeypatch: pytest.MonkeyPatch, memory_gb: float | None, opened: int
) -> None:
    calls: list[Path] = []

    def counted(path: Path) -> Any:
        calls.append(path)
        return reading_store(path)

    for module in (_frame_rows, _frame_store):
        monkeypatch.setattr(module, "reading_store", counted)
    load(*made, "distance", memory_gb)
    assert sorted(calls) == sorted(made[1].features[:3] * opened)


def test_compressed_frames_can_be_held_in_memory_not_streamed(made: tuple[str, Files], tmp_path: Path) -> None:
    task, files = made
    packed = [tmp_path / path.name for path in files.features]
    for path, new in zip(files.features, packed, strict=True):
        with reading_store(path) as old, writing_store(new, dict(old.attrs)) as group:
            frames: Any = old["frames"]
            group.create_array("frames", shape=frames.shape, chunks=(7, 5, 2), dtype="float32")[...] = frames[...]
    other = Files(packed, files.clips, files.distance, files.correlation, files.scaler)
    ours, expected = load(task, other, "distance", None).frames, load(task, files, "distance", None).frames
    assert isinstance(ours, Resident)
    assert isinstance(expected, Resident)
    assert torch.equal(ours.values, expected.values)
    with pytest.raises(DamagedFile, match="not stored as plain rows"):
        load(task, other, "distance", LIMIT_GB)


def test_merged_spans_cover_just_the_rows_that_are_wanted() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        m = int(rng.integers(1, 12))
        firsts, lengths = rng.integers(0, 40, m), rng.integers(1, 6, m)
        starts, stops = merged(firsts, lengths)
        found = [row for start, stop in zip(starts, stops, strict=True) for row in range(start, stop)]
        assert found == sorted({row for a, n in zip(firsts, lengths, strict=True) for row in range(a, a + n)})
        assert (starts[1:] > stops[:-1]).all()


def test_groups_follow_one_another_within_the_limit() -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 50, 400).tolist()
    groups = grouped(sizes, 600)
    assert [k for group in groups for k in range(group.start, group.stop)] == list(range(400))
    taken = [sum(sizes[group]) for group in groups]
    assert max(taken) <= 600
    assert taken[0] <= 50
    assert len(groups) < 2 * sum(sizes) / 600 + 6
    assert grouped([], 10) == []


def test_a_store_that_is_replaced_while_it_is_read_stops_the_job_and_stays(
    made: tuple[str, Files], tmp_path: Path
) -> None:
    path = tmp_path / "store.zarr.zip"
    path.write_bytes(made[1].features[0].read_bytes())
    rows = FrameRows(path)
    into = np.empty((2, N, F), dtype=np.float32)
    rows.read([(0, into)])
    another = tmp_path / "another"
    another.write_bytes(path.read_bytes())
    another.replace(path)
    with pytest.raises(OSError, match="was replaced while it was being read; run the same command again"):
        rows.read([(0, into)])
    assert path.is_file()
