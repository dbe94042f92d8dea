"""A made-up inventory for the paper's figures: seven recordings, three focal and two generalised test seizures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from report_inputs import LOCALISATION_SETTINGS, OCCLUSION, REPORT

from pipeline.explain.localisation_summary import COLUMNS as LOCALISATION
from pipeline.explain.localisation_summary import summarise
from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.graphs.correlation import keep_nearest
from pipeline.graphs.distance import distance_weights
from pipeline.report.paper_figures_base import FigureSettings
from pipeline.settings.features import GraphSettings
from pipeline.store import write_json, write_table, writing_store
from tests.signals.edf_builder import ELECTRODES

RATE_HZ, N = 100, len(ELECTRODES)
CODES = ("fnsz", "gnsz", "fnsz", "fnsz", "fnsz", "gnsz", "gnsz")  # of recording r0 .. r6; r0 train, r1 validation
SPLITS = ("train", "validation", *["test"] * 5)
TEST = [f"r{k}" for k in range(2, 7)]
ONSET_S, OFFSET_S = 70.0, 82.5  # in every recording: seconds 10 to 22.5 of its second clip
SETTINGS = FigureSettings(
    report=REPORT.model_copy(update={"dpi": 30}), localisation=LOCALISATION_SETTINGS, occlusion=OCCLUSION,
    graphs=GraphSettings(kappa=0.9, top_neighbours=3, correlation_input="raw"), electrodes=tuple(ELECTRODES),
)  # fmt: skip


def clip_of(recording: str, length_s: int = 60, start_s: float = 60.0) -> str:
    return f"{recording}/000@{start_s:.3f}+{length_s}"


def make_corpus(folder: Path, *, synthetic: bool = True) -> dict[str, Any]:
    """Tables, signals and graphs; returns an inventory without runs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    recordings = [f"r{k}" for k in range(len(CODES))]
    patients = [f"p{k}" for k in range(len(CODES))]
    base = {"recording": recordings, "patient": patients, "split": SPLITS}
    write_table(folder / "recordings.parquet", pd.DataFrame({**base, "synthetic": synthetic}))
    write_table(folder / "segments.parquet", pd.DataFrame({
        **base, "segment": "000", "start_s": 0.0, "duration_s": 120.0, "rate_hz": float(RATE_HZ),
    }))  # fmt: skip
    events = [(r, name, ONSET_S, OFFSET_S, code, 1.0) for r, code in zip(recordings, CODES, strict=True)
              for name in ("TERM", "F7-T3")]  # fmt: skip
    columns = ["recording", "channel", "onset_s", "offset_s", "code", "confidence"]
    write_table(folder / "seizures.parquet", pd.DataFrame(events, columns=columns))
    with writing_store(folder / "signals.zarr.zip", {"electrodes": ELECTRODES}) as group:
        for recording in recordings:
            _store(group, f"{recording}/000", rng.normal(scale=20, size=(N, 120 * RATE_HZ)).astype("float32"))
    with writing_store(folder / "distance.zarr.zip") as group:
        _store(group, "weights", distance_weights(ELECTRODES, kappa=0.9)[None])
    clips = {"detection-60s": _clips(60, (0.0, 60.0)), "detection-12s": _clips(12, (60.0, 72.0, 84.0, 96.0))}
    for length in (12, 60):
        table = _clips(length, (68.0,))
        clips[f"classification-{length}s"] = table.assign(length_s=np.minimum(length, 14), label=-1)
    for name, table in clips.items():
        write_table(folder / f"clips-{name}.parquet", table)
    graphs = {"distance": f"{folder}/distance.zarr.zip"}
    for name in ("detection-12s", "detection-60s", "classification-60s"):
        write_graphs(folder / f"correlation-{name}.zarr.zip", clips[name], rng)
        graphs[f"correlation-fft/{name}"] = [f"{folder}/correlation-{name}.zarr.zip"]
    return {
        "corpus": "made-up", "synthetic": synthetic, "findings": [], "runs": [], "pretraining": [], "graphs": graphs,
        **{key: [f"{folder}/{key}.parquet"] for key in ("recordings", "seizures", "segments")},
        "signals": [f"{folder}/signals.zarr.zip"],
        "clips": {name: [f"{folder}/clips-{name}.parquet"] for name in clips},
    }  # fmt: skip


