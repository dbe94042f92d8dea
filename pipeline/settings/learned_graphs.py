"""How learned graphs are computed and stored."""

from typing import Literal

from pipeline.settings.base import Count, Section


class LearnedGraphSettings(Section):
    """learned_graphs: the export of what a model with a learned graph joined, clip by clip and second by second."""

    precision: Literal["float16", "float32"]  # of A and A_0 as stored; the measures are computed from float32
    batch: Count  # clips at once, and in one chunk of the store
