"""Raw samples as features (Table 4): from signals to a trained model, with their own scaler and graphs of the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from training_files import ELECTRODES, GRAPHS, fit_settings, options

from pipeline.clips import COLUMNS
from pipeline.features import time as raw_samples
from pipeline.features._frame_store import reading_frames, write_frames
from pipeline.features._scaling import frame_uses, pool, used_moments
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.distance import distance_weights
from pipeline.settings.features import FeatureSettings
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, write_json, write_table, writing_store
from pipeline.training.augment import Draws
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.job import Inputs, Outputs, run_job

RATE_HZ, SECONDS, N = 200, 12, len(ELECTRODES)
FEATURES = {"kind": "time", "floor_amplitude": 1e-8}
SPLITS = ("train", "validation")


def signals(split: str) -> dict[str, np.ndarray]:
    """Six recordings of one clip each, (n, s) in µV; every other one has a rhythm on two electrodes."""
    rng = np.random.default_rng(len(split))
    found = {}
    for k in range(6):
        x = 4.0 + rng.normal(0, 25, (N, SECONDS * RATE_HZ + 57))  # the last second is not whole
        x[3:5] += 60 * (k % 2) * np.sin(2 * np.pi * 4 * np.arange(x.shape[1]) / RATE_HZ)
        found[f"{split}{k}/0"] = x.astype(np.float32)
    return found


def write_weights(path: Path, weights: np.ndarray) -> Path:
    with writing_store(path) as group:
        group.create_array("weights", shape=weights.shape, dtype="float32", compressors=None)[...] = weights
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Feature stores, clips, graphs and the scaler of both splits, made as the stages make them."""
    root = tmp_path_factory.mktemp("time")
    settings = FeatureSettings.model_validate(FEATURES)
    made: dict[str, Any] = {"features": [], "clips": [], "correlation": []}
    for split in SPLITS:
        frames = {item: raw_samples.frames(x, RATE_HZ, settings) for item, x in signals(split).items()}
        features, clips = root / f"{split}.zarr.zip", root / f"{split}.parquet"
        write_frames(features, list(frames), [SECONDS] * 6, frames.values(), shape=(N, RATE_HZ))
        rows = [
            dict.fromkeys(COLUMNS, "")
            | {"clip": item, "patient": item[:-2], "split": split, "start_s": 0.0, "length_s": SECONDS}
            | {"label": k % 2, "item": item, "frame": 0, "target_frame": -1}
            for k, item in enumerate(frames)
        ]
        write_table(clips, pd.DataFrame(rows))
        weights = correlation_weights(np.stack(list(frames.values())), GRAPHS)
        made["features"].append(features)
        made["clips"].append(clips)
        made["correlation"].append(write_weights(root / f"{split}.graphs.zarr.zip", weights))
    with reading_frames(made["features"][0]) as store:
        table = pd.read_parquet(made["clips"][0])
        moments = used_moments(store, frame_uses(store, table))
    scaler = pool([moments], values_per_frame=N * RATE_HZ, n_clips=6)
    write_json(root / "scaler.json", {"mean": scaler.mean, "std": scaler.std, "n_values": 1, "n_clips": 6})
    distance = write_weights(root / "distance.zarr.zip", distance_weights(ELECTRODES, kappa=0.9)[None])
    return made | {"scaler": root / "scaler.json", "distance": [distance], "root": root}


def inputs(files: dict[str, Any], graph: str) -> dict[str, Any]:
    return {name: files[name] for name in ("features", "clips", "scaler")} | {"graphs": files[graph]}


def load(files: dict[str, Any], graph: str) -> ClipData:
    settings = FitSettings.model_validate(fit_settings("detection", graph, features=FEATURES, length_s=SECONDS))
    read = inputs(files, graph) | {"scaler": read_json(files["scaler"])}
    return load_clips(**read, settings=settings, device=torch.device("cpu"))


def test_scaler_is_of_the_raw_samples_of_training_clips(files: dict[str, Any]) -> None:
    whole = np.stack(list(signals("train").values()))[:, :, : SECONDS * RATE_HZ].astype(np.float64)
    scaler = read_json(files["scaler"])
    assert scaler["mean"] == pytest.approx(whole.mean(), rel=1e-6)
    assert scaler["std"] == pytest.approx(whole.std(), rel=1e-6)


def test_batch_holds_the_scaled_signal(files: dict[str, Any]) -> None:
    """Scaling multiplies the signal, before the mean is taken away; electrodes swap sides."""
    data, scaler = load(files, "correlation"), read_json(files["scaler"])
    draws = Draws(np.array([False, True]), np.array([1.2, 0.8]))
    x = data.batch(np.array([1, 2]), draws).x.numpy()
    assert x.shape == (2, SECONDS, N, RATE_HZ)
    for place, (item, scale) in enumerate((("train1/0", 1.2), ("train2/0", 0.8))):
        signal = signals("train")[item][:, : SECONDS * RATE_HZ].astype(np.float64)
        signal = signal[data.mirror.numpy()] if place else signal
        expected = (scale * signal - scaler["mean"]) / scaler["std"]
        found = x[place].transpose(1, 0, 2).reshape(N, -1)  # t n f -> n (t f)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_correlation_graph_is_of_the_same_samples(files: dict[str, Any]) -> None:
    """Electrodes 3 and 4 share a rhythm in clips with a seizure: each is the other's nearest."""
    data, order = load(files, "correlation"), np.arange(N)
    signal = signals("train")["train1/0"][:, : SECONDS * RATE_HZ].astype(np.float64)
    cosines = np.abs(signal @ signal.T) / np.outer(*2 * [np.linalg.norm(signal, axis=1)])
    np.fill_diagonal(cosines, 0.0)
    assert cosines[3].argmax() == 4
    walk = data.batch(np.array([1])).supports[0, 0].numpy().T  # rows of weights, each divided by its sum
    nearest = [set(np.flatnonzero(row)) - {k} for k, row in enumerate(walk)]
    assert nearest == [set(order[np.argsort(-row)[:3]]) for row in cosines]


@pytest.mark.parametrize(("graph", "parameters"), [("distance", 226_241), ("correlation", 376_769)])
def test_published_network_trains_on_raw_samples(files: dict[str, Any], graph: str, parameters: int) -> None:
    out = files["root"] / f"trained-{graph}"
    loop = {"epochs": 8, "batch": 4, "learning_rate": 2e-3, "dropout": 0.0, "patience": 9}
    settings = fit_settings("detection", graph, features=FEATURES, length_s=SECONDS, options=options(units=64), **loop)
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    job = Inputs(**inputs(files, graph), encoder=None)
    run_job(job, outputs, settings=FitSettings.model_validate(settings), code="", checkpoints=out / "keep")
    card = read_json(outputs.card)
    assert card["parameters"] == parameters
    assert card["n_features"] == 200
    history = pd.read_parquet(outputs.history)
    assert history["train_loss"].iloc[-1] < 0.9 * history["train_loss"].iloc[0]
