"""A small made-up corpus of results on disk: just what the report reads, in the files of docs/architecture.md."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import classes
from pipeline.explain.localisation_summary import COLUMNS as LOCALISATION
from pipeline.explain.localisation_summary import summarise
from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.findings import Findings
from pipeline.graphs.distance import distance_weights
from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.settings.evaluation import EvaluationSettings, LocalisationSettings, OcclusionSettings
from pipeline.settings.report import ReportSettings
from pipeline.stages.evaluate import curves
from pipeline.store import read_table, write_json, write_table, writing_store
from tests.signals.edf_builder import ELECTRODES

RATE_HZ, LENGTH_S, PATIENTS = 200, 60, 4
REPORT = ReportSettings(title="Ictograph", example_clips=1, dpi=40, max_mb=5)
LOCALISATION_SETTINGS = LocalisationSettings(
    threshold=0.5, precise=0.8, second_rule="any", edge_value="max", permutations=5, bootstrap=50, confidence=0.95,
    seed=0,
)  # fmt: skip
OCCLUSION = OcclusionSettings(value="mean", graph="held", batch=8, clips="correct")


def make_results(folder: Path, *, synthetic: bool = True, label: str = "fnsz") -> Path:
    """Write a detection run with maps, a classification run and a findings table; returns the inventory's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    recordings = [f"r{p}" for p in range(PATIENTS)]
    _corpus(folder, recordings, rng, label)
    table = read_table(folder / "recordings.parquet")
    write_table(folder / "recordings.parquet", table.assign(synthetic=synthetic))
    clips = _clips(folder, recordings, label)
    _detection(folder, clips[clips["split"] == "test"], rng)
    _classification(folder, clips[clips["split"] == "test"])
    inventory = _inventory(folder, synthetic)
    write_json(folder / "inventory.json", inventory)
    return folder / "inventory.json"


def _corpus(folder: Path, recordings: list[str], rng: np.random.Generator, label: str) -> None:
    splits = ["train", "validation", *["test"] * (PATIENTS - 2)]
    patients = [f"p{k}" for k in range(PATIENTS)]
    write_table(folder / "recordings.parquet", pd.DataFrame({
        "corpus": "made-up", "recording": recordings, "patient": patients, "session": "s1", "split": splits,
        "montage": "01_tcp_ar", "path": [f"secret/CANARY-{k}.edf" for k in range(PATIENTS)], "duration_s": 120.0,
        "rate_hz": 256.0, "n_signals": 21,
    }))  # fmt: skip
    rows = [
        (r, channel, 70.0, 95.0, code, 1.0) for r in recordings for channel, code in (("TERM", label), ("F7-T3", label))
    ]
    columns = ["recording", "channel", "onset_s", "offset_s", "code", "confidence"]
    write_table(folder / "seizures.parquet", pd.DataFrame(rows, columns=columns))
    write_table(folder / "segments.parquet", pd.DataFrame({
        "recording": recordings, "patient": patients, "session": "s1", "split": splits, "segment": "000",
        "start_s": 0.0, "duration_s": 120.0, "n_samples": 120 * RATE_HZ, "rate_hz": float(RATE_HZ),
        "digest": [f"d{k}" for k in range(PATIENTS)], "derivations": [["F7-T3", "T3-T5"]] * PATIENTS,
    }))  # fmt: skip
    found = Findings(corpus="made-up", recording=recordings[0])
    found.add("bad_channel", "T3 is flat", channel="T3", seconds_affected=120)
    found.add("too_short", "half a second", severity="error", action="skip", channel="<script>alert(1)</script>")
    write_table(folder / "findings.parquet", found.to_frame())
    with writing_store(folder / "signals.zarr.zip", {"electrodes": ELECTRODES}) as group:
        for recording in recordings:
            shape = (len(ELECTRODES), 120 * RATE_HZ)
            array = group.create_array(f"{recording}/000", shape=shape, chunks=shape, dtype="float32", compressors=None)
            array[...] = rng.normal(scale=20, size=shape).astype("float32")
    with writing_store(folder / "distance.zarr.zip") as group:
        n = len(ELECTRODES)
        weights = group.create_array("weights", shape=(1, n, n), chunks=(1, n, n), dtype="float64", compressors=None)
        weights[...] = distance_weights(ELECTRODES, kappa=0.9)[None]


def _clips(folder: Path, recordings: list[str], label: str) -> pd.DataFrame:
    splits = ["train", "validation", *["test"] * (PATIENTS - 2)]
    rows = [
        {
            "clip": f"{r}/000@{start:.3f}+60", "recording": r, "segment": "000", "patient": f"p{k}", "session": "s1",
            "split": splits[k], "start_s": start, "length_s": LENGTH_S, "label": int(start == 60.0),
            "code": label if start else "", "codes": label if start else "", "focal": "focal" if start else "",
            "item": f"{r}/000", "frame": int(start), "target_frame": -1,
        }
        for k, r in enumerate(recordings) for start in (0.0, 60.0)
    ]  # fmt: skip
    clips = pd.DataFrame(rows)
    write_table(folder / "detection.parquet", clips)
    write_table(folder / "classification.parquet", clips[clips["label"] == 1].assign(label=-1))
    return clips


