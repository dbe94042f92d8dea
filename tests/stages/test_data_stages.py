"""Stages from signals to scaler on two small shards, through their command lines."""

import importlib
import json

import numpy as np
import pandas as pd
import pytest

from pipeline.features import fft
from pipeline.features._frame_store import reading_frames
from pipeline.graphs.correlation import correlation_weights
from pipeline.settings.features import FeatureSettings, GraphSettings
from pipeline.store import read_json, read_table, reading_store, write_table, writing_store

RATE = 200
ELECTRODES = ["F3", "F4", "C3", "C4", "CZ"]
FEATURES = {"kind": "fft", "floor_amplitude": 1e-8}
GRAPHS = {"kappa": 0.9, "top_neighbours": 3, "correlation_input": "raw"}
CLIPS = {
    "clips": {"before_onset_s": 2, "forecast_s": 12},
    "compat": {"label_edge": "half_open", "clip_start_offset": False},
}


def run_stage(monkeypatch, stage, settings, *arguments):
    words = [stage, "--settings", json.dumps(settings), *map(str, arguments)]
    monkeypatch.setattr("sys.argv", words)
    importlib.import_module(f"pipeline.stages.{stage}").main()


@pytest.fixture
def shard(tmp_path):
    """Two recordings, one of two segments; a seizure in each. Returns (folder, samples by array name)."""
    rng = np.random.default_rng(0)
    rows = [("a", "0", 0.0, 70.3), ("b", "0", 0.0, 30.0), ("b", "1", 40.25, 50.5)]
    samples = {}
    with writing_store(tmp_path / "signals.zarr.zip", {"electrodes": ELECTRODES}) as group:
        for recording, segment, _, duration_s in rows:
            signal = rng.normal(0, 30, (len(ELECTRODES), round(duration_s * RATE))).astype(np.float32)
            samples[f"{recording}/{segment}"] = signal
            array = group.create_array(f"{recording}/{segment}", shape=signal.shape, dtype="float32", compressors=None)
            array[...] = signal
    segments = pd.DataFrame(rows, columns=["recording", "segment", "start_s", "duration_s"])
    segments["n_samples"] = [samples[f"{row[0]}/{row[1]}"].shape[1] for row in rows]
    segments = segments.assign(
        patient=segments["recording"], session="s", split="train", rate_hz=float(RATE), labelled=True
    )
    write_table(tmp_path / "segments.parquet", segments)
    seizures = pd.DataFrame(
        [("a", "TERM", 20.123, 55.0, "fnsz"), ("b", "TERM", 45.5, 60.0, "gnsz"), ("b", "TERM", 60.5, 60.9, "absz")],
        columns=["recording", "channel", "onset_s", "offset_s", "code"],
    )
    write_table(tmp_path / "seizures.parquet", seizures)
    return tmp_path, samples


def cut(monkeypatch, folder, task, length_s):
    run_stage(
        monkeypatch, "clips", {"task": task, "length_s": length_s, **CLIPS},
        "--segments", folder / "segments.parquet", "--seizures", folder / "seizures.parquet",
        "--clips", folder / f"{task}.parquet", "--findings", folder / f"{task}.findings.parquet",
    )  # fmt: skip
    return read_table(folder / f"{task}.parquet")


def featurise(monkeypatch, folder, name, *more):
    run_stage(
        monkeypatch, "features", {"features": FEATURES, "rate_hz": RATE}, "--signals", folder / "signals.zarr.zip",
        "--segments", folder / "segments.parquet", "--features", folder / f"{name}.zarr.zip", *more,
    )  # fmt: skip


def test_frames_of_clips_are_the_features_of_their_seconds(monkeypatch, shard):
    """Whatever the store, (item, frame, length_s) of a clip lead to the features of start_s .. start_s + length_s."""
    folder, samples = shard
    segments = read_table(folder / "segments.parquet").set_index(["recording", "segment"])["start_s"]
    featurise(monkeypatch, folder, "grid")
    for task, store_name in (("detection", "grid"), ("pretraining", "grid"), ("classification", "classification")):
        clips = cut(monkeypatch, folder, task, 12)
        if task == "classification":
            featurise(monkeypatch, folder, "classification", "--clips", folder / "classification.parquet")
        with reading_frames(folder / f"{store_name}.zarr.zip") as store:
            rows = store.rows(clips["item"], clips["frame"])
            frames = [store.frames[row : row + length] for row, length in zip(rows, clips["length_s"], strict=True)]
        for clip, made in zip(clips.to_dict("records"), frames, strict=True):
            first = round((clip["start_s"] - segments[clip["recording"], clip["segment"]]) * RATE)
            signal = samples[f"{clip['recording']}/{clip['segment']}"][:, first : first + clip["length_s"] * RATE]
            np.testing.assert_array_equal(made, fft.frames(signal, RATE, FeatureSettings(**FEATURES)))
    assert len(clips) == 2
    assert read_table(folder / "classification.findings.parquet")["code"].tolist() == ["seizure_too_short"]


