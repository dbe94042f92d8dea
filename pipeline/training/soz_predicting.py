"""What a trained SOZ model says of clips: one row a clip and channel."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from pipeline.metrics.calibration import rescaled
from pipeline.settings.training import DeviceSettings
from pipeline.training.soz_card import Trained
from pipeline.training.soz_data import SozBatches, SozData
from pipeline.training.soz_scores import clip_logits

COLUMNS = {
    "clip": "string", "patient": "string", "condition": "string", "phase": "string", "channel": "string",
    "part": "string", "logit": "float64", "p_raw": "float64", "p_cal": "float64", "soz": "boolean",
    "resected": "boolean", "fold": "int64", "seed": "int64",
}  # fmt: skip


def prediction_table(
    trained: Trained,
    data: SozData,
    parts: Mapping[str, Sequence[str]],
    *,
    device: torch.device,
    settings: DeviceSettings,
) -> pd.DataFrame:
    """Columns COLUMNS, of the clips of `data` in the conditions that the model was trained on. Raises NotFinite.

    `parts`: patients of each part. p_cal: the calibrator, which was fitted on logits of contacts, at the clip's logit.
    """
    told = trained.settings
    chosen = data.select(set(data.clips["patient"]), conditions=told.finetuning.conditions)
    batches = SozBatches(data, trained.scaler, device)
    table = clip_logits(trained.model, batches, chosen, size=told.finetuning.batch, device=settings)
    logits = table["logit"].to_numpy(dtype=float)
    part = {patient: name for name, patients in parts.items() for patient in patients}
    table = table.assign(
        part=table["patient"].map(part),
        p_raw=rescaled(logits, 1.0),
        p_cal=trained.calibrator(logits),
        fold=told.fold,
        seed=told.seed,
    )
    return table[list(COLUMNS)].astype(COLUMNS)
