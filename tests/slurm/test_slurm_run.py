"""`tiny` through profiles/slurm on a real SLURM: every job in its partition, results as of a local run."""

import re
import tempfile
from itertools import permutations
from pathlib import Path

import cluster
import pytest
from slurm_project import SlurmProject, beside

from pipeline.report.provenance_comparison import compared
from pipeline.report.provenance_table import read_records
from tests.workflow.test_floors import rules

pytestmark = pytest.mark.slurm
TABLE = Path(tempfile.gettempdir()) / "ictograph-sacct.txt"
Run = tuple[SlurmProject, list[cluster.SlurmJob]]


@pytest.fixture(scope="module")
def run(slurm: None, undisturbed: SlurmProject, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The default target of `tiny`, run on the cluster: the project, and its jobs as SLURM accounts for them."""
    cluster.mend()  # before the one of every test: that comes after the fixtures of a module
    project = beside(undisturbed, tmp_path_factory.mktemp("cluster"))
    jobs = project.accounted(project.run())
    text = cluster.table(jobs)
    TABLE.write_text(text + "\n")
    print(f"\n{text}\nsacct's table: {TABLE}")
    return project, jobs


def test_jobs_with_a_gpu_and_no_others_ran_where_the_gpu_is(run: Run) -> None:
    _, jobs = run
    # by the text of the rule files: an oracle that knows nothing of the profile
    wanted = {name for name, text in rules().items() if re.search(r"^ +gpu=", text, re.MULTILINE)}
    # a group of jobs names all its rules: shard_features_grid_index_ingest
    among = {job.job_id: {rule for rule in wanted if f"_{rule}_" in f"_{job.rule}_"} for job in jobs}
    assert set.union(*among.values()) == {"train", "pretrain", "occlude", "record_split"}
    assert [job for job in jobs if among[job.job_id] and (job.partition, job.gpus) != ("gpu", 1)] == []
    assert [job for job in jobs if not among[job.job_id] and (job.partition, job.gpus) != ("cpu", 0)] == []
    assert cluster.last_states(jobs) == {"COMPLETED"}


def test_gpu_jobs_wait_in_slurms_queue_and_not_in_snakemakes(run: Run) -> None:
    """The default profile's `gpu: 1`, right on one machine, would submit each only after another's end."""
    jobs = [job for job in run[1] if job.gpus]
    assert any(a.submitted <= b.submitted < a.ended for a, b in permutations(jobs, 2) if a.ended)


def test_results_equal_those_of_a_local_run(run: Run, undisturbed: SlurmProject) -> None:
    assert run[0].digests() == undisturbed.digests()


def test_the_records_of_both_runs_tell_of_no_other_output(run: Run, undisturbed: SlurmProject) -> None:
    """Nodes, times and devices may differ; settings, code, inputs and outputs of no job do."""
    there, local = (read_records(project.folder / "results") for project in (run[0], undisturbed))
    comparison = compared(there, local)
    assert (comparison.only_first, comparison.only_second) == ([], [])
    assert comparison.n_common == len(local) > 0
    assert not comparison.outputs_differ, "\n".join(comparison.lines())


def test_nothing_is_left_to_be_done_on_the_cluster_or_off_it(run: Run) -> None:
    project, _ = run
    assert "Nothing to be done" in project.run()
    assert "Nothing to be done" in project.local.run("--dry-run")