def write_graphs(path: Path, clips: pd.DataFrame, rng: np.random.Generator) -> None:
    """Correlation graphs of the test clips."""
    names = clips.loc[clips["split"] == "test", "clip"].tolist()
    with writing_store(path, {"clips": names}) as group:
        _store(group, "weights", keep_nearest(rng.uniform(0.2, 1.0, size=(len(names), N, N)), 3).astype("float32"))


def write_run(
    folder: Path, run: str, task: str, length_s: int, seeds: list[pd.DataFrame], **chosen: Any
) -> dict[str, Any]:
    """Predictions of each seed (columns clip, label, predicted, p_...), and what `evaluate` makes of them, by hand."""
    home = folder / f"{task}-{length_s}s" / run
    curves, rows, files = [], [], []
    for k, table in enumerate(seeds):
        table = table.assign(split="test", focal=[_focal(clip) for clip in table["clip"]],
                             patient=[f"p{clip[1]}" for clip in table["clip"]])  # fmt: skip
        write_table(home / f"{k}.parquet", table)
        size = 2 if task == "detection" else sum(column.startswith("p_") for column in table)
        matrix = np.zeros((size, size), dtype=int)
        np.add.at(matrix, (table["label"], table["predicted"]), 1)
        curve = _roc(table) if task == "detection" else {}
        rows.append((k, "auroc", curve.pop("auroc", np.nan)))
        curves.append({"seed": k, "confusion": matrix.tolist(), **curve})
        rows.append((k, "weighted_f1", float((table["label"] == table["predicted"]).mean())))  # any number will do
        files.append(str(home / f"{k}.parquet"))
    scores = pd.DataFrame(rows, columns=["seed", "metric", "value"])
    mean = scores.groupby("metric", as_index=False)["value"].mean().assign(seed=-1)
    fixed = {"list": "all", "class": "", "std": 0.0, "low": 0.1, "high": 0.9, "reason": ""}
    scores = pd.concat([scores, mean]).assign(**fixed)
    write_table(home / "metrics.parquet", scores.assign(n_seeds=len(seeds), n_clips=len(seeds[0]), n_patients=5))
    names = [column[2:] for column in seeds[0] if column.startswith("p_")]
    names = ["background", "seizure"] if task == "detection" else names
    write_json(home / "curves.json", {"classes": names, "n_patients": 5, "n_clips": len(seeds[0]), "seeds": curves})
    return {
        "run": run, "task": task, "length_s": length_s, "seeds": list(range(len(seeds))), "graph": "distance",
        "init": "scratch", "model": "dcrnn", "metrics": f"{home}/metrics.parquet", "curves": f"{home}/curves.json",
        "predictions": files, **chosen,
    }  # fmt: skip


