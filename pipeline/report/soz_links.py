"""Pictures of whom the contacts of a patient look at: lift by layer, and the strongest links over the implant.

Learned dependence, not effective connectivity (spec soz.md, section 6).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from pipeline.explain.soz_attention import Floats, key_strength, lift, nan_mean
from pipeline.explain.soz_graph_store import PatientGraphs
from pipeline.report.picture import SERIES, Picture, drawing, finish, plural, tidy
from pipeline.report.soz_implant import VIEWS, WORDS
from pipeline.report.soz_shown import Shown
from pipeline.report.tables import records

SIGNED_MAP = "PuOr_r"
LIMIT = 3.0  # log2 of the lift: eight times chance
ARROWS = 25
TICKED = 40  # contacts: beyond, names of contacts cannot be read, and only every so many stands there


def mean_lift(graphs: PatientGraphs) -> Floats:
    """(l, n, n): lift, mean over the heads of each layer."""
    return nan_mean(lift(graphs.A), axis=1)


def lift_picture(graphs: Sequence[PatientGraphs], *, patient: str, synthetic: bool, dpi: int) -> Shown | None:
    """Matrices: a row of panels for each condition, a column for each layer; None without a layer."""
    shown = [one for one in graphs if len(one.A)]
    if not shown:
        return None
    layers = len(shown[0].A)
    with drawing(1.0 + 4.1 * layers, 0.7 + 4.0 * len(shown)) as figure:
        grid = figure.subplots(len(shown), layers, squeeze=False)
        for line, one in zip(grid, shown, strict=True):
            for layer, axes in enumerate(line):
                image = _matrix(axes, mean_lift(one)[layer], one.contacts)
                axes.set_title(f"{one.condition}, layer {layer + 1}, {plural(one.n_clips, 'clip')}", pad=10)
        figure.supxlabel("key: the contact that is looked at", fontsize=9)
        figure.supylabel("query: the contact that looks", fontsize=9)
        figure.colorbar(image, ax=list(grid.flat), shrink=0.7, pad=0.01, label="log2 of the lift; 0 is chance")
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=None)
    heads, n = shown[0].A.shape[1], [len(one.contacts) for one in shown]
    caption = (
        f"Attention to others over chance (lift), mean over {plural(heads, 'head')} and the clips of a condition; "
        f"n = {' and '.join(plural(k, 'contact') for k in n)}, in the order hemisphere, shaft, number. Orange ticks: "
        "contacts marked as SOZ. Of the first seed's model: heads of other seeds are other heads. Learned dependence, "
        "not effective connectivity."
    )
    told = [f"{one.condition} {_most(one)}" for one in shown]
    alt = f"Matrices of lift; most looked at in the last layer: {'; '.join(told)}."
    table = pd.concat([_edges(one) for one in shown], ignore_index=True)
    numbers = {one.condition: {"channels": one.contacts["channel"].tolist(), "lift": np.round(mean_lift(one), 3)}
               for one in shown}  # fmt: skip
    return Shown(Picture(f"{patient}-attention", "Who looks at whom", caption, alt, tidy(numbers), png), table)


def _matrix(axes: Axes, values: Floats, contacts: pd.DataFrame) -> Any:
    safe = np.where(values > 0, values, np.nan)
    axes.set_facecolor("#dddddd")
    image = axes.imshow(np.log2(safe), cmap=SIGNED_MAP, norm=Normalize(-LIMIT, LIMIT), interpolation="nearest")
    names, inside = contacts["channel"].tolist(), contacts["soz"].fillna(False).to_numpy(dtype=bool)
    step = max(1, -(-len(names) // TICKED))
    places = range(0, len(names), step)
    axes.set_xticks(places, names[::step], rotation=90, fontsize=5)
    axes.set_yticks(places, names[::step], fontsize=5)
    end = len(names) - 0.1
    for k in np.flatnonzero(inside):
        axes.plot([float(k), end], [-0.9, float(k)], "s", color=SERIES[1], markersize=2.5, clip_on=False)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
    return image


def strength_table(graphs: Sequence[PatientGraphs], own: pd.DataFrame) -> pd.DataFrame:
    """One row a contact: p_cal, and for each condition its key strength (mean lift towards it) in the last layer."""
    table = own[["channel", "line", "rank", "p_cal", "label_soz"]]
    for one in graphs:
        if len(one.A):
            strength = pd.Series(key_strength(mean_lift(one)[-1]), index=one.contacts["channel"].astype(str))
            table = table.assign(**{f"key strength, {one.condition}": table["channel"].map(strength).astype(float)})
    return table.sort_values("rank", kind="stable", ignore_index=True)


def arrows_picture(graphs: Sequence[PatientGraphs], *, patient: str, synthetic: bool, dpi: int) -> Shown | None:
    """The strongest links of the last layer over the implant, from above and from the front; None without coordinates
    or layers."""
    shown = [one for one in graphs if len(one.A) and _placed(one).sum() > 1]
    if not shown:
        return None
    tables = []
    with drawing(9.4, 0.8 + 4.0 * len(shown)) as figure:
        grid = figure.subplots(len(shown), 2, squeeze=False)
        for line, one in zip(grid, shown, strict=True):
            table = strongest(one)
            tables.append(table.assign(condition=one.condition))
            for axes, (across, up, words) in zip(line, VIEWS[:2], strict=True):
                _arrows(axes, one, table, across, up)
                axes.set(title=f"{one.condition}, seen {words}", xlabel=WORDS[across], ylabel=WORDS[up])
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    table = pd.concat(tables, ignore_index=True)
    hidden = sum(int((~_placed(one)).sum()) for one in shown[:1])
    gone = f" Without coordinates, and not shown with their links: {plural(hidden, 'contact')}." if hidden else ""
    caption = (
        f"The {ARROWS} largest lifts of the last layer in each condition, mean over heads: the arrow leads from the "
        f"contact that is looked at to the one that looks (convention `information`). Orange diamonds: marked as SOZ. "
        f"n = {' and '.join(plural(len(one.contacts), 'contact') for one in shown)}.{gone}"
    )
    first = records(table)[0]
    alt = f"Arrows over the implant; strongest: {first['source']} to {first['target']}, lift {first['lift']:.1f}."
    picture = Picture(f"{patient}-links", "The strongest links", caption, alt, tidy({"links": records(table)}), png)
    return Shown(picture, table)


def strongest(graphs: PatientGraphs) -> pd.DataFrame:
    """source (key), target (query), lift: the ARROWS largest among contacts with coordinates, largest first."""
    G, placed = mean_lift(graphs)[-1], _placed(graphs)
    G = np.where(placed[:, None] & placed[None], G, np.nan)
    rows, columns = np.nonzero(np.isfinite(G))
    order = np.lexsort((columns, rows, -G[rows, columns]))[:ARROWS]
    names = graphs.contacts["channel"].tolist()
    found = [
        {"source": names[columns[k]], "target": names[rows[k]], "lift": float(G[rows[k], columns[k]])} for k in order
    ]
    return pd.DataFrame(found, columns=["source", "target", "lift"])


def _arrows(axes: Axes, graphs: PatientGraphs, table: pd.DataFrame, across: str, up: str) -> None:
    contacts = graphs.contacts.assign(soz=graphs.contacts["soz"].fillna(False).astype(bool)).set_index("channel")
    for inside, mark, colour, size in ((False, "o", "#999999", 12), (True, "D", SERIES[1], 26)):
        part = contacts[contacts["soz"] == inside]
        axes.scatter(part[f"{across}_mm"], part[f"{up}_mm"], s=size, color=colour, marker=mark, zorder=2)
    largest, places = float(table["lift"].max()), contacts[[f"{across}_mm", f"{up}_mm"]].astype(float)
    for row in records(table):
        ends = [tuple(places.loc[row[name]]) for name in ("source", "target")]
        axes.add_patch(
            FancyArrowPatch(
                *ends, arrowstyle="-|>", mutation_scale=7, linewidth=0.4 + 1.4 * row["lift"] / largest, color=SERIES[0],
                alpha=0.7, connectionstyle="arc3,rad=0.12", shrinkA=3, shrinkB=3, zorder=3,
            )
        )  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(color="#eeeeee", linewidth=0.5)


def _placed(graphs: PatientGraphs) -> NDArray[np.bool_]:
    placed: NDArray[np.bool_] = graphs.contacts[["x_mm", "y_mm", "z_mm"]].notna().all(axis=1).to_numpy()
    return placed


def _edges(graphs: PatientGraphs) -> pd.DataFrame:
    """condition, layer, query, key, lift: all pairs of different contacts."""
    G, names = mean_lift(graphs), np.array(graphs.contacts["channel"].tolist(), dtype=object)
    layer, query, key = np.nonzero(np.isfinite(G))
    values = G[layer, query, key]
    return pd.DataFrame(
        {"condition": graphs.condition, "layer": layer + 1, "query": names[query], "key": names[key], "lift": values}
    )


def _most(graphs: PatientGraphs) -> str:
    strength = key_strength(mean_lift(graphs)[-1])
    if not np.isfinite(strength).any():
        return "nobody"
    return str(graphs.contacts["channel"].iloc[int(np.nanargmax(strength))])
