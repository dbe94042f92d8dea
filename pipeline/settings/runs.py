"""Named runs, and what the default target builds."""

from typing import Any, Literal

from pydantic import Field

from pipeline.settings.base import Count, NotNegative, Positive, Section, Seed
from pipeline.settings.clips import Task
from pipeline.settings.corpora import PathText

Graph = Literal["distance", "correlation", "none"]  # none: the model knows no graph
Init = Literal["scratch", "ssl", "transfer", "imported"]


class Overrides(Section):
    """What the search of hyper-parameters changes of one run; None: as config.yaml says elsewhere."""

    learning_rate: Positive | None = None  # of training.<task>.<length>
    dropout: float | None = Field(default=None, ge=0, lt=1)
    layers: Count | None = None  # of models.<model>
    units: Count | None = None
    diffusion_steps: Count | None = None
    top_neighbours: Count | None = None  # of graphs; such a run has correlation graphs of its own

    def of(self, *names: str) -> dict[str, Any]:
        """Those of `names` that are overridden, with their values."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


LOOP_OVERRIDES = ("learning_rate", "dropout")
MODEL_OVERRIDES = ("layers", "units", "diffusion_steps")


class RunSettings(Section):
    """One name for every choice of an experiment; results live at results/<corpus>/<task>-<len>s/<run>/seed<k>/."""

    model: str
    features: str
    graph: Graph
    init: Init
    scheme: Literal["four", "seven", "eight"]
    label_fraction: float = Field(gt=0, le=1)
    source: str | None = None  # init ssl, transfer: the corpus that the weights were learnt on; None: the corpus itself
    source_run: str | None = None  # init transfer: the detection run there whose model of seed 0 is copied
    weights: PathText | None = None  # init imported: an encoder that the stage `import_weights` wrote
    auxiliary: NotNegative = 0.0  # weight of the forecast in the loss of detection (Table 10); 0: none
    overrides: Overrides = Overrides()


class PlanEntry(Section):
    """One line of work: a run on a task at one clip length, over its seeds, with or without maps and learned graphs."""

    run: str
    task: Task
    length_s: Count
    seeds: list[Seed]
    maps: bool
    graphs: bool = False  # the graphs that the model learned, exported and shown: for models that learn one
