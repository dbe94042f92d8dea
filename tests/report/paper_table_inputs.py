"""Made-up results on disk behind the tables of the paper: cards, scores, predictions, clips, and their inventory."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import SCHEMES
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.store import write_json, write_table
from tests.signals.edf_builder import ELECTRODES

EVALUATION = EvaluationSettings(bootstrap=40, confidence=0.9, seed=0, threshold_strict=False, calibration_bins=10)
LOOP = {"epochs": 100, "learning_rate": 1e-4, "dropout": 0.0, "batch": 40, "weight_decay": 5e-4, "clip_norm": 5.0,
        "patience": 5, "checkpoint": "auroc", "loss": "bce"}  # fmt: skip
CLASSIFICATION = {"epochs": 60, "learning_rate": 3e-4, "dropout": 0.5, "checkpoint": "weighted_f1", "loss": "ce"}
AUGMENT = {"reflect_probability": 0.5, "scale_low": 0.8, "scale_high": 1.2}
RULES = {  # as published
    "nodes": ELECTRODES, "missing": "skip",
    "label_edge": "touching", "clip_start_offset": True, "mysz_split": "published",
    "clips": {"before_onset_s": 2.0, "forecast_s": 12},
    "graphs": {"kappa": 0.9, "top_neighbours": 3, "correlation_input": "raw"},
    "signals": {"rate_hz": 200, "resampling": "fft", "block_s": 600, "strict": False, "quality": {
        "flat_uv": 0.0, "saturated_share": 1.0, "mains_share": 1.0, "mains_residual_uv": 1.0, "rate_low_hz": 32,
        "rate_high_hz": 100000, "plausible_low_uv": 0.5, "plausible_high_uv": 1000.0, "white_noise": "keep"}},
}  # fmt: skip
OPTIONS = {
    "dcrnn": {"units": 64, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": True},
    "lstm": {"units": 64, "layers": 2},
    "cnn_lstm": {"channels": 32, "embedding": 512, "units": 128, "layers": 2},
    "densecnn": {"width": 1.0, "dropout": 0.2, "allocate_unused": True},
}
SPLITS = {"source": "official", "official": {"train": "train", "dev": "test"}, "validation_share": 0.1,
          "test_share": 0.0, "file": None, "seed": 0}  # fmt: skip


def make_inventory(folder: Path, table: str, runs: list[dict[str, Any]], **more: Any) -> Path:
    """Write the inventory of a table with these runs on a corpus of six files; returns its path."""
    path = folder / f"{table}.json"
    content = {
        "table": table, "main": corpus_inventory(folder, "made-up") | {"runs": runs}, "folds": {}, "own_folds": False,
        "source": None, "source_corpus": None, "splits": SPLITS, "rules": RULES,
    }  # fmt: skip
    write_json(path, content | more)
    return path


def corpus_inventory(folder: Path, corpus: str, *, synthetic: bool = False) -> dict[str, Any]:
    """Recordings r0 .. r5 of patients p0 .. p4 (p0 has two), and seizures that overlap, touch and are of no class."""
    folder.mkdir(parents=True, exist_ok=True)
    recordings = pd.DataFrame({
        "recording": [f"r{k}" for k in range(6)], "patient": ["p0", "p0", "p1", "p2", "p3", "p4"],
        "split": ["train", "train", "train", "validation", "test", "test"], "duration_s": 600.0,
        "synthetic": synthetic,
    })  # fmt: skip
    events = [("r0", 10, 40, "fnsz"), ("r0", 30, 70, "cpsz"), ("r2", 0, 30, "gnsz"), ("r3", 5, 35, "absz"),
              ("r4", 100, 160, "tcsz"), ("r4", 160, 190, "mysz")]  # fmt: skip
    rows = [(r, "TERM", float(a), float(b), code, 1.0) for r, a, b, code in events]
    columns = ["recording", "channel", "onset_s", "offset_s", "code", "confidence"]
    write_table(folder / f"{corpus}-recordings.parquet", recordings)
    write_table(folder / f"{corpus}-seizures.parquet", pd.DataFrame(rows, columns=columns))
    return {
        "corpus": corpus, "synthetic": synthetic, "recordings": [f"{folder}/{corpus}-recordings.parquet"],
        "seizures": [f"{folder}/{corpus}-seizures.parquet"], "segments": [], "findings": [], "clips": {}, "graphs": {},
        "pretraining": [], "runs": [],
    }  # fmt: skip


def make_run(folder: Path, name: str, **facts: Any) -> dict[str, Any]:
    """A run with one card a seed and a table of scores; `scores` maps (metric, class) to its value over seeds."""
    fixed: dict[str, Any] = {
        "run": name, "model": "dcrnn", "task": "detection", "length_s": 12, "graph": "distance", "init": "scratch",
        "scheme": "four", "features": "fft", "source": None, "auxiliary": 0.0, "seeds": [0, 1, 2, 3, 4],
    }  # fmt: skip
    typed = CLASSIFICATION if facts.get("task") == "classification" else {}
    scores, loop = facts.pop("scores", {}), {**LOOP, **typed, **facts.pop("loop", {})}
    options, validation = facts.pop("options", {}), facts.pop("validation", 0.8)
    run = {**fixed, **facts}
    encoder = f"{run['model']}-{run['features']}-{run['graph']}"
    run = {"encoder": encoder if run["init"] == "ssl" else None, **run}
    base = folder / f"{run['task']}-{run['length_s']}s" / name
    cards = []
    for seed in run["seeds"]:
        settings = {
            "loop": loop, "model": run["model"], "options": {**OPTIONS[run["model"]], **options}, "gate_bias": 0.0,
            "sampling": {"label_fraction": 1.0, "balance": run["task"] == "detection"}, "augment": AUGMENT,
            "features": {"kind": run["features"], "floor_amplitude": 1e-8}, "length_s": run["length_s"],
            "horizon_s": 12,
        }  # fmt: skip
        cards.append(f"{base}/seed{seed}/card.json")
        kept = {"validation_auroc": validation + 0.01 * seed}
        write_json(Path(cards[-1]), {"task": run["task"], "settings": settings, "kept_epoch": kept, "seed": seed})
    write_table(base / "metrics.parquet", score_rows(scores, len(run["seeds"])))
    predictions = [f"{base}/seed{seed}/predictions.parquet" for seed in run["seeds"]]
    if run["task"] == "detection":
        for path in predictions:
            write_table(Path(path), detected_clips())
    return run | {"cards": cards, "metrics": f"{base}/metrics.parquet", "predictions": predictions}


def detected_clips() -> pd.DataFrame:
    """Sixty test clips of nine patients, seven of two patients with a seizure, and a validation clip with one."""
    rows = [{"clip": f"c{k:02}", "patient": f"p{k % 9}", "split": "test", "label": 0} for k in range(60)]
    for k in (0, 9, 18, 27, 1, 10, 19):
        rows[k]["label"] = 1
    return pd.DataFrame([*rows, {"clip": "v", "patient": "pv", "split": "validation", "label": 1}])


def score_rows(scores: dict[tuple[str, str], float], n_seeds: int) -> pd.DataFrame:
    """Rows of metrics.parquet over all seeds: interval 0.1 to either side, standard deviation 0.02."""
    rows = [
        {"list": "all", "seed": -1, "metric": metric, "class": klass, "value": value, "std": 0.02, "n_seeds": n_seeds,
         "low": value - 0.1, "high": value + 0.1, "n_clips": 60, "n_patients": 9, "reason": ""}
        for (metric, klass), value in scores.items()
    ]  # fmt: skip
    columns = ["list", "seed", "metric", "class", "value", "std", "n_seeds", "low", "high", "n_clips", "n_patients"]
    columns += ["reason"]
    return pd.DataFrame(rows, columns=columns)


def write_predictions(path: str, patients: list[str], *, scheme: str, seed: int) -> pd.DataFrame:
    """Three test clips a patient and one validation clip, labels and predictions drawn by the seed; the table."""
    names = tuple(SCHEMES[scheme])
    rng = np.random.default_rng(seed)
    clips = [f"{patient}@{k}" for patient in patients for k in range(3)]
    labels, predicted = rng.integers(0, 3, len(clips)), rng.integers(0, 3, len(clips))
    table = pd.DataFrame({
        "clip": clips, "patient": np.repeat(patients, 3), "split": "test", "label": labels, "predicted": predicted,
        **{f"p_{name}": 1.0 / len(names) for name in names},
    })  # fmt: skip
    extra = table.iloc[:1].assign(clip="v", patient="pv", split="validation", label=6, predicted=0)
    write_table(Path(path), pd.concat([table, extra]))
    return table
