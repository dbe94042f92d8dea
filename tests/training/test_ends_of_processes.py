"""A training of two processes whose first is told to end, or dies: the other ends too, and the same command goes on."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from training_files import Files, fit_settings, make_files, stage

from pipeline.store import digest_result
from pipeline.training.ending import STATUS

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("detection"), "detection")


@pytest.fixture(scope="module")
def whole(files: Files, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Digests of the results of an undisturbed training."""
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(command(files, folder), cwd=ROOT, env=environment(), check=True, capture_output=True)
    return digests(folder)


def command(files: Files, folder: Path) -> list[str]:
    settings = fit_settings(epochs=60, patience=60, batch=4)
    settings["loop"]["processes"] = 2
    return stage(files, folder, settings)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return "pipeline.training.worker" in process.cmdline()
    return False


def digests(folder: Path) -> list[str]:
    return [digest_result(folder / name) for name in ("model.safetensors", "card.json", "history.parquet")]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, STATUS), (signal.SIGKILL, -signal.SIGKILL)], ids=["told", "killed"]
)
def test_the_first_takes_the_other_with_it(
    files: Files, whole: list[str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        command(files, tmp_path), cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    ) as first:
        deadline = time.monotonic() + PATIENCE_S
        while not list(tmp_path.glob("keep/*/state.safetensors")) and time.monotonic() < deadline:
            time.sleep(0.02)
        (other,) = [child for child in psutil.Process(first.pid).children() if is_worker(child)]
        first.send_signal(number)
        _, lines = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == status, lines
    assert "Traceback" not in lines
    psutil.wait_procs([other], timeout=PATIENCE_S)
    assert not other.is_running() or other.status() == psutil.STATUS_ZOMBIE  # where pid 1 does not reap
    assert not (tmp_path / "model.safetensors").exists()
    again = subprocess.run(command(files, tmp_path), cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "resumed after epoch" in again.stderr
    assert digests(tmp_path) == whole
