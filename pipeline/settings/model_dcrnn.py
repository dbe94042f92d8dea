"""models.dcrnn: the diffusion-convolutional recurrent network (Tang et al. 2022, sections 2.3 and 2.4)."""

from typing import Literal

from pipeline.settings.base import Section


class InitSettings(Section):
    """Initial weights. `gate_bias` is overridden by training.<task>.<length>.gate_bias."""

    gate_bias: float


class ModelConfig(Section):
    """The section as it stands in config.yaml."""

    units: int
    layers: int
    pretraining_layers: int
    diffusion_steps: int
    decoder_tied: bool
    init: InitSettings


class ModelSettings(ModelConfig):
    """What a job gets: the section and the switch of `compat` that concerns it."""

    diffusion_recursion: Literal["powers", "chebyshev", "published"]
