"""No test patient reaches a fit (issue 4, acceptance 7): by the graph of jobs, and by swapping the test recordings."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_project import ROOT, TinyProject, copy_project, make_corpus

from pipeline.settings.config import parse_config
from pipeline.store import digest_result, read_json, read_table
from workflow.lib.planning import LENGTHS_S, tasks_of

TRAINED = [  # with an encoder, with a graph per clip, with a second loss, with classes
    "detection-12s/dist-ssl/seed0", "detection-12s/corr-scratch/seed0", "detection-12s/dist-aux-01/seed0",
    "classification-12s/dist-scratch/seed0",
]  # fmt: skip
TEST_SHARD = re.compile(r"\btest-\d\d\b")


def planned(tmp_path: Path, *targets: str, preset: str = "workflow/presets/tiny.yaml") -> str:
    """What Snakemake would do for these targets from nothing, with every input named."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(tmp_path / "results")}))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *targets]
    answer = subprocess.run([*command, "--configfile", preset, str(overlay)], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-3000:]
    return answer.stdout.partition("Building DAG of jobs...")[2].replace(str(tmp_path), "")  # no machine, no folder


def every_model(folder: Path) -> list[str]:
    """Every run of config.yaml on each of its tasks and on both lengths."""
    config = parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    return [
        f"{folder}/{task}-{length}s/{name}/seed0/model.safetensors"
        for name, run in config.runs.items()
        for task in tasks_of(run)
        for length in LENGTHS_S
    ]


def test_no_job_before_a_trained_model_reads_a_test_shard(tmp_path: Path) -> None:
    folder = tmp_path / "results/tiny"
    models = every_model(folder)
    text = planned(tmp_path, *models)
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    assert jobs["train"] >= len(models) > 60
    assert {"pretrain", "scaler"} <= set(jobs)
    assert "train-00" in text
    assert not TEST_SHARD.search(text)
    scored = planned(tmp_path, f"{folder}/{TRAINED[0]}/predictions.parquet")
    assert TEST_SHARD.search(scored)  # the pattern does find what a prediction reads


def make_other_test_recordings(project: TinyProject) -> None:
    """Put the official test folder of a corpus of another seed in the place of the corpus's own."""
    overlay = project.folder / "other.yaml"
    overlay.write_text(yaml.safe_dump({"results": "other", "corpora": {"tiny": {"simulate": {"seed": 99}}}}))
    config = ["--configfile", "workflow/presets/tiny.yaml", "other.yaml"]
    project.run("other/tiny/manifests/test-00.tsv", *config)
    shutil.rmtree(project.corpus / "edf/eval")
    shutil.copytree(project.folder / "other/tiny/corpus/edf/eval", project.corpus / "edf/eval")


def learn(project: TinyProject) -> dict[str, str]:
    """Train everything from nothing; digests of all that was learnt."""
    shutil.rmtree(project.folder / "results/tiny", ignore_errors=True)
    results = "results/tiny"
    project.run(f"{results}/{TRAINED[0]}/predictions.parquet", *[f"{results}/{run}/card.json" for run in TRAINED[1:]])
    base = project.folder / results
    kinds = (
        "**/model.safetensors",
        "**/encoder.safetensors",
        "**/card.json",
        "**/history.parquet",
        "**/scalers/*.json",
    )
    return {str(path.relative_to(base)): digest_result(path) for kind in kinds for path in sorted(base.glob(kind))}


@pytest.mark.slow
def test_swapping_the_test_recordings_leaves_what_was_learnt(tmp_path: Path) -> None:
    """Scalers, encoder, weights, histories and cards (with the thresholds): equal to the byte."""
    project = copy_project(tmp_path)
    make_corpus(project)
    before = learn(project)
    path = project.folder / "results/tiny" / TRAINED[0]
    own, threshold = read_table(path / "predictions.parquet"), read_json(path / "card.json")["threshold"]
    make_other_test_recordings(project)
    assert learn(project) == before
    other = read_table(path / "predictions.parquet")
    assert read_json(path / "card.json")["threshold"] == threshold
    of_test = [set(table.loc[table["split"] == "test", "logit_seizure"]) for table in (own, other)]
    assert min(map(len, of_test)) > 0
    assert not of_test[0] & of_test[1]  # the recordings were others
    validation = [table[table["split"] == "validation"].reset_index(drop=True) for table in (own, other)]
    assert validation[0].equals(validation[1])
    assert len([name for name in before if name.endswith("card.json")]) == len(TRAINED) + 1  # and the encoder's
