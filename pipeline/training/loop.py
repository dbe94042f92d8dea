"""One training loop for every task and model.

Adam with a cosine from the learning rate to zero over the epochs, gradient clipping, early stopping on the validation
loss, the checkpoint chosen by the task's metric (Tang et al. 2022, appendix; numbers in config.yaml). What a step does
follows from (seed, epoch, step) and the state before it, so that a job resumed after a kill ends in the same bytes.
"""

import logging
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.metrics.clip_metrics import Key, auroc, class_metrics, confusion
from pipeline.settings.training import FitSettings, LoopSettings
from pipeline.training import augment
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.clip_data import Batch, ClipData
from pipeline.training.fit_state import Part, put_back, state_tensors, stored_part
from pipeline.training.forward import joint_outputs, later_frames, outputs
from pipeline.training.losses import class_weights, loss_function
from pipeline.training.model_io import class_names
from pipeline.training.objective import Objective, share_of
from pipeline.training.sampling import AUGMENT, ORDER, TORCH, epoch_order, generator
from pipeline.training.team import ALONE, Draws, Team

LOGGER = logging.getLogger("ictograph")


class Diverged(ValueError):
    """The loss is not a number any more; the state of the last good epoch is kept."""


@dataclass(frozen=True)
class Fitted:
    """Weights of the chosen epoch, and one row of `history` an epoch."""

    weights: dict[str, Tensor]
    history: pd.DataFrame


def learning_rate(settings: LoopSettings, epoch: int) -> float:
    """Cosine annealing, once an epoch, from the full rate in epoch 0 towards 0 after the last."""
    return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2


def tracked_losses(losses: list[float], rule: str) -> list[float]:
    """The validation losses that early stopping looks at; `published` (D14): the mean over all epochs so far."""
    return list(np.cumsum(losses) / np.arange(1, len(losses) + 1)) if rule == "published" else losses


def should_stop(losses: list[float], settings: LoopSettings) -> bool:
    """Whether `patience` epochs went by without a new lowest validation loss.

    `published` (D14, DCRNN): without any decrease of the mean over all epochs so far. `previous` (published SGLC): with
    no loss below that of the epoch before it.
    """
    tracked = tracked_losses(losses, settings.early_stopping)
    if settings.early_stopping == "best":
        return len(tracked) - 1 - int(np.argmin(tracked)) >= settings.patience
    recent = tracked[-settings.patience - 1 :]
    return len(recent) > settings.patience and all(b >= a for a, b in pairwise(recent))


def is_best(history: list[dict[str, Any]], settings: LoopSettings) -> bool:
    """Whether the last epoch is the one to keep so far: by the task's metric, or by the loss where there is none."""
    if settings.checkpoint == "loss" or history[0][f"validation_{settings.checkpoint}"] is None:
        scores = [
            -loss for loss in tracked_losses([row["validation_loss"] for row in history], settings.early_stopping)
        ]
    else:
        scores = [row[f"validation_{settings.checkpoint}"] for row in history]
    return int(np.argmax(scores)) == len(scores) - 1


