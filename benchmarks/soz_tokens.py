"""SOZ tokens against the plain loop over channels, and what they cost at the size of ds004100.

The plain loop is `pywt.WaveletPacket` of one channel after another, node by node, in float64. The cost of the whole
corpus is extrapolated from one recording of 120 contacts and 300 s whose clips are cut and whose tokens are written as
the stage `soz_tokens` does: processor seconds per clip times the number of clips (spec soz.md, section 8: 208 ictal and
111 interictal recordings of 57 patients, 120 contacts each), copies shifted for training included. The signals are
extrapolated by their bytes from an EDF at 1024 Hz, the dearest of the corpus's rates, which makes a bound.
"""

import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import pywt
import zarr

from benchmarks.comparing import compare
from benchmarks.edf_reading import make_edf
from benchmarks.peak_memory import peak_mib
from pipeline.features._soz_clips import cut_soz_clips
from pipeline.features._soz_store import TokenJob, sources_of, write_tokens
from pipeline.features._soz_tokens import energies
from pipeline.features.wpt import packets
from pipeline.findings import Findings
from pipeline.settings.soz_data import SozClips, SozReading, SozTokens
from pipeline.stages import soz_ingest
from pipeline.store import reading_store, writing_store

CONTACTS, RATE_HZ, MARGIN = 120, 512, 256
SAMPLES = 35 * RATE_HZ + 2 * MARGIN
ICTAL, INTERICTAL, CLIPS_EACH = 208, 111, 8  # recordings of ds004100, and interictal clips of 300 s
CORPUS_BYTES = 14.19e9  # its EDFs
TARGET = 2.0
TOKENS = SozTokens(
    montage="average", notch=False, wavelet="db4", level=5, frame_s=1, floor_share=1e-3, source="wpt"
)  # fmt: skip
CLIPS = SozClips(
    length_s=35, margin_s=0.5, before_onset_s=5, pre_ictal_gap_s=5, interictal_step_s=35, shifts=2, max_interictal=8,
    seed=0,
)  # fmt: skip


def energies_by_channel(signal: np.ndarray) -> np.ndarray:
    """(c, 32, 35) of `signal` (c, s), one channel and one node of its tree after another."""
    made = []
    for row in signal:
        tree = pywt.WaveletPacket(row, "db4", "periodization", 5)
        kept = np.stack([node.data[8:-8] for node in tree.get_level(5, "freq")])
        made.append((kept.reshape(32, 35, 16) ** 2).mean(axis=-1))
    return np.stack(made)


def measure() -> list[dict[str, Any]]:
    """Two rows of ratios, and the cost of the whole corpus: seconds, disk, memory."""
    import torch  # here: the measured piece is to be as large as the stage, which has none

    from pipeline.models import _soz_packets

    signal = np.random.default_rng(0).normal(0, 30, (CONTACTS, SAMPLES)).astype(np.float32)
    exact, on_torch = signal.astype(np.float64), torch.from_numpy(signal)
    torch.set_num_threads(1)
    made = energies(signal, TOKENS, rate_hz=RATE_HZ, margin=MARGIN)
    np.testing.assert_allclose(made, energies_by_channel(exact), rtol=1e-2)
    return [
        compare(
            f"SOZ energies of one clip, {CONTACTS} contacts",
            lambda: energies(signal, TOKENS, rate_hz=RATE_HZ, margin=MARGIN), lambda: energies_by_channel(exact),
            target=TARGET, unit="clip",
        ),
        compare(
            f"wavelet packets, {CONTACTS} contacts: pywavelets, torch",
            lambda: packets(signal, wavelet="db4", level=5),
            lambda: _soz_packets.packets(on_torch, wavelet="db4", level=5), target=None, unit="clip",
        ),
        *whole_corpus(),
    ]  # fmt: skip


