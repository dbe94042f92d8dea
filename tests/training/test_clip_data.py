"""Batches from memory: the right frames, standardised, padded, augmented as if before standardising."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_files import ELECTRODES, MEAN, STD, Files, fit_settings, make_files

from pipeline.features._frame_store import reading_frames
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.electrodes import mirror_permutation
from pipeline.models import dcrnn
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, read_table
from pipeline.training.augment import Draws
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.model_io import model_options

FLOOR = float(np.log(np.float32(1e-8)))


def load(files: Files, settings: FitSettings, shards: slice = slice(0, 3)) -> ClipData:
    job: dict[str, Any] = files.job(shards, settings.graph)
    return load_clips(**job | {"scaler": read_json(files.scaler)}, settings=settings, device=torch.device("cpu"))


def stored_frames(files: Files, shard: int, row: int, settings: FitSettings) -> np.ndarray:
    """Raw frames (t, n, f) of one clip, read by itself."""
    clip = read_table(files.clips[shard]).iloc[row]
    with reading_frames(files.features[shard]) as store:
        start = int(store.starts[store.items.index(clip["item"])]) + clip["frame"]
        return store.frames[start : start + clip["length_s"]]


def settings_for(task: str, graph: str = "distance", **changes: Any) -> FitSettings:
    return FitSettings.model_validate(fit_settings(task, graph, **changes))


def unchanged(n: int) -> Draws:
    return Draws(np.zeros(n, dtype=bool), np.ones(n))


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("classification"), "classification")


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("pretraining"), "pretraining")


@pytest.mark.parametrize("draws", [None, unchanged(3)])
def test_batch_is_standardised_and_zero_beyond_the_end(classification: Files, draws: Draws | None) -> None:
    settings = settings_for("classification")
    data = load(classification, settings)
    rows = np.array([1, 2, 30])  # lengths 4, 3, 5; row 30 is clip 6 of the second shard
    batch = data.batch(rows, draws)
    for place, (shard, row) in enumerate([(0, 1), (0, 2), (1, 6)]):
        expected = (stored_frames(classification, shard, row, settings) - MEAN) / STD
        length = int(batch.lengths[place])
        assert length == len(expected)
        np.testing.assert_allclose(batch.x[place, :length].numpy(), expected, atol=1e-5)
        assert (batch.x[place, length:] == 0).all()


def test_labels_by_scheme(classification: Files) -> None:
    four, eight = (load(classification, settings_for("classification", scheme=name)) for name in ("four", "eight"))
    codes = four.table["code"].iloc[:5].tolist()
    assert codes == ["fnsz", "gnsz", "absz", "tnsz", "mysz"]
    assert four.labels[:5].tolist() == [0, 1, 2, 3, -1]
    assert eight.labels[:5].tolist() == [0, 1, 4, 5, 7]
    assert 4 not in four.rows_of("train")
    assert 4 in eight.rows_of("train")


def test_scaling_before_or_after_standardising_is_the_same(classification: Files) -> None:
    settings = settings_for("classification")
    data = load(classification, settings)
    rows, scale = np.array([0, 1, 2]), np.array([0.8, 1.2, 1.1])
    batch = data.batch(rows, Draws(np.zeros(3, dtype=bool), scale))
    for place in range(3):
        raw = stored_frames(classification, 0, place, settings)
        expected = (np.log(np.exp(raw.astype(np.float64)) * scale[place]) - MEAN) / STD
        np.testing.assert_allclose(batch.x[place, : len(raw)].numpy(), expected, atol=1e-5)
        assert (batch.x[place, len(raw) :] == 0).all()


@pytest.mark.parametrize("scale_zero_bins", [False, True])
def test_D18_bins_of_exactly_zero_amplitude_stay(tmp_path: Path, scale_zero_bins: bool) -> None:
    files = make_files(tmp_path, "detection", clips_per_shard=4)
    with reading_frames(files.features[0]) as store:
        frames, items, lengths = store.frames[...], store.items, store.lengths
    frames[:, 3] = FLOOR
    from pipeline.features._frame_store import write_frames

    write_frames(files.features[0], list(items), list(lengths), [frames], shape=frames.shape[1:])
    data = load(files, settings_for("detection", scale_zero_bins=scale_zero_bins))
    plain = data.batch(np.array([0]), unchanged(1)).x
    scaled = data.batch(np.array([0]), Draws(np.zeros(1, dtype=bool), np.array([1.2]))).x
    moved = np.log(1.2) / STD
    others = [n for n in range(len(ELECTRODES)) if n != 3]
    np.testing.assert_allclose((scaled - plain)[0, :, others].numpy(), moved, atol=1e-5)
    np.testing.assert_allclose((scaled - plain)[0, :, 3].numpy(), moved if scale_zero_bins else 0.0, atol=1e-5)


def test_raw_samples_are_multiplied(tmp_path: Path) -> None:
    files = make_files(tmp_path, "detection", clips_per_shard=4)
    settings = settings_for("detection", features={"kind": "time", "floor_amplitude": 1e-8})
    batch = load(files, settings).batch(np.array([2]), Draws(np.zeros(1, dtype=bool), np.array([0.9])))
    raw = stored_frames(files, 0, 2, settings)
    np.testing.assert_allclose(batch.x[0].numpy(), (0.9 * raw - MEAN) / STD, atol=1e-5)


def test_reflection_swaps_left_and_right_and_twice_is_identity(classification: Files) -> None:
    data = load(classification, settings_for("classification"))
    rows = np.array([0, 3])
    plain = data.batch(rows, unchanged(2)).x
    mirrored = data.batch(rows, Draws(np.array([True, False]), np.ones(2))).x
    order = mirror_permutation(ELECTRODES, "all")
    torch.testing.assert_close(mirrored[0], plain[0][:, order], atol=0, rtol=0)
    torch.testing.assert_close(mirrored[1], plain[1], atol=0, rtol=0)
    torch.testing.assert_close(mirrored[0][:, order], plain[0], atol=0, rtol=0)
    assert order[ELECTRODES.index("P3")] == ELECTRODES.index("P4")


def test_D06_correlation_graph_of_a_reflected_clip_is_that_of_the_reflected_frames(classification: Files) -> None:
    from training_files import GRAPHS

    settings = settings_for("classification", "correlation")
    data = load(classification, settings)
    order = mirror_permutation(ELECTRODES, "all")
    raw = stored_frames(classification, 0, 3, settings)[:, order]
    weights = correlation_weights(raw[None], GRAPHS)
    expected = dcrnn.supports(weights.astype(np.float32), "correlation", model_options(settings))[0]
    batch = data.batch(np.array([3, 3]), Draws(np.array([True, False]), np.ones(2)))
    np.testing.assert_allclose(batch.supports[0].numpy(), expected, atol=1e-6)
    published = load(classification, settings_for("classification", "correlation", mirror_graph="published"))
    kept = published.batch(np.array([3, 3]), Draws(np.array([True, False]), np.ones(2)))
    torch.testing.assert_close(kept.supports[0], kept.supports[1], atol=0, rtol=0)
    assert not torch.equal(batch.supports[0], batch.supports[1])


def test_distance_graph_is_its_own_mirror_image_unless_published(classification: Files) -> None:
    draws = Draws(np.array([True, False]), np.ones(2))
    assert load(classification, settings_for("classification")).batch(np.array([0, 1]), draws).supports.dim() == 3
    published = load(classification, settings_for("classification", mirror_graph="published"))
    supports = published.batch(np.array([0, 1]), draws).supports
    assert supports.shape == (2, 1, 19, 19)
    assert not torch.allclose(supports[0], supports[1], atol=1e-2)


def test_pretraining_target_gets_the_same_draw_as_the_input(pretraining: Files) -> None:
    data = load(pretraining, settings_for("pretraining"))
    rows, draws = np.array([0, 5]), Draws(np.array([True, False]), np.array([1.1, 0.9]))
    plain, moved = data.batch(rows, unchanged(2)), data.batch(rows, draws)
    assert plain.target.shape == (2, 3, 19, 6)
    with reading_frames(pretraining.features[0]) as store:
        item = read_table(pretraining.clips[0])["item"].iloc[5]
        start = int(store.starts[store.items.index(item)])
        expected = (store.frames[start + 5 : start + 8] - MEAN) / STD
    np.testing.assert_allclose(plain.target[1].numpy(), expected, atol=1e-5)
    order = mirror_permutation(ELECTRODES, "all")
    for before, after in ((plain.x, moved.x), (plain.target, moved.target)):
        torch.testing.assert_close(after[0], before[0][:, order] + np.log(1.1) / STD, atol=1e-5, rtol=0)
        torch.testing.assert_close(after[1], before[1] + np.log(0.9) / STD, atol=1e-5, rtol=0)
