"""The built-in synthetic scalp-EEG corpus (pipeline/corpora/simulated_scalp.py)."""

from typing import Literal

from pipeline.settings.base import Section

Split = Literal["train", "validation", "test"]
Montage = Literal["01_tcp_ar", "02_tcp_le", "03_tcp_ar_a"]


class HardNegativeSettings(Section):
    """Events that look like seizures to one channel, and are none. Expected number per four minutes of recording."""

    seizure_like: float  # evolving discharges at electrodes of which no two are neighbours
    contact: float  # one electrode with a loose contact
    theta: float  # rhythmic theta of under six seconds
    chewing: float
    slowing: float  # temporal delta
    spike_bursts: float
    photic_share: float  # share of the recordings with photic driving


class TrapSettings(Section):
    """Faults of real corpora that are planted on request (docs/corpora.md, T01 and T19 to T27)."""

    two_montages: float  # share of the patients whose later recordings lie in another montage folder
    missing_midline: float  # share of the recordings without FZ and PZ
    one_hz_channel: float  # share of the recordings with a 1-Hz IBI channel


class SimulationSettings(Section):
    """One seed makes one corpus; a recording depends on (seed, patient, session) alone."""

    generator: str
    seed: int
    format: Literal["tusz_v1", "tusz_v2"]
    cohort: dict[str, dict[Split, int]]  # class (CF GN AB CT) -> patients per split
    recordings_per_patient: int
    minutes: float
    ratio: tuple[float, float]  # seizure-to-background amplitude over the 12 strongest electrodes, by patient
    seizures: dict[str, list[int]]  # class -> numbers of seizures in a recording, all equally likely
    montages: dict[Montage, float]  # share of the patients recorded in each
    hard_negatives: HardNegativeSettings
    traps: TrapSettings
