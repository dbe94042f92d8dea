"""What the target planted_graph measures: does a learned graph help where there is one to find, and is it found?"""

from pydantic import Field

from pipeline.settings.base import Confidence, Count, Positive, Section, Seed


class EdgeSettings(Section):
    """How learned edges are compared with planted ones: draws of patients, intervals."""

    draws: Count
    confidence: Confidence
    seed: Seed


class PlantedConfig(EdgeSettings):
    """planted_graph: the runs that are compared, all of one kind but for their graph."""

    learned: str  # the run whose graph is learned
    fixed: list[str] = Field(min_length=1)  # the runs that it is compared with
    seeds: list[Seed]
    length_s: Count
    max_mb: Positive  # of the page
