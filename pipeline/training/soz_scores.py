"""From logits of clips to one score a contact, and how well they rank a patient's contacts (spec soz.md, section 7)."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from pipeline.metrics.clip_metrics import auprc
from pipeline.models.soz import SozEncoder
from pipeline.settings.training import DeviceSettings
from pipeline.training.device import autocast
from pipeline.training.soz_data import SozBatches


class NotFinite(ValueError):
    """A model whose answers are no numbers; names the first clip."""


def clip_logits(
    model: SozEncoder, batches: SozBatches, chosen: NDArray[np.int64], *, size: int, device: DeviceSettings
) -> pd.DataFrame:
    """One row a channel of the clips `chosen`, in their order: clip, patient, condition, phase, channel, soz, resected,
    label (0, 1, -1) and logit. Clips of one number of channels are computed together, `size` at a time: no padding.

    Raises NotFinite.
    """
    lengths, found = batches.lengths[chosen], np.empty(len(chosen), object)
    model.eval()
    with torch.no_grad(), autocast(batches.device, device):
        for length in np.unique(lengths):
            own = np.flatnonzero(lengths == length)
            for part in np.array_split(own, -(-len(own) // size)):
                inputs, _ = batches.batch(chosen[part])
                for place, logits in zip(part, model(inputs).float().cpu().numpy(), strict=True):
                    found[place] = logits.astype(np.float64)
    return _table(batches, chosen, found)


def _table(batches: SozBatches, chosen: NDArray[np.int64], logits: NDArray[np.object_]) -> pd.DataFrame:
    spans = [np.arange(batches.starts[k], batches.starts[k] + batches.lengths[k]) for k in chosen]
    rows = np.concatenate(spans) if spans else np.zeros(0, np.int64)
    columns = ["clip", "patient", "condition", "phase", "channel", "soz", "resected"]
    table = batches.data.rows[columns].iloc[rows].reset_index(drop=True)
    values = np.concatenate(list(logits)) if len(logits) else np.zeros(0)
    if (wrong := ~np.isfinite(values)).any():
        raise NotFinite(f"the answers for clip {table['clip'][wrong].iloc[0]} are no numbers; train the model again")
    return table.assign(label=batches.data.labels[rows], logit=values)


def channel_logits(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a contact: patient, channel, label, logit = mean over clips in each condition, then over conditions.

    Pre-ictal clips do not count. Rows by patient and channel.
    """
    scored = predictions[predictions["phase"] != "pre"]
    by_condition = scored.groupby(["patient", "channel", "condition"], sort=True)
    means = by_condition.agg(logit=("logit", "mean"), label=("label", "first")).reset_index()
    found = means.groupby(["patient", "channel"], sort=True)
    return found.agg(logit=("logit", "mean"), label=("label", "first")).reset_index()


def patient_mean_auprc(channels: pd.DataFrame) -> float | None:
    """Mean over patients of their labelled contacts' average precision; None where no patient has both classes."""
    scores = []
    for _, own in channels[channels["label"] >= 0].groupby("patient", sort=True):
        positive = own["label"].to_numpy() == 1
        if positive.any() and not positive.all():
            scores.append(float(auprc(positive, own["logit"].to_numpy(), np.ones((1, len(own))))[0]))
    return float(np.mean(scores)) if scores else None


def cross_entropy(predictions: pd.DataFrame) -> float:
    """Mean cross-entropy of the labelled rows, without weights; 0 where there is none."""
    known = predictions[predictions["label"] >= 0]
    towards = known["logit"].to_numpy() * (2 * known["label"].to_numpy() - 1)
    return float(np.logaddexp(0, -towards).mean()) if len(known) else 0.0
