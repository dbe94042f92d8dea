"""Named runs, and what the default target builds."""

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Count, Section, Seed
from pipeline.settings.clips import Task


class RunSettings(Section):
    """One name for every choice of an experiment; results live at results/<corpus>/<task>-<len>s/<run>/seed<k>/."""

    model: str
    features: str
    graph: Literal["distance", "correlation"]
    init: Literal["ssl", "scratch"]
    scheme: Literal["four", "seven", "eight"]
    label_fraction: float = Field(gt=0, le=1)


class PlanEntry(Section):
    """One line of work: a run on a task at one clip length, over its seeds, with or without occlusion maps."""

    run: str
    task: Task
    length_s: Count
    seeds: list[Seed]
    maps: bool
