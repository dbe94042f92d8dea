"""What the training stages of the SOZ arm are told: one fold, one seed, and the sections that they use."""

from typing import Literal

from pipeline.settings.base import Number, Section, Seed
from pipeline.settings.soz import Calibration, SozFinetuning, SozModel, SozPretraining
from pipeline.settings.training import DeviceSettings


class SozJob(Section):
    """What both trainings are told."""

    fold: Number
    seed: Seed
    labels: Literal["soz", "strict"]  # soz.folds.labels
    model: SozModel
    device: DeviceSettings


class SozPretrainJob(SozJob):
    """Stage `soz_pretrain`."""

    pretraining: SozPretraining


class SozTrainJob(SozJob):
    """Stage `soz_train`."""

    finetuning: SozFinetuning
    calibration: Calibration
