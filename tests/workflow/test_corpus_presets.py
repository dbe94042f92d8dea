"""Presets of corpora on disk: they find the tree, deal the patients as they say, and plan to the end."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from pipeline.corpora.shards import patient_splits
from pipeline.plugins import load_plugin
from pipeline.settings.config import parse_config
from pipeline.settings.overlay import overlaid

ROOT = Path(__file__).parents[2]
CHB = [f"chb{case:02d}/chb{case:02d}_{number:02d}.edf" for case in range(1, 25) for number in (1, 2)]
PN = [f"PN{number:02d}/PN{number:02d}-1.edf" for number in (0, 1, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17)]
SUB = [f"sub-{number:02d}/ses-01/eeg/sub-{number:02d}_ses-01_task-szMonitoring_run-00_eeg.edf" for number in range(20)]
TREES = {"chbmit": CHB, "siena": PN, "bids": SUB}


def tree(root: Path, preset: str) -> Path:
    """The corpus by its names alone: no file is opened while the workflow is planned."""
    for path in TREES[preset]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("chbmit", {"train": 13, "validation": 4, "test": 6}), ("siena", {"train": 8, "validation": 2, "test": 4})],
)
def test_the_preset_says_how_many_patients_each_split_has(preset: str, expected: dict, tmp_path: Path) -> None:
    text = (ROOT / f"workflow/presets/{preset}.yaml").read_text()
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    over = yaml.safe_load(text)
    values["corpora"] |= over["corpora"]
    settings = parse_config(values).corpora[preset]
    found = load_plugin("corpora", settings.reader).find(tree(tmp_path, preset), settings.version)
    counts = Counter(patient_splits(found, settings.splits).values())
    assert dict(counts) == expected
    assert f"{expected['train']} patients train, {expected['validation']} validate, {expected['test']} test" in text


@pytest.mark.parametrize("preset", sorted(TREES))
def test_the_presets_plan_from_a_tree_on_disk(preset: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "corpus", preset)
    answer = subprocess.run(
        [
            sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run",
            "--configfile", f"workflow/presets/{preset}.yaml",
            "--config", f"results={tmp_path / 'results'}", f"corpora={{{preset}: {{root: {root}}}}}",
        ],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    for rule in ("index", "ingest", "check_splits", "train", "evaluate", "report"):
        assert f"\n{rule} " in answer.stdout
    assert not re.search(r"^simulate\b", answer.stdout, re.MULTILINE)


def test_no_preset_of_a_corpus_needs_what_the_corpus_has_not() -> None:
    """CHB-MIT is planned on derivations; none of the three plans classes or maps, for which they have no labels."""
    presets = {name: yaml.safe_load((ROOT / f"workflow/presets/{name}.yaml").read_text()) for name in TREES}
    assert presets["chbmit"]["channels"]["montage"] == "bipolar"
    for values in presets.values():
        assert {entry["task"] for entry in values["plan"]} == {"detection"}
        assert not any(entry["maps"] for entry in values["plan"])


def test_the_readers_stay_light() -> None:
    """They are imported while Snakemake parses, by every job of a cluster again."""
    check = (
        "import sys; from pipeline.plugins import load_plugin;"
        f"[load_plugin('corpora', name) for name in {sorted(TREES)}];"
        "print([m for m in ('torch', 'pandas', 'scipy', 'zarr', 'mne', 'numpy', 'pydantic') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_published_preset_computes_in_float32_on_a_gpu_too() -> None:
    """A bare off would be a false."""
    preset = yaml.safe_load((ROOT / "workflow/presets/tusz-v1.5.2.yaml").read_text())
    assert preset["device"]["mixed_precision"] == "off"


def test_the_demo_of_the_paper_says_what_it_trains_otherwise() -> None:
    """Its header and what is settled: learning rates, batches, gate bias."""
    text = (ROOT / "workflow/presets/paper-demo.yaml").read_text()
    header = text[: text.index("\ncorpus:")]
    config = parse_config(overlaid(yaml.safe_load((ROOT / "config.yaml").read_text()), yaml.safe_load(text)))
    tasks = {name: getattr(config.training, name) for name in ("pretraining", "detection", "classification")}
    assert {name: {numbers.learning_rate for numbers in own.values()} for name, own in tasks.items()} == {
        "pretraining": {1e-3}, "detection": {4e-3}, "classification": {4e-3},
    }  # fmt: skip
    assert {own[60].batch for own in tasks.values()} | {tasks["classification"][12].batch} == {16}
    assert {own[12].batch for name, own in tasks.items() if name != "classification"} == {40}
    assert {own[60].gate_bias for own in tasks.values()} == {2.0}
    for words in ("pre-training 1e-3 (5e-4)", "classification 4e-3", "all of 60 s: 16 clips (40)", "60 s: 2 (0)"):
        assert words in header
