"""What a job ran on: versions, processor, graphics card, memory, scheduler, and the commit of the program.

Everything is read from the running process and from files of the kernel; nothing is imported for it. What a system
does not tell is None.
"""

import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SOURCE = "ICTOGRAPH_SOURCE"  # set by the workflow, which asks git once rather than in every job
CODE = ("pipeline", "workflow", "Snakefile")  # what decides a result, beside the settings
UNKNOWN = "unknown"  # in place of a commit: there is a repository, but git does not tell
GIT_S = 20.0  # a repository on a slow file system is given up rather than waited for


def versions() -> dict[str, str]:
    """Version of Python and of each installed package that the process has imported, by the name that it imports."""
    tops = {name.split(".")[0] for name in sys.modules}
    theirs = sorted(tops - set(sys.stdlib_module_names) - {"__main__", "pipeline", "workflow", "tests"})
    found = {name: version for name in theirs if (version := _version(name))}
    return {"python": platform.python_version(), **found}


def _version(name: str) -> str | None:
    own = vars(sys.modules[name]).get("__version__") if name in sys.modules else None
    if isinstance(own, str):
        return own
    if name.startswith("_"):
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def device() -> dict[str, Any]:
    """Processor, cores that the process may use, threads of torch; the cards that it has used, and their driver."""
    torch = sys.modules.get("torch")
    used = _used_cards(torch)
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads() if torch is not None else None,
        "gpus": [torch.cuda.get_device_name(number) for number in used] if torch is not None else [],
        "driver": _driver() if used else None,
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES") if used else None,
    }


def cpu_model() -> str | None:
    """The processor's name, e.g. `AMD EPYC 7763 64-Core Processor`."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or None


def _used_cards(torch: Any) -> list[int]:
    """Numbers of the cards that this process has put tensors on."""
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return []
    return [number for number in range(torch.cuda.device_count()) if torch.cuda.max_memory_allocated(number)]


def _driver() -> str | None:
    found = re.search(r"Kernel Module.*?\s(\d+\.\d[\d.]*)\s", _read("/proc/driver/nvidia/version"))
    return found[1] if found else None


def memory() -> dict[str, float | None]:
    """Peaks in MB (10^6 bytes): resident memory of the process, and what torch has allocated on its fullest card."""
    torch = sys.modules.get("torch")
    cards = [torch.cuda.max_memory_allocated(number) for number in _used_cards(torch)] if torch is not None else []
    found = re.search(r"^VmHWM:\s*(\d+) kB", _read("/proc/self/status"), re.MULTILINE)
    if found:  # of this program alone; getrusage may tell that of the process which started it
        resident = int(found[1]) * 1024 / 1e6
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {"peak_memory_mb": round(resident, 1), "peak_gpu_memory_mb": round(max(cards) / 1e6, 1) if cards else None}


def scheduler() -> dict[str, str] | None:
    """SLURM's job, partition and node, where the process is part of a job."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return None
    names = {"partition": "SLURM_JOB_PARTITION", "node": "SLURMD_NODENAME", "restarts": "SLURM_RESTART_COUNT"}
    return {"system": "slurm", "job": job} | {
        name: os.environ[variable] for name, variable in names.items() if os.environ.get(variable)
    }


def age_s() -> float:
    """Seconds since the process started, imports included; 0 where the kernel does not tell."""
    fields = _read("/proc/self/stat").rpartition(")")[2].split()
    uptime = _read("/proc/uptime").split()
    if len(fields) < 20 or not uptime:
        return 0.0
    return max(0.0, float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK"))  # field 22 of proc(5): starttime


def source() -> dict[str, Any] | None:
    """The program's commit and whether its code is as committed, or why that is unknown; None outside a repository."""
    text = os.environ.get(SOURCE)
    commit, _, state = (source_state(Path(__file__).resolve().parents[1]) if text is None else text).partition(" ")
    if commit == UNKNOWN:
        return {"commit": None, "clean": None, "reason": state}
    return {"commit": commit, "clean": state == "clean"} if commit else None


def source_state(root: Path) -> str:
    """`<commit> clean`, `<commit> changed` of the code below `root`, `unknown <reason>`, or nothing without repository.

    Without git's optional locks: a commit that somebody makes meanwhile finds no `index.lock` of ours.
    """
    if not (root / ".git").exists():  # a copy inside some other repository is not of that commit
        return ""
    command = ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain=v2", "--branch", "--", *CODE]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"{UNKNOWN} {_why(error)}"
    found = re.search(r"^# branch\.oid ([0-9a-f]{7,})$", told, re.MULTILINE)
    changed = any(not line.startswith("#") for line in told.splitlines())
    return f"{found[1]} {'changed' if changed else 'clean'}" if found else f"{UNKNOWN} no commit yet"


def _why(error: OSError | subprocess.SubprocessError) -> str:
    """Why git does not tell, without the folder that its own message names."""
    if isinstance(error, OSError):
        return f"git cannot be run: {error.strerror}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"git took more than {GIT_S:g} s"
    if "dubious ownership" in str(getattr(error, "stderr", "")):
        return "the repository is another user's: dubious ownership (git config safe.directory)"
    return f"git ended with status {getattr(error, 'returncode', None)}"


def now() -> tuple[str, float]:
    """The time as text (UTC, whole seconds) and as seconds since the epoch."""
    seconds = time.time()
    return utc(seconds), seconds


def utc(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-22T03:45:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
