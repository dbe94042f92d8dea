"""What training the SOZ encoder costs at the size of ds004100: 57 patients of 120 contacts, made-up tokens.

Nothing is compared. Measured are the processor seconds of some steps of each training and of the inner patients'
answers, with the default encoder, batch and one thread, as the stages take them, and the memory of that, in a process
of its own; an epoch and a fold are those steps multiplied; the fold's clips take the place of the measured ones (spec
soz.md, section 8: 208 seizures, each with its baseline, and 111 interictal recordings of 8 clips).
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.peak_memory import peak_mib
from pipeline.models.soz import SozEncoder
from pipeline.settings.soz import SozFinetuning, SozLoop, SozModel, SozPretraining
from pipeline.settings.training import DeviceSettings
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.soz_data import SozBatches, SozData, fit_scaler
from pipeline.training.soz_fit import Clips, finetune, pretrain

PATIENTS, CONTACTS, SOZ = 57, 120, 10
CLIPS, COPIES = 2 * 208 + 111 * 8, 2 * (208 + 111 * 8)
TRAINING, INNER = 0.8 * 0.8, 0.8 * 0.2  # shares of the patients, so of the clips, in five folds
EPOCHS = 60
BYTES = CONTACTS * (32 * 35 + 3 * 32 + 64) * 4  # of one clip in memory: tokens, level, ratio, mask, stats
MEASURED = 24  # clips: one of each of so many patients
CPU = torch.device("cpu")
DEVICE = DeviceSettings(device="cpu", threads=1, mixed_precision="off", memory_gb=8)
MODEL = SozModel(
    width=64, heads=8, layers=2, feedforward=128, dropout=0.3, projection=64, phase=True, position=False,
    baseline_ratio=True,
)  # fmt: skip
LOOP = {"epochs": 1, "batch": 8, "beta": 0.99, "gamma": 2.0, "weight_decay": 0.01, "clip_norm": 1.0}
PRETRAINING = SozPretraining(
    **LOOP, counts="segment", enabled=True, learning_rate=3e-4, temperature=0.1, denominator="all", weight_cap=None
)
FINETUNING = SozFinetuning(
    **LOOP, counts="fold", learning_rate_head=1e-4, learning_rate_encoder=3e-5, freeze_encoder=False, patience=10,
    conditions="both",
)  # fmt: skip


class NoCheckpoints(Checkpoints):
    """Nothing is kept: the disk is not what is measured."""

    def __init__(self) -> None:
        pass

    def due(self) -> bool:
        return False

    def end_if_asked(self) -> None:
        pass

    def load(self) -> None:
        return None

    def save(self, tensors: Any, record: Any) -> None:
        pass


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a clip."""

    pretraining: float
    finetuning: float
    answering: float
    peak_mib: float = 0.0  # of the process, with MEASURED clips


def made_up(n_clips: int) -> SozData:
    """Clips of as many patients."""
    rng = np.random.default_rng(0)
    names = [f"P{k:02d}" for k in range(n_clips)]
    clips = pd.DataFrame(
        {"clip": names, "patient": names, "recording": names, "phase": "interictal", "condition": "interictal",
         "shift": 0, "base": names, "length": CONTACTS, "start": np.arange(n_clips) * CONTACTS}
    )  # fmt: skip
    rows = pd.DataFrame({"clip": np.repeat(names, CONTACTS), "patient": np.repeat(names, CONTACTS)})
    n = len(rows)
    place = np.arange(n) % CONTACTS
    rows = rows.assign(condition="interictal", phase="interictal", channel=place.astype(str), soz=place < SOZ)
    return SozData(
        clips=clips,
        rows=rows.assign(resected=False, x_mm=0.0, y_mm=0.0, z_mm=0.0),
        tokens=rng.standard_normal((n, 32, 35), np.float32),
        level=rng.standard_normal((n, 32), np.float32),
        ratio=rng.standard_normal((n, 32), np.float32),
        band_mask=np.ones((n_clips, 32), bool),
        labels=(place < SOZ).astype(np.int64),
    )


def costs(device: torch.device = CPU) -> Cost:
    """An epoch of each training over MEASURED clips, after one that is not counted; on a GPU seconds on the wall."""
    torch.set_num_threads(1)
    data, clock = made_up(MEASURED), process_time if device.type == "cpu" else perf_counter
    batches = SozBatches(data, fit_scaler(data, list(data.clips["patient"])), device)
    chosen = np.arange(MEASURED)
    settings = DEVICE.model_copy(update={"device": device.type})
    model, told = SozEncoder(MODEL).to(device), {"seed": 0, "device": settings, "checkpoints": NoCheckpoints()}

    def seconds(settings: SozLoop, inner: np.ndarray) -> float:
        clips = Clips(batches, chosen, inner, (110 * MEASURED, 10 * MEASURED))
        for _ in range(2):
            start = clock()
            if isinstance(settings, SozPretraining):
                pretrain(model, clips, settings, **told)
            else:
                finetune(model, clips, settings, **told)
        return (clock() - start) / MEASURED

    both, least = seconds(FINETUNING, chosen), seconds(FINETUNING, chosen[:1])
    answering = (both - least) * MEASURED / (MEASURED - 1)
    return Cost(seconds(PRETRAINING, chosen), both - answering, answering)


def measure() -> list[dict[str, Any]]:
    """Seconds of an epoch and of a fold on one core, and memory."""
    asked = [sys.executable, "-m", "benchmarks.soz_training", "--piece"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    cost = Cost(**json.loads(text))
    held = (TRAINING + INNER) * (CLIPS + COPIES) * BYTES / 2**30
    epochs = (TRAINING * CLIPS * cost.pretraining, TRAINING * CLIPS * cost.finetuning + INNER * CLIPS * cost.answering)
    size = f"{PATIENTS} patients x {CONTACTS} contacts"
    rows = (
        (f"SOZ pre-training, {size}, {TRAINING * CLIPS:.0f} clips", epochs[0], "CPU s an epoch"),
        (f"SOZ fine-tuning, {size}, and {INNER * CLIPS:.0f} inner clips judged", epochs[1], "CPU s an epoch"),
        (f"one fold, {EPOCHS} epochs of each at most", EPOCHS * sum(epochs) / 3600, "CPU h"),
        ("clips of a fold in memory, copies included", held, "GiB"),
        ("peak memory of a training of this size", held + (cost.peak_mib - MEASURED * BYTES / 2**20) / 1024, "GiB"),
    )
    return [
        {"name": name, "ours_s": value, "reference_s": None, "ratio": None, "target": None, "unit": unit}
        for name, value, unit in rows
    ]


if __name__ == "__main__":
    if "--piece" in sys.argv:
        print(json.dumps(asdict(costs()) | {"peak_mib": peak_mib()}))
    else:
        for row in measure():
            print(f"{row['name']}: {row['ours_s']:.3g} {row['unit']}")
