"""What becomes of a contact's probability when another shaft is left out? (spec soz.md, section 11)

The contacts of the shaft are hidden from all others as keys in every layer. Their share in the average reference and in
the robust z of the clip stays: it is the model's look at them that is taken away, not the electrode. p is calibrated,
from the mean logit over clips in each condition, then over conditions, as everywhere.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.explain.soz_attention import Floats
from pipeline.models.soz import SozEncoder, SozInputs
from pipeline.training.soz_card import Trained
from pipeline.training.soz_data import SozBatches

COLUMNS = {
    "patient": "string", "condition": "string", "shaft": "string", "channel": "string", "p": "float64",
    "p_without": "float64", "change": "float64", "n_clips": "int64", "fold": "int64", "seed": "int64",
}  # fmt: skip
CONDITIONS = ("ictal", "interictal")
BOTH = "both"


@torch.inference_mode()
def logits_without(model: SozEncoder, inputs: SozInputs, shafts: NDArray[np.str_], names: list[str]) -> Floats:
    """(1 + m, c): logits of one clip (b = 1, no padding) whose contacts lie on `shafts` (c,), with everyone, then
    without each of the m shafts `names`."""
    keys = np.stack([np.ones(len(shafts), dtype=bool), *(shafts != name for name in names)])
    logits = model.masked_logits(inputs, torch.from_numpy(keys).to(inputs.tokens.device))[0]
    return logits.double().cpu().numpy()


def patient_rows(
    trained: Trained, batches: SozBatches, patient: str, shafts: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows COLUMNS of a patient: each shaft left out, each contact of the others; `shafts` by channel, empty: none.

    There is none where all contacts lie on one shaft. A contact whose own shaft is left out has no row: it would look
    at itself alone.
    """
    names = sorted(set(shafts.values()) - {""})
    found: dict[str, list[dict[str, Floats]]] = {}
    for number in batches.data.select({patient}, conditions=trained.settings.finetuning.conditions, scored=True):
        start, length = batches.starts[number], batches.lengths[number]
        channels = batches.data.rows["channel"].iloc[start : start + length].astype(str).tolist()
        own = np.array([shafts.get(channel, "") for channel in channels], dtype=str)
        logits = logits_without(trained.model, batches.batch(np.array([number]))[0], own, names)
        condition = str(batches.data.clips["condition"].iloc[number])
        found.setdefault(condition, []).append(dict(zip(channels, logits.T, strict=True)))
    means = {condition: _mean(clips) for condition, clips in sorted(found.items())}
    counts = {condition: len(clips) for condition, clips in found.items()}
    if means:
        means[BOTH], counts[BOTH] = _mean(list(means.values())), sum(counts.values())
    rows = []
    for condition, logits_of in means.items():
        for channel, values in sorted(logits_of.items()):
            p = trained.calibrator(values)
            about = {"patient": patient, "condition": condition, "channel": channel, "n_clips": counts[condition]}
            rows += [
                about | {"shaft": name, "p": p[0], "p_without": without, "change": without - p[0]}
                for name, without in zip(names, p[1:], strict=True)
                if shafts.get(channel, "") != name
            ]
    return rows


def _mean(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    """By channel, the mean over the parts that have it."""
    channels = sorted({channel for part in parts for channel in part})
    made: dict[str, Floats] = {}
    for channel in channels:
        made[channel] = np.mean([part[channel] for part in parts if channel in part], axis=0)
    return made