def fit(
    model: nn.Module,
    data: ClipData,
    *,
    train: np.ndarray,
    validation: np.ndarray,
    settings: FitSettings,
    checkpoints: Checkpoints,
    team: Team = ALONE,
) -> Fitted:
    """Train `model` on the rows `train` of `data`, judging by the rows `validation`, from the last state on.

    Raises Diverged if the loss is not finite, and Ended after SIGTERM, when the state is kept.
    """
    team.wait(data.device)  # until all have loaded what they need
    run = _Run(model, data, settings, weights=weights_of_classes(data, train, settings), team=team)
    history, best = run.resume(checkpoints)

    def keep_if_due() -> None:
        if checkpoints.due():
            if run.part.is_finite():
                run.save_part(checkpoints, history, best)
            checkpoints.end_if_asked()

    run.after_batch = keep_if_due
    steps = -(-len(train) // settings.loop.batch)
    done = len(history) * steps + run.part.steps
    with tqdm(total=settings.loop.epochs * steps, initial=done, disable=not (team.first and _on_terminal())) as bar:
        while len(history) < settings.loop.epochs and not (history and _stops(history, settings.loop)):
            row = run.train_epoch(train, len(history), bar) | run.validate(validation)
            run.part = Part()
            history.append(row)
            if is_best(history, settings.loop):
                best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            run.save(checkpoints, history, best)
            LOGGER.info("%s", _line(row, settings.loop))
            checkpoints.end_if_asked()
    frame = pd.DataFrame(history)
    kept = max(k for k in range(len(history)) if is_best(history[: k + 1], settings.loop))
    return Fitted(best, frame.assign(kept=frame["epoch"] == history[kept]["epoch"]))


def weights_of_classes(data: ClipData, train: np.ndarray, settings: FitSettings) -> np.ndarray | None:
    """(c,) weights in `loss: weighted_ce`, from the training clips, rows `train` of `data`; None for another loss."""
    if settings.loop.loss != "weighted_ce":
        return None
    return class_weights(data.labels[train], len(class_names(settings)))


class _Run:
    """Model, optimiser and data of one training run."""

    def __init__(
        self,
        model: nn.Module,
        data: ClipData,
        settings: FitSettings,
        *,
        weights: np.ndarray | None = None,
        team: Team = ALONE,
    ) -> None:
        self.model, self.data, self.settings, self.team = model, data, settings, team
        own = None if weights is None else torch.from_numpy(weights).to(data.device, torch.float32)
        self.draws = Draws(model, team)
        objective = Objective(model, settings, std=data.scaler.std, weights=own, team=team)
        self.loss, self.objective = objective.loss, team.averaging(objective)
        # pre-training is judged by the absolute error whatever it minimises (D13)
        pretraining = settings.task == "pretraining"
        self.validation_loss = loss_function("mae", std=data.scaler.std) if pretraining else self.loss
        self.part = Part()
        self.after_batch: Callable[[], None] = lambda: None  # of training or of validation
        self.optimiser = torch.optim.Adam(
            model.parameters(), lr=settings.loop.learning_rate, weight_decay=settings.loop.weight_decay
        )

    def train_epoch(self, rows: np.ndarray, epoch: int, bar: Any) -> dict[str, Any]:
        """One pass over the training clips `rows`, or what is left of it; the epoch's line of the history.

        The part that is done stays the whole epoch until its validation, too, is over.
        """
        loop, seed = self.settings.loop, self.settings.seed
        torch.manual_seed(int(generator(seed, TORCH, epoch).integers(2**63)))  # dropout
        order = rows[epoch_order(len(rows), generator(seed, ORDER, epoch))]
        draws = augment.draw(len(rows), self.settings.augment, generator(seed, AUGMENT, epoch))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(loop, epoch)
        self.model.train()
        self.part.restore_rng()
        parts = [slice(k, k + loop.batch) for k in range(self.part.steps * loop.batch, len(order), loop.batch)]
        own = [(order[one][mine], draws[one][mine]) for one in parts for mine in [self.team.part(len(order[one]))]]
        for one, batch in zip(parts, self.data.batches(own), strict=True):
            self.part.add(self._step(batch, order[one], epoch), len(order[one]))
            bar.update()
            self.after_batch()
        means = {f"train_{name}": float(total) / len(order) for name, total in self.part.totals.items()}
        if not math.isfinite(means["train_loss"]):
            raise Diverged(
                f"epoch {epoch + 1}: the training loss is {means['train_loss']}; the state after epoch {epoch} is kept;"
                " lower training.<task>.<length>.learning_rate or clip_norm"
            )
        return {"epoch": epoch + 1, "learning_rate": learning_rate(loop, epoch), **means}

    def _step(self, batch: Batch, rows: np.ndarray, epoch: int) -> dict[str, Tensor]:
        """One step of the optimiser; what was minimised (`loss`), and the model's penalties before their weights.

        `batch`: this process's part of the clips `rows`.
        """
        self.optimiser.zero_grad()
        share = share_of(self.team, self.data.lengths.numpy()[rows])
        with self.draws.step(len(rows), (self.settings.seed, epoch, self.part.steps)):
            loss, penalties = self.objective(batch, share)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.loop.clip_norm)
        self.optimiser.step()
        return {"loss": loss.detach(), **penalties}

    def validate(self, rows: np.ndarray) -> dict[str, Any]:
        """Mean loss over the validation clips and, where the task has one, the metric that chooses the checkpoint.

        Batches are judged by the processes in turn.
        """
        size, metric = self.settings.loop.batch_evaluation, self.settings.loop.checkpoint
        starts = range(0, len(rows), size)
        own = starts[self.team.rank :: self.team.size]
        losses, forecasts = np.zeros(len(starts)), np.zeros(len(starts))
        logits = np.zeros((0 if metric == "loss" else len(rows), len(class_names(self.settings))))
        chosen = np.concatenate([rows[:0], *(rows[start : start + size] for start in own)])
        for start, (output, forecast, batch) in zip(own, self._judged(chosen), strict=True):
            place = start // size
            losses[place] = float(self.validation_loss(output, batch.target)) * len(output)
            forecasts[place] = 0.0 if forecast is None else float(forecast) * len(output)
            if metric != "loss":
                logits[start : start + size] = output.cpu().numpy()
            self.after_batch()
        losses, forecasts, logits = (self.team.gathered(one, self.data.device) for one in (losses, forecasts, logits))
        row = {"validation_loss": sum(losses.tolist()) / len(rows)}
        if not math.isfinite(row["validation_loss"]):
            raise Diverged(
                f"the validation loss is {row['validation_loss']}; the state of the epoch before is kept; "
                "lower training.<task>.<length>.learning_rate or clip_norm"
            )
        if self.settings.auxiliary:
            row["validation_forecast_loss"] = sum(forecasts.tolist()) / len(rows)
        return (
            row
            if metric == "loss"
            else row | {f"validation_{metric}": checkpoint_score(self.data.labels[rows], logits, metric)}
        )

    def _judged(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor | None, Batch]]:
        """Output, absolute error of the auxiliary task's forecast (if there is one) and batch of the clips `rows`."""
        size, task = self.settings.loop.batch_evaluation, self.settings.auxiliary
        if task is None:
            yield from (
                (output, None, batch) for output, batch in outputs(self.model, self.data, rows, batch_size=size)
            )
            return
        error = loss_function("mae", std=self.data.scaler.std)
        for (logits, frames), batch in joint_outputs(self.model, self.data, rows, task, batch_size=size):
            yield logits, error(frames, later_frames(batch, task)), batch

    def save(self, checkpoints: Checkpoints, history: list[dict[str, Any]], best: dict[str, Tensor]) -> None:
        """Keep all that the next epoch depends on. Random numbers follow from the seed and the epoch: no state."""
        checkpoints.save(state_tensors(self.model, self.optimiser, best), {"history": history})

    def save_part(self, checkpoints: Checkpoints, history: list[dict[str, Any]], best: dict[str, Tensor]) -> None:
        """Keep all that the rest of this epoch depends on."""
        tensors = state_tensors(self.model, self.optimiser, best) | self.part.tensors()
        checkpoints.save(tensors, {"history": history, "step": self.part.steps})

    def resume(self, checkpoints: Checkpoints) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
        """History and best weights so far, after putting model and optimiser where they were; empty: a fresh start."""
        if not self.team.first:
            self.team.wait(self.data.device)  # the first has looked whether the state is sound
        stored = checkpoints.load()
        if self.team.first:
            self.team.wait(self.data.device)
        if stored is None:
            return [], {}
        tensors, record = stored
        best = put_back(self.model, self.optimiser, tensors)
        self.part = stored_part(tensors, record.get("step", 0), self.data.device)
        more = f" and {self.part.steps} steps of the next" if self.part.steps else ""
        LOGGER.info("resumed after epoch %d of %d%s", len(record["history"]), self.settings.loop.epochs, more)
        return record["history"], best


def checkpoint_score(labels: np.ndarray, logits: np.ndarray, metric: str) -> float | None:
    """AUROC (detection) or weighted F1 (classification) of logits (i, c); None where it is undefined."""
    ones = np.ones((1, len(labels)))
    if metric == "auroc":
        value = auroc(labels == 1, logits[:, 0], ones)[0]
    else:
        names = tuple(str(k) for k in range(logits.shape[1]))
        matrix = confusion(labels, logits.argmax(axis=1), ones, len(names))
        value = class_metrics(matrix, names)[Key("weighted_f1", "")][0]
    return float(value) if math.isfinite(value) else None


def _stops(history: list[dict[str, Any]], settings: LoopSettings) -> bool:
    return should_stop([row["validation_loss"] for row in history], settings)


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _line(row: dict[str, Any], settings: LoopSettings) -> str:
    metric = None if settings.checkpoint == "loss" else row[f"validation_{settings.checkpoint}"]
    score = "" if metric is None else f", {settings.checkpoint.replace('_', ' ')} {metric:.4f}"
    losses = f"training loss {row['train_loss']:.4f}, validation loss {row['validation_loss']:.4f}"
    return f"epoch {row['epoch']} of {settings.epochs}: {losses}{score}"
