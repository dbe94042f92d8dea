"""Pre-training on a feature store of three times `device.memory_gb`, against the same with all frames in memory.

The published DCRNN, 12-s clips, batch 40. Each training is a process of its own; the pages that the kernel keeps of the
store are given up before each. The streamed ones run in a control group (where this user may make one) that leaves them
what a training takes without frames, and the limit: what the kernel keeps of the store counts there, too. The weights
must be equal to the bit. Memory is the peak of the resident set, less that of a training on as many clips of a store
of few frames, without these: medians of three, since a peak of 700 MiB is other by some MiB each time.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.memory_limit import limited
from benchmarks.training import BINS, ELECTRODES, FIT
from pipeline.clips import COLUMNS
from pipeline.features._frame_store import write_frames
from pipeline.graphs.distance import distance_weights
from pipeline.store import digest_result, write_json, write_table, writing_store

LIMIT_GB, TIMES, CLIP_S, ITEM_S = 0.06, 3, 12, 1200
SPEED_TARGET, REPEATS = 0.8, 3
ROOM_MIB = 32  # of the control group beyond both: the kernel's own pages of the process
REPOSITORY = Path(__file__).resolve().parents[1]
CHILD = """
import json, os, sys, time
from pathlib import Path
told = json.loads(sys.argv[1])
if told["group"]:
    Path(told["group"]).write_text(str(os.getpid()))
from benchmarks.peak_memory import peak_mib
from pipeline.settings.training import FitSettings
from pipeline.training import job
fit, seconds = job.fit, []
def timed(*arguments, **named):
    begin = time.perf_counter()
    made = fit(*arguments, **named)
    seconds.append(time.perf_counter() - begin)
    return made
job.fit = timed
out = Path(told["out"])
inputs = job.Inputs.from_json(told["inputs"])
outputs = job.Outputs(out / "encoder.safetensors", out / "card.json", out / "history.parquet")
settings = FitSettings.model_validate(told["settings"])
job.run_job(inputs, outputs, settings=settings, code="", checkpoints=out / "c", memory_gb=told["memory_gb"])
print(json.dumps({"seconds": seconds[0], "peak_mib": peak_mib()}))
"""


def measure(limit_gb: float = LIMIT_GB, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}: speed, and memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_clips_of = _items(TIMES * limit_gb)
        large, few = (_store(folder / str(n), n, n_clips_of) for n in (n_clips_of, 2))
        without = [_train(few, folder / f"few{k}", None)["peak_mib"] for k in range(repeats)]
        base = median(without) - os.path.getsize(few["features"][0]) / 2**20
        allowed = int((base + ROOM_MIB) * 2**20 + limit_gb * 1e9)
        whole, streamed = [], []
        for k in range(repeats):
            whole.append(_train(large, folder / f"whole{k}", None))
            with limited(allowed) as group:
                streamed.append(_train(large, folder / f"streamed{k}", limit_gb, group=group))
        found = {digest_result(path) for kind in ("whole", "streamed") for path in folder.glob(f"{kind}*/encoder.*")}
        assert len(found) == 1, "the weights differ"
    contained = "" if group is None else ", limited by the kernel"
    unit, mib = f"{limit_gb * TIMES * 1e3:.0f} MB of frames", limit_gb * 1e9 / 2**20
    ours, reference = (median(one["seconds"] for one in runs) for runs in (streamed, whole))
    peak = _above(streamed, base)
    speed = {"name": f"pre-training, store {TIMES} x memory_gb{contained}", "ours_s": ours, "reference_s": reference}
    memory = {"name": f"its memory (all in memory: {_above(whole, base):.0f} MiB more)", "ours_s": peak}
    return [
        {**speed, "ratio": reference / ours, "target": SPEED_TARGET, "unit": unit},
        {**memory, "reference_s": mib, "ratio": mib / max(peak, 1e-3), "target": 1.0, "unit": "MiB"},
    ]


def _above(runs: list[dict[str, float]], base: float) -> float:
    return median(one["peak_mib"] for one in runs) - base


def _items(gb: float) -> int:
    """How many recordings of 20 minutes take so much."""
    return round(gb * 1e9 / (4 * len(ELECTRODES) * BINS * ITEM_S))


def _store(folder: Path, n: int, n_clips_of: int) -> dict[str, Any]:
    """Inputs of a pre-training: frames of `n` recordings of 20 minutes, from which the clips of `n_clips_of` are taken.

    The last is of a validation patient.
    """
    splits = ["train"] * (n_clips_of - 1) + ["validation"]
    table = pd.DataFrame([
        dict.fromkeys(COLUMNS, "") | {
            "clip": f"r{k}/0@{start}", "recording": f"r{k}", "patient": f"p{k}", "split": splits[k],
            "start_s": float(start), "length_s": CLIP_S, "label": -1, "item": f"r{k % n}/0", "frame": start,
            "target_frame": start + CLIP_S,
        }
        for k in range(n_clips_of) for start in range(0, ITEM_S - CLIP_S, CLIP_S)
    ])  # fmt: skip
    write_table(folder / "clips.parquet", table)
    items = [f"r{k}/0" for k in range(n)]
    write_frames(folder / "f.zarr.zip", items, [ITEM_S] * n, _frames(n), shape=(len(ELECTRODES), BINS))
    weights = distance_weights(ELECTRODES, kappa=0.9)[None]
    with writing_store(folder / "g.zarr.zip") as group:
        group.create_array("weights", shape=weights.shape, dtype="float32", compressors=None)[...] = weights
    write_json(folder / "scaler.json", {"mean": 3.0, "std": 1.5})
    paths = {"features": ["f.zarr.zip"], "clips": ["clips.parquet"], "graphs": ["g.zarr.zip"]}
    given = {role: [str(folder / name) for name in names] for role, names in paths.items()}
    return {**given, "scaler": str(folder / "scaler.json"), "encoder": None, "detector": None}


def _frames(n: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.normal(3.0, 1.5, (ITEM_S, len(ELECTRODES), BINS)).astype(np.float32)


def _train(
    inputs: dict[str, Any], out: Path, memory_gb: float | None, *, group: Path | None = None
) -> dict[str, float]:
    """Seconds of the training loop, and the peak of the process in MiB."""
    loop = {**FIT["loop"], "checkpoint": "loss", "loss": "mae"}
    device = {**FIT["device"], "threads": 1}
    settings = {**FIT, "task": "pretraining", "graph": "distance", "loop": loop, "device": device}
    settings["sampling"] = {**FIT["sampling"], "balance": False}
    settings["features"] = FIT["features"].model_dump(mode="json")
    told = {"inputs": inputs, "settings": settings, "out": str(out), "memory_gb": memory_gb}
    with open(inputs["features"][0], "rb") as store:
        os.posix_fadvise(store.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, "-c", CHILD, json.dumps({**told, "group": group and str(group)})]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    for row in measure():
        print(row)
