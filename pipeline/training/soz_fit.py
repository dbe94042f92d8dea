"""The two trainings of the SOZ encoder, inside one fold: contrastive pre-training, then fine-tuning (spec soz.md, 3-5).

What an epoch does follows from (seed, epoch) and the state before it, so that a job resumed after a kill ends in the
same bytes. A batch without an anchor, or without a labelled contact, makes no step of the optimiser.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.models.soz import SozEncoder, SozInputs
from pipeline.settings.soz import SozFinetuning, SozLoop, SozPretraining
from pipeline.settings.training import DeviceSettings
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.device import autocast
from pipeline.training.fit_state import put_back, state_tensors
from pipeline.training.loop import Diverged
from pipeline.training.sampling import ORDER, TORCH, generator
from pipeline.training.soz_data import SozBatches
from pipeline.training.soz_losses import focal_bce, supcon
from pipeline.training.soz_schedule import epoch_batches
from pipeline.training.soz_scores import channel_logits, clip_logits, cross_entropy, patient_mean_auprc

LOGGER = logging.getLogger("ictograph")
Loss = Callable[[SozInputs, Tensor], tuple[Tensor, int]]  # of a batch: the loss, and how many contacts it is a mean of


@dataclass(frozen=True)
class Fitted:
    """Weights of the chosen epoch, and one row of `history` an epoch."""

    weights: dict[str, Tensor]
    history: pd.DataFrame


@dataclass(frozen=True)
class Clips:
    """Which clips of `batches` teach (with their shifted copies), and which stop the training."""

    batches: SozBatches
    train: NDArray[np.int64]
    inner: NDArray[np.int64]
    counts: tuple[int, int]  # labelled contacts of the training patients: negative, positive


def pretrain(
    model: SozEncoder,
    clips: Clips,
    settings: SozPretraining,
    *,
    seed: int,
    device: DeviceSettings,
    checkpoints: Checkpoints,
) -> Fitted:
    """SupCon over all epochs, the rate falling as a cosine; the last epoch's weights (section 4)."""
    counts = _counts(clips, settings)

    def loss(inputs: SozInputs, labels: Tensor) -> tuple[Tensor, int]:
        return supcon(
            model.project(inputs),
            labels,
            inputs.valid,
            temperature=settings.temperature,
            beta=settings.beta,
            gamma=settings.gamma,
            denominator=settings.denominator,
            counts=counts,
            weight_cap=settings.weight_cap,
        )

    groups = [{"params": list(model.parameters()), "lr": settings.learning_rate}]
    run = _Run(model, clips, settings, loss, groups, seed=seed, device=device, counted="n_anchors")
    history, _ = run.resume(checkpoints)
    for epoch in range(len(history), settings.epochs):
        share = (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
        history.append(run.train_epoch(epoch, share=share) | {"kept": epoch + 1 == settings.epochs})
        run.keep(checkpoints, history, {})
    return Fitted(run.weights(), pd.DataFrame(history))


def finetune(
    model: SozEncoder,
    clips: Clips,
    settings: SozFinetuning,
    *,
    seed: int,
    device: DeviceSettings,
    checkpoints: Checkpoints,
) -> Fitted:
    """BCE with a rate for the head and one for the rest, until the inner patients' mean AUPRC rises no more.

    Where no inner patient has both classes, their cross-entropy decides (section 5).
    """
    counts = _counts(clips, settings)

    def loss(inputs: SozInputs, labels: Tensor) -> tuple[Tensor, int]:
        value = focal_bce(model(inputs), labels, inputs.valid, beta=settings.beta, gamma=settings.gamma, counts=counts)
        return value, int((labels >= 0).sum())

    groups = _groups(model, settings)
    run = _Run(model, clips, settings, loss, groups, seed=seed, device=device, counted="n_contacts")
    history, best = run.resume(checkpoints)
    while len(history) < settings.epochs and not _stops(history, settings.patience):
        row = run.train_epoch(len(history)) | run.judge()
        history.append(row)
        best = run.weights() if _best(history) == len(history) - 1 else best
        run.keep(checkpoints, history, best)
    kept = _best(history)
    return Fitted(best, pd.DataFrame([row | {"kept": k == kept} for k, row in enumerate(history)]))


def _groups(model: SozEncoder, settings: SozFinetuning) -> list[dict[str, Any]]:
    """The head's weights and those of the encoder, with their rates; the projector is not used any more."""
    head = list(model.head.parameters())
    unused = {id(parameter) for part in (model.head, model.projector) for parameter in part.parameters()}
    encoder = [parameter for parameter in model.parameters() if id(parameter) not in unused]
    groups = [{"params": head, "lr": settings.learning_rate_head}]
    if settings.freeze_encoder:
        for parameter in encoder:
            parameter.requires_grad_(False)
        return groups
    return [*groups, {"params": encoder, "lr": settings.learning_rate_encoder}]


def _counts(clips: Clips, settings: SozLoop) -> Tensor | None:
    """Class counts of the training fold, or None: each clip's own."""
    return torch.tensor(clips.counts, dtype=torch.float64) if settings.counts == "fold" else None


def _score(row: dict[str, Any]) -> tuple[float, float]:
    """AUPRC, where no inner patient has one 0; of equals the lower cross-entropy is better (few patients tie often)."""
    return row["inner_auprc"] or 0.0, -row["inner_loss"]


def _best(history: list[dict[str, Any]]) -> int:
    """The epoch of the best score, of equals the first."""
    return max(range(len(history)), key=lambda k: _score(history[k]))


def _stops(history: list[dict[str, Any]], patience: int) -> bool:
    return bool(history) and len(history) - 1 - _best(history) >= patience


class _Run:
    """Model, optimiser and clips of one training."""

    def __init__(
        self,
        model: SozEncoder,
        clips: Clips,
        settings: SozLoop,
        loss: Loss,
        groups: list[dict[str, Any]],
        *,
        seed: int,
        device: DeviceSettings,
        counted: str,
    ) -> None:
        self.model, self.clips, self.settings, self.loss = model, clips, settings, loss
        self.seed, self.device, self.counted = seed, device, counted
        self.rates = [group["lr"] for group in groups]
        self.learnt = [parameter for group in groups for parameter in group["params"]]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def train_epoch(self, epoch: int, *, share: float = 1.0) -> dict[str, Any]:
        """One pass over the training clips at `share` of the rates; the epoch's line of the history."""
        torch.manual_seed(int(generator(self.seed, TORCH, epoch).integers(2**63)))  # dropout
        rng = generator(self.seed, ORDER, epoch)
        order = epoch_batches(self.clips.batches.data.clips, self.clips.train, size=self.settings.batch, rng=rng)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.model.train()
        losses, contacts = [], 0
        for chosen in order:
            value, number = self._step(chosen)
            losses += [value] if number else []
            contacts += number
        mean = float(torch.stack(losses).mean()) if losses else 0.0
        self._check(mean, epoch)
        row = {"epoch": epoch + 1, "learning_rate": self.rates[-1] * share, "train_loss": mean}
        LOGGER.info("epoch %d of %d: loss %.4f, %d contacts", epoch + 1, self.settings.epochs, mean, contacts)
        return row | {self.counted: contacts, "n_steps": len(losses), "n_skipped": len(order) - len(losses)}

    def _step(self, chosen: NDArray[np.int64]) -> tuple[Tensor, int]:
        """One batch: its loss and the contacts that it is a mean of; without one, nothing moves."""
        inputs, labels = self.clips.batches.batch(chosen)
        self.optimiser.zero_grad()
        with autocast(self.clips.batches.device, self.device):
            value, number = self.loss(inputs, labels)
        if number:
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.learnt, self.settings.clip_norm)
            self.optimiser.step()
        return value.detach(), number

    def judge(self) -> dict[str, Any]:
        """Mean AUPRC of the inner patients, None where none has both classes, and their unweighted cross-entropy."""
        size, batches = self.settings.batch, self.clips.batches
        predictions = clip_logits(self.model, batches, self.clips.inner, size=size, device=self.device)
        score = patient_mean_auprc(channel_logits(predictions))
        LOGGER.info("inner patients: AUPRC %s", "undefined" if score is None else f"{score:.4f}")
        return {"inner_loss": cross_entropy(predictions), "inner_auprc": score}

    def _check(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise Diverged(
                f"epoch {epoch + 1}: the training loss is {loss}; the state after epoch {epoch} is kept; lower the "
                "learning rate or clip_norm of soz.pretraining or soz.finetuning"
            )

    def weights(self) -> dict[str, Tensor]:
        """The model's weights as they are now."""
        return {name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()}

    def keep(self, checkpoints: Checkpoints, history: list[dict[str, Any]], best: dict[str, Tensor]) -> None:
        """Save, unless that was just done: an epoch may take less time than a disk needs to take it down."""
        if checkpoints.due():
            self.save(checkpoints, history, best)
            checkpoints.end_if_asked()

    def save(self, checkpoints: Checkpoints, history: list[dict[str, Any]], best: dict[str, Tensor]) -> None:
        """Keep all that the next epoch depends on."""
        checkpoints.save(state_tensors(self.model, self.optimiser, best), {"history": history})

    def resume(self, checkpoints: Checkpoints) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
        """History and best weights so far, after putting model and optimiser where they were; empty: a fresh start."""
        stored = checkpoints.load()
        if stored is None:
            return [], {}
        tensors, record = stored
        best = put_back(self.model, self.optimiser, tensors)
        LOGGER.info("resumed after epoch %d of %d", len(record["history"]), self.settings.epochs)
        return record["history"], best
