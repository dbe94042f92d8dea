"""models.lstm: the recurrent baseline (Tang et al. 2022, section 3.2; Hussein et al. 2018)."""

from pipeline.settings.base import Count, Section

GRAPHS = ("none",)  # graphs that the model can use
PRETRAINS = False
LOOP_DROPOUT = True  # whether training.<task>.<length>.dropout is used


class ModelConfig(Section):
    """The section as it stands in config.yaml."""

    units: Count
    layers: Count


class ModelSettings(ModelConfig):
    """What a job gets: the section; no switch of `compat` concerns this model."""
