"""models.sglc: the spatio-graph learning cell, whose graph is estimated anew every second (docs/sglc.md)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Count, NotNegative, Section, Share
from pipeline.settings.model_dcrnn import InitSettings

GRAPHS: tuple[str, ...] = ("correlation",)  # the prior graph of a clip
PRETRAINS = True
LEARNS_GRAPH = True  # whether a line of the plan may ask for learned graphs; a module that does not say so: no
LOOP_DROPOUT = True  # training.<task>.<length>.dropout is used, by the head
LEARNER_OPTIONS = (
    "learner_units", "heads", "mixing", "attention_dropout", "sparsify", "keep_edges", "edge_threshold", "recurrence",
    "support",
)  # fmt: skip
CORRECTED_OPTIONS = ("sparsify", "keep_edges", "recurrence", "support")  # of them, what `published` does not read
NEUTRAL: dict[str, Any] = {
    "learner_units": 1, "heads": 1, "mixing": 0.0, "attention_dropout": 0.0, "sparsify": "topk", "keep_edges": 1,
    "edge_threshold": 0.0, "recurrence": "anchored", "support": "all",
}  # fmt: skip


def unread(options: Mapping[str, Any]) -> frozenset[str]:
    """Options that a model with these does not read: jobs are not told of them, so that no change of one reruns any."""
    if options.get("adjacency", "learned") != "learned":
        return frozenset(LEARNER_OPTIONS)
    if options.get("variant") == "published":
        return frozenset(CORRECTED_OPTIONS)
    return frozenset({"edge_threshold" if options.get("sparsify", "topk") == "topk" else "keep_edges"})


class RegulariserSettings(Section):
    """Weights of what is added to the loss for the learned graphs; 0: not computed."""

    smooth: NotNegative
    degree: NotNegative
    sparsity: NotNegative


class ModelConfig(Section):
    """The section as it stands in config.yaml. `published` and `corrected` mark what only one variant reads."""

    variant: Literal["published", "corrected"]
    adjacency: Literal["learned", "prior", "uniform", "random"]  # published: learned
    units: Count
    layers: Count
    pretraining_layers: Count
    allow_depth_mismatch: bool  # fine-tuning then takes the first layers of a deeper encoder
    ggnn_steps: Count
    learner_units: Count
    heads: Count
    mixing: Share  # share of the graph before (published), of the prior or the graph before (corrected)
    attention_dropout: float = Field(ge=0, lt=1)  # published: of attention weights; corrected: of edges, before softmax
    sparsify: Literal["topk", "eps"]  # corrected
    keep_edges: Count  # corrected, topk: edges kept of each row beside its self-loop
    edge_threshold: Share  # published, and corrected with eps: a smaller attention weight is no edge
    recurrence: Literal["anchored", "recurrent"]  # corrected: what `mixing` mixes in: the prior, or the second before
    support: Literal["prior", "all"]  # corrected: pairs that may have an edge: those of the prior, or all
    decoder_tied: bool
    regularisers: RegulariserSettings
    init: InitSettings

    @model_validator(mode="after")
    def _equal_depth(self) -> "ModelConfig":
        if self.pretraining_layers < self.layers:
            raise ValueError(
                f"pretraining_layers: {self.pretraining_layers} layers cannot start a classifier of {self.layers}; "
                "make them equal"
            )
        if self.pretraining_layers != self.layers and not self.allow_depth_mismatch:
            raise ValueError(
                f"pretraining_layers: {self.pretraining_layers}, but layers: {self.layers}; make them equal, or say "
                "allow_depth_mismatch: true (as published: the first layers are taken)"
            )
        return self

    @model_validator(mode="after")
    def _published_learns(self) -> "ModelConfig":
        if self.variant == "published" and self.adjacency != "learned":
            raise ValueError(f"adjacency: {self.adjacency} goes with variant: corrected; published has only learned")
        return self


class ModelSettings(ModelConfig):
    """What a job gets: the section, less what is not read; no switch of `compat` concerns it."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {name: NEUTRAL[name] for name in unread(values)} | dict(values)
