"""models.dcrnn: the diffusion-convolutional recurrent network (Tang et al. 2022, sections 2.3 and 2.4)."""

from typing import Literal

from pipeline.settings.base import Count, GateBias, Section

GRAPHS: tuple[str, ...] = ("distance", "correlation")  # values of runs.<run>.graph that the model takes
PRETRAINS = True  # whether there is a forecaster to pre-train
LOOP_DROPOUT = True  # whether training.<task>.<length>.dropout is used


class InitSettings(Section):
    """Initial weights. `gate_bias` holds unless training.<task>.<length>.gate_bias has a value."""

    gate_bias: GateBias


class ModelConfig(Section):
    """The section as it stands in config.yaml."""

    units: Count
    layers: Count
    pretraining_layers: Count
    diffusion_steps: Count
    decoder_tied: bool
    init: InitSettings


class ModelSettings(ModelConfig):
    """What a job gets: the section and the switch of `compat` that concerns it."""

    diffusion_recursion: Literal["powers", "chebyshev", "published"]
