"""Which runs are compared in pairs, by which metric, and how their difference is drawn."""

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Confidence, Count, Section, Seed


class ComparisonNumbers(Section):
    """What the stage `compare` uses: draws of patients and seeds, level of the intervals."""

    draws: Count  # a family of m pairs can reach p = 2 m / (draws + 1) after Holm, no less
    confidence: Confidence
    seed: Seed


class ComparisonConfig(ComparisonNumbers):
    """comparisons: pairs of runs by table of the paper; tasks, lengths and seeds are those of the table's plan."""

    detection: Literal["auroc", "auprc", "f1", "weighted_f1", "macro_f1"]  # the metric that is compared
    classification: Literal["weighted_f1", "macro_f1", "accuracy"]
    families: dict[Literal["table02", "table04", "table09", "table10"], list[tuple[str, str]]] = Field(min_length=1)


class ComparisonSettings(ComparisonNumbers):
    """What a job gets: the numbers, and the switch of `compat` that concerns it."""

    threshold_strict: bool
