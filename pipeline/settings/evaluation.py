"""Scores, intervals, explanation."""

from typing import Literal

from pipeline.settings.base import Confidence, Count, Section, Seed, Share

ALL = "all"  # the name of a corpus's own test clips among its lists, in metrics.parquet and on every page


class EvaluationConfig(Section):
    """The section as it stands in config.yaml: metrics and their patient-bootstrap intervals."""

    bootstrap: Count
    confidence: Confidence
    seed: Seed
    calibration_bins: Count  # of the predicted probability: reliability curve, calibration error


class EvaluationSettings(EvaluationConfig):
    """What a job gets: the section and the switch of `compat` that concerns it."""

    threshold_strict: bool


class OcclusionSettings(Section):
    """What stands in for an occluded electrode-second, and how much is done at once."""

    value: Literal["mean", "raw_zero"]
    graph: Literal["held", "recomputed"]
    batch: Count
    clips: Literal["correct", "all"]  # of the test clips with a seizure, those predicted correctly or all


class LocalisationSettings(Section):
    """Coverage and localisation of occlusion maps (Tang et al. 2022, section 2.5)."""

    threshold: Share
    precise: Share
    second_rule: Literal["any", "half"]
    edge_value: Literal["max", "mean"]  # an edge's prediction from the values of its two electrodes
    permutations: Count  # of each null
    bootstrap: Count  # draws of patients for the intervals
    confidence: Confidence
    seed: Seed
