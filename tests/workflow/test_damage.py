"""Fault rows 20 and 21 on a whole run: a damaged result stops the job that reads it, the next run makes it anew."""

import os
import signal
import time
from pathlib import Path

import pytest
from tiny_project import TinyProject

pytestmark = pytest.mark.slow


def flip(path: Path) -> None:
    """Change one bit in the middle of a file, and leave its time as it was."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("damaged", "wanted"),
    [
        ("features/fft/grid/train-00.zarr.zip", "features/fft/grid/scalers/detection-12s.json"),
        ("clips/detection-12s/train-00.parquet", "features/fft/grid/scalers/detection-12s.json"),
        ("features/fft/grid/scalers/detection-12s.json", "detection-12s/dist-scratch/seed0/predictions.parquet"),
        ("detection-12s/dist-scratch/seed0/model.safetensors", "detection-12s/dist-scratch/seed0/predictions.parquet"),
    ],
)
def test_row21_the_next_run_makes_a_damaged_result_anew(finished: TinyProject, damaged: str, wanted: str) -> None:
    results = finished.folder / "results" / "tiny"
    before = finished.digests()
    flip(results / damaged)
    (results / wanted).unlink()
    running = finished.start(f"results/tiny/{wanted}")
    assert running.wait() != 0
    said = (finished.folder / "run.log").read_text()
    assert f"{damaged}: damaged" in said
    aside = results / f"{damaged}.damaged"
    assert aside.exists()
    finished.run(f"results/tiny/{wanted}")  # the same command
    aside.unlink()
    assert finished.digests() == before


def test_row20_a_run_that_was_killed_leaves_no_lock_to_remove(finished: TinyProject) -> None:
    before = finished.digests()
    running = finished.start("--forcerun", "ingest")
    try:
        lock = finished.folder / "results" / ".lock"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and f"process {running.pid} on" not in lock.read_text():
            time.sleep(0.05)
        refused = finished.start("--forcerun", "ingest")
        assert refused.wait() != 0
        assert f"in use by process {running.pid} on" in (finished.folder / "run.log").read_text()
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    finished.run()
    assert finished.digests() == before
