"""The built-in synthetic scalp-EEG corpus (pipeline/corpora/simulated_scalp.py)."""

from typing import Literal

from pipeline.settings.base import Count, NotNegative, Number, Positive, Section, Seed, Share

Split = Literal["train", "validation", "test"]
Montage = Literal["01_tcp_ar", "02_tcp_le", "03_tcp_ar_a"]
Format = Literal["tusz_v1", "tusz_v2", "bids", "chbmit", "siena"]
READER_OF: dict[Format, str] = {
    "tusz_v1": "tusz", "tusz_v2": "tusz", "bids": "bids", "chbmit": "chbmit", "siena": "siena",
}  # fmt: skip


class HardNegativeSettings(Section):
    """Events that look like seizures to one channel, and are none. Expected number per four minutes of recording."""

    seizure_like: NotNegative  # evolving discharges at electrodes of which no two are neighbours
    contact: NotNegative  # one electrode with a loose contact
    theta: NotNegative  # rhythmic theta of under six seconds
    chewing: NotNegative
    slowing: NotNegative  # temporal delta
    spike_bursts: NotNegative
    photic_share: Share  # share of the recordings with photic driving


class TrapSettings(Section):
    """Faults of real corpora that are planted on request (docs/corpora.md, T01, T19 to T27, T32)."""

    two_montages: Share  # share of the patients whose later recordings lie in another montage folder
    missing_midline: Share  # share of the recordings without FZ and PZ
    one_hz_channel: Share  # share of the recordings with a 1-Hz IBI channel; TUSZ formats alone
    dummy_channels: Share  # share of the recordings with five `-` channels between the others; format chbmit alone


class SimulationSettings(Section):
    """One seed makes one corpus; a recording depends on (seed, patient, session) alone."""

    generator: str
    seed: Seed
    format: Format
    cohort: dict[str, dict[Split, Number]]  # class (CF GN AB CT) -> patients per split
    recordings_per_patient: Count
    minutes: Positive
    ratio: tuple[Positive, Positive]  # seizure-to-background amplitude over the 12 strongest electrodes, by patient
    seizures: dict[str, list[Number]]  # class -> numbers of seizures in a recording, all equally likely
    montages: dict[Montage, Share]  # share of the patients recorded in each
    hard_negatives: HardNegativeSettings
    traps: TrapSettings