def with_maps(folder: Path, entry: dict[str, Any], drops: dict[str, np.ndarray], **scores: float) -> dict[str, Any]:
    """Adds maps (n, t) by clip for the first seed, and, for detection, the localisation of each recording."""
    home = folder / f"{entry['task']}-{entry['length_s']}s" / entry["run"]
    stacked = np.array(list(drops.values()), dtype="float32").reshape(len(drops), N, -1 if drops else 60)
    maps = OcclusionMaps(stacked, np.ones(len(drops), "float32"), list(drops), [0] * len(drops), ELECTRODES, 0)
    write_maps(home / "maps.zarr.zip", maps)
    more: dict[str, Any] = {"maps": [f"{home}/maps.zarr.zip"], "seeds": [0], "predictions": entry["predictions"][:1]}
    if entry["task"] == "detection":
        rows = [
            (
                entry["run"],
                0,
                clip,
                f"p{clip[1]}",
                _focal(clip),
                rule,
                "masked",
                0.4,
                scores[clip[:2]],
                0.2,
                0.3,
                9,
                9,
                "",
            )
            for clip in drops
            for rule in ("any", "majority")
        ]
        table = pd.DataFrame(rows, columns=LOCALISATION)
        write_table(home / "localisation.parquet", table)
        write_json(home / "localisation.json", summarise(table, LOCALISATION_SETTINGS))
        more |= {"localisation": f"{home}/localisation.parquet", "summary": f"{home}/localisation.json"}
    return {**entry, **more}


def without_maps(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """A run none of whose test clips was predicted correctly."""
    return with_maps(folder, entry, {})


def detected(p: dict[str, float], length_s: int = 60) -> pd.DataFrame:
    """Predictions of a detector, one clip with a seizure a recording."""
    names = [clip_of(recording, length_s) for recording in p]
    return pd.DataFrame({"clip": names, "label": 1, "predicted": 1, "p_seizure": list(p.values())})


def ranked(positive: list[bool], scores: list[float]) -> pd.DataFrame:
    """Predictions of a 12-s detector with these labels and scores."""
    names = [f"r{2 + k % 5}/000@{12.0 * k:.3f}+12" for k in range(len(scores))]
    p = np.array(scores)
    given = {"label": np.array(positive, int), "predicted": (p > 0.5).astype(int), "p_seizure": p}
    return pd.DataFrame({"clip": names, **given})


def classified(labels: list[int], predicted: list[int], names: tuple[str, ...], length_s: int = 12) -> pd.DataFrame:
    """Predictions of a classifier: 0.7 for the class given, the rest spread evenly."""
    clips = [clip_of(TEST[k % 5], length_s, 68.0 + 20 * (k // 5)) for k in range(len(labels))]
    p = np.full((len(labels), len(names)), 0.3 / (len(names) - 1))
    p[np.arange(len(labels)), predicted] = 0.7 + 0.01 * np.arange(len(labels))
    table = pd.DataFrame({"clip": clips, "label": labels, "predicted": predicted})
    return table.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(names)})


def _clips(length_s: int, starts: tuple[float, ...]) -> pd.DataFrame:
    rows = [
        {
            "clip": clip_of(f"r{k}", length_s, start), "recording": f"r{k}", "segment": "000", "patient": f"p{k}",
            "split": SPLITS[k], "start_s": start, "length_s": length_s, "code": code, "codes": code,
            "label": int(start < OFFSET_S and start + length_s > ONSET_S), "focal": _focal(f"r{k}"),
        }
        for k, code in enumerate(CODES) for start in starts
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _focal(clip: str) -> str:
    return "focal" if CODES[int(clip[1])] == "fnsz" else "generalised"


def _roc(table: pd.DataFrame) -> dict[str, Any]:
    """ROC by every threshold, and its area by counting pairs."""
    positive, p = table["label"].to_numpy() == 1, table["p_seizure"].to_numpy()
    thresholds = [np.inf, *sorted(set(p), reverse=True)]
    fpr = [float((p[~positive] >= t).mean()) if (~positive).any() else 0.0 for t in thresholds]
    tpr = [float((p[positive] >= t).mean()) for t in thresholds]
    pairs = [(a > b) + 0.5 * (a == b) for a in p[positive] for b in p[~positive]]
    return {"fpr": fpr, "tpr": tpr, "auroc": float(np.mean(pairs)) if pairs else np.nan}


def _store(group: Any, name: str, values: np.ndarray) -> None:
    array = group.create_array(name, shape=values.shape, chunks=values.shape, dtype=str(values.dtype), compressors=None)
    array[...] = values
