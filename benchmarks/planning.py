"""`snakemake -n paper` with the preset tusz-v1.5.2 over a tree of TUSZ size: under 30 s (issue 4, acceptance 2).

The tree is made up (tests/workflow/made_up_tusz.py): 5,499 recordings of 637 patients, 903 h. What is timed is the
whole command from an empty results folder: scan, manifests, plan of every job, printing, estimate of the GPU hours.
`ratio` is limit over seconds; the processor time stands in the name, since on a machine that others use the wall clock
says little.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.made_up_tusz import make_tree

LIMIT_S = 30.0
REPOSITORY = Path(__file__).resolve().parents[1]


def measure() -> list[dict[str, Any]]:
    """One row {name, ours_s, reference_s, ratio, target, unit}; the reference is the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tree(folder / "tusz")
        overlay = folder / "overlay.yaml"
        settings = {"results": str(folder / "results"), "corpora": {"tusz": {"root": str(folder / "tusz")}}}
        overlay.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "snakemake", "-n", "paper", "--cores", "2", "--configfile"]
        command += ["workflow/presets/tusz-v1.5.2.yaml", str(overlay)]
        started, cpu_s = time.perf_counter(), sum(os.times()[2:4])
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        seconds, cpu_s = time.perf_counter() - started, sum(os.times()[2:4]) - cpu_s
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    found = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("total ", "GPU jobs"))]
    print(*found, sep="\n")
    figures = {"ours_s": seconds, "reference_s": LIMIT_S, "ratio": LIMIT_S / seconds}
    return [{"name": f"plan of the paper, TUSZ size (CPU {cpu_s:.1f} s)", **figures, "target": 1.0, "unit": "plan"}]
