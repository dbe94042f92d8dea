"""Token stores, tables of rows and index tables as the stages of the SOZ arm write them, made up for tests.

A SOZ contact's tokens are raised in a few bands, by `effect`; everything else is noise. No real recording.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.store import write_table, writing_store

BANDS, FRAMES = 32, 35
MODEL = {
    "width": 16, "heads": 2, "layers": 1, "feedforward": 32, "dropout": 0.1, "projection": 16, "phase": True,
    "position": False, "baseline_ratio": True,
}  # fmt: skip
PRETRAINING = {
    "enabled": True, "epochs": 2, "learning_rate": 3e-3, "batch": 3, "temperature": 0.1, "beta": 0.99, "gamma": 2.0,
    "denominator": "all", "counts": "segment", "weight_cap": None, "weight_decay": 0.01, "clip_norm": 1.0,
}  # fmt: skip
FINETUNING = {
    "epochs": 4, "learning_rate_head": 1e-2, "learning_rate_encoder": 3e-3, "freeze_encoder": False, "batch": 3,
    "beta": 0.99, "gamma": 2.0, "counts": "fold", "patience": 4, "weight_decay": 0.01, "clip_norm": 1.0,
    "conditions": "both",
}  # fmt: skip
DEVICE = {"device": "cpu", "threads": 1, "mixed_precision": "off", "memory_gb": 1}
FOLDS = {"scheme": "grouped", "outer": 2, "inner_share": 0.25, "seed": 0, "labels": "soz"}


@dataclass(frozen=True)
class Cohort:
    """Paths of what was written."""

    tokens: list[Path]
    rows: list[Path]
    recordings: list[Path]
    contacts: list[Path]
    patients: list[Path]


def patient_facts(n: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Names, implants, outcomes and contacts (12 to 20, the first 2 to 4 in the SOZ) of n patients."""
    rng = np.random.default_rng(seed)
    return [
        {
            "patient": f"P{k:02d}", "implant": ("SEEG", "ECOG")[k % 2], "outcome": ("good", "poor")[k // 2 % 2],
            "n": int(rng.integers(12, 21)), "n_soz": int(rng.integers(2, 5)),
        }
        for k in range(n)
    ]  # fmt: skip


def write_cohort(
    root: Path, facts: list[dict[str, Any]], *, effect: float = 2.0, changed: str = "", relabelled: str = ""
) -> Cohort:
    """Two shards. `changed`: a patient whose data are others; `relabelled`: one whose last contacts are the SOZ."""
    shards: list[list[dict[str, Any]]] = [facts[::2], facts[1::2]]
    made: list[list[Path]] = [[], [], [], [], []]
    for number, own in enumerate(shards):
        clips = [clip for fact in own for clip in _clips(fact, effect, changed=changed, relabelled=relabelled)]
        paths = [root / f"train-{number:02d}.{ending}" for ending in ("zarr.zip", "rows.parquet")]
        write_tokens(*paths, clips)
        for place, path in enumerate(paths):
            made[place].append(path)
        contacts = [contact for fact in own for contact in _contacts(fact, relabelled=relabelled)]
        tables = (
            [{"recording": f"{f['patient']}_r0", "patient": f["patient"], "corpus": "made-up"} for f in own],
            contacts,
            [{name: f[name] for name in ("patient", "implant", "outcome")} | {"shared_with": ""} for f in own],
        )
        for place, name in enumerate(("recordings", "contacts", "patients"), start=2):
            path = root / f"train-{number:02d}.{name}.parquet"
            write_table(path, pd.DataFrame(tables[place - 2]).convert_dtypes())
            made[place].append(path)
    return Cohort(*made)


def write_tokens(store: Path, rows: Path, clips: list[tuple[pd.DataFrame, dict[str, np.ndarray]]]) -> None:
    """One shard: for each clip its table of rows and its arrays tokens, level, ratio, valid (rows) and band_mask."""
    lengths = [len(table) for table, _ in clips]
    table = pd.concat([table for table, _ in clips], ignore_index=True)
    attributes = {
        "clips": [str(own["clip"].iloc[0]) for own, _ in clips], "lengths": lengths,
        "starts": (np.cumsum(lengths) - lengths).tolist(),
    }  # fmt: skip
    with writing_store(store, attributes) as group:
        for name in ("tokens", "level", "ratio", "valid"):
            _put(group, name, np.concatenate([arrays[name] for _, arrays in clips]))
        _put(group, "band_mask", np.stack([arrays["band_mask"] for _, arrays in clips]))
    types = {"soz": "boolean", "resected": "boolean", "shift": "int64"}
    write_table(rows, table.astype(types))


def _put(group: Any, name: str, values: np.ndarray) -> None:
    kind = "bool" if values.dtype == bool else "float32"
    group.create_array(name, shape=values.shape, dtype=kind, compressors=None)[...] = values


def _contacts(fact: dict[str, Any], *, relabelled: str) -> list[dict[str, Any]]:
    name = fact["patient"]
    soz = [k < fact["n_soz"] for k in range(fact["n"])][:: -1 if name == relabelled else 1]
    return [
        {
            "recording": f"{name}_r0", "patient": name, "channel": f"A{k + 1}", "used": True,
            "soz": soz[k] if fact.get("labelled", True) else None, "resected": k < fact["n_soz"] + 1,
        }
        for k in range(fact["n"])
    ]  # fmt: skip


def _clips(
    fact: dict[str, Any], effect: float, *, changed: str, relabelled: str
) -> list[tuple[pd.DataFrame, dict[str, np.ndarray]]]:
    name = fact["patient"]
    contacts = pd.DataFrame(_contacts(fact, relabelled=relabelled))
    found = []
    for number, (phase, shift) in enumerate(
        [("interictal", 0), ("interictal", 1), ("pre", 0), ("ictal", 0), ("ictal", 1), ("interictal", 0)]
    ):
        rng = np.random.default_rng([int(name[1:]), number, name == changed])
        clip = f"{name}_r0/0@{35 * (number - bool(shift)):.3f}" + (f"#{shift}" if shift else "")
        condition = "interictal" if phase == "interictal" else "ictal"
        table = contacts[["recording", "patient", "channel", "soz", "resected"]].assign(
            clip=clip, phase=phase, condition=condition, shift=shift, x_mm=np.nan, y_mm=0.0, z_mm=1.0
        )
        found.append((table, _arrays(fact, rng, effect, ratio=phase == "ictal")))
    return found


def _arrays(fact: dict[str, Any], rng: np.random.Generator, effect: float, *, ratio: bool) -> dict[str, np.ndarray]:
    n, raised = fact["n"], np.arange(fact["n"]) < fact["n_soz"]
    tokens = rng.standard_normal((n, BANDS, FRAMES)) + effect * raised[:, None, None] * (np.arange(BANDS) > 8)[:, None]
    level = rng.standard_normal((n, BANDS)) + 3 + effect * raised[:, None]
    mask = np.arange(BANDS) < (16 if fact["patient"] == "P01" else BANDS)  # P01: recorded at 256 Hz
    valid = np.arange(n) != n - 1 if fact["patient"] == "P02" else np.ones(n, bool)  # P02: a flat channel
    ratios = rng.standard_normal((n, BANDS)) if ratio else np.full((n, BANDS), np.nan)
    return {"tokens": tokens, "level": level, "ratio": ratios, "valid": valid, "band_mask": mask}
