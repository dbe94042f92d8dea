"""Batches, augmentation, optimisation."""

from typing import Any, Literal

from pydantic import Field

from pipeline.settings.base import Count, NotNegative, Positive, Section, Seed, Share
from pipeline.settings.clips import Task
from pipeline.settings.features import FeatureSettings


class AugmentConfig(Section):
    """The section as it stands in config.yaml. For training clips only: swap left and right, scale amplitudes."""

    reflect_probability: Share
    scale_low: Positive
    scale_high: Positive


class AugmentSettings(AugmentConfig):
    """What a job gets: the section and the switches of `compat` that concern it."""

    mirror_pairs: Literal["all", "published"]  # compat.mirror_pairs: published leaves P3/P4
    mirror_graph: Literal["correct", "published"]  # compat.mirror_graph
    scale_zero_bins: bool  # compat.scale_zero_bins


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


class LoopSettings(LoopNumbers):
    """What a job gets: the numbers, what is minimised and what chooses the checkpoint, the switch of `compat`."""

    checkpoint: Literal["auroc", "weighted_f1", "loss"]
    loss: Literal["bce", "ce", "mae", "rmse"]
    early_stopping: Literal["best", "published"]  # compat.early_stopping


class DeviceSettings(Section):
    """Where and how to compute; `threads` stands here and not in the rule, since results must not depend on --cores."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Count
    mixed_precision: Literal["auto", "off", "bf16"]
    memory_gb: Positive


class SamplingSettings(Section):
    """Which training clips are seen."""

    balance: bool  # detection: negatives undersampled to the number of positives
    negative_seed: Literal["run", "published"]  # compat.negative_seed
    label_fraction: float = Field(gt=0, le=1)


class FitSettings(Section):
    """What the stages `pretrain` and `train` use: one model on one task, from one seed."""

    model: str  # plug-in of pipeline/models/
    options: dict[str, Any]  # its section and compat switches, typed by pipeline/settings/model_<name>.py
    features: FeatureSettings
    graph: Literal["distance", "correlation"]
    task: Task
    length_s: Count
    horizon_s: Count  # pre-training: seconds to predict
    scheme: Literal["four", "seven", "eight"]  # classes of classification
    seed: Seed
    gate_bias: float | None  # of this task and length; None: as options.init says
    electrodes: tuple[str, ...]
    loop: LoopSettings
    augment: AugmentSettings
    sampling: SamplingSettings
    device: DeviceSettings
