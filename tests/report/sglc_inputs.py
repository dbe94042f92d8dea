"""Made-up results behind the targets of the learned graph: predictions and cards of each run, clips, splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipeline.clips import SCHEMES, class_numbers
from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from pipeline.settings.training import SamplingSettings
from pipeline.store import write_json, write_table
from pipeline.training.sampling import training_rows
from workflow.lib import sglc

ROOT = Path(__file__).parents[2]
CODES = ("fnsz", "gnsz", "absz", "tcsz")
EVALUATION = {"bootstrap": 30, "confidence": 0.95, "seed": 0, "threshold_strict": False, "calibration_bins": 5}
COMPARISONS = {"draws": 200, "confidence": 0.95, "seed": 0, "threshold_strict": False}
GRAPHS = {"sglc_prior": "prior", "sglc_uniform": "uniform", "sglc_random": "random"}


def configured(**over: Any) -> Config:
    """config.yaml with the preset of the demonstration, and more."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values = overlaid(values, yaml.safe_load((ROOT / "workflow/presets/sglc-demo.yaml").read_text()))
    return parse_config(overlaid(values, over))


def corpus_clips(split: str, patients: int, *, codes: tuple[str, ...] = CODES) -> pd.DataFrame:
    """Three clips a patient, one recording each, patients of each code in turn; every seizure lasts 30 s."""
    rows = [
        {"clip": f"{split}{k}/s0@{40.0 * n:.3f}+12", "recording": f"{split}{k}_s1_t0", "patient": f"{split}{k}",
         "split": split, "start_s": 40.0 * n, "length_s": 12, "code": codes[k % len(codes)], "focal": ""}
        for k in range(patients) for n in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def seizures_of(clips: pd.DataFrame) -> pd.DataFrame:
    """One event a clip, as an index holds them."""
    columns = {"recording": clips["recording"], "channel": "TERM", "onset_s": clips["start_s"] + 2.0}
    return pd.DataFrame(columns | {"offset_s": clips["start_s"] + 32.0, "code": clips["code"], "confidence": 1.0})


def make_results(folder: Path, target: str, **facts: Any) -> Path:
    """Files of every run of a target, and its inventory; `skill`: share of right answers by run; returns its path."""
    config, skill = facts.get("config") or configured(), facts.get("skill", {})
    train, validation = corpus_clips("train", 24), corpus_clips("validation", 8)
    test = corpus_clips("test", 12, codes=facts.get("codes", CODES))
    names = {"clips": train, "recordings": pd.DataFrame({"synthetic": [False]}), "seizures": seizures_of(test)}
    for name, table in names.items():
        write_table(folder / f"{name}.parquet", table)
    splits = pd.concat([train, validation, test])[["patient", "split"]].drop_duplicates()
    write_table(folder / "splits.parquet", splits)
    runs = []
    for line in sglc.plan(config, target):
        chosen, base = config.runs[line.run], folder / line.run
        entry: dict[str, Any] = {"run": line.run, "model": chosen.model, "graph": chosen.graph, "init": chosen.init}
        entry |= {"scheme": chosen.scheme, "share": sglc.share_of(line.run), "length_s": 12, "seeds": line.seeds}
        for seed in line.seeds:
            card = _card(chosen, seed, train)
            write_json(base / f"seed{seed}/card.json", card)
            right = skill.get(line.run, 0.6)
            answers = _answered(pd.concat([validation, test]), chosen.scheme, right=right, seed=[seed, len(runs)])
            write_table(base / f"seed{seed}/predictions.parquet", answers)
        entry["cards"] = [str(base / f"seed{seed}/card.json") for seed in line.seeds]
        entry["predictions"] = [str(base / f"seed{seed}/predictions.parquet") for seed in line.seeds]
        runs.append(entry)
    content = {
        "target": target, "corpus": "made-up", "synthetic": True, "recordings": [str(folder / "recordings.parquet")],
        "splits": str(folder / "splits.parquet"), "seizures": [str(folder / "seizures.parquet")], "runs": runs,
        "encoders": [], "clips": [str(folder / "clips.parquet")] if target == "label_fraction" else [],
        "pairs": [[sglc.LEARNED, name] for name in sglc.FIXED] if target == "graph_ablation" else [],
    }  # fmt: skip
    path = folder / "inventories" / f"{target}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return path


def _card(run: Any, seed: int, train: pd.DataFrame) -> dict[str, Any]:
    sampling: dict[str, Any] = {"balance": False, "negative_seed": "run", "label_fraction": run.label_fraction}
    sampling |= {"label_unit": "patient"} if run.label_fraction < 1 else {}
    labels = class_numbers(train["code"], run.scheme)
    seen = training_rows(train["patient"], labels, settings=SamplingSettings.model_validate(sampling), seed=seed)
    sizes = {"layers": 2, "units": 16, "adjacency": GRAPHS.get(run.model, "learned")}
    return {
        "task": "classification", "length_s": 12, "seed": seed, "threshold": None, "epochs": 15, "parameters": 1000,
        "counts": {"training_clips": len(seen), "training_patients": train["patient"].iloc[seen].nunique(),
                   "validation_clips": 24, "validation_patients": 8},
        "settings": {"options": sizes, "loop": {"epochs": 15, "batch": 16}, "sampling": sampling, "scheme": run.scheme,
                     "seed": seed},
        "inputs": {"encoder": ["ab"] if run.init == "ssl" else []},
    }  # fmt: skip


def _answered(clips: pd.DataFrame, scheme: str, *, right: float, seed: list[int]) -> pd.DataFrame:
    """Answers that are right with a given chance, else any class."""
    rng, names = np.random.default_rng(seed), tuple(SCHEMES[scheme])
    labels = class_numbers(clips["code"], scheme)
    given = np.where(rng.random(len(clips)) < right, labels, rng.integers(0, len(names), len(clips)))
    logits = 2.0 * np.eye(len(names))[given] + 0.01 * rng.random((len(clips), len(names)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shown = {f"p_{name}": p[:, k] for k, name in enumerate(names)}
    shown |= {f"logit_{name}": logits[:, k] for k, name in enumerate(names)}
    return clips.assign(label=labels, predicted=given, **shown)
