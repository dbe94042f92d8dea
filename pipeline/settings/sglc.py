"""What the experiments on the learned graph are measured on (targets sglc_table, label_fraction, graph_ablation)."""

from typing import Annotated

from pydantic import Field

from pipeline.settings.base import Count, Positive, Section, Seed

PerCent = Annotated[int, Field(ge=1, le=100)]


class SglcConfig(Section):
    """sglc: seeds, clip length and shares of the labels; which runs are compared stands in workflow/lib/sglc.py."""

    seeds: list[Seed]  # of these targets alone: a run's metrics.parquet keeps the seeds of plan and paper
    length_s: Count
    fractions: list[PerCent]  # of the training patients whose labels are used; runs `<run>-25` ... `<run>`
    max_mb: Positive  # of the page
