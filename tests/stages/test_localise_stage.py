"""The stage `localise` from files to files: a planted truth is found, and what cannot be scored says why."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.stages import localise
from pipeline.store import read_json, read_table, write_table

ELECTRODES = ["F7", "T3", "T5", "O1", "FZ"]
DERIVATIONS = ["F7-T3", "T3-T5", "T5-O1"]
LENGTH_S = 10
SETTINGS = {
    "run": "dist-ssl",
    "task": "detection",
    "length_s": LENGTH_S,
    "localisation": {
        "threshold": 0.5,
        "precise": 0.8,
        "second_rule": "any",
        "edge_value": "max",
        "permutations": 50,
        "bootstrap": 200,
        "confidence": 0.95,
        "seed": 0,
    },
}
FOCAL = ["focal", "focal", "generalised", "mixed", "focal"]


def write_inputs(folder):
    """Five clips of five recordings; the seizure is on F7-T3 from the clip's third second on; the last has no rows."""
    names = [f"r{k}" for k in range(5)]
    clips = pd.DataFrame(
        {
            "clip": [f"{name}/s0@20.000+{LENGTH_S}" for name in names],
            "recording": names,
            "segment": "s0",
            "patient": ["p0", "p0", "p1", "p2", "p3"],
            "start_s": 20.0,
            "label": 1,
            "focal": FOCAL,
        }
    )
    segments = pd.DataFrame({"recording": names, "segment": "s0", "derivations": [DERIVATIONS] * 5})
    rows = [
        {"recording": name, "channel": channel, "onset_s": 23.0, "offset_s": 40.0, "code": "fnsz"}
        for name in names
        for channel in ("TERM", "F7-T3")
        if channel == "TERM" or name != "r4"
    ]
    predictions = clips[["clip", "label"]].assign(predicted=[1, 1, 1, 1, 0])
    tables = {"clips": clips, "segments": segments, "seizures": pd.DataFrame(rows), "predictions": predictions}
    for name, table in tables.items():
        write_table(folder / f"{name}.parquet", table)
    drop = np.zeros((5, 5, LENGTH_S), dtype=np.float32)
    drop[:, :2, 3:] = 1.0
    drop[1] = 0.25  # flat
    for seed in (0, 1):
        maps = OcclusionMaps(drop, np.ones(5, np.float32), list(clips["clip"]), [0] * 5, ELECTRODES, seed)
        write_maps(folder / f"maps{seed}.zarr.zip", maps)


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    write_inputs(tmp_path)
    inputs = {name: [f"{name}.parquet"] for name in ("clips", "segments", "seizures")}
    inputs |= {"maps": ["maps0.zarr.zip", "maps1.zarr.zip"], "predictions": ["predictions.parquet"] * 2}
    words = ["localise", "--settings", json.dumps(SETTINGS)]
    for name, files in inputs.items():
        words += [f"--{name}", *(str(tmp_path / file) for file in files)]
    out = tmp_path / "out.parquet", tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", [*words, "--localisation", str(out[0]), "--summary", str(out[1])])
    localise.main()
    return read_table(out[0]), read_json(out[1])


def test_the_planted_truth_is_found(outputs):
    table, summary = outputs
    assert len(table) == 2 * 5 * 5
    good = table[(table["clip"].str.startswith("r0")) & (table["rule"] == "any")]
    assert (good[["coverage", "localisation"]] == 1.0).all().all()
    assert (good["null_electrodes"] < 0.9).all()
    case = next(
        entry
        for entry in summary["cases"]
        if (entry["rule"], entry["fz_pz"], entry["group"]) == ("any", "masked", "focal")
    )
    assert case["n_clips"] == 6
    assert case["localisation"]["value"] == 1.0
    assert case["localisation"]["n_clips"] == 2
    assert case["precise"]["value"] == 1.0
    assert case["above_electrodes"]["value"] > 0.1
    assert case["undefined"] == {"flat map": 2, "no derivation is annotated in this recording": 2}


def test_what_was_left_out_is_counted(outputs):
    _, summary = outputs
    counts = {name: summary[name] for name in ("n_clips", "n_patients", "n_seeds", "n_flat", "n_mixed")}
    assert counts == {"n_clips": 10, "n_patients": 4, "n_seeds": 2, "n_flat": 2, "n_mixed": 2}
    assert (summary["n_seizure_clips"], summary["n_detected"]) == (10, 8)
