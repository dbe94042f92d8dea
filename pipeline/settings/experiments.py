"""Questions put to trained models: is the geometry used, does pre-training help, is one channel as good?"""

from pipeline.settings.base import Confidence, Count, Section, Seed


class ExperimentSettings(Section):
    """Experiments on the 12-s detection models (spec simulator.md, sections 10 and 11)."""

    permutations: Count  # fixed permutations of the electrodes at test time, the same for every model
    bootstrap: Count  # draws of patients for the intervals
    confidence: Confidence
    seed: Seed
