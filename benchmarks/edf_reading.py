"""EDF to physical units: our memory-mapped decoder against pyedflib, one hour of 32 channels at 256 Hz.

Both read every channel in full, from the same file, in turn, in one run; the file is in the page cache for both.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib

from pipeline.findings import Findings
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, scale_of

CHANNELS, RATE_HZ, SECONDS, REPEATS = 32, 256, 3600, 5


def make_edf(path: Path, *, channels: int, rate_hz: int, seconds: int, seed: int = 0) -> None:
    """Write a plain EDF of noise, block by block; equal arguments give equal bytes."""
    rng = np.random.default_rng(seed)
    cells = [
        [f"EEG {name}-REF" for name in electrode_names(channels)], [""] * channels, ["uV"] * channels,
        ["-3276.7"] * channels, ["3276.7"] * channels, ["-32768"] * channels, ["32767"] * channels, [""] * channels,
        [str(rate_hz)] * channels, [""] * channels,
    ]  # fmt: skip
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    fixed = "0".ljust(8) + "X".ljust(80) + "X".ljust(80) + "01.01.0000.00.00" + str(256 * (channels + 1)).ljust(8)
    fixed += "".ljust(44) + str(seconds).ljust(8) + "1".ljust(8) + str(channels).ljust(4)
    entries = "".join(cell.ljust(width) for column, width in zip(cells, widths, strict=True) for cell in column)
    block_s = 600
    steps = rng.normal(0, 60, (channels, block_s * rate_hz))
    walk = np.cumsum(steps - steps.mean(axis=1, keepdims=True), axis=1)  # brown noise that ends where it starts
    walk *= 1000 / walk.std(axis=1, keepdims=True)
    block = walk.astype("<i2").reshape(channels, block_s, rate_hz).transpose(1, 0, 2).tobytes()  # (record, n, s)
    record_bytes = 2 * channels * rate_hz
    with open(path, "wb") as file:
        file.write((fixed + entries).encode("ascii"))
        for start in range(0, seconds, block_s):
            file.write(block[: min(block_s, seconds - start) * record_bytes])


def electrode_names(channels: int) -> list[str]:
    """The 19 electrodes, then labels that no reader takes for one."""
    known = "FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 FZ CZ PZ"
    return [*known.split(), *(f"X{number}" for number in range(channels))][:channels]


def read_ours(path: Path) -> np.ndarray:
    """All channels (n, s), float32 µV."""
    findings = Findings()
    header = read_header(path, findings)
    scales = [scale_of(signal, path.name, findings) for signal in header.signals]
    return decode(header, header.signals, [scale for scale in scales if scale], 0, header.n_records)


def read_pyedflib(path: Path) -> list[np.ndarray]:
    """All channels, float64."""
    with pyedflib.EdfReader(str(path)) as reader:
        return [reader.readSignal(channel) for channel in range(reader.signals_in_file)]


def median_s(work: Callable[[], object]) -> float:
    """Median of the repeats, after one run to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure() -> list[dict[str, Any]]:
    """One row: seconds of ours and of pyedflib, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hour.edf")
        make_edf(path, channels=CHANNELS, rate_hz=RATE_HZ, seconds=SECONDS)
        worst = max(float(np.abs(a - b).max()) for a, b in zip(read_ours(path), read_pyedflib(path), strict=True))
        if worst > 1e-3:
            raise AssertionError(f"the two readers differ by {worst} uV")
        ours_s, reference_s = median_s(lambda: read_ours(path)), median_s(lambda: read_pyedflib(path))
    row = {"name": "EDF to physical units, 1 h x 32 x 256 Hz", "ours_s": ours_s, "reference_s": reference_s}
    return [{**row, "ratio": reference_s / ours_s, "target": 10.0, "unit": "s"}]


if __name__ == "__main__":
    print(measure())
