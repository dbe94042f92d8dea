"""The peak of this process's resident memory, memory-mapped pages that were touched included."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """MiB at the highest, of this program alone.

    On Linux from VmHWM: `ru_maxrss` survives exec, so that a program started by a large one begins with the large one's
    peak. Elsewhere from `ru_maxrss` (bytes on macOS, KiB on the rest).
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1024)
