"""What the models of a bundle say together of one patient's contacts, and when they say nothing (section 12).

Of each model: the mean logit over clips in each condition, then over conditions, calibrated. p_cal is the mean over the
models. There is no confident SOZ where no contact reaches the threshold, or no contact is called by more than half of
the models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from pipeline.metrics.calibration import rescaled
from pipeline.settings.training import DeviceSettings
from pipeline.training.soz_abstention import abstention
from pipeline.training.soz_bundle import SIMULATED, Bundle
from pipeline.training.soz_card import Trained
from pipeline.training.soz_data import SozData
from pipeline.training.soz_predicting import prediction_table
from pipeline.training.soz_scores import channel_logits

CONTACT_COLUMNS = ["channel", "shaft", "contact", "hemisphere", "x_mm", "y_mm", "z_mm", "region", "flags", "order"]


@dataclass(frozen=True)
class Verdict:
    """One row a contact (`channels`), and why there is no answer (empty: there is one)."""

    channels: pd.DataFrame
    threshold: float
    abstained: str

    def top(self, count: int) -> list[str]:
        """Names of the contacts of the highest ranks."""
        return list(self.channels.nsmallest(count, "rank")["channel"])


def judge(models: Sequence[Trained], data: SozData, *, device: torch.device, settings: DeviceSettings) -> Verdict:
    """The verdict on the one patient whose unshifted clips are in `data`."""
    said = [_of_model(trained, data, device=device, settings=settings) for trained in models]
    p = np.stack([table["p_cal"].to_numpy() for table in said])  # models, contacts
    thresholds = np.array([trained.threshold for trained in models])
    table = said[0][["channel"]].assign(
        p_raw=np.mean([one["p_raw"].to_numpy() for one in said], axis=0),
        p_cal=p.mean(axis=0),
        **{name: _mean_over_models(said, name) for name in ("p_ictal", "p_interictal")},
        model_sd=p.std(axis=0),
        votes=(p >= thresholds[:, None]).sum(axis=0),
    )
    ordered = table.sort_values(["p_cal", "p_raw", "channel"], ascending=[False, False, True])
    table = table.assign(rank=pd.Series(range(1, len(table) + 1), index=ordered.index))
    threshold = float(thresholds.mean())
    highest, most = float(table["p_cal"].max()), int(table["votes"].max())
    return Verdict(table, threshold, abstention(highest, threshold, most, len(models)))


def _of_model(trained: Trained, data: SozData, *, device: torch.device, settings: DeviceSettings) -> pd.DataFrame:
    """channel, p_raw, p_cal and p_<condition> (NaN where there is no clip of it) by one model, by channel."""
    patient = data.clips["patient"].iloc[0]
    predictions = prediction_table(trained, data, {"test": [patient]}, device=device, settings=settings)
    predictions = predictions.assign(label=-1)
    found = channel_logits(predictions)
    logits = found["logit"].to_numpy()
    found = found.assign(p_raw=rescaled(logits, 1.0), p_cal=trained.calibrator(logits))
    for condition in ("ictal", "interictal"):
        own = channel_logits(predictions[predictions["condition"] == condition]).set_index("channel")["logit"]
        found[f"p_{condition}"] = trained.calibrator(found["channel"].map(own).to_numpy(dtype=float))
    return found


def _mean_over_models(said: Sequence[pd.DataFrame], name: str) -> np.ndarray:
    return np.mean([table[name].to_numpy() for table in said], axis=0)


def warnings(bundle: Bundle, data: SozData, *, patient: str, rates_hz: Sequence[float]) -> list[str]:
    """In what the patient differs from those that the models know."""
    found = []
    fewest, most = int(data.clips["length"].min()), int(data.clips["length"].max())
    if fewest < bundle.fewest_channels or most > bundle.most_channels:
        seen = f"{bundle.fewest_channels} to {bundle.most_channels}"
        found.append(f"{fewest} to {most} channels, and the training patients had {seen}: out of range")
    rate_hz = bundle.made.reading.rate_hz
    if rates_hz and min(rates_hz) < rate_hz:
        low = f"recorded at {min(rates_hz):g} Hz, below {rate_hz} Hz"
        found.append(f"{low}: bands above {min(rates_hz) / 2:g} Hz hold nothing")
    if patient in bundle.training_patients:
        found.append(f"{patient} is the name of a training patient: the answer may be remembered, not found")
    if missing := sorted({"ictal", "interictal"} - set(data.clips["condition"])):
        found.append(f"no {' and no '.join(missing)} clip: the other condition alone is judged")
    if bundle.synthetic:
        found.append(SIMULATED)
    return found
