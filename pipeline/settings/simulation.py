"""The built-in synthetic scalp-EEG corpus (pipeline/corpora/simulated_scalp.py)."""

from typing import Literal

from pipeline.settings.base import Section

Split = Literal["train", "validation", "test"]


class SimulationSettings(Section):
    """One seed makes one corpus; a recording depends on (seed, patient, session) alone."""

    generator: str
    seed: int
    format: Literal["tusz_v1", "tusz_v2"]
    cohort: dict[str, dict[Split, int]]  # class (CF GN AB CT) -> patients per split
    recordings_per_patient: int
    minutes: float
