"""Recordings that no memory holds (faults.md, row 33): 24 h of 256 channels at 2 kHz, 88 GB, as a sparse file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.findings import Findings
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import decode, decode_span, scale_of
from tests.signals.edf_builder import ELECTRODES, Channel, EdfFile

REPOSITORY = Path(__file__).parents[2]
CHANNELS, RATE_HZ, DAY_S = 256, 2000, 24 * 3600
LABELS = [f"EEG {name}-REF" for name in ELECTRODES] + [f"EEG {number}-REF" for number in range(100, 337)]
PEAK_MB = 700  # ten minutes of 19 electrodes at 2 kHz are 91 MB as float32, held a few times over; libraries 200 MB
OPEN = """
import json, sys
from pathlib import Path
from benchmarks.peak_memory import peak_mib
from tests.signals.opening import opened
recording, codes = opened(Path(sys.argv[1]), quality={"flat_uv": 0.0})  # a hole in a file is flat
(segment,) = recording.segments
sizes = []
for number, (first, block) in enumerate(recording.blocks(segment)):
    sizes.append(block.shape)
    if number == 2:
        break
print(json.dumps({"codes": codes, "n_samples": segment.n_samples, "sizes": sizes, "peak_mb": peak_mib()}))
"""


def sparse(path, seconds):
    """An EDF that is nothing but a header and a hole of `seconds` records."""
    channels = [Channel(label, np.zeros((1, RATE_HZ), np.int16)) for label in LABELS]
    EdfFile(channels, fields={"records": str(seconds)}).write(path)
    with open(path, "r+b") as file:
        file.truncate(256 * (CHANNELS + 1) + seconds * CHANNELS * RATE_HZ * 2)
    if path.stat().st_blocks * 512 > 100e6:
        path.unlink()
        pytest.skip("the file system has no sparse files")
    return path


def opened_elsewhere(path):
    """What a process of its own says that opens the recording and streams three blocks."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_row33_any_second_of_a_day_is_read_where_it_lies(tmp_path):
    """88 GB: the header at once, and values planted in the last hour found at their place, beyond 32-bit offsets."""
    path = sparse(tmp_path / "day.edf", DAY_S)
    assert path.stat().st_size > 88e9
    header = read_header(path, Findings())
    assert (header.n_records, header.duration_s, len(header.signals)) == (DAY_S, 86400.0, CHANNELS)
    rng = np.random.default_rng(0)
    planted = rng.integers(-30000, 30000, (3, CHANNELS, RATE_HZ)).astype("<i2")
    first = DAY_S - 1800
    with open(path, "r+b") as file:
        file.seek(header.header_bytes + first * CHANNELS * RATE_HZ * 2)
        file.write(planted.tobytes())
    chosen = [header.signals[i] for i in (0, 18, 255)]
    scales = [scale_of(signal, "day.edf", Findings()) for signal in chosen]
    expected = planted[:, [0, 18, 255]].transpose(1, 0, 2).reshape(3, -1) * 0.1
    np.testing.assert_allclose(decode(header, chosen, scales, first, first + 3), expected, atol=1e-3)
    low = first * RATE_HZ + 1234
    np.testing.assert_allclose(decode_span(header, chosen, scales, 0, low, low + 99), expected[:, 1234:1333], atol=1e-3)


def test_row33_peak_memory_is_that_of_a_block(tmp_path):
    """22 minutes, more than two blocks: 2.7 GB as recorded."""
    path = sparse(tmp_path / "part.edf", 1320)
    found = opened_elsewhere(path)
    assert found["codes"] == ["amplitude_implausible"]
    assert found["sizes"] == [[19, 440 * 200]] * 3
    assert found["peak_mb"] < PEAK_MB


@pytest.mark.slow
def test_row33_a_whole_day_takes_no_more_memory(tmp_path):
    path = sparse(tmp_path / "day.edf", DAY_S)
    found = opened_elsewhere(path)
    assert found["n_samples"] == DAY_S * 200
    assert found["sizes"] == [[19, 600 * 200]] * 3
    assert found["peak_mb"] < PEAK_MB
