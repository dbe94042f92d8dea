"""Hours of EEG that ingest brings into the store in one second of one core (issue 3, acceptance 5).

One hour of 32 channels at 256 Hz; 19 electrodes go into the store at 200 Hz. The plain way reads the file with MNE,
resamples with its polyphase filter and writes one zarr array: no check of quality, no digest, the whole hour in memory.
Seconds are processor time of this process (libraries with one thread), so that a busy machine does not count; the parts
of ours stand in rows of their own. `ratio` is the plain way over ours; for a part, all of ours over the part.
"""

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import mne
import numpy as np
import yaml
import zarr

from benchmarks.edf_reading import make_edf
from pipeline.findings import Findings
from pipeline.settings.config import parse_config
from pipeline.settings.signals import SignalCompat
from pipeline.signals.recording import CleanRecording, open_recording
from pipeline.stages.ingest import SampleDigest
from pipeline.store import writing_store

CHANNELS, RATE_HZ, HOURS, REPEATS = 32, 256, 1.0, 3
REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = parse_config(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))


def measure(hours: float = HOURS) -> list[dict[str, Any]]:
    """A row for the whole and one for each part of ours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_edf(folder / "hour.edf", channels=CHANNELS, rate_hz=RATE_HZ, seconds=round(hours * 3600))
        ours, plain, parts = [], [], []
        for _ in range(REPEATS):
            ours.append(cpu_s(lambda: _ours(folder)))
            plain.append(cpu_s(lambda: _plain(folder)))
            parts.append(_parts(folder))
    ours_s, plain_s = median(ours), median(plain)
    rate = f"{hours / ours_s:.2f} h of EEG a core-second"
    whole = {"name": f"ingest of {hours:g} h x {CHANNELS} x {RATE_HZ} Hz: {rate}", "ours_s": ours_s}
    rows = [{**whole, "reference_s": plain_s, "ratio": plain_s / ours_s, "target": 1.0, "unit": "CPU s"}]
    for part in parts[0]:
        seconds = median(measured[part] for measured in parts)
        rows.append({"name": f"  of it: {part}", "ours_s": seconds, "ratio": ours_s / seconds, "unit": "CPU s"})
    return rows


def cpu_s(work: Callable[[], object]) -> float:
    """Processor seconds of `work`."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _open(folder: Path) -> CleanRecording:
    compat = SignalCompat(zero_unreadable=False, resample_length="seconds")
    return open_recording(
        folder / "hour.edf", channels=CONFIG.channels, signals=CONFIG.signals, compat=compat, findings=Findings()
    )


def _ours(folder: Path) -> None:
    """What the stage does for one recording."""
    recording = _open(folder)
    with writing_store(folder / "ours.zarr.zip", {}) as store:
        for segment in recording.segments:
            shape = (len(recording.electrodes), segment.n_samples)
            chunks = (shape[0], recording.block_samples(segment))
            array = store.create_array(segment.name, shape=shape, chunks=chunks, dtype="float32", compressors=None)
            digest = SampleDigest(shape[0])
            for first, block in recording.blocks(segment):
                array[:, first : first + block.shape[1]] = block
                digest.update(block)
            digest.hexdigest()


def _parts(folder: Path) -> dict[str, float]:
    """Processor seconds of each part by itself."""
    started = time.process_time()
    recording = _open(folder)
    opened_s = time.process_time() - started
    made = [(segment, first, block) for segment in recording.segments for first, block in recording.blocks(segment)]
    blocks_s = time.process_time() - started - opened_s
    digest = SampleDigest(len(recording.electrodes))
    digest_s = cpu_s(lambda: [digest.update(block) for _, _, block in made])

    def write() -> None:
        with writing_store(folder / "part.zarr.zip", {}) as store:
            shape = (len(recording.electrodes), recording.segments[0].n_samples)
            chunks = (shape[0], recording.block_samples(recording.segments[0]))
            array = store.create_array("x", shape=shape, chunks=chunks, dtype="float32", compressors=None)
            for _, first, block in made:
                array[:, first : first + block.shape[1]] = block

    return {
        "header, channels, quality": opened_s, "decode and resample": blocks_s, "digest": digest_s,
        "write": cpu_s(write),
    }  # fmt: skip


def _plain(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(folder / "hour.edf", preload=True, verbose="error")
        raw.pick(raw.ch_names[: len(CONFIG.channels.electrodes)])
        raw.resample(CONFIG.signals.rate_hz, method="polyphase", verbose="error")
    shutil.rmtree(folder / "plain.zarr", ignore_errors=True)
    samples = (raw.get_data() * 1e6).astype(np.float32)
    zarr.create_array(str(folder / "plain.zarr"), data=samples, chunks=(len(samples), samples.shape[1] // 6 + 1))


if __name__ == "__main__":
    for line in measure():
        print(f"{line['name']:66} {line['ours_s']:8.2f} s  ratio {line['ratio']:.2f}")
