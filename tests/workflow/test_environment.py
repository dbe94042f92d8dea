"""The pinned environment: one list of versions, whichever way it is installed."""

import re
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
ASKED_FOR = {"snakemake", "mne", "pyedflib", "scipy", "pywavelets", "zarr", "torch", "pandas", "pyarrow"}


def lock() -> dict[str, str]:
    lines = (ROOT / "envs/requirements.lock").read_text().split("\n")
    pins = dict(line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {name.lower().replace("_", "-"): pin for name, pin in pins.items()}


def test_lock_pins_exactly_and_names_no_host() -> None:
    text = (ROOT / "envs/requirements.lock").read_text()
    assert lock()["torch"] == "2.13.0"
    assert set(lock()) >= ASKED_FOR
    assert not re.search(r"https?://|file:|--index|@ ", text)


def test_conda_environment_agrees_with_the_lock() -> None:
    listed = yaml.safe_load((ROOT / "envs/pipeline.yaml").read_text())["dependencies"]
    plain = [entry for entry in listed if isinstance(entry, str) and "=" in entry and not entry.startswith("python=")]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    pins = dict(entry.split("=") for entry in plain) | dict(entry.split("==") for entry in pip)
    assert {CONDA_NAMES.get(name, name): pin for name, pin in pins.items()}.items() <= lock().items()
    assert {CONDA_NAMES.get(name, name) for name in pins} >= ASKED_FOR


def test_this_environment_is_the_lock() -> None:
    wanted = {name: pin for name, pin in lock().items() if name in ASKED_FOR}
    assert {name: version(name).split("+")[0] for name in wanted} == wanted
