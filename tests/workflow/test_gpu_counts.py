"""What a dry run counts as a GPU job: a training of four processes is one, and none under `device: cpu`."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MODEL = "tiny/detection-12s/dist-scratch/seed0/model.safetensors"


def plan(folder: Path, device: str) -> str:
    """What a dry run of one training prints; the training has four processes."""
    overlay = folder / "overlay.yaml"
    changes = {"results": str(folder), "device": {"device": device}, "training": {"detection": {12: {"processes": 4}}}}
    overlay.write_text(yaml.safe_dump(changes))
    words = ["--configfile", "workflow/presets/tiny.yaml", str(overlay)]
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "4", f"{folder}/{MODEL}", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_a_training_on_the_cpu_counts_as_no_gpu_job(tmp_path: Path) -> None:
    """`gpu` is a function of the wildcards there, too, and gives 0."""
    for device, counted in (("auto", True), ("cpu", False)):
        text = plan(tmp_path, device)
        assert "train dist-scratch" in text
        assert ("GPU jobs: 1 (1 train)" in text) == counted
