"""What the published defects change: runs that are trained both ways (target compat_report)."""

from typing import Literal

from pipeline.settings.base import Count, Section, Seed
from pipeline.settings.evaluation import EvaluationConfig


class CompatReportConfig(Section):
    """compat_report: what is trained on the main corpus and on its published twin (paper.twin_corpus)."""

    runs: list[str]
    tasks: list[Literal["detection", "classification"]]
    lengths_s: list[Count]


class ComparedLine(Section):
    """One run on one task and length; as many predictions of either way as there are seeds."""

    run: str
    task: Literal["detection", "classification"]
    length_s: Count
    scheme: str
    seeds: list[Seed]


class CompatReportSettings(Section):
    """What the stage `compat_report` uses."""

    default: str  # corpora
    published: str
    lines: list[ComparedLine]
    switches: dict[str, tuple[str | bool, str | bool]]  # that differ: default, published
    default_strict: bool  # compat.threshold_strict of each
    published_strict: bool
    evaluation: EvaluationConfig
