"""What the model was given of a patient: maps of some contacts (band by second), and the bands of all.

Bands are of wavelet packets, or of a Fourier transform where the run says so (`tokens.source`): 8 Hz wide in both.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from pipeline.report.picture import Picture, drawing, finish, plural, tidy
from pipeline.report.soz_shown import Shown, leave_room

SIGNED_MAP = "PuOr_r"  # two-sided, readable with every colour vision
BAND_HZ = 8
LIMIT = 6.0  # robust z beyond it has the last colour
MAPS = 3  # contacts with a map of their own
HZ_TICKS = (0, 8, 16, 24, 32)


@dataclass(frozen=True)
class ClipTokens:
    """One clip: `tokens` (c, 32, t) robust z of the valid `channels`, `usable` (32,) bands, `label`, and `onset_s`
    after its start (NaN: interictal)."""

    label: str
    channels: list[str]
    tokens: NDArray[np.floating]
    usable: NDArray[np.bool_]
    onset_s: float


def maps_picture(own: pd.DataFrame, clip: ClipTokens, *, patient: str, synthetic: bool, dpi: int) -> Shown:
    """Maps (band by second) of the contacts of the highest ranks, and the median of all others."""
    known = own[own["channel"].isin(clip.channels)].sort_values("rank", kind="stable")
    top = known["channel"].head(MAPS).tolist()
    panels = {f"{name}, rank {int(own.loc[own['channel'] == name, 'rank'].iloc[0])}": _of(clip, name) for name in top}
    others = [k for k, name in enumerate(clip.channels) if name not in top]
    if others:
        panels[f"median of {plural(len(others), 'other')}"] = np.median(clip.tokens[others], axis=0)
    with drawing(1.0 + 2.7 * len(panels), 3.4) as figure:
        line = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (title, values) in zip(line, panels.items(), strict=True):
            image = _map(axes, values, clip)
            axes.set(title=title, xlabel=_time_words(clip))
        line[0].set_ylabel("Hz")
        figure.colorbar(image, ax=list(line), pad=0.01, shrink=0.9, label=f"robust z, cut at ±{LIMIT:g}", extend="both")
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=None)
    caption = (
        f"{clip.label[:1].upper()}{clip.label[1:]}, n = {plural(len(clip.channels), 'contact')}. What the "
        "model read: log energy in bands of 8 Hz, second by second; z by median and MAD of each band over all contacts "
        f"and seconds of the clip: it tells contacts of a clip apart, not clips.{_masked_words(clip)}"
    )
    alt = f"Energy by band and second of {', '.join(top) or 'no contact'} and the median of the others."
    table = _long(panels)
    numbers = {title: np.round(values, 3) for title, values in panels.items()} | {"usable": clip.usable}
    return Shown(Picture(f"{patient}-maps", "Energy by band and second", caption, alt, tidy(numbers), png), table)


def profile_picture(own: pd.DataFrame, clip: ClipTokens, *, patient: str, synthetic: bool, dpi: int) -> Shown:
    """One row a contact, in canonical order: mean z over the seconds after the onset (or all), beside its p."""
    order = [name for name in own["channel"] if name in clip.channels]
    first = 0 if not np.isfinite(clip.onset_s) else int(np.clip(np.ceil(clip.onset_s), 0, clip.tokens.shape[2] - 1))
    values = np.stack([_of(clip, name)[:, first:].mean(axis=1) for name in order])  # c 32
    p = own.set_index("channel")["p_cal"].reindex(order).to_numpy(dtype=float)
    with drawing(8.2, 1.4 + 0.14 * max(len(order), 10)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[5, 1], sharey=True)
        shown = np.where(clip.usable[None], values, np.nan)
        left.set_facecolor("#dddddd")
        image = left.imshow(shown, cmap=SIGNED_MAP, norm=Normalize(-LIMIT / 2, LIMIT / 2), aspect="auto",
                            interpolation="nearest")  # fmt: skip
        left.set_xticks([k - 0.5 for k in HZ_TICKS], [str(k * BAND_HZ) for k in HZ_TICKS])
        left.set_yticks(range(len(order)), order, fontsize=5.5)
        left.set(xlabel="Hz", title="Mean robust z of each band")
        right.barh(range(len(order)), np.nan_to_num(p), color="#555555", height=0.8)
        right.set(xlim=(0, 1), xlabel="p", title="Probability")
        short = min(1.0, 3.0 / float(figure.get_figheight()))  # in a tall picture no longer than in a flat one
        figure.colorbar(image, ax=left, pad=0.01, extend="both", shrink=short, aspect=20, anchor=(0.0, 1.0))
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=None)
    when = "from the onset on" if np.isfinite(clip.onset_s) else "over the whole clip"
    caption = (
        f"{clip.label[:1].upper()}{clip.label[1:]}, n = {plural(len(order), 'contact')} in the order hemisphere, "
        f"shaft, number: mean z of each band {when}. The bars are of all clips of the patient.{_masked_words(clip)}"
    )
    alt = f"Contacts by bands of 8 Hz, {plural(len(order), 'row')}, beside bars of probability."
    bands = [f"{k * BAND_HZ}-{(k + 1) * BAND_HZ} Hz" for k in range(values.shape[1])]
    table = pd.DataFrame(np.where(clip.usable[None], values, np.nan), columns=bands)
    table.insert(0, "channel", order)
    table.insert(1, "p_cal", p)
    numbers = tidy({"channels": order, "z": np.round(shown, 3), "p_cal": p, "usable": clip.usable})
    return Shown(Picture(f"{patient}-bands", "Bands of every contact", caption, alt, numbers, png), table)


def _of(clip: ClipTokens, name: str) -> NDArray[np.floating]:
    found: NDArray[np.floating] = clip.tokens[clip.channels.index(name)]
    return found


def _map(axes: Axes, values: NDArray[np.floating], clip: ClipTokens) -> Any:
    shown = np.where(clip.usable[:, None], values, np.nan)
    start = -clip.onset_s if np.isfinite(clip.onset_s) else 0.0
    extent = (start, start + values.shape[1], 0, values.shape[0] * BAND_HZ)
    axes.set_facecolor("#dddddd")
    norm = Normalize(-LIMIT, LIMIT)
    image = axes.imshow(shown, cmap=SIGNED_MAP, norm=norm, extent=extent, origin="lower", aspect="auto",
                        interpolation="nearest")  # fmt: skip
    if np.isfinite(clip.onset_s):
        axes.axvline(0, color="#000000", linestyle=":", linewidth=1)
    axes.set_yticks([k * BAND_HZ for k in HZ_TICKS])
    return image


def _time_words(clip: ClipTokens) -> str:
    return "s after the onset" if np.isfinite(clip.onset_s) else "s of the clip"


def _masked_words(clip: ClipTokens) -> str:
    gone = int((~clip.usable).sum())
    return f" Grey: {plural(gone, 'band')} that the recorded rate does not hold; the model is told so." if gone else ""


def _long(panels: dict[str, NDArray[np.floating]]) -> pd.DataFrame:
    """panel, band_hz, second, z."""
    parts = []
    for title, values in panels.items():
        band, second = np.indices(values.shape)
        parts.append(
            pd.DataFrame(
                {"panel": title, "band_hz": band.ravel() * BAND_HZ, "second": second.ravel(), "z": values.ravel()}
            )
        )
    return pd.concat(parts, ignore_index=True)
