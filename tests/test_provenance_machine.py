"""What records tell of the machine: cards, the commit or why it is unknown, and which files are the program's."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import provenance_files, provenance_machine


def test_what_an_environment_in_the_checkout_holds_is_no_input(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(provenance_files, "PROGRAM", tmp_path)
    places = provenance_files.Places(tmp_path / "results", None, False)
    for folder in ("venv/lib/numpy", "conda/conda-meta", "conda/share", "data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    told = {name: places.name(tmp_path / name, given=False) for name in ("venv/lib/numpy/a.npz", "conda/share/tz",
            "data/list.csv", "config.yaml")}  # fmt: skip
    assert told == {
        "venv/lib/numpy/a.npz": None, "conda/share/tz": None,
        "data/list.csv": "{program}/data/list.csv", "config.yaml": "{program}/config.yaml",
    }  # fmt: skip


def test_why_git_does_not_tell_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    asked = []

    def run(command: list[str], **_: Any) -> None:
        asked.append(command)
        told = f"fatal: detected dubious ownership in repository at '{tmp_path}'"
        raise subprocess.CalledProcessError(128, command, stderr=told)

    monkeypatch.setattr(provenance_machine.subprocess, "run", run)
    monkeypatch.setenv(provenance_machine.SOURCE, provenance_machine.source_state(tmp_path))
    told = provenance_machine.source()
    assert "--no-optional-locks" in asked[0]  # else a commit beside it may find the index locked
    assert told is not None
    assert told["commit"] is None
    assert "dubious ownership" in told["reason"]
    assert str(tmp_path) not in told["reason"]


@pytest.mark.parametrize(
    "text",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12\n",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n",
    ],
)
def test_cards_that_were_used_are_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch and the driver document it; the test's card is made up."""
    used = [0, 3_000_000_000]  # the first card was left alone
    cuda = SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: True, device_count=lambda: 2,
        max_memory_allocated=lambda number: used[number], get_device_name=lambda number: f"card {number}",
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, get_num_threads=lambda: 4))
    read = provenance_machine._read
    monkeypatch.setattr(provenance_machine, "_read", lambda path: text if "nvidia" in path else read(path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    told = provenance_machine.device()
    assert (told["gpus"], told["driver"], told["visible"], told["threads"]) == (["card 1"], "550.54.15", "2,5", 4)
    assert provenance_machine.memory()["peak_gpu_memory_mb"] == 3000.0
    cuda.is_initialized = lambda: False
    assert provenance_machine.device()["gpus"] == []
    assert provenance_machine.memory()["peak_gpu_memory_mb"] is None