def whole_corpus() -> list[dict[str, Any]]:
    """The measured piece in a process of its own, for its memory; the rest is multiplied."""
    asked = [sys.executable, "-m", "benchmarks.soz_tokens", "--piece"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    whole_s, copy_s, ingest_s, peak, mib_per_clip = (float(word) for word in text.split())
    whole = 2 * ICTAL + INTERICTAL * CLIPS_EACH  # the clip and its baseline of each seizure
    copies = CLIPS.shifts * (ICTAL + INTERICTAL * CLIPS_EACH)
    costs = (
        ("signals of ds004100's size, 14.19 GB as if at 1024 Hz", ingest_s * CORPUS_BYTES, "CPU s"),
        (f"tokens of ds004100's size, {whole} clips, {copies} copies", whole * whole_s + copies * copy_s, "CPU s"),
        ("their stores", mib_per_clip * (whole + copies) / 1024, "GiB"),
        ("peak memory of the token stage", peak, "MiB"),
    )
    return [
        {"name": name, "ours_s": cost, "reference_s": None, "ratio": None, "target": None, "unit": unit}
        for name, cost, unit in costs
    ]


def piece() -> None:
    """Print the processor seconds of a clip, of a copy and of a byte of EDF, the peak in MiB, and a clip's in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_signal(out / "signals.zarr.zip")
        clips = clips_of_one()
        times = []
        for chosen in (clips[clips["shift"] == 0], clips[clips["shift"] > 0]):
            chosen = chosen.reset_index(drop=True)
            started = process_time()
            with reading_store(out / "signals.zarr.zip") as signals:
                sources = sources_of(signals, chosen, contacts(), recordings(), TOKENS)
                job = TokenJob(TOKENS, RATE_HZ, 35 * RATE_HZ, MARGIN)
                write_tokens(out / "tokens.zarr.zip", out / "rows.parquet", chosen, sources, job)
            times.append((process_time() - started) / len(chosen))
        size = (out / "tokens.zarr.zip").stat().st_size / (1 << 20) / (clips["shift"] > 0).sum()
        peak = peak_mib()  # before the EDF is made, which takes more
        print(*times, ingest_a_byte(out), peak, size)


def ingest_a_byte(folder: Path) -> float:
    """Processor seconds of `soz_ingest` a byte of EDF: 30 channels, 120 s, from 1024 to 512 Hz."""
    make_edf(folder / "r.edf", channels=30, rate_hz=1024, seconds=120)
    entry = {"recording": "r", "patient": "p", "session": "", "split": "train", "labelled": True, "path": "r.edf"}
    table = contacts().head(30).assign(used=True, edf_row=range(30))
    told = SozReading(adapter="ds004100", soz_bad="drop", low_rate_hz=500, rate_hz=RATE_HZ, block_s=60)
    settings = soz_ingest.Settings(corpus="c", reading=told)
    recording = pd.DataFrame([{**entry, "duration_s": 120.0}])
    store, log = zarr.open_group(folder / "signals", mode="w"), logging.getLogger("ictograph")
    started = process_time()
    soz_ingest.ingest(folder, recording, table, settings, Findings(), store, log)
    return (process_time() - started) / (folder / "r.edf").stat().st_size


def write_signal(path: Path) -> None:
    """300 s of 120 contacts, in blocks of a minute, as `soz_ingest` writes them."""
    rng = np.random.default_rng(0)
    attributes = {"channels": contacts()["channel"].tolist(), "recorded_hz": [512.0] * CONTACTS, "start_s": 0.0}
    with writing_store(path) as group:
        shape, block = (CONTACTS, 300 * RATE_HZ), 60 * RATE_HZ
        array = group.create_array(
            "r/000", shape=shape, chunks=(CONTACTS, block), dtype="float32", compressors=None, attributes=attributes
        )
        for first in range(0, shape[1], block):
            array[:, first : first + block] = rng.normal(0, 30, (CONTACTS, block))


def recordings() -> pd.DataFrame:
    """One interictal recording."""
    return pd.DataFrame([{"recording": "r", "implant": "SEEG", "task": "interictal", "mains_hz": 60.0}])


def contacts() -> pd.DataFrame:
    """Ten shafts of twelve contacts."""
    return pd.DataFrame(
        [
            {"recording": "r", "channel": f"{chr(65 + i // 12)}{i % 12 + 1}", "good": True, "soz": i < 8,
             "resected": False, "shaft": chr(65 + i // 12), "contact": i % 12 + 1, "hemisphere": "L", "x_mm": 1.0 * i,
             "y_mm": 0.0, "z_mm": 0.0, "flags": "", "order": i}
            for i in range(CONTACTS)
        ]
    ).astype({"soz": "boolean", "resected": "boolean", "contact": "Int64"})  # fmt: skip


def clips_of_one() -> pd.DataFrame:
    """The eight clips of the recording and their copies."""
    segment = {"recording": "r", "patient": "p", "segment": "000", "start_s": 0.0, "n_samples": 300 * RATE_HZ,
               "rate_hz": 512.0, "n_channels": CONTACTS}  # fmt: skip
    none = pd.DataFrame(columns=["recording", "channel", "onset_s", "offset_s", "code", "confidence"])
    return cut_soz_clips(recordings(), pd.DataFrame([segment]), none, CLIPS, Findings())


if __name__ == "__main__":
    if "--piece" in sys.argv:
        piece()
    else:
        for row in measure():
            print(row)
