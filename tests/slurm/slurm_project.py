"""A scratch copy of the project that submits its jobs to the cluster by profiles/slurm."""

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cluster
from tiny_project import TinyProject, copy_project, make_corpus

# The executor's own times are those of a site, where jobs last hours; here they last seconds.
TEST_SPEED = ("--slurm-init-seconds-before-status-checks", "1", "--max-status-checks-per-second", "10")
JOBS_AT_ONCE = "3"  # on two cores


@dataclass(frozen=True)
class SlurmProject(TinyProject):
    """The preset `tiny` on the cluster: the same methods as of a local project, with `command` for the profile."""

    @property
    def local(self) -> TinyProject:
        """The same folder, run without SLURM."""
        return TinyProject(self.folder)

    def command(self, *arguments: str) -> list[str]:
        own = [] if "--configfile" in arguments else ["--configfile", "workflow/presets/tiny.yaml", "on-disk.yaml"]
        profile = ["--workflow-profile", "profiles/slurm", *TEST_SPEED, "--jobs", JOBS_AT_ONCE]
        return [sys.executable, "-m", "snakemake", *profile, *arguments, *own]

    def submitted(self, output: str) -> list[cluster.SlurmJob]:
        """The jobs on the cluster of the run (or runs) that printed `output`."""
        names = re.findall(r"^SLURM run ID: (\S+)$", output, re.MULTILINE)
        return [job for name in names for job in cluster.sacct(name)]

    def accounted(self, output: str) -> list[cluster.SlurmJob]:
        """The same of runs that have ended, when sacct has its last word on each of their jobs: within a minute."""
        for _ in range(60):
            jobs = self.submitted(output)
            if jobs and all(job.ended for job in jobs):
                return jobs
            time.sleep(1)
        raise AssertionError(f"sacct knows no end of some jobs:\n{cluster.table(jobs)}")

    def log(self) -> str:
        """What runs begun with `start` have printed so far."""
        path = self.folder / "run.log"
        return path.read_text() if path.is_file() else ""


def make_project(folder: Path) -> SlurmProject:
    """A copy of the project in `folder` with the corpus `tiny` on disk beside it, and nothing computed."""
    copied = copy_project(folder)
    make_corpus(copied)
    return SlurmProject(copied.folder)


def beside(project: SlurmProject, folder: Path) -> SlurmProject:
    """Another copy of the code on the corpus of `project`, with nothing computed."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_project(folder)
    (folder / "on-disk.yaml").write_text((project.folder / "on-disk.yaml").read_text())
    return SlurmProject(folder)
