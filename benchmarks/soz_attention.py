"""What attention graphs of the SOZ arm cost: `python -m benchmarks.soz_attention [--contacts 120]` (docs/soz.md).

Nothing is compared here: the measured pieces of the stages `soz_attention` and `soz_connectivity`, on noise of the
default encoder's size, and what they add up to for ds004100 (57 patients; 208 ictal and 888 interictal clips, spec
soz.md, section 8). Seconds are of the processor: set OMP_NUM_THREADS=1. `python -m benchmarks` shows the sums alone,
measured in a process of its own, for its memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.peak_memory import peak_mib
from pipeline.explain.soz_attention import Floats, lift
from pipeline.explain.soz_controls import signal_controls
from pipeline.explain.soz_faithfulness import clip_faithfulness
from pipeline.explain.soz_graph_files import Origin, write_graph_files
from pipeline.explain.soz_graph_store import CONTACTS, PatientGraphs, write_graphs
from pipeline.explain.soz_graphs import Clip, clip_graph, judge
from pipeline.models.soz import SozEncoder, SozInputs
from pipeline.settings.soz import SozModel

MODEL = SozModel(
    width=64, heads=8, layers=2, feedforward=128, dropout=0.3, projection=64, phase=True, position=False,
    baseline_ratio=True,
)  # fmt: skip
CONTACTS_EACH = 120
PATIENTS, CLIPS, CONDITIONS, FEW = 57, 208 + 888, 2, 3
RATE_HZ, LENGTH_S, PERMUTATIONS, MASKS = 512, 35, 1000, 200


def clip_of(n: int) -> Clip:
    """Noise for n contacts."""
    generator = torch.Generator().manual_seed(0)
    inputs = SozInputs(
        tokens=torch.randn(1, n, 32, 35, generator=generator),
        stats=torch.randn(1, n, 64, generator=generator),
        valid=torch.ones(1, n, dtype=torch.bool),
        band_mask=torch.ones(1, 32, dtype=torch.bool),
        phase=torch.zeros(1, dtype=torch.long),
        xyz=torch.zeros(1, n, 3),
        has_xyz=torch.zeros(1, n, dtype=torch.bool),
    )
    return Clip(inputs, np.arange(n))


def contacts_of(n: int) -> pd.DataFrame:
    """n contacts on shafts of ten, one in twelve in the onset zone."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"channel": [f"S{k // 10}_{k % 10}" for k in range(n)], "contact": np.arange(n) % 10})
    xyz = dict(zip(("x_mm", "y_mm", "z_mm"), rng.normal(0, 30, (3, n)), strict=True))
    return table.assign(
        shaft=[f"S{k // 10}" for k in range(n)], hemisphere="L", soz=rng.random(n) < 1 / 12, resected=False, **xyz
    ).astype(CONTACTS)


def timed(work: Callable[[], object], repeats: int = 3) -> float:
    """Least seconds of the processor, on one thread, of some repeats after one to warm up."""
    work()
    found = []
    for _ in range(repeats):
        started = process_time()
        work()
        found.append(process_time() - started)
    return min(found)


def pieces(n: int, folder: Path) -> dict[str, float]:
    """Seconds of each piece, and megabytes of what is written, for n contacts."""
    torch.manual_seed(0)
    model, clip, contacts = SozEncoder(MODEL).eval(), clip_of(n), contacts_of(n)
    shafts = contacts["shaft"].to_numpy(dtype=str)
    signal = np.random.default_rng(0).standard_normal((n, RATE_HZ * LENGTH_S))
    rng = np.random.default_rng(0)
    A: Floats = clip_graph(model, clip, n).astype(np.float64)
    graphs = PatientGraphs("P", "ictal", contacts, 1, A, np.clip(np.abs(lift(A)), 0, 1), A[0, 0])
    judged = judge(contacts, {}, permutations=PERMUTATIONS, rng=rng)
    store, edges = folder / "attention.zarr.zip", folder / "edges.zip"

    def stored() -> None:
        write_graphs(store, iter([graphs]), fold=0, seed=0, model_hash="", precision="float16")

    made = {
        "attention of a clip": timed(lambda: clip_graph(model, clip, n)),
        "measures and shuffles of 16 graphs": timed(lambda: judged.rows(A, "attention"), 1),
        "controls of a clip": timed(lambda: signal_controls(signal, RATE_HZ), 1),
        "faithfulness of a clip": timed(
            lambda: clip_faithfulness(model, clip.inputs, shafts, masks=MASKS, rng=rng), 1
        ),
        "store of a condition": timed(stored, 1),
        "GraphML and TSV of a condition": timed(
            lambda: write_graph_files(edges, [graphs], Origin("", 0, 0, {}, False)), 1
        ),
    }  # fmt: skip
    megabytes = {"store of a condition, MB": store, "GraphML and TSV of a condition, MB": edges}
    return made | {name: path.stat().st_size / 1e6 for name, path in megabytes.items()}


def whole(found: dict[str, float]) -> dict[str, float]:
    """Seconds of all of ds004100, one seed: trained, untrained and pre-trained graphs of every clip."""
    groups = PATIENTS * CONDITIONS
    graphs = 3 * (CLIPS * found["attention of a clip"] + groups * found["measures and shuffles of 16 graphs"])
    few = groups * FEW * (found["controls of a clip"] + found["faithfulness of a clip"])
    return {
        "stage soz_attention, 57 patients": graphs + few + groups * found["store of a condition"],
        "stage soz_connectivity, 57 patients": groups * found["GraphML and TSV of a condition"],
    }


def measure() -> list[dict[str, Any]]:
    """Seconds of both stages on one core for ds004100's size, one seed; what they write; memory."""
    asked = [sys.executable, "-m", "benchmarks.soz_attention", "--piece"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(text)
    sums, groups = whole(found), PATIENTS * CONDITIONS
    sizes = {name: groups * found[f"{name} of a condition, MB"] / 1000 for name in ("store", "GraphML and TSV")}
    size = f"{PATIENTS} patients x {CONTACTS_EACH} contacts"
    rows = [
        *((f"{name.partition(',')[0]}, {size}", value, "CPU s") for name, value in sums.items()),
        *((f"attention graphs, {size}: {name}", value, "GB") for name, value in sizes.items()),
        ("peak memory of one patient's graphs", found["peak, MiB"], "MiB"),
    ]
    return [
        {"name": name, "ours_s": value, "reference_s": None, "ratio": None, "target": None, "unit": unit}
        for name, value, unit in rows
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=CONTACTS_EACH)
    parser.add_argument("--piece", action="store_true", help="print the pieces as JSON, for measure()")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = pieces(arguments.contacts, Path(folder))
    if arguments.piece:
        print(json.dumps(found | {"peak, MiB": peak_mib()}))
        return
    for name, value in {**found, **whole(found)}.items():
        print(f"{name:44}{value:12.3f}{'' if name.endswith('MB') else ' s'}")
    print(f"{'memory, at most':44}{peak_mib():12.0f} MiB")


if __name__ == "__main__":
    main()
