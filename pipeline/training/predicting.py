"""From a trained model to a table of predictions."""

from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from pipeline.metrics.thresholds import predict
from pipeline.training.clip_data import ClipData
from pipeline.training.forward import predict_logits, probabilities

KEPT = ["clip", "recording", "patient", "split", "start_s", "length_s", "label", "code", "focal"]


class NotFinite(ValueError):
    """A model's output that is NaN or infinite (faults.md, row 10); the message names the first clip."""


def prediction_table(
    model: nn.Module, data: ClipData, card: dict[str, Any], *, batch_size: int, strict: bool
) -> pd.DataFrame:
    """One row a clip (docs/architecture.md, Predictions); `label` is the class number under the model's scheme.

    Clips whose type the scheme leaves out are left out. `predicted`: the class of the largest probability, or, for
    detection, whether the probability reaches (`strict`: exceeds) the threshold of the card. Raises NotFinite.
    """
    rows = np.flatnonzero(data.labels >= 0)
    logits = (
        predict_logits(model, data, rows, batch_size=batch_size) if len(rows) else np.empty((0, len(card["classes"])))
    )
    if not np.isfinite(logits).all():
        first = data.table["clip"].iloc[rows[int(np.argmin(np.isfinite(logits).all(axis=1)))]]
        raise NotFinite(f"clip {first}: the model's output is no number; look at its training and the clip's frames")
    p = probabilities(logits)
    table = data.table.iloc[rows].reset_index(drop=True).assign(label=data.labels[rows])[KEPT]
    for k, name in enumerate(card["classes"]):
        table[f"p_{name}"], table[f"logit_{name}"] = p[:, k], logits[:, k]
    chosen = predict(p[:, 0], card["threshold"], strict=strict) if card["threshold"] is not None else p.argmax(axis=1)
    return table.assign(predicted=chosen.astype(np.int64))
