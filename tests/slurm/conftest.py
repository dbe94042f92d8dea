"""The cluster of a session of tests, and an undisturbed local run of `tiny` to compare with."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))  # tiny_project: the same scratch copies of the project

import cluster
from slurm_project import SlurmProject, make_project

SKIPPED = "slurm tests skipped: "


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A cluster that takes jobs; wiped after the tests, failed or not, unless ICTOGRAPH_SLURM_KEEP is set."""
    reason = cluster.why_not()
    if reason:
        pytest.skip(f"{SKIPPED}{reason}")
    with cluster.exclusive():
        try:
            _bring_up()
            os.environ["SLURM_CONF"] = str(cluster.CONFIGURATION)  # of all clients from here on
            yield
        finally:
            if not os.environ.get(cluster.KEEP):
                cluster.control("wipe")


def _bring_up() -> None:
    try:
        cluster.control("up", timeout_s=1200)  # a slow mirror, a slow disk
    except cluster.ClusterError as error:
        if "FAILED: apt-get" not in str(error):
            raise
        pytest.skip(f"{SKIPPED}apt-get cannot install SLURM here")


@pytest.fixture(autouse=True)
def _whole_cluster(request: pytest.FixtureRequest) -> None:
    """No test pays for a daemon that died in the one before."""
    if "slurm" not in request.fixturenames:
        return
    request.getfixturevalue("slurm")
    cluster.mend()


@pytest.fixture(scope="session")
def undisturbed(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> SlurmProject:
    """A tiny run to the end on this machine, without SLURM. Nobody changes anything in it."""
    project = make_project(tmp_path_factory.mktemp("local"))
    project.local.run()
    return project


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts what could not be tried here, and says why."""
    reports = [report for report in terminalreporter.stats.get("skipped", []) if SKIPPED in str(report.longrepr)]
    if reports:
        reason = str(reports[0].longrepr[-1]).partition(SKIPPED)[2]
        terminalreporter.write_line(f"{len(reports)} {SKIPPED}{reason}")
