"""Pictures of how learned graphs change over the seconds of a clip: entropy, distance from the prior, heads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.picture import SERIES, STYLES, Picture, drawing, finish, plural, tidy

QUARTILES = (0.25, 0.5, 0.75)
MEASURES = ("entropy_mean", "entropy_mean_share", "distance_from_prior", "off_diagonal", "head_disagreement")


@dataclass(frozen=True)
class Panel:
    """A column of the table against time; `lines`: what it is held against, at a height."""

    column: str
    label: str
    lines: tuple[tuple[str, float], ...] = ()


def quartiles(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Quartiles over clips (and seeds) of a measure: layer, t, low, median, high, clips."""
    values = table.dropna(subset=[column]).groupby(["layer", "t"])[column]
    parts = {name: values.quantile(share) for name, share in zip(("low", "median", "high"), QUARTILES, strict=True)}
    return pd.DataFrame({**parts, "clips": values.size()}).reset_index()


def time_rows(table: pd.DataFrame) -> pd.DataFrame:
    """`quartiles` of every measure below one another, with a column `measure`: the numbers of both pictures."""
    return pd.concat([quartiles(table, name).assign(measure=name) for name in MEASURES], ignore_index=True)


def entropy_picture(name: str, title: str, table: pd.DataFrame, *, n_nodes: int, synthetic: bool, dpi: int) -> Picture:
    """Row entropy beside log N and the prior's own, and the distance from the prior, against the second of the clip."""
    most = float(np.log(n_nodes))
    prior = table.drop_duplicates(["seed", "clip"])["entropy_prior"].median()
    lines = [(f"log {n_nodes} = {most:.2f}: all channels alike", most)]
    if np.isfinite(prior):
        lines.append((f"prior A₀, median {prior:.2f}", float(prior)))
    panels = [
        Panel("entropy_mean", "entropy of a row (nats), mean over channels", tuple(lines)),
        Panel("distance_from_prior", "|A − A₀| (Frobenius)"),
    ]
    png, numbers = _drawn(panels, table, synthetic=synthetic, dpi=dpi)
    numbers |= {"log_n": most, "prior_entropy": prior, "last": _at_ends(table)}
    caption = (
        f"Median and quartiles over clips ({_counts(table)}) against the second of the clip. Entropy: of each row of A "
        "as a distribution (negative entries, which only the published variant has, count as 0); 0 if a channel "
        "listens to one, log N if to all alike. Where only edges of the prior are allowed, entropy is low from the "
        "start: compare with the prior's."
    )
    ends = [f"layer {row['layer']}: {row['first']:.2f} nats first, {row['last']:.2f} last" for row in numbers["last"]]
    alt = f"Entropy of learned graphs against time. {'; '.join(ends)}."
    return Picture(name, title, caption, alt, tidy(numbers), png)


def heads_picture(name: str, title: str, table: pd.DataFrame, *, n_heads: int, synthetic: bool, dpi: int) -> Picture:
    """How far the heads disagree, against the seconds of the clip; 0: they all attend alike."""
    most = float(np.log(n_heads))
    panel = Panel("head_disagreement", "disagreement of the heads (nats)")
    png, numbers = _drawn([panel], table, synthetic=synthetic, dpi=dpi)
    numbers |= {"log_heads": most, "heads": n_heads}
    largest = float(table["head_disagreement"].max())
    caption = (
        f"Jensen-Shannon divergence between the {plural(n_heads, 'head')} of each layer, mean over receivers; median "
        f"and quartiles over clips ({_counts(table)}). 0 where all heads attend alike, log {n_heads} = {most:.2f} "
        f"where no two share a sender. Largest value here: {largest:.2g}."
    )
    alt = f"Disagreement of the heads against time, at most {largest:.2g} nats."
    return Picture(name, title, caption, alt, tidy(numbers), png)


def _drawn(panels: Sequence[Panel], table: pd.DataFrame, *, synthetic: bool, dpi: int) -> tuple[bytes, dict[str, Any]]:
    numbers: dict[str, Any] = {}
    with drawing(5.4 * len(panels) + 0.6, 3.8) as figure:
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            found = quartiles(table, panel.column)
            numbers[panel.column] = found.to_dict("list")
            _draw(axes, panel, found)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    return png, numbers


def _draw(axes: Axes, panel: Panel, found: pd.DataFrame) -> None:
    for place, (layer, rows) in enumerate(found.groupby("layer")):
        look: dict[str, Any] = {"color": SERIES[place % len(SERIES)]}
        axes.fill_between(rows["t"], rows["low"], rows["high"], alpha=0.2, linewidth=0, **look)
        axes.plot(rows["t"], rows["median"], linestyle=STYLES[place % len(STYLES)], label=f"layer {layer}", **look)
    for k, (label, height) in enumerate(panel.lines):
        axes.axhline(height, color="black", linewidth=0.9, linestyle=("--", ":")[k % 2])
        axes.annotate(label, (0.99, height), xycoords=("axes fraction", "data"), xytext=(0, 2),
                      textcoords="offset points", ha="right", va="bottom", fontsize=7.5)  # fmt: skip
    highest = max([found["high"].max() if len(found) else 1.0, *(height for _, height in panel.lines)])
    axes.set_ylim(0.0, highest * 1.12 if highest > 0 else 1.0)
    axes.set(xlabel="second of the clip", ylabel=panel.label)
    axes.legend(loc="lower right", fontsize=8)


def _at_ends(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Median entropy of each layer in the first and in each clip's last second, and as a share of log N."""
    rows = []
    for layer, part in table.groupby("layer"):
        ends = part.loc[part.groupby(["seed", "clip"])["t"].idxmax()]
        first = part.loc[part["t"] == 1, "entropy_mean"].median()
        rows.append({"layer": layer, "first": first, "last": ends["entropy_mean"].median(),
                     "last_share": ends["entropy_mean_share"].median()})  # fmt: skip
    return rows


def _counts(table: pd.DataFrame) -> str:
    words = (("clip", "test clip"), ("patient", "patient"), ("seed", "seed"))
    clips, patients, seeds = (plural(table[column].nunique(), word) for column, word in words)
    return f"n = {clips} of {patients}, {seeds}"
