"""profiles/slurm as Snakemake reads it, without a cluster: where jobs go, what is grouped, who tries again."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.cli import get_argument_parser
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from tests.workflow.test_floors import rules

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
BODIES = rules()  # rule -> its text
GPU_RULES = {name for name, body in BODIES.items() if re.search(r"^ +gpu=", body, re.MULTILINE)}


@pytest.fixture(scope="module")
def profile() -> dict:
    return yaml.safe_load(PROFILE.read_text())


def job(**resources: int) -> SimpleNamespace:
    """As much of a job as the executor looks at to choose a partition."""
    return SimpleNamespace(name="job", threads=1, resources=resources)


def silent(*_: object) -> None:
    """A logger's method."""


def test_a_job_with_a_gpu_and_no_other_goes_to_the_partition_with_gpus() -> None:
    partitions, logger = read_partition_file(PROFILE), SimpleNamespace(debug=silent, info=silent, warning=silent)
    assert get_best_partition(partitions, job(gpu=1, mem_mb=64000, runtime=1440), logger) == "gpu"
    assert get_best_partition(partitions, job(gpu=4), logger) == "gpu"
    assert get_best_partition(partitions, job(gpu=0, mem_mb=64000, runtime=1440), logger) == "cpu"
    assert get_best_partition(partitions, job(mem_mb=500), logger) == "cpu"


def test_no_rule_names_a_partition_and_none_tries_again_inside_its_own_allocation() -> None:
    for text in (*BODIES.values(), PROFILE.read_text()):
        assert "slurm_partition" not in text
    assert [name for name, text in BODIES.items() if "retries:" in text] == []


def test_the_groups_are_of_rules_that_exist_and_want_no_gpu(profile: dict) -> None:
    assert {"train", "pretrain", "occlude", "record_split", "soz_train", "soz_pretrain"} <= GPU_RULES
    assert set(profile["groups"]) - set(BODIES) == set()
    assert set(profile["groups"]) & GPU_RULES == set()
    assert set(profile["set-resources"]) <= GPU_RULES
    assert set(profile["group-components"]) <= set(profile["groups"].values())


def test_every_line_is_an_option_of_snakemake_or_of_the_executor(profile: dict) -> None:
    known = {word.lstrip("-") for action in get_argument_parser()._actions for word in action.option_strings}
    assert set(profile) - known == {"partitions"}  # read by the executor, from this file


@pytest.mark.parametrize("also", [(), ("default",)], ids=["--workflow-profile", "--profile"])
def test_what_snakemake_is_told(also: tuple[str, ...]) -> None:
    """With --profile Snakemake reads profiles/default as well; the last one wins where both have a key."""
    profiles = [str(ROOT / "profiles" / name) for name in ("slurm", *also)]
    told = get_argument_parser(profiles=profiles).parse_args([])
    assert (told.executor, told.retries, told.latency_wait) == ("slurm", 2, 60)
    assert (told.rerun_incomplete, told.keep_going, told.nolock) == (True, True, True)
    assert (told.slurm_status_command, told.slurm_requeue) == ("squeue", True)
    assert Path(told.slurm_partition_config).resolve() == PROFILE
    assert told.set_resource_scopes.is_local("gpu")  # GPU jobs are not counted over all that are submitted
    assert ("gpu" in told.resources) == bool(also)  # a bound clips what one job may ask for
    assert ("runtime" in told.resources) == ("mem_mb" in told.resources) == (not also), "the last profile has the key"
