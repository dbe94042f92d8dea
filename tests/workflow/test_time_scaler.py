"""Whose scaler standardises a run's frames (D17)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings.config import parse_config
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs
from workflow.lib.paths import Paths

ROOT = Path(__file__).parents[2]


def inputs_under(**compat: str) -> Inputs:
    values: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    config = parse_config(values | {"compat": values["compat"] | compat})
    return Inputs(config, Corpora(config, False), Paths("results"))


@pytest.mark.parametrize(("task", "grid"), [("detection", "grid"), ("classification", "classification-12s")])
def test_D17_raw_samples_have_their_own_scaler_or_that_of_log_amplitudes(task: str, grid: str) -> None:
    found = {}
    for rule in ("own", "fft"):
        inputs = inputs_under(time_scaler=rule)
        for run in ("dist-time", "corr-time", "dist-scratch"):
            read = inputs.of_model("synthetic", inputs.config.runs[run], task, 12, "train")
            kind = inputs.config.runs[run].features
            assert all(f"/features/{kind}/{grid}/" in path for path in read["features"])
            found[rule, run] = read["scaler"]
    scaler = f"results/synthetic/features/{{}}/{grid}/scalers/{task}-12s.json"
    for run in ("dist-time", "corr-time"):
        assert found["own", run] == scaler.format("time")
        assert found["fft", run] == scaler.format("fft")
    assert found["own", "dist-scratch"] == found["fft", "dist-scratch"] == scaler.format("fft")
