"""Sections of the SOZ arm behind its tokens: what stages are told. Data: `soz_data.py`; runs: `soz_runs.py`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.settings.base import Confidence, Count, NotNegative, Number, Positive, Section, Seed


def _focus(gamma: float) -> float:
    """A focal exponent between 0 and 1 has an infinite slope at p = 1."""
    if 0 < gamma < 1:
        raise ValueError("a focal exponent is 0 or at least 1; between them its slope is infinite at p = 1")
    return gamma


Gamma = Annotated[float, Field(ge=0), AfterValidator(_focus)]
Beta = Annotated[float, Field(ge=0, lt=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Calibration = Literal["temperature", "platt", "isotonic"]
Condition = Literal["ictal", "interictal"]
Counts = Literal["segment", "fold"]  # where a class is counted for its weight: in each clip, or in the training fold


class SozFolds(Section):
    """soz.folds: who is tested, and who stops and calibrates the training."""

    scheme: Literal["grouped", "patients", "corpora"]
    outer: Annotated[int, Field(ge=2)]  # of scheme: grouped
    inner_share: InnerShare  # of the outer-training patients
    seed: Seed
    labels: Literal["soz", "strict"]


class SozModel(Section):
    """soz.model: the encoder."""

    width: Count
    heads: Count
    layers: Number  # 0: channels do not see each other
    feedforward: Count
    dropout: Dropout
    projection: Count
    phase: bool
    position: bool
    baseline_ratio: bool


class SozLoop(Section):
    """What both trainings have in common."""

    epochs: Count
    batch: Count  # clips, each of another patient
    beta: Beta
    gamma: Gamma
    counts: Counts
    weight_decay: NotNegative
    clip_norm: Positive


class SozPretraining(SozLoop):
    """soz.pretraining: focal class-balanced SupCon within a clip."""

    enabled: bool
    learning_rate: Positive
    temperature: Positive
    denominator: Literal["all", "negatives"]
    weight_cap: Annotated[float, Field(ge=1)] | None  # of the positive class's weight over the negative one's


class SozFinetuning(SozLoop):
    """soz.finetuning: focal class-balanced BCE."""

    learning_rate_head: Positive
    learning_rate_encoder: Positive
    freeze_encoder: bool
    patience: Count
    conditions: Literal["both", "ictal", "interictal"]


class SozAttention(Section):
    """soz.attention: graphs, their nulls and their faithfulness."""

    permutations: Count  # of the labels, within a shaft
    masks: Count  # random masks against which a masked contact is judged
    clips: Count  # of a patient and condition in which contacts are hidden, and of which controls are taken
    conditions: tuple[Condition, ...] = Field(min_length=1)
    precision: Literal["float16", "float32"]
    seed: Seed


class SozEvaluation(Section):
    """soz.evaluation: intervals over patients."""

    bootstrap: Count
    confidence: Confidence
    seed: Seed
