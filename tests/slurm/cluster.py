"""A real SLURM on this machine for tests: brought up by slurm-up.sh, looked at with sacct.

Two nodes without a GPU in partition `cpu` and one with a GPU resource in partition `gpu`; the GPU is a character device
with nothing behind it. One cluster at a time: whoever uses it holds a lock (`exclusive`).
"""

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workflow.lib.orphans import client

SCRIPT = Path(__file__).with_name("slurm-up.sh")
KEEP = "ICTOGRAPH_SLURM_KEEP"  # set: the cluster stays up after the tests
BUSY = Path(tempfile.gettempdir()) / "ictograph-slurm.lock"
CONFIGURATION = Path(os.environ.get("SLURM_LAB_CONF", "/etc/slurm")) / "slurm.conf"
CONFIGLESS = Path("/run/slurm/conf")  # what slurmd was sent, on nodes without a configuration of their own
# The daemons and clients that slurm-up.sh installs, one of each package.
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "mariadb")
ACCOUNTED = (
    "JobID", "Comment", "Partition", "AllocTRES", "State", "ExitCode", "ElapsedRaw", "MaxRSS", "NodeList", "Submit",
    "End",
)  # fmt: skip


class ClusterError(Exception):
    """The cluster does not do what it was told; the message has the end of its output."""


@dataclass(frozen=True)
class SlurmJob:
    """One job (or job step) as sacct accounts for it."""

    job_id: str
    rule: str  # of Snakemake; `<group>_<rule>_<rule>...` of a group of jobs; empty while it runs, and of other jobs
    wildcards: str  # joined by `_`
    partition: str
    tres: dict[str, str]  # what was allocated: cpu, mem, gres/gpu ...
    state: str  # COMPLETED, FAILED, TIMEOUT, NODE_FAIL, OUT_OF_MEMORY, CANCELLED ...
    exit_codes: frozenset[str]  # <status>:<signal>, of the job and its steps
    elapsed_s: int
    max_rss_mb: float  # of the largest of its steps
    node: str
    submitted: datetime
    ended: datetime | None  # None: it waits or runs

    @property
    def gpus(self) -> int:
        return int(self.tres.get("gres/gpu", "0"))


def why_not() -> str:
    """Why no cluster can be brought up here, in a few words; empty if one can."""
    if sys.platform != "linux":
        return f"no Linux ({sys.platform})"
    if os.geteuid() != 0:
        return "no root"
    if own := _real_slurm():
        return f"this machine has a SLURM of its own ({own})"
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing and shutil.which("apt-get") is None:
        return f"no apt to install {', '.join(missing)} with"
    return "" if makes_devices() else "no permission to make device files (mknod)"


def _real_slurm() -> str:
    """What tells that this machine belongs to a cluster, which no test may reach; empty if nothing does."""
    if CONFIGURATION.is_file() and not CONFIGURATION.read_text().startswith("# written by slurm-up.sh"):
        return str(CONFIGURATION)
    named = os.environ.get("SLURM_CONF", str(CONFIGURATION))
    if named != str(CONFIGURATION):
        return f"SLURM_CONF={named}"
    return str(CONFIGLESS) if CONFIGLESS.exists() else ""


def makes_devices() -> bool:
    """Whether root may make and open the GPU's device file; in many containers it may not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "null"
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            path.write_bytes(b"")
        except OSError:
            return False
    return True


def control(*words: str, timeout_s: int = 600, **settings: str) -> str:
    """Run slurm-up.sh with a command (`up`, `kill-node g1` ...) and SLURM_LAB_<setting>; raises ClusterError."""
    environment = {**os.environ, **{f"SLURM_LAB_{name}": value for name, value in settings.items()}}
    try:
        answer = subprocess.run(
            [str(SCRIPT), *words], env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"slurm-up.sh {' '.join(words)} did not end within {timeout_s} s") from None
    output = answer.stdout + answer.stderr
    if answer.returncode:
        raise ClusterError(f"slurm-up.sh {' '.join(words)} ended with {answer.returncode}:\n{output[-3000:]}")
    return output


def mend() -> None:
    """Start again what has died of a cluster that is up, with a warning that tells what."""
    try:
        control("status")
    except ClusterError as error:
        warnings.warn(f"the cluster was not whole, and is mended:\n{error}", stacklevel=2)
        control("up")


def sacct(name: str = "", *, since: str = "now-1days") -> list[SlurmJob]:
    """The jobs that were accounted for, oldest first: all, or those of one run of Snakemake (its SLURM run id)."""
    only = ["--name", name] if name else []
    text = client(
        "sacct", "--noheader", "--parsable2", "--duplicates", f"--format={','.join(ACCOUNTED)}",
        "--starttime", since, "--endtime", "now", *only,
    )  # fmt: skip
    rows = [dict(zip(ACCOUNTED, line.split("|"), strict=True)) for line in text.splitlines()]
    largest: dict[str, float] = {}  # job -> step with the most memory
    codes: dict[str, set[str]] = {}
    for row in rows:
        job = row["JobID"].split(".")[0]
        largest[job] = max(largest.get(job, 0.0), _megabytes(row["MaxRSS"]))
        codes.setdefault(job, set()).add(row["ExitCode"])
    return [_job(row, largest[row["JobID"]], codes[row["JobID"]]) for row in rows if "." not in row["JobID"]]


def _job(row: dict[str, str], max_rss_mb: float, exit_codes: set[str]) -> SlurmJob:
    rule, _, wildcards = row["Comment"].removeprefix("rule_").partition("_wildcards_")
    return SlurmJob(
        job_id=row["JobID"],
        rule=rule,
        wildcards=wildcards,
        partition=row["Partition"],
        tres=dict(part.split("=", 1) for part in row["AllocTRES"].split(",") if part),
        state=row["State"].split(" ")[0],  # "CANCELLED by 0"
        exit_codes=frozenset(exit_codes),
        elapsed_s=int(row["ElapsedRaw"] or 0),
        max_rss_mb=max_rss_mb,
        node=row["NodeList"],
        submitted=datetime.fromisoformat(row["Submit"]),
        ended=None if row["End"] == "Unknown" else datetime.fromisoformat(row["End"]),
    )


def _megabytes(text: str) -> float:
    """sacct's sizes (`137048K`, `1.5G`, nothing) in MiB."""
    scale = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
    if not text:
        return 0.0
    return float(text[:-1]) * scale[text[-1]] if text[-1] in scale else float(text) / 2**20


def table(jobs: list[SlurmJob]) -> str:
    """The jobs as a table in text: rule, partition, what was allocated, state, seconds, MiB."""
    head = ("job", "rule", "wildcards", "partition", "node", "cpu", "mem", "gpu", "state", "elapsed_s", "MaxRSS_MiB")
    lines = [
        (
            job.job_id, job.rule, job.wildcards, job.partition, job.node, job.tres.get("cpu", ""),
            job.tres.get("mem", ""), str(job.gpus), job.state, str(job.elapsed_s), f"{job.max_rss_mb:.0f}",
        )
        for job in jobs
    ]  # fmt: skip
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in [head, *lines])


def last_states(jobs: list[SlurmJob]) -> set[str]:
    """How all ended: of a job that was submitted again, the last time."""
    return set({(job.rule, job.wildcards): job.state for job in jobs}.values())


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the machine's one cluster; waits for whoever has it. The kernel drops the lock with the process."""
    with BUSY.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
