"""A fold of the SOZ arm through profiles/slurm: trainings where the GPU is, results as of a local run."""

from pathlib import Path

import cluster
import pytest
import yaml
from slurm_project import SlurmProject
from tiny_project import copy_project

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
TARGET = "results/synthetic-ieeg/soz/main/fold0/seed0/predictions.parquet"
SHORT = {"soz": {"pretraining": {"epochs": 1}, "finetuning": {"epochs": 2}}}
OPTIONS = (TARGET, "--configfile", "config.yaml", "short.yaml")


def made(folder: Path) -> SlurmProject:
    """A copy of the project with the intracranial corpus of config.yaml, which it simulates itself."""
    folder.mkdir()
    copy_project(folder)
    (folder / "short.yaml").write_text(yaml.safe_dump(SHORT))
    return SlurmProject(folder)


def test_a_fold_on_the_cluster(tmp_path: Path) -> None:
    undisturbed, project = made(tmp_path / "local"), made(tmp_path / "cluster")
    undisturbed.local.run(*OPTIONS)
    jobs = project.accounted(project.run(*OPTIONS))
    print(f"\n{cluster.table(jobs)}")
    assert {job.rule for job in jobs if job.partition == "gpu"} == {"soz_pretrain", "soz_train"}
    assert {(job.partition, job.gpus) for job in jobs} == {("gpu", 1), ("cpu", 0)}
    assert cluster.last_states(jobs) == {"COMPLETED"}
    assert any("soz_tokens" in job.rule and "soz_ingest" in job.rule for job in jobs), "a shard is one submission"
    assert project.digests() == undisturbed.digests()
    assert "Nothing to be done" in project.run(*OPTIONS)
