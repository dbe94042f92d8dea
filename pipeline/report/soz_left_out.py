"""How the first contacts of a patient would be judged if the model could not see another shaft."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from pipeline.metrics.soz_contacts import BOTH
from pipeline.report.blocks import Note, Text
from pipeline.report.picture import Picture, drawing, finish, plural, tidy
from pipeline.report.soz_seizures import ROWS
from pipeline.report.soz_shown import Shown, leave_room
from pipeline.report.tables import records

SIGNED_MAP = "PuOr_r"


def over_models(shafts: pd.DataFrame, patient: str) -> pd.DataFrame:
    """Rows of a patient over both conditions: shaft, channel, p, p_without, change, n_models; means over models."""
    own = shafts[(shafts["patient"] == patient) & (shafts["condition"] == BOTH)]
    means = own.groupby(["shaft", "channel"], sort=True)[["p", "p_without", "change"]].mean()
    return means.assign(n_models=own.groupby(["shaft", "channel"]).size()).reset_index()


def left_out_picture(
    own: pd.DataFrame, changes: pd.DataFrame, *, patient: str, synthetic: bool, dpi: int
) -> Shown | None:
    """Rows: shafts that are left out; columns: contacts of the highest ranks. None where nothing can be left out."""
    top = own[(own["rank"] <= ROWS) & own["channel"].isin(changes["channel"])].sort_values("rank", kind="stable")
    names = top["channel"].tolist()
    if not names:
        return None
    lines = sorted(set(changes["shaft"]))
    table = changes[changes["channel"].isin(names)]
    values = table.pivot(index="shaft", columns="channel", values="change").reindex(index=lines, columns=names)
    limit = max(float(np.nanmax(np.abs(values.to_numpy()))), 0.01)
    with drawing(2.6 + 0.5 * max(len(names), 4), 1.6 + 0.3 * len(lines)) as figure:
        axes = figure.subplots()
        axes.set_facecolor("#dddddd")
        image = axes.imshow(values, cmap=SIGNED_MAP, norm=Normalize(-limit, limit), aspect="auto",
                            interpolation="nearest")  # fmt: skip
        axes.set_yticks(range(len(lines)), lines, fontsize=8)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axes.set_ylabel("shaft left out")
        figure.colorbar(image, ax=axes, pad=0.01, label="change of the probability")
        leave_room(figure)
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=None)
    caption = (
        f"n = {plural(len(names), 'contact')} of the highest ranks by {plural(len(lines), 'shaft')}; probability "
        "without the shaft less that with everyone, mean over models, both conditions. Grey: the contact's own shaft. "
        "The shaft is hidden from the model; its share in the average reference and in the robust z stays."
    )
    alt = f"Changes of probability by shaft left out; {largest_change(table)}"
    numbers = tidy({"shafts": lines, "channels": names, "change": values.to_numpy()})
    picture = Picture(f"{patient}-shaft-out", "Leave one shaft out", caption, alt, numbers, png)
    return Shown(picture, table.reset_index(drop=True))


def largest_change(table: pd.DataFrame) -> str:
    """The row whose probability changes most, in words."""
    if table.empty:
        return "no shaft can be left out."
    row = records(table.loc[[table["change"].abs().idxmax()]])[0]
    return f"largest: {row['channel']} without {row['shaft']}, {row['p']:.3f} to {row['p_without']:.3f}."


def left_out_words(changes: pd.DataFrame, *, layers: int) -> list[Text | Note]:
    """What the numbers carry, and what keeps them from carrying anything."""
    if layers == 0:
        return [Note("This model has no layer over contacts: no contact sees another, so that no shaft can matter.")]
    if changes.empty:
        return [Note("No shaft can be left out: all scored contacts lie on one, or their names tell no shaft.")]
    words = largest_change(changes)
    return [Text(f"{words[:1].upper()}{words[1:]} Over all contacts and shafts the mean absolute change is "
                 f"{changes['change'].abs().mean():.3f}.")]  # fmt: skip