def test_correlation_store_follows_the_clips_table(monkeypatch, shard):
    folder, _ = shard
    featurise(monkeypatch, folder, "grid")
    clips = cut(monkeypatch, folder, "detection", 12).sample(frac=1, random_state=3)  # any order of the table
    write_table(folder / "shuffled.parquet", clips)
    run_stage(
        monkeypatch, "graph_correlation", {"graphs": GRAPHS}, "--features", folder / "grid.zarr.zip",
        "--clips", folder / "shuffled.parquet", "--graphs", folder / "graphs.zarr.zip",
    )  # fmt: skip
    with reading_store(folder / "graphs.zarr.zip") as group, reading_frames(folder / "grid.zarr.zip") as store:
        assert group.attrs["clips"] == clips["clip"].tolist()
        rows = store.rows(clips["item"], clips["frame"])
        expected = correlation_weights(np.stack([store.frames[r : r + 12] for r in rows]), GraphSettings(**GRAPHS))
        np.testing.assert_array_equal(group["weights"][...], expected.astype(np.float32))


def test_correlation_of_clips_of_many_lengths(monkeypatch, shard):
    folder, _ = shard
    clips = cut(monkeypatch, folder, "classification", 60)
    featurise(monkeypatch, folder, "classification", "--clips", folder / "classification.parquet")
    assert clips["length_s"].nunique() > 1
    run_stage(
        monkeypatch, "graph_correlation", {"graphs": GRAPHS}, "--features", folder / "classification.zarr.zip",
        "--clips", folder / "classification.parquet", "--graphs", folder / "graphs.zarr.zip",
    )  # fmt: skip
    with (
        reading_store(folder / "graphs.zarr.zip") as group,
        reading_frames(folder / "classification.zarr.zip") as store,
    ):
        for k, (start, length) in enumerate(zip(store.starts, store.lengths, strict=True)):
            alone = correlation_weights(store.frames[start : start + length][None], GraphSettings(**GRAPHS))[0]
            np.testing.assert_allclose(group["weights"][k], alone, atol=1e-6)


def test_scaler_counts_the_seconds_of_training_clips(monkeypatch, shard):
    folder, _ = shard
    featurise(monkeypatch, folder, "grid")
    clips = cut(monkeypatch, folder, "pretraining", 12)
    run_stage(
        monkeypatch, "scaler", {"task": "pretraining", "length_s": 12}, "--features", folder / "grid.zarr.zip",
        "--clips", folder / "pretraining.parquet", "--scaler", folder / "scaler.json",
    )  # fmt: skip
    with reading_frames(folder / "grid.zarr.zip") as store:
        rows = store.rows(clips["item"], clips["frame"])
        values = np.concatenate([store.frames[row : row + 12].ravel() for row in rows]).astype(np.float64)
    made = read_json(folder / "scaler.json")
    assert made["mean"] == pytest.approx(values.mean(), rel=1e-12)
    assert made["std"] == pytest.approx(values.std(), rel=1e-12)
    assert (made["n_values"], made["n_clips"]) == (values.size, len(clips))


def test_scaler_refuses_other_splits(monkeypatch, shard):
    folder, _ = shard
    featurise(monkeypatch, folder, "grid")
    clips = cut(monkeypatch, folder, "detection", 12)
    clips.loc[3, "split"] = "test"
    write_table(folder / "detection.parquet", clips)
    with pytest.raises(Exception, match="1 clips are not of the training split"):
        run_stage(
            monkeypatch, "scaler", {"task": "detection", "length_s": 12}, "--features", folder / "grid.zarr.zip",
            "--clips", folder / "detection.parquet", "--scaler", folder / "scaler.json",
        )  # fmt: skip
    assert not (folder / "scaler.json").exists()


def test_distance_store(monkeypatch, tmp_path):
    path = tmp_path / "distance.zarr.zip"
    run_stage(monkeypatch, "graph_distance", {"graphs": GRAPHS, "electrodes": ELECTRODES}, "--graphs", path)
    with reading_store(path) as group:
        assert group["weights"].shape == (1, 5, 5)
        assert group["weights"].dtype == np.float32
        assert group.attrs["electrodes"] == ELECTRODES
