"""Scores, intervals, explanation."""

from typing import Literal

from pipeline.settings.base import Section


class EvaluationSettings(Section):
    """Metrics and their patient-bootstrap intervals."""

    bootstrap: int
    confidence: float
    seed: int
    threshold_strict: bool  # compat.threshold_strict


class OcclusionSettings(Section):
    """What stands in for an occluded electrode-second, and how much is done at once."""

    value: Literal["mean", "raw_zero"]
    graph: Literal["held", "recomputed"]
    batch: int
    clips: Literal["correct", "all"]  # of the test clips with a seizure, those predicted correctly or all


class LocalisationSettings(Section):
    """Coverage and localisation of occlusion maps (Tang et al. 2022, section 2.5)."""

    threshold: float
    precise: float
    second_rule: Literal["any", "half"]
    edge_value: Literal["max", "mean"]  # an edge's prediction from the values of its two electrodes
    permutations: int  # of each null
    bootstrap: int  # draws of patients for the intervals
    confidence: float
    seed: int