def _detection(folder: Path, clips: pd.DataFrame, rng: np.random.Generator) -> None:
    keep = ["clip", "recording", "patient", "split", "start_s", "length_s", "label", "code", "focal"]
    p = np.where(clips["label"] == 1, 0.9, 0.2)
    write_table(folder / "detection-predictions.parquet", clips[keep].assign(
        p_seizure=p, logit_seizure=np.log(p / (1 - p)), predicted=(p > 0.5).astype(int)
    ))  # fmt: skip
    seizures = clips[clips["label"] == 1]
    drop = rng.normal(size=(len(seizures), len(ELECTRODES), LENGTH_S)).astype("float32")
    drop[:, ELECTRODES.index("T3"), 10:35] += 8
    maps = OcclusionMaps(
        drop, np.ones(len(seizures), "float32"), seizures["clip"].tolist(), [0] * len(seizures), ELECTRODES, 0
    )
    write_maps(folder / "maps.zarr.zip", maps)
    rows = [
        ("dist", 0, row.clip, row.patient, row.focal, rule, policy, 0.4, 0.7 + 0.2 * k, 0.2, 0.3, 50, 30, "")
        for k, row in enumerate(seizures.itertuples())
        for rule, policy in (("any", "masked"), ("majority", "masked"))
    ]
    table = pd.DataFrame(rows, columns=LOCALISATION)
    write_table(folder / "localisation.parquet", table)
    write_json(folder / "summary.json", summarise(table, LOCALISATION_SETTINGS))
    _run_files(folder, "detection")


def _classification(folder: Path, clips: pd.DataFrame) -> None:
    rows = clips[clips["label"] == 1].assign(label=0, p_CF=0.7, p_GN=0.1, p_AB=0.1, p_CT=0.1, predicted=0)
    write_table(folder / "classification-predictions.parquet", rows)
    _run_files(folder, "classification")


def _run_files(folder: Path, task: str) -> None:
    write_json(
        folder / f"{task}-card.json", {"parameters": 168641, "settings": {"task": task}, "inputs": {"clips": ["ab"]}}
    )
    epochs = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.7, 0.5], "kept": [False, True],
                           "validation_loss": [0.8, 0.6], "validation_auroc": [0.6, 0.8]})  # fmt: skip
    write_table(folder / f"{task}-history.parquet", epochs)
    predictions = read_table(folder / f"{task}-predictions.parquet")
    names = ("seizure",) if task == "detection" else classes("four")
    p = predictions[[f"p_{name}" for name in names]].to_numpy()
    labels, given = (predictions[name].to_numpy(dtype="int64") for name in ("label", "predicted"))
    seeds = [Predicted(0, labels, p, given, predictions["patient"].to_numpy().astype(str), scaled=p, temperature=1.0)]
    table = metrics_table(
        seeds,
        names,
        EvaluationSettings(bootstrap=20, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=10),
    )
    write_table(folder / f"{task}-metrics.parquet", table.assign(list="all", run="dist", task=task, length_s=LENGTH_S))
    card = {"threshold": 0.5 if task == "detection" else None}
    write_json(folder / f"{task}-curves.json", curves(seeds, [card], names, bins=10))


def _inventory(folder: Path, synthetic: bool) -> dict[str, Any]:
    def run(name: str, task: str, length: int, **more: Any) -> dict[str, Any]:
        kinds = {"histories": "history.parquet", "cards": "card.json", "predictions": "predictions.parquet"}
        one = {key: [f"{folder}/{task}-{file}"] for key, file in kinds.items()}
        fixed = {"run": name, "task": task, "length_s": length, "seeds": [0], "graph": "distance", "init": "scratch",
                 "model": "dcrnn"}  # fmt: skip
        files = {"metrics": f"{folder}/{task}-metrics.parquet", "curves": f"{folder}/{task}-curves.json"}
        return {**fixed, **files, **one, **more}

    maps = {"maps": [f"{folder}/maps.zarr.zip"], "localisation": f"{folder}/localisation.parquet",
            "summary": f"{folder}/summary.json"}  # fmt: skip
    return {
        "corpus": "made-up", "synthetic": synthetic, "splits": None,
        **{key: [f"{folder}/{key}.parquet"] for key in ("recordings", "seizures", "segments", "findings")},
        "runs": [run("dist", "detection", 60, **maps), run("dist", "classification", 60)],
        "pretraining": [], "signals": [f"{folder}/signals.zarr.zip"],
        "graphs": {"distance": f"{folder}/distance.zarr.zip"},
        "clips": {f"{task}-60s": [f"{folder}/{task}.parquet"] for task in ("detection", "classification")},
        "experiments": None, "trial": None,
    }  # fmt: skip


def settings_json() -> str:
    """The stage's settings."""
    parts = {"report": REPORT, "localisation": LOCALISATION_SETTINGS, "occlusion": OCCLUSION}
    return json.dumps({name: part.model_dump(mode="json") for name, part in parts.items()})
