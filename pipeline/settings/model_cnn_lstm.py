"""models.cnn_lstm: convolutions over one second at a time, then a recurrence (Tang et al. 2022; Ahmedt-Aristizabal)."""

from pipeline.settings.base import Count, Section

GRAPHS = ("none",)  # graphs that the model can use
PRETRAINS = False
LOOP_DROPOUT = False  # training.<task>.<length>.dropout is not used: it has none


class ModelConfig(Section):
    """The section as it stands in config.yaml."""

    channels: Count  # of both convolutions
    embedding: Count  # numbers that describe one second
    units: Count
    layers: Count


class ModelSettings(ModelConfig):
    """What a job gets: the section and the switch of `compat` that concerns it."""

    cnn_lstm_batch_axis: bool  # D15: the recurrence runs over the clips of a batch instead of over the seconds
