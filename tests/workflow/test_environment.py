"""The pinned environment: one list of versions, whichever way it is installed."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
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


def conda(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "envs" / name).read_text())


@pytest.mark.parametrize("name", ["pipeline.yaml", "pipeline.gpu.yaml"])
def test_conda_environment_agrees_with_the_lock(name: str) -> None:
    listed = conda(name)["dependencies"]
    plain = [entry for entry in listed if isinstance(entry, str) and "=" in entry and not entry.startswith("python=")]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    pins = dict(entry.split("=") for entry in plain) | dict(entry.split("==") for entry in pip)
    assert {CONDA_NAMES.get(name, name): pin for name, pin in pins.items()}.items() <= lock().items()
    assert {CONDA_NAMES.get(name, name) for name in pins} >= ASKED_FOR
    assert f"python={PYTHON}" in listed
    assert f"torch=={lock()['torch']}" in pip  # conda's own builds are others


def test_conda_environments_differ_in_their_name_alone() -> None:
    plain, gpu = conda("pipeline.yaml"), conda("pipeline.gpu.yaml")
    assert plain.pop("name") != gpu.pop("name")
    assert plain == gpu


def test_image_is_built_from_the_lock() -> None:
    """Both recipes take the files that are there, run the one script, and put the lock's Python first; no host."""
    script = (ROOT / "envs/build_image.sh").read_text()
    assert f"python{PYTHON} -m venv" in script
    assert '--requirement "$here/requirements.lock"' in script
    subprocess.run(["sh", "-n", ROOT / "envs/build_image.sh"], check=True)
    texts = {name: (ROOT / "envs" / name).read_text() for name in ("Dockerfile", "ictograph.def")}
    for text in (*texts.values(), script):
        assert not re.search(r"https?://|--index|--extra-index|--find-links|(?<![\w.])torch==", text)
    for text in texts.values():
        copied = re.findall(r"^(?:COPY| +envs/\S+) .*", text, re.MULTILINE)  # Docker's context is the folder envs
        named = {Path(word).name for line in copied for word in line.split()[: -1 if "COPY" in line else 1]} - {"COPY"}
        assert named == {"build_image.sh", "requirements.lock"}
        assert all((ROOT / "envs" / name).is_file() for name in named)
        assert "sh /opt/ictograph/build_image.sh" in text
        assert "PATH=/opt/ictograph/venv/bin:$PATH" in text
    bases = [re.search(r"^(?:FROM|From:) (\S+)$", text, re.MULTILINE)[1] for text in texts.values()]
    assert bases == ["debian:bookworm-slim"] * 2


def test_this_environment_is_the_lock() -> None:
    wanted = {name: pin for name, pin in lock().items() if name in ASKED_FOR}
    assert {name: version(name).split("+")[0] for name in wanted} == wanted
