"""Batches, augmentation, optimisation."""

from typing import Any, Literal

from pipeline.settings.base import Section
from pipeline.settings.clips import Task
from pipeline.settings.features import FeatureSettings


class AugmentSettings(Section):
    """Applied to training clips only: reflect with probability 0.5, scale amplitudes."""

    reflect_probability: float
    scale_low: float
    scale_high: float
    mirror_pairs: Literal["all", "published"]  # compat.mirror_pairs: published leaves P3/P4
    mirror_graph: Literal["correct", "published"]  # compat.mirror_graph
    scale_zero_bins: bool  # compat.scale_zero_bins


class LoopSettings(Section):
    """One training loop for every task; each (task, length) has its own numbers in config.yaml."""

    epochs: int
    learning_rate: float
    batch: int
    batch_evaluation: int
    dropout: float
    weight_decay: float
    clip_norm: float
    patience: int
    checkpoint: Literal["auroc", "weighted_f1", "loss"]
    loss: Literal["bce", "ce", "mae", "rmse"]
    early_stopping: Literal["best", "published"]  # compat.early_stopping


class DeviceSettings(Section):
    """Where and how to compute; `threads` stands here and not in the rule, since results must not depend on --cores."""

    device: Literal["auto", "cpu", "cuda"]
    threads: int
    mixed_precision: Literal["auto", "off", "bf16"]
    memory_gb: float


class SamplingSettings(Section):
    """Which training clips are seen."""

    balance: bool  # detection: negatives undersampled to the number of positives
    negative_seed: Literal["run", "published"]  # compat.negative_seed
    label_fraction: float


class FitSettings(Section):
    """What the stages `pretrain` and `train` use: one model on one task, from one seed."""

    model: str  # plug-in of pipeline/models/
    options: dict[str, Any]  # its section and compat switches, typed by pipeline/settings/model_<name>.py
    features: FeatureSettings
    graph: Literal["distance", "correlation"]
    task: Task
    length_s: int
    horizon_s: int  # pre-training: seconds to predict
    scheme: Literal["four", "seven", "eight"]  # classes of classification
    seed: int
    gate_bias: float
    electrodes: tuple[str, ...]
    loop: LoopSettings
    augment: AugmentSettings
    sampling: SamplingSettings
    device: DeviceSettings
