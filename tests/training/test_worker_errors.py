"""What another process of a training meets while it loads: said once, by the first if that meets it, too."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from training_files import Files, fit_settings, make_files

from pipeline.sealing import DamagedFile
from pipeline.settings.training import FitSettings
from pipeline.training.job import Inputs, Outputs, run_job
from pipeline.training.loop import Diverged
from pipeline.training.processes import READY, _started, join
from pipeline.training.team import Team

CPU = torch.device("cpu")
LOADED_S = 4.0  # longer than the little that there is takes to be loaded


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("detection"), "detection")


@pytest.fixture
def damaged(files: Files, tmp_path: Path) -> Inputs:
    """The files of a training, one store of which lacks its end."""
    short = tmp_path / "short.zarr.zip"
    short.write_bytes(files.features[1].read_bytes()[:-100])
    job = files.job(slice(0, 3), "distance")
    return Inputs(**{**job, "features": [files.features[0], short, files.features[2]]}, encoder=None)


def of_two(**changes: Any) -> dict[str, Any]:
    settings = fit_settings(**changes)
    settings["loop"]["processes"] = 2
    return settings


@contextmanager
def second_of_two(inputs: Inputs, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The second of two processes, met by this one as their first."""
    meeting = str(folder / "meeting")
    told = {"settings": of_two(), "inputs": inputs.to_json(), "state": "none", "memory_gb": None}
    process = _started({**told, "rank": 1, "size": 2, "meeting": meeting})
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == READY
        join(Team(0, 2), meeting, CPU)
        yield process
    finally:
        process.kill()
        process.wait()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def test_it_waits_in_silence_for_a_first_that_is_slow(
    damaged: Inputs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with second_of_two(damaged, tmp_path) as other:
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=LOADED_S)
        assert other.stdin is not None
        other.stdin.close()  # the first has said what was wrong, and is gone
        other.wait(timeout=120)
    assert capfd.readouterr().err == ""


def test_it_ends_in_silence_where_the_connection_breaks_before_the_input_ends(
    files: Files, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a first that is killed, the kernel closes one after the other."""
    with second_of_two(Inputs(**files.job(slice(0, 3), "distance"), encoder=None), tmp_path) as other:
        Team(0, 2).wait(CPU)  # both have loaded everything, and the other goes on to the first step
        distributed.destroy_process_group()
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=LOADED_S)
        assert other.stdin is not None
        other.stdin.close()
        other.wait(timeout=120)
    assert capfd.readouterr().err == ""


def test_it_says_in_a_line_what_it_meets_alone(
    damaged: Inputs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with second_of_two(damaged, tmp_path) as other:
        Team(0, 2).wait(CPU)  # the first has loaded everything
        assert other.wait(timeout=120) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: process 2 of 2: ")
    assert "short.zarr.zip: damaged" in line


def run(inputs: Inputs, settings: dict[str, Any], out: Path) -> None:
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    run_job(
        inputs, outputs, settings=FitSettings.model_validate(settings), code="code", checkpoints=out / "checkpoints"
    )


@pytest.mark.parametrize("case", ["damaged", "diverged"])
def test_the_first_alone_says_what_all_meet(
    files: Files, damaged: Inputs, tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    if case == "damaged":
        with pytest.raises(DamagedFile, match=r"short\.zarr\.zip"):
            run(damaged, of_two(), tmp_path)
    else:
        with pytest.raises(Diverged, match="loss is nan"):
            run(Inputs(**files.job(slice(0, 3), "distance"), encoder=None), of_two(learning_rate=1e30), tmp_path)
    assert capfd.readouterr().err == ""
