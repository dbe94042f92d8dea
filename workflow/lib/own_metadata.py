"""A job on a cluster records what made its outputs by itself, and does not leave it to the Snakemake that submitted it.

Snakemake's records (rule, settings, code, inputs) are what a later run compares with. The submitting process writes
them when it sees that a job has ended. Were it killed, results of jobs that go on in SLURM would have none, and no
change of settings would ever make them anew.
"""

import copy
from types import SimpleNamespace
from typing import Any

from snakemake.persistence import PersistenceBase
from snakemake_interface_executor_plugins.settings import ExecMode

_finished = PersistenceBase.finished


def write_own_metadata() -> None:
    """From now on this process, a job's, writes the records of the jobs that it ends. The submitter writes the same."""
    PersistenceBase.finished = _finished_here  # type: ignore[method-assign]


async def _finished_here(persistence: Any, job: Any) -> None:
    """Snakemake's own `finished`, told that nobody else will write the record."""
    alone, workflow = copy.copy(persistence), persistence.dag.workflow
    told = SimpleNamespace(
        exec_mode=ExecMode.DEFAULT,
        execution_settings=workflow.execution_settings,
        deployment_settings=workflow.deployment_settings,
    )
    alone.dag = SimpleNamespace(workflow=told)
    await _finished(alone, job)
