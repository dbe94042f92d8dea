"""One clip: what the model used (occlusion) beside what it joined (the learned graph).

Left the occlusion values on the head with the prior graph; then each layer's learned graph, mean over the clip, its
channels coloured by how much they are listened to. Below, where the map has seconds, both against the same clock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.explain.graph_means import over_time
from pipeline.explain.graph_measures import sent
from pipeline.explain.graph_store import GraphBlock, reading_graphs
from pipeline.explain.localisation import normalise
from pipeline.report.inventory import RunEntry
from pipeline.report.learned_heads import SHOWN, arrows, draw_head, spread
from pipeline.report.picture import VALUE_MAP, Picture, drawing, finish, plural, slug, tidy


@dataclass(frozen=True)
class ClipGraph:
    """A clip with its graphs (a block of one) and its scaled occlusion map (n, t), or (n, 1) of whole electrodes."""

    clip: str
    why: str
    electrodes: list[str]
    block: GraphBlock
    occlusion: NDArray[np.floating]

    @property
    def seconds(self) -> int:
        """Seconds with signal."""
        return int(self.block.lengths[0])


def key_of(entry: RunEntry) -> str:
    """`classification-12s-sglc-ssl`."""
    return f"{entry.clips_key}-{slug(entry.run)}"


def read_clip(entry: RunEntry, clip: str, why: str, drop: NDArray[np.floating]) -> ClipGraph | None:
    """The clip's graphs from the store of the run's first seed; None if it is not there or its map is flat."""
    scaled = normalise(drop)
    with reading_graphs(entry.learned[0]) as store:
        block = store.clip(clip)
        return None if block is None or scaled is None else ClipGraph(clip, why, store.about.electrodes, block, scaled)


def chosen_clips(
    predictions: pd.DataFrame, maps: Collection[str], classes: list[str], count: int
) -> list[tuple[str, str]]:
    """(clip, why) of a classification run: evenly spread ranks by the probability of the predicted class, not by eye.

    Of the clips with one of the `maps`.
    """
    rows = predictions[predictions["clip"].isin(list(maps))].reset_index(drop=True)
    if not len(rows):
        return []
    p = rows[[f"p_{name}" for name in classes]].to_numpy()
    rows = rows.assign(probability=p[np.arange(len(rows)), rows["predicted"].to_numpy(dtype=int)])
    rows = rows.sort_values(["probability", "clip"], ascending=[False, True], kind="stable").reset_index(drop=True)
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    return [
        (
            str(rows["clip"].iloc[place]),
            f"Rank {place + 1} of {plural(len(rows), 'clip')} with a map, by the probability of the predicted class "
            f"({classes[int(rows['predicted'].iloc[place])]}, {rows['probability'].iloc[place]:.2f}).",
        )
        for place in places
    ]


def clip_picture(seen: ClipGraph, entry: RunEntry, *, run: str, synthetic: bool, dpi: int) -> Picture:
    """Occlusion and learned graph of one clip of a run, which the caption calls `run`."""
    timed = seen.occlusion.shape[1] > 1
    learned = over_time(seen.block)[0]  # (l, n, n)
    listened = sent(seen.block.A[0, :, : seen.seconds])  # (l, t, n)
    numbers = _numbers(seen, learned, listened)
    with drawing(4.0 * (1 + len(learned)), 7.6 if timed else 4.3) as figure:
        _draw(figure, seen, learned, listened)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    name = f"learned-clip-{key_of(entry)}-{slug(seen.clip)}"
    top = [seen.electrodes[k] for k in np.argsort(-sent(learned)[-1], kind="stable")[:3]]
    used = [seen.electrodes[k] for k in np.argsort(-seen.occlusion.mean(axis=1), kind="stable")[:3]]
    alt = f"Occlusion highest at {', '.join(used)}; in the last layer most listened to: {', '.join(top)}."
    return Picture(name, f"Learned graph of {seen.clip}", _caption(seen, run, timed=timed), alt, tidy(numbers), png)


def clip_rows(seen: ClipGraph, run: str) -> pd.DataFrame:
    """The numbers of the picture: one row for each layer and channel."""
    learned = over_time(seen.block)[0]
    return pd.DataFrame([
        {
            "run": run, "clip": seen.clip, "layer": layer + 1, "channel": name,
            "occlusion": float(seen.occlusion[k].mean()), "listened_to": float(sent(A)[k]),
            "listened_to_prior": float(sent(seen.block.prior[0])[k]), "self": float(A[k, k]),
        }
        for layer, A in enumerate(learned) for k, name in enumerate(seen.electrodes)
    ])  # fmt: skip


def _numbers(seen: ClipGraph, learned: NDArray[np.float64], listened: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "clip": seen.clip, "why": seen.why, "electrodes": seen.electrodes, "row": "receiver", "seconds": seen.seconds,
        "occlusion": np.round(seen.occlusion, 4), "A_0": np.round(seen.block.prior[0], 4),
        "A": np.round(learned, 4), "listened_to": np.round(listened, 3),
        "arrows": [arrows(A, seen.electrodes) for A in learned],
        "arrows_prior": arrows(seen.block.prior[0], seen.electrodes),
    }  # fmt: skip


def _draw(figure: Figure, seen: ClipGraph, learned: NDArray[np.float64], listened: NDArray[np.float64]) -> None:
    timed, columns = seen.occlusion.shape[1] > 1, 1 + len(learned)
    ratios = [1.0, 0.75] if timed else [1.0]
    grid = figure.subplots(len(ratios), columns, squeeze=False, height_ratios=ratios)
    used, prior, scale = seen.occlusion.mean(axis=1), seen.block.prior[0], spread(sent(learned))
    dots = _head(grid[0][0], seen, used, prior, "what the model used, prior A₀", Normalize(0.0, used.max()))
    figure.colorbar(dots, ax=grid[0][0], shrink=0.7, pad=0.02, label="occlusion value, mean over time")
    for layer, A in enumerate(learned):
        dots = _head(grid[0][layer + 1], seen, sent(A), A, f"learned, layer {layer + 1}", scale)
    figure.colorbar(dots, ax=list(grid[0][1:]), shrink=0.7, pad=0.02, label="listened to (column sum)")
    if timed:
        hidden = _clock(grid[1][0], seen.occlusion, seen.electrodes, Normalize(0.0, 1.0), "occlusion value")
        figure.colorbar(hidden, ax=grid[1][0], shrink=0.9, pad=0.02)
        for layer, axes in enumerate(grid[1][1:]):
            title = f"listened to, layer {layer + 1}"
            dots = _clock(axes, listened[layer].T, seen.electrodes, spread(listened), title)
        figure.colorbar(dots, ax=list(grid[1][1:]), shrink=0.9, pad=0.02, label="column sum")


def _head(
    axes: Axes, seen: ClipGraph, values: NDArray[np.floating], A: NDArray[np.floating], title: str, scale: Normalize
) -> Any:
    kept = arrows(A, seen.electrodes)
    axes.set_title(f"{title}: {plural(len(kept), 'arrow')}", loc="center", fontsize=9)
    return draw_head(axes, values, kept, seen.electrodes, scale)


def _clock(axes: Axes, values: NDArray[np.floating], electrodes: list[str], scale: Normalize, title: str) -> Any:
    """Channel by second; returns what a colour bar needs."""
    n, seconds = values.shape
    image = axes.imshow(
        values, aspect="auto", extent=(0, seconds, n, 0), cmap=VALUE_MAP, norm=scale, interpolation="nearest"
    )  # fmt: skip
    axes.set_yticks(np.arange(n) + 0.5, electrodes, fontsize=5.5)
    axes.set_title(title, loc="center", fontsize=8.5)
    axes.set_xlabel("second of the clip", fontsize=8)
    return image


def _caption(seen: ClipGraph, run: str, *, timed: bool) -> str:
    how = "mean over time" if timed else "each channel hidden for the whole clip"
    text = (
        f"{seen.why} One clip (n = 1) of {seen.seconds} s, {run}. Left: occlusion values, scaled to 0-1 within the "
        f"clip ({how}), and the prior graph. Right: the learned graph of each layer, mean over the seconds; arrows "
        f"from the channel that is listened to, the {SHOWN} strongest and their equals, as wide as their weight "
        "relative to the widest of the head; colour: column sum."
    )
    if timed:
        text += " Below: both against the seconds of the clip."
    return f"{text} A channel that is listened to need not be one that the answer hangs on."
