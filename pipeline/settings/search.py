"""The search of hyper-parameters: what is searched, on which run, and the trials' place among the runs."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pipeline.settings.base import Count, Positive, Section, Seed

TRIAL = "search-"  # how the names of trials begin; a run of config.yaml may not be called so
Rate = Annotated[float, Field(ge=0, lt=1)]


def _rising(bounds: Any) -> Any:
    if bounds is not None and bounds[0] > bounds[1]:
        raise ValueError(f"[low, high] must rise; is {list(bounds)}")
    return bounds


Interval = Annotated[tuple[Count, Count] | None, AfterValidator(_rising)]


class SearchRanges(Section):
    """[low, high] with both ends, or a list to choose from; null: not searched."""

    learning_rate: Annotated[tuple[Positive, Positive] | None, AfterValidator(_rising)]  # evenly in its logarithm
    dropout: Annotated[tuple[Rate, Rate] | None, AfterValidator(_rising)]
    top_neighbours: Interval
    layers: Interval
    diffusion_steps: Interval
    units: list[Count] | None = Field(min_length=1)


class SearchConfig(Section):
    """search: trials of one run, task and length, drawn by `seed`, which is their training seed, too."""

    run: str
    task: Literal["detection", "classification"]
    length_s: Count
    trials: Count
    seed: Seed
    ranges: SearchRanges
