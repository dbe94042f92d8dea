"""One training of the SOZ arm from files to files: what the stages `soz_pretrain` and `soz_train` share.

Of the fold's patients, those of the parts `train` and `inner` that teach are read, and no other: neither weights nor
card can depend on a test patient.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.models.soz import SozEncoder
from pipeline.settings.soz_jobs import SozJob, SozPretrainJob, SozTrainJob
from pipeline.store import digest_file, read_json, write_json, write_table
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.device import prepare_device
from pipeline.training.model_io import load_weights, save_weights
from pipeline.training.sampling import TORCH, generator
from pipeline.training.soz_calibration import fit_calibrator
from pipeline.training.soz_card import base_card, start_from, trained_card
from pipeline.training.soz_data import SozBatches
from pipeline.training.soz_fit import Clips, finetune, pretrain
from pipeline.training.soz_fold import Fold, Inputs, UnfitData, read_fold
from pipeline.training.soz_scores import channel_logits, clip_logits

LOGGER = logging.getLogger("ictograph")
SAVE_EVERY_S = 10.0  # what a kill costs at most, beside the epoch that it met


@dataclass(frozen=True)
class Outputs:
    """Where the weights, the card and the history go."""

    weights: Path
    card: Path
    history: Path


def run_pretraining(
    inputs: Inputs, outputs: Outputs, settings: SozPretrainJob, *, code: str, checkpoints: Path
) -> None:
    """Pre-train one encoder and write it, from the job's last whole epoch if an earlier attempt was killed."""
    device, fold = prepare_device(settings.device, alone=True), read_fold(inputs, settings)
    identity = _identity(settings, fold, code=code)
    with Checkpoints(checkpoints, identity, minutes=SAVE_EVERY_S / 60) as job:
        model = _new_model(settings).to(device)
        clips = _clips(fold, device, conditions="both")
        fitted = pretrain(
            model, clips, settings.pretraining, seed=settings.seed, device=settings.device, checkpoints=job
        )
        save_weights(outputs.weights, fitted.weights)
        write_json(outputs.card, base_card(settings, fold, fitted))
        write_table(outputs.history, fitted.history)
        job.clear()


def run_training(inputs: Inputs, outputs: Outputs, settings: SozTrainJob, *, code: str, checkpoints: Path) -> None:
    """Fine-tune one model, calibrate it on the inner patients, write it; resumes as `run_pretraining` does."""
    device, fold = prepare_device(settings.device, alone=True), read_fold(inputs, settings)
    encoder = None if inputs.encoder is None else digest_file(inputs.encoder)
    identity = _identity(settings, fold, code=code, encoder=encoder)
    with Checkpoints(checkpoints, identity, minutes=SAVE_EVERY_S / 60) as job:
        model = _new_model(settings)
        told: dict[str, Any] | None = None
        if inputs.encoder is not None:
            told = dict(read_json(inputs.encoder.with_suffix(".json")))
            start_from(model, load_weights(inputs.encoder), told, settings, fold.hash)
        model.start_head(fold.counts[1] / sum(fold.counts))
        clips = _clips(fold, device, conditions=settings.finetuning.conditions)
        fitted = finetune(
            model.to(device), clips, settings.finetuning, seed=settings.seed, device=settings.device, checkpoints=job
        )
        model.load_state_dict(fitted.weights)
        channels = _inner_channels(model, clips, settings)
        calibrator = fit_calibrator(
            settings.calibration, channels["logit"].to_numpy(), channels["label"].to_numpy(), channels["patient"]
        )
        card = base_card(settings, fold, fitted) | trained_card(calibrator, channels) | {"pretraining": told}
        save_weights(outputs.weights, fitted.weights)
        write_json(outputs.card, card)
        write_table(outputs.history, fitted.history)
        job.clear()


def _identity(settings: SozJob, fold: Fold, *, code: str, encoder: str | None = None) -> dict[str, Any]:
    """What makes a job the same as one that was killed."""
    told = settings.model_dump(mode="json")
    return {"settings": told, "code": code, "data": fold.data.digest(), "fold": fold.hash, "encoder": encoder}


def _new_model(settings: SozJob) -> SozEncoder:
    torch.manual_seed(int(generator(settings.seed, TORCH).integers(2**63)))
    return SozEncoder(settings.model)


def _clips(fold: Fold, device: torch.device, *, conditions: str) -> Clips:
    """Raises UnfitData where a part has no clip of these conditions."""
    train = fold.data.select(fold.teaching["train"], conditions=conditions, shifted=True)
    inner = fold.data.select(fold.teaching["inner"], conditions=conditions, scored=True)
    for part, found in (("train", train), ("inner", inner)):
        if not len(found):
            raise UnfitData(f"the {part} patients have no clip (conditions: {conditions}); add recordings")
    LOGGER.info("%d training clips with their shifted copies, %d inner clips", len(train), len(inner))
    return Clips(SozBatches(fold.data, fold.scaler, device), train, inner, fold.counts)


def _inner_channels(model: SozEncoder, clips: Clips, settings: SozTrainJob) -> pd.DataFrame:
    """patient, channel, label, logit of the labelled contacts of the inner patients."""
    size = settings.finetuning.batch
    found = channel_logits(clip_logits(model, clips.batches, clips.inner, size=size, device=settings.device))
    return found[found["label"] >= 0]
