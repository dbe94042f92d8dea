"""A corpus of TUSZ size that is finished, and 600 short EDFs read for real (issue 7, acceptance 3).

`no-change run`: `snakemake paper` with the preset tusz-v1.5.2 over the made-up tree of `benchmarks/planning.py`, when
every output is there and up to date; its jobs are marked as finished by `benchmarks/finished_state.py`, so Snakemake
reads its records of all of them and compares params, code digests, inputs and times. Limit: 15 s.
`600 short EDFs`: real bytes of a minute each, from EDF to features and correlation graphs on one core; then one EDF is
changed, and the jobs that are planned must be those of its shard and what gathers. `ratio` is limit over seconds;
processor seconds stand in the name, since on a busy machine the clock says little.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.made_up_tusz import make_tree
from tests.workflow.short_edfs import make_short_edfs
from tests.workflow.tiny_project import copy_project

LIMIT_S = 15.0
COUNT, DURATION_S = 600, 60
FEW_SHARDS = {"train": 8, "validation": 2, "test": 2}


class Project:
    """Snakemake on a copy of the repository in a scratch folder, and on a corpus beside it."""

    def __init__(self, folder: Path, *, shards: dict[str, int] | None = None) -> None:
        self.folder, self.root = copy_project(folder / "project").folder, folder / "tusz"
        overlay: dict[str, Any] = {"corpora": {"tusz": {"root": str(self.root)}}}
        (self.folder / "overlay.yaml").write_text(
            yaml.safe_dump(overlay | ({"ingest": {"shards": shards}} if shards else {}))
        )

    def run(self, *targets: str, module: str = "snakemake", cores: int = 1) -> tuple[str, float, float]:
        """(output, wall seconds, processor seconds) of one command."""
        command = [sys.executable, "-m", module, *targets, "--cores", str(cores)]
        command += ["--configfile", "workflow/presets/tusz-v1.5.2.yaml", "overlay.yaml"]
        started, cpu_s = time.perf_counter(), sum(os.times()[2:4])
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        seconds, cpu_s = time.perf_counter() - started, sum(os.times()[2:4]) - cpu_s
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout + done.stderr, seconds, cpu_s


def measure() -> list[dict[str, Any]]:
    """Rows {name, ours_s, reference_s, ratio, target, unit}."""
    with tempfile.TemporaryDirectory() as tusz, tempfile.TemporaryDirectory() as short:
        return [*_no_change(Path(tusz)), *_short_edfs(Path(short))]


def _no_change(folder: Path) -> list[dict[str, Any]]:
    project = Project(folder)
    make_tree(project.root)
    said, seconds, cpu_s = project.run("paper", module="benchmarks.finished_state", cores=64)
    print(f"finished state: {len(re.findall('^Job ', said, re.MULTILINE))} jobs recorded in {seconds:.0f} s")
    rows = []
    for _ in range(2):
        said, seconds, cpu_s = project.run("paper", cores=2)
        assert "Nothing to be done" in said, said[-2000:]
        rows.append((seconds, cpu_s))
    print("one EDF changed:", *one_changed(project, "paper"))
    seconds, cpu_s = min(rows)
    figures = {"ours_s": seconds, "reference_s": LIMIT_S, "ratio": LIMIT_S / seconds}
    return [{"name": f"no-change run, TUSZ size (CPU {cpu_s:.1f} s)", **figures, "target": 1.0, "unit": "run"}]


def _short_edfs(folder: Path) -> list[dict[str, Any]]:
    project = Project(folder, shards=FEW_SHARDS)
    made = make_short_edfs(project.root, count=COUNT, duration_s=DURATION_S)
    targets = feature_targets(project)
    said, seconds, cpu_s = project.run(*targets)
    print("600 short EDFs:", _jobs(said))
    assert "Nothing to be done" in project.run(*targets)[0]
    print("one EDF changed:", *one_changed(project, *targets))
    hours = sum(one.duration_s for one in made) / 3600
    name = f"600 EDFs of 60 s to features and graphs (CPU {cpu_s:.0f} s)"
    return [{"name": name, "ours_s": seconds, "reference_s": None, "ratio": None, "unit": f"{hours:.0f} h of EEG"}]


def feature_targets(project: Project) -> list[str]:
    """Frames, clips and correlation graphs of every shard, and the scaler."""
    project.run("qc", "-n")  # the scan writes the manifests
    names = sorted(path.stem for path in (project.folder / "results/tusz/manifests").glob("*.tsv"))
    per_shard = ("features/fft/grid/{}.zarr.zip", "graphs/correlation-fft/detection-12s/{}.zarr.zip",
                 "features/fft/classification-12s/{}.zarr.zip")  # fmt: skip
    found = [f"results/tusz/{pattern.format(name)}" for name in names for pattern in per_shard]
    return [*found, "results/tusz/features/fft/grid/scalers/detection-12s.json", "results/tusz/splits.parquet"]


def one_changed(project: Project, *targets: str) -> tuple[str, dict[str, int]]:
    """The shard and the jobs that are planned when one EDF has another time; jobs of its corpus are of one shard."""
    edf = sorted(project.root.rglob("*.edf"))[-1]
    times = edf.stat()
    os.utime(edf)
    try:
        said, *_ = project.run(*targets, "-n")
    finally:
        os.utime(edf, ns=(times.st_atime_ns, times.st_mtime_ns))
    jobs, shards = _jobs(said), set(re.findall(r"^Job \d+: tusz: .*\b((?:train|validation|test)-\d+)$", said, re.M))
    assert len(shards) == 1, shards
    assert jobs["index"] == jobs["ingest"] == 1, jobs
    return shards.pop(), dict(jobs)


def _jobs(said: str) -> Counter[str]:
    table = re.search(r"^job\s+count\n[-\s]+\n(.*?)^total", said, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^(\S+)\s+(\d+)$", table[1], re.MULTILINE) if table else []
    return Counter({name: int(number) for name, number in rows})
