"""Peak memory of the stage `ingest` (polyphase) on one recording of 24 h, 32 channels, 512 Hz: under 1 GiB.

Runs the stage as a process of its own and asks the system for the peak of its resident memory; the memory-mapped pages
of the EDF count. Needs 6 GB of disk.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.edf_reading import make_edf
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.settings.config import parse_config

CHANNELS, RATE_HZ, HOURS, LIMIT_MIB = 32, 512, 24, 1024
REPOSITORY = Path(__file__).resolve().parents[1]
PROBE = """
import runpy, sys
from benchmarks.peak_memory import peak_mib
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
print("peak", peak_mib())
"""


def measure(hours: float = HOURS) -> list[dict[str, Any]]:
    """One row: peak of `ingest` in MiB beside the limit; `ratio` is limit over peak."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_edf(folder / "day.edf", channels=CHANNELS, rate_hz=RATE_HZ, seconds=round(hours * 3600))
        files = RecordingFiles(recording="day", patient="day", session="", montage="", edf="day.edf", split="train")
        write_manifest(folder / "day.tsv", manifest_rows(folder, [files]))
        index = {"index": {"corpus": "benchmark", "reader": "folder", "version": "auto"}}
        tables = ["--recordings", folder / "r.parquet", "--seizures", folder / "s.parquet"]
        root = ["--root", folder, "--findings", folder / "f.parquet"]
        _run("pipeline.stages.index", index, [*tables, *root, "--manifest", folder / "day.tsv"])
        begin = time.perf_counter()
        out = ["--signals", folder / "day.zarr.zip", "--segments", folder / "seg.parquet"]
        peak_mib = _run("pipeline.stages.ingest", _ingest_settings(), [*tables, *root, *out])
        taken_s = time.perf_counter() - begin
    row = {"name": f"peak memory of ingest, {hours:g} h x 32 x 512 Hz ({taken_s:.0f} s)", "ours_s": peak_mib}
    return [{**row, "reference_s": LIMIT_MIB, "ratio": LIMIT_MIB / peak_mib, "target": 1.0, "unit": "MiB"}]


def _ingest_settings() -> dict[str, Any]:
    config = parse_config(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))
    compat = {"zero_unreadable": False, "resample_length": "seconds"}
    sections = {"channels": config.channels.model_dump(), "signals": config.signals.model_dump(), "compat": compat}
    return {"corpus": "benchmark", **sections}


def _run(stage: str, settings: dict[str, Any], options: list[Any]) -> float:
    """Run a stage; its peak resident memory in MiB."""
    command = [sys.executable, "-c", PROBE, stage, "--settings", json.dumps(settings), *map(str, options)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return float(done.stdout.rsplit("peak", 1)[1])


if __name__ == "__main__":
    print(measure())
