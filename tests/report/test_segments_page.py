"""The target real-segments: every EDF is answered, the ranking is that of plain counting, nothing gates on it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from report_inputs import ELECTRODES, OCCLUSION, REPORT

from pipeline.findings import Findings
from pipeline.graphs.distance import distance_weights
from pipeline.report.segments import answered, ranking
from pipeline.settings.config import parse_config
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, read_table, write_json, writing_store
from pipeline.training.model_io import build_model, save_weights
from tests.faults.canaries import canaries_in
from workflow.lib import job_settings

ROOT = Path(__file__).parents[2]
REAL = ROOT / "../shared/real-eeg"


def test_every_file_is_scored_or_has_a_reason() -> None:
    files = pd.DataFrame({"recording": ["a", "b"], "file": ["a.edf", "b.edf"], "label": ["sz", ""]})
    predictions = pd.DataFrame({"recording": ["a", "a"], "p_seizure": [0.2, 0.6]})
    findings = Findings(recording="b")
    with pytest.raises(ValueError, match="b was not scored"):
        answered(files, predictions, findings)
    findings.add("bipolar_only", "only derivations", severity="error", action="skip")
    table = answered(files, predictions, findings).set_index("recording")
    assert table.loc["a", ["p_mean", "p_max", "clips"]].tolist() == pytest.approx([0.4, 0.6, 2])
    assert table.loc["b", ["code", "reason"]].tolist() == ["bipolar_only", "only derivations"]


def test_ranking_counts_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    labels = ["sz"] * 3 + ["other"] * 4 + ["grda"] * 2 + ["gpd"] * 3 + [""]
    table = pd.DataFrame({"recording": [f"r{k}" for k in range(13)], "label": labels, "clips": 4})
    table["p_mean"], table["p_max"] = rng.integers(0, 4, 13) / 4, rng.random(13)
    found = ranking(table)
    for name, kept in (("other_and_grda", {"other", "grda"}), ("every_other_label", {"other", "grda", "gpd"})):
        for score in ("p_mean", "p_max"):
            pairs = [
                1.0 if a > b else 0.5 if a == b else 0.0
                for a in table.loc[table["label"] == "sz", score]
                for b in table.loc[table["label"].isin(kept), score]
            ]
            assert found[name][score] == pytest.approx(np.mean(pairs))
    assert found["gate"] is False
    assert ranking(table[table["label"] != "sz"])["other_and_grda"]["p_mean"] is None


def make_detector(folder: Path, config: dict) -> list[str]:
    """A small untrained detector on the distance graph: options that name its files."""
    parsed = parse_config(config)
    fit = FitSettings.model_validate(
        {"features": config["features"]["fft"]}
        | json.loads(job_settings.as_text(job_settings.train(parsed, "dist-scratch", "detection", 12, 0)))
    )
    torch.manual_seed(0)
    save_weights(folder / "model.safetensors", build_model(fit, n_features=100).state_dict())
    scaler = {"mean": 3.9, "std": 1.6, "n_values": 1, "n_clips": 1}
    write_json(folder / "scaler.json", scaler)
    card = {"settings": fit.model_dump(mode="json"), "n_features": 100, "threshold": 0.5, "classes": ["seizure"]}
    write_json(folder / "card.json", {**card, "scaler": scaler, "inputs": {}})
    with writing_store(folder / "distance.zarr.zip") as group:
        weights = distance_weights(ELECTRODES, kappa=parsed.graphs.kappa)[None]
        group.create_array("weights", shape=weights.shape, chunks=weights.shape, dtype="float64")[...] = weights
    names = {"model": "model.safetensors", "card": "card.json", "scaler": "scaler.json", "graphs": "distance.zarr.zip"}
    return [text for name, file in names.items() for text in (f"--{name}", str(folder / file))]


def stage_settings(config: dict, *, pseudonyms: bool = False) -> str:
    compat = config["compat"]
    return json.dumps({
        "corpus": "made-up", "synthetic": True, "channels": config["channels"], "signals": config["signals"],
        "compat": {name: compat[name] for name in ("zero_unreadable", "resample_length")},
        "clip_compat": {name: compat[name] for name in ("label_edge", "clip_start_offset")},
        "clips": config["clips"], "graphs": config["graphs"],
        "device": config["device"] | {"device": "cpu", "threads": 1},
        "occlusion": OCCLUSION.model_dump(), "report": REPORT.model_dump(), "batch": 8,
        "threshold_strict": False, "pseudonyms": pseudonyms,
    })  # fmt: skip


@pytest.mark.skipif(not REAL.exists(), reason="../shared/real-eeg is not on this machine")
def test_real_segments_are_scored_and_the_others_answered(tmp_path: Path) -> None:
    root = tmp_path / "user"
    for name in ("iiic_sparcnet/SZ_sample1", "siena_f8_64hz/PN00-1_F8_64Hz", "headers_whitenoise/chb01_01_sample"):
        (root / name).parent.mkdir(parents=True)
        shutil.copy(REAL / f"{name}.edf", root / f"{name}.edf")
    shutil.copy(REAL / "INDEX.csv", root)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["models"]["dcrnn"]["units"] = 4
    command = [sys.executable, "-m", "pipeline.stages.score_segments", "--settings", stage_settings(config)]
    options = [*make_detector(tmp_path, config), "--root", str(root), "--out", str(tmp_path / "out")]
    subprocess.run([*command, *options], check=True, cwd=ROOT)
    segments = read_table(tmp_path / "out/segments.parquet").set_index("file")
    assert segments["clips"].to_dict() == {
        "iiic_sparcnet/SZ_sample1.edf": 4, "siena_f8_64hz/PN00-1_F8_64Hz.edf": 0,
        "headers_whitenoise/chb01_01_sample.edf": 0,
    }  # fmt: skip
    assert segments["code"].to_dict()["siena_f8_64hz/PN00-1_F8_64Hz.edf"] == "missing_electrode"
    assert segments["code"].to_dict()["headers_whitenoise/chb01_01_sample.edf"] == "bipolar_only"
    assert read_json(tmp_path / "out/summary.json")["n_scored"] == 1
    page = (tmp_path / "out/index.html").read_text()
    assert "plausibility only" in page
    assert "synthetic corpus" in page
    assert len(list((tmp_path / "out/figures").glob("traces-*.png"))) == 1
    assert not list((tmp_path / "out").glob(".work*"))


@pytest.mark.skipif(not REAL.exists(), reason="../shared/real-eeg is not on this machine")
def test_row28_scored_under_pseudonyms(tmp_path: Path) -> None:
    """Names of files are in the private folder and nowhere else; the labels of INDEX.csv still find their EDFs."""
    root = tmp_path / "user"
    (root / "Canary").mkdir(parents=True)
    shutil.copy(REAL / "iiic_sparcnet/SZ_sample1.edf", root / "Canary" / "canary_1951.edf")
    (root / "INDEX.csv").write_text("file,label\nCanary/canary_1951.edf,sz\n")
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["models"]["dcrnn"]["units"] = 4
    settings = stage_settings(config, pseudonyms=True)
    command = [sys.executable, "-m", "pipeline.stages.score_segments", "--settings", settings]
    options = ["--root", str(root), "--out", str(tmp_path / "out"), "--log", str(tmp_path / "out" / "log.txt")]
    subprocess.run([*command, *make_detector(tmp_path, config), *options], check=True, cwd=ROOT)
    segments = read_table(tmp_path / "out/segments.parquet")
    assert segments["label"].tolist() == ["sz"]
    assert segments["file"].tolist() == [f"{segments['recording'][0]}.edf"]
    assert canaries_in(tmp_path / "out", but=("private",)) == {}
    assert "canary_1951.edf" in (tmp_path / "out/private/names.tsv").read_text()
