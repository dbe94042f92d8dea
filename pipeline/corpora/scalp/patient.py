"""What is constant in a patient, so that splitting by patient means something (spec simulator.md, section 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.corpora.scalp.head import ELECTRODES

# Where focal seizures begin: temporal most often, the midline never (no derivation shows FZ or PZ).
FOCUS_WEIGHTS = {
    "T3": 3.0, "T4": 3.0, "F7": 2.5, "F8": 2.5, "T5": 1.5, "T6": 1.5, "F3": 1.5, "F4": 1.5, "C3": 1.5, "C4": 1.5,
    "P3": 1.0, "P4": 1.0, "O1": 0.7, "O2": 0.7, "FP1": 0.6, "FP2": 0.6,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Drawn once for a patient."""

    kind: str  # CF GN AB CT
    code: str  # TUSZ code of most of the seizures
    rate_hz: int
    radius_factor: float
    skull_factor: float
    jitter_m: NDArray[np.float64]  # (21, 3)
    coupling_m: float  # correlation length of the background
    exponent: float  # of its amplitude spectrum
    background_uv: float  # RMS, mean over electrodes
    sensor_share: float  # white noise, as a share of the background
    muscle_uv: NDArray[np.float64]  # (21,) tonic muscle activity
    mains_hz: int
    mains_uv: NDArray[np.float64]  # (21,)
    ecg_uv: float
    alpha_hz: float
    alpha_ratio: float  # amplitude of alpha over the background's
    drowsy: float  # share of spindles and vertex waves
    blinks_per_minute: float
    spikes_per_minute: float
    focus: str  # electrode
    focus_offset_m: float
    early_hz: float  # focal: frequency at the onset of the seizure ...
    late_hz: float  # ... and at its end
    fast_onset_hz: float  # low-voltage fast activity of the first seconds; 0: none
    speed_m_s: float  # of recruitment
    ratio: float  # seizure over background, see discharge.py


def draw_patient(draw: np.random.Generator, kind: str, ratio: tuple[float, float]) -> Patient:
    """Draw a patient of one kind; `ratio` bounds the seizure-to-background ratio."""
    n = len(ELECTRODES)
    foci, weights = list(FOCUS_WEIGHTS), np.array(list(FOCUS_WEIGHTS.values()))
    temporal = np.array([name in ("T3", "T4", "F7", "F8", "FP1", "FP2", "T5", "T6") for name in ELECTRODES])
    muscle = draw.uniform(0.3, 3.0) * np.where(temporal, 1.0, 0.35) * draw.lognormal(0.0, 0.4, n)
    return Patient(
        kind=kind,
        code=_draw_code(draw, kind),
        rate_hz=int(draw.choice([250, 256, 400], p=[0.35, 0.5, 0.15])),
        radius_factor=float(draw.uniform(0.95, 1.05)),
        skull_factor=float(draw.uniform(0.7, 1.4)),
        jitter_m=draw.normal(0.0, 0.005 / np.sqrt(3), (n, 3)),
        coupling_m=float(draw.uniform(0.015, 0.040)),
        exponent=float(draw.uniform(1.0, 1.3)),
        background_uv=float(draw.uniform(14.0, 33.0)),
        sensor_share=float(draw.uniform(0.01, 0.06)),
        muscle_uv=muscle,
        mains_hz=int(draw.choice([50, 60])),
        mains_uv=draw.uniform(0.0, 1.5) * draw.lognormal(0.0, 0.6, n),
        ecg_uv=float(draw.uniform(0.0, 6.0)),
        alpha_hz=float(draw.uniform(8.0, 12.0)),
        alpha_ratio=float(draw.uniform(0.2, 1.2)),
        drowsy=float(draw.uniform(0.0, 1.0) * (draw.random() < 0.5)),
        blinks_per_minute=float(draw.uniform(2.0, 18.0)),
        spikes_per_minute=float(draw.uniform(0.0, 6.0)),
        focus=str(draw.choice(foci, p=weights / weights.sum())),
        focus_offset_m=float(draw.uniform(0.0, 0.015)),
        early_hz=float(draw.uniform(5.0, 7.5)),
        late_hz=float(draw.uniform(2.3, 3.6)),
        fast_onset_hz=float(draw.uniform(15.0, 25.0)) * bool(draw.random() < 0.35),
        speed_m_s=float(draw.uniform(0.001, 0.006)),
        ratio=float(draw.uniform(*ratio)),
    )


def _draw_code(draw: np.random.Generator, kind: str) -> str:
    """The code of the patient's seizures. Focal patients differ; those of CT have both types (see seizures.py)."""
    if kind == "CF":
        return str(draw.choice(["fnsz", "cpsz", "spsz"], p=[0.55, 0.3, 0.15]))
    return {"GN": "gnsz", "AB": "absz", "CT": "tcsz"}[kind]
