"""A small made-up data set on disk, in the formats of docs/architecture.md, for the tests of training."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import COLUMNS
from pipeline.features._frame_store import write_frames
from pipeline.graphs.correlation import correlation_weights
from pipeline.graphs.distance import distance_weights
from pipeline.settings.features import GraphSettings
from pipeline.store import write_json, write_table, writing_store

ELECTRODES = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
N, F = len(ELECTRODES), 6
MEAN, STD = 3.0, 1.5
GRAPHS = GraphSettings(kappa=0.9, top_neighbours=3, correlation_input="raw")
CODES = ("fnsz", "gnsz", "absz", "tnsz", "mysz")


@dataclass(frozen=True)
class Files:
    """Paths of a made-up data set; shards in the order train, train, validation, test."""

    features: list[Path]
    clips: list[Path]
    distance: Path
    correlation: list[Path]
    scaler: Path

    def job(self, shards: slice, graph: str) -> dict[str, Any]:
        """Arguments of `load_clips` and of the stages for some shards."""
        graphs = [self.distance] if graph == "distance" else self.correlation[shards]
        return {"features": self.features[shards], "clips": self.clips[shards], "graphs": graphs, "scaler": self.scaler}


def options(**changes: Any) -> dict[str, Any]:
    """A small DCRNN."""
    plain = {
        "units": 8, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": True,
        "init": {"gate_bias": 0.0}, "diffusion_recursion": "powers",
    }  # fmt: skip
    return plain | changes


def fit_settings(task: str = "detection", graph: str = "distance", **changes: Any) -> dict[str, Any]:
    """Settings of a training job as a mapping; `changes` replace whole sections or single loop values."""
    loop = {
        "epochs": 3, "learning_rate": 0.02, "batch": 8, "batch_evaluation": 16, "dropout": 0.2, "weight_decay": 5e-4,
        "clip_norm": 5.0, "patience": 5, "early_stopping": "best",
        "checkpoint": {"detection": "auroc", "classification": "weighted_f1", "pretraining": "loss"}[task],
        "loss": {"detection": "bce", "classification": "ce", "pretraining": "mae"}[task],
    }  # fmt: skip
    loop |= {name: changes.pop(name) for name in list(changes) if name in loop}
    augment = {
        "reflect_probability": 0.5, "scale_low": 0.8, "scale_high": 1.2, "mirror_pairs": "all",
        "mirror_graph": "correct", "scale_zero_bins": False,
    }  # fmt: skip
    augment |= {name: changes.pop(name) for name in list(changes) if name in augment}
    plain = {
        "model": "dcrnn", "options": options(), "features": {"kind": "fft", "floor_amplitude": 1e-8}, "graph": graph,
        "task": task, "length_s": 5, "horizon_s": 3, "scheme": "four", "seed": 1, "gate_bias": 0.0,
        "electrodes": list(ELECTRODES), "loop": loop, "augment": augment,
        "sampling": {"balance": task == "detection", "negative_seed": "run", "label_fraction": 1.0},
        "device": {"device": "cpu", "threads": 1, "mixed_precision": "auto"},
    }  # fmt: skip
    return plain | changes


def make_files(
    root: Path, task: str = "detection", *, clips_per_shard: int = 24, length_s: int = 5, steady: float = 0.0
) -> Files:
    """Four shards of frames in which positive clips (or classes) have a louder electrode.

    Those of pre-training, and with `steady` (in STD) all, have a level of each electrode that lasts and can be told.
    """
    rng = np.random.default_rng(0)
    shards = [("train", "00"), ("train", "01"), ("validation", "00"), ("test", "00")]
    features, tables, correlation = [], [], []
    for split, number in shards:
        name = f"{split}-{number}"
        table, frames = _shard(
            name, split, task, clips_per_shard, length_s, rng, steady=2.0 if task == "pretraining" else steady
        )
        features.append(root / f"{name}.zarr.zip")
        tables.append(root / f"{name}.parquet")
        correlation.append(root / f"{name}.graphs.zarr.zip")
        write_table(tables[-1], table)
        items = sorted(set(table["item"]))
        write_frames(
            features[-1], items, [len(frames[item]) for item in items], [frames[i] for i in items], shape=(N, F)
        )
        weights = [
            correlation_weights(frames[row["item"]][None, row["frame"] : row["frame"] + row["length_s"]], GRAPHS)[0]
            for row in table.to_dict("records")
        ]
        _write_graphs(correlation[-1], np.stack(weights))
    _write_graphs(root / "distance.zarr.zip", distance_weights(ELECTRODES, kappa=0.9)[None])
    write_json(root / "scaler.json", {"mean": MEAN, "std": STD, "n_values": 1, "n_clips": 1})
    return Files(features, tables, root / "distance.zarr.zip", correlation, root / "scaler.json")


def _write_graphs(path: Path, weights: np.ndarray) -> None:
    with writing_store(path, {}) as group:
        group.create_array("weights", shape=weights.shape, dtype="float32", compressors=None)[...] = weights


def _shard(
    name: str, split: str, task: str, n_clips: int, length_s: int, rng: np.random.Generator, *, steady: float
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    rows, frames = [], {}
    for k in range(n_clips):
        patient, item = f"{name}-p{k % 4}", f"{name}-p{k % 4}_r0/{k // 4}"
        label = k % 2 if task == "detection" else -1
        code = CODES[k % len(CODES)] if task == "classification" else ""
        whole = length_s + 3 if task == "pretraining" else length_s
        short = length_s - (k % 3) if task == "classification" else length_s
        values = rng.normal(MEAN, STD, (max(whole, short), N, F)).astype(np.float32)
        loud = label if task == "detection" else CODES.index(code) if code else 0
        values[:, 3 * loud : 3 * loud + 2] += 2.0 * (loud > 0)
        if steady:
            values += rng.normal(0, steady * STD, (1, N, 1)).astype(np.float32)  # what the next seconds will be like
        frames[item] = values
        rows.append({
            "clip": f"{item}@0.000+{length_s}", "recording": f"{patient}_r0", "segment": str(k // 4),
            "patient": patient, "session": "s0", "split": split, "start_s": float(k), "length_s": short,
            "label": label, "code": code, "codes": code, "focal": "", "item": item, "frame": 0,
            "target_frame": length_s if task == "pretraining" else -1,
        })  # fmt: skip
    return pd.DataFrame(rows)[COLUMNS], frames


def stage(files: Files, out: Path, settings: dict[str, Any]) -> list[str]:
    """Command line of the stage `train`."""
    job = files.job(slice(0, 3), settings["graph"])
    lists = [part for name in ("features", "clips", "graphs") for part in (f"--{name}", *map(str, job[name]))]
    outputs = {"model": "model.safetensors", "card": "card.json", "history": "history.parquet", "checkpoints": "keep"}
    named = [part for name, file in outputs.items() for part in (f"--{name}", str(out / file))]
    head = [sys.executable, "-m", "pipeline.stages.train", "--settings", json.dumps(settings), "--code", "c"]
    log = ["--log", str(out / "logs/train.log"), "--checkpoint-minutes", "60"]
    return [*head, "--scaler", str(job["scaler"]), *lists, *named, *log]
