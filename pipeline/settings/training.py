"""Batches, augmentation, optimisation."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Count, GateBias, NotNegative, Positive, Section, Seed, Share
from pipeline.settings.clips import Task
from pipeline.settings.features import FeatureSettings


class AugmentConfig(Section):
    """The section as it stands in config.yaml. For training clips only: swap left and right, scale amplitudes."""

    reflect_probability: Share
    scale_low: Positive
    scale_high: Positive

    @model_validator(mode="after")
    def _rising(self) -> "AugmentConfig":
        if self.scale_low > self.scale_high:
            raise ValueError(f"scale_low: {self.scale_low:g} is above scale_high: {self.scale_high:g}")
        return self


class AugmentSettings(AugmentConfig):
    """What a job gets: the section and the switches of `compat` that concern it."""

    mirror_pairs: Literal["all", "published"]  # compat.mirror_pairs: published leaves P3/P4
    mirror_graph: Literal["correct", "published"]  # compat.mirror_graph
    scale_zero_bins: bool  # compat.scale_zero_bins


EarlyStopping = Literal["best", "published", "previous"]
ForecastLoss = Literal["mae", "rmse", "mse"]


def _is_none(value: object) -> bool:
    """Of a setting that others go without: it does not stand in their cards, then."""
    return value is None


def _is_one(value: object) -> bool:
    """Of `processes`: what one computes does not say so, as it did not before there could be more."""
    return value == 1


class LoopNumbers(Section):
    """One training loop for every task; each (task, length) has its own numbers in config.yaml."""

    epochs: Count
    learning_rate: Positive
    batch: Count
    batch_evaluation: Count
    dropout: float = Field(ge=0, lt=1)
    weight_decay: NotNegative
    clip_norm: Positive
    patience: Count
    processes: Count  # that compute each batch together


class LoopSettings(LoopNumbers):
    """What a job gets: the numbers, what is minimised and what chooses the checkpoint, the switch of `compat`."""

    checkpoint: Literal["auroc", "weighted_f1", "loss"]
    loss: Literal["bce", "ce", "weighted_ce", "focal", "mae", "rmse", "mse"]
    focal_gamma: NotNegative | None = Field(default=None, exclude_if=_is_none)  # of loss: focal alone
    early_stopping: EarlyStopping  # compat.early_stopping
    processes: Count = Field(default=1, exclude_if=_is_one)  # of older cards, and of those of one process

    @model_validator(mode="after")
    def _gamma_of_focal(self) -> "LoopSettings":
        if (self.loss == "focal") != (self.focal_gamma is not None):
            raise ValueError(f"focal_gamma: {self.focal_gamma}, but loss: {self.loss}; it goes with loss: focal alone")
        return self


class DeviceSettings(Section):
    """Where and how to compute; `threads` stands here and not in the rule, since results must not depend on --cores."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Count
    mixed_precision: Literal["auto", "off", "bf16"]
    memory_gb: Positive | None = Field(default=None, exclude=True)  # of older cards: it changed no result


class DeviceConfig(DeviceSettings):
    """The section as it stands in config.yaml. What changes no result is told to a stage apart from its settings."""

    memory_gb: Positive = Field(exclude=True)


class SamplingConfig(Section):
    """The section as it stands in config.yaml."""

    label_unit: Literal["patient", "clip"]  # what runs.<run>.label_fraction is a share of


class SamplingSettings(Section):
    """Which training clips are seen."""

    balance: bool  # detection: negatives undersampled to the number of positives
    negative_seed: Literal["run", "published"]  # compat.negative_seed
    label_fraction: float = Field(gt=0, le=1)
    label_unit: Literal["patient", "clip"] | None = Field(default=None, exclude_if=_is_none)  # of a share of the labels

    @model_validator(mode="after")
    def _unit_of_a_share(self) -> "SamplingSettings":
        if self.label_fraction < 1 and self.label_unit is None:
            raise ValueError(f"label_unit: None, but label_fraction: {self.label_fraction:g}; a share of what?")
        return self


class StartSettings(Section):
    """Where weights that a training starts from were learnt, if not by this corpus's own pre-training."""

    init: Literal["ssl", "transfer", "imported"]
    corpus: str | None  # None: imported
    run: str | None  # transfer: the detector; else None


class AuxiliaryConfig(Section):
    """training.auxiliary.<length>: from a clip's first `seen_s` seconds, the `horizon_s` that follow are predicted."""

    seen_s: Count
    horizon_s: Count


class AuxiliarySettings(AuxiliaryConfig):
    """The auxiliary task of detection (Tang et al. 2022, appendix, Table 10): loss = L_det + weight * L_SSL."""

    weight: Positive  # lambda
    loss: ForecastLoss  # compat.ssl_loss, as pre-training minimises


class FitSettings(Section):
    """What the stages `pretrain` and `train` use: one model on one task, from one seed."""

    model: str  # plug-in of pipeline/models/
    options: dict[str, Any]  # its section and compat switches, typed by pipeline/settings/model_<name>.py
    features: FeatureSettings
    graph: Literal["distance", "correlation", "none"]
    task: Task
    length_s: Count
    horizon_s: Count  # pre-training: seconds to predict
    scheme: Literal["four", "seven", "eight"]  # classes of classification
    seed: Seed
    gate_bias: GateBias | None  # of this task and length; None: as options.init says
    electrodes: tuple[str, ...]
    loop: LoopSettings
    augment: AugmentSettings
    sampling: SamplingSettings
    device: DeviceSettings
    start: StartSettings | None = None  # None: from scratch, or from the corpus's own encoder
    auxiliary: AuxiliarySettings | None = None

    @property
    def regularisers(self) -> dict[str, float]:
        """Weights by which penalties of the model are added to the loss, those that are not 0."""
        given = self.options.get("regularisers")
        found = given if isinstance(given, dict) else {}  # a card may hold anything; the model's own type refuses it
        return {name: weight for name, weight in found.items() if weight}

    @model_validator(mode="after")
    def _forecast_within_a_clip(self) -> "FitSettings":
        """What is predicted is the beginning of the next clip; beyond it lies another clip or recording."""
        if self.task == "pretraining" and self.horizon_s > self.length_s:
            raise ValueError(f"horizon_s: {self.horizon_s}, but the clip to predict has {self.length_s} s")
        return self

    @model_validator(mode="after")
    def _auxiliary_of_detection(self) -> "FitSettings":
        chosen = self.auxiliary
        if chosen and self.task != "detection":
            raise ValueError(f"auxiliary.weight: {chosen.weight:g}, but the task is {self.task}: only for detection")
        if chosen and any(self.regularisers.values()):
            raise ValueError(f"auxiliary.weight: {chosen.weight:g}, beside options.regularisers: set one of them to 0")
        if chosen and chosen.seen_s + chosen.horizon_s > self.length_s:
            last_s = chosen.seen_s + chosen.horizon_s
            raise ValueError(f"auxiliary: seen_s and horizon_s make {last_s} s, a clip has {self.length_s}")
        return self
