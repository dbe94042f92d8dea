"""models.densecnn: inception blocks over the whole clip (Tang et al. 2022, section 3.2; Saab et al. 2020)."""

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Positive, Section

GRAPHS = ("none",)  # graphs that the model can use
PRETRAINS = False
LOOP_DROPOUT = False  # training.<task>.<length>.dropout is not used: it has its own


class ModelConfig(Section):
    """The section as it stands in config.yaml."""

    width: Positive  # factor on the channels of every convolution: the nearest whole number, halves up, at least 1
    dropout: float = Field(ge=0, lt=1)  # its own; training.<task>.<length>.dropout is for the other models
    allocate_unused: bool  # D20: two blocks of the published code that nothing reads; they only count


class ModelSettings(ModelConfig):
    """What a job gets: the section and the switch of `compat` that concerns it."""

    padding: Literal["after", "before"]  # D16: short clips are padded after or before they are standardised
