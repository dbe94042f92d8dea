"""Pictures of learned graphs: the mean of each class on the head, and what training added to or took from the prior.

An arrow leads from the channel that is listened to (column j) to the one that listens (row i): the way that features
take, (A h)_i = sum_j A_ij h_j. Spec sglc.md, section 13.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.explain.graph_means import ClassMean
from pipeline.explain.graph_measures import sent
from pipeline.graphs.electrodes import coordinates
from pipeline.report.head import draw_graph
from pipeline.report.picture import Picture, drawing, finish, plural, tidy

DIFFERENCE_MAP = "PuOr_r"  # diverging; its ends differ with every colour vision, the middle is white
SHOWN = 40  # arrows on one head: about two for each channel
PER_ROW = 4  # classes side by side
DECIMALS = 3  # of weights that are compared: 2 % of an even row; what is finer depends on rounding


def arrows(A: NDArray[np.floating], electrodes: list[str], *, most: int = SHOWN) -> list[dict[str, Any]]:
    """The strongest `most` entries of A (n, n) off the diagonal, sender to receiver, strongest first.

    Equals stay together: those of the weakest are all there, or, where that makes more than twice `most`, none is. An
    even graph has no arrows.
    """
    rounded, n = np.round(np.asarray(A, dtype=np.float64), DECIMALS), len(electrodes)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and rounded[i, j] > 0]
    pairs.sort(key=lambda pair: (-rounded[pair], pair))
    weakest = rounded[pairs[min(most, len(pairs)) - 1]] if pairs else 0.0
    kept = [pair for pair in pairs if rounded[pair] >= weakest]
    if len(kept) > 2 * most:
        kept = [pair for pair in kept if rounded[pair] > weakest]
    return [{"from": electrodes[j], "to": electrodes[i], "weight": float(rounded[i, j])} for i, j in kept]


def draw_head(
    axes: Axes, values: NDArray[np.floating], kept: list[dict[str, Any]], electrodes: list[str], scale: Normalize
) -> Any:
    """One head with arrows; returns what a colour bar needs. Nothing on it takes part in the layout, which is slow."""
    positions = coordinates(electrodes)
    dots = draw_graph(axes, values, kept, electrodes=electrodes, positions=positions, directed=True, scale=scale)
    for artist in (*axes.patches, *axes.texts, *axes.lines):
        artist.set_in_layout(False)
    return dots


def class_picture(
    name: str, title: str, means: Sequence[ClassMean], electrodes: list[str], *, synthetic: bool, dpi: int
) -> Picture:
    """Heads: a row for each layer, a column for each class; nodes coloured by how much they are listened to."""
    columns = np.stack([sent(mean.A) for mean in means])  # (k, l, n)
    scale = spread(columns)
    with _panels(means, title) as (figure, grid):
        for (k, layer), axes in grid.items():
            kept = arrows(means[k].A[layer], electrodes)
            dots = draw_head(axes, columns[k, layer], kept, electrodes, scale)
            weakest = f", weight ≥ {kept[-1]['weight']:.3f}" if kept else ""
            words = f"{means[k].name}, layer {layer + 1}\n{plural(len(kept), 'arrow')}{weakest}"
            axes.set_title(words, loc="center", fontsize=8.5, pad=2)
        figure.colorbar(dots, ax=list(grid.values()), shrink=0.6, pad=0.01, label="listened to: column sum of A")
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"Mean learned graph of the test clips of each true class (n = {_counts(means)}), over all seconds; nose up, "
        "left is left. Arrows lead from the channel that is listened to, to the one that listens: of each head the "
        f"{SHOWN} strongest and their equals (to {DECIMALS} decimals; where these are too many, none of them), as wide "
        "as their weight relative to the widest of the head. Colour: column sum, self-loop included; its mean over "
        "channels is 1 where rows sum to 1."
    )
    highest = [f"{mean.name} {electrodes[int(np.argmax(columns[k, -1]))]}" for k, mean in enumerate(means)]
    alt = f"Heads with learned graphs; most listened to in the last layer: {', '.join(highest)}."
    numbers = {
        "electrodes": electrodes, "row": "receiver",
        "classes": {mean.name: _numbers(mean, columns[k]) for k, mean in enumerate(means)},
    }  # fmt: skip
    return Picture(name, title, caption, alt, tidy(numbers), png)


def difference_picture(
    name: str, title: str, means: Sequence[ClassMean], electrodes: list[str], *, synthetic: bool, dpi: int
) -> Picture:
    """Matrices of class-mean A less class-mean A_0: a row for each layer, a column for each class, one scale."""
    differences = np.stack([mean.A - mean.prior for mean in means])  # (k, l, n, n)
    largest = float(np.abs(differences).max()) or 1.0
    scale = Normalize(-largest, largest)
    changes = {mean.name: [_change(D, electrodes) for D in own] for mean, own in zip(means, differences, strict=True)}
    with _panels(means, title) as (figure, grid):
        for (k, layer), axes in grid.items():
            _matrix(axes, differences[k, layer], electrodes, scale)
            norm = changes[means[k].name][layer]["norm"]
            axes.set_title(f"{means[k].name}, layer {layer + 1}: |A − A₀| = {norm:.2f}", loc="center", fontsize=8.5)
        figure.supxlabel("sender (column)", fontsize=8.5)
        figure.supylabel("receiver (row)", fontsize=8.5)
        shown = ScalarMappable(scale, DIFFERENCE_MAP)
        figure.colorbar(shown, ax=list(grid.values()), shrink=0.6, pad=0.01, label="class-mean A less A₀")
        png = finish(figure, synthetic=synthetic, dpi=dpi, colours=None)  # a palette would show steps
    caption = (
        f"Mean learned graph of each true class less the mean prior A₀ of the same clips (n = {_counts(means)}). Rows "
        "receive, columns send; orange: more than in the prior, violet: less. |A − A₀|: Frobenius norm of the matrix "
        "shown, at most the mean of the clips' own."
    )
    if max(float(mean.prior.max()) for mean in means) <= 0:
        caption += " This prior has no entry above 0 (published variant), so that every entry gains."
    gains = {klass: part[-1]["gains"][0] for klass, part in changes.items()}
    most = ", ".join(f"{klass} {gain['from']} to {gain['to']}" for klass, gain in gains.items())
    alt = f"Matrices of change from the prior; largest gain off the diagonal in the last layer: {most}."
    numbers = {"electrodes": electrodes, "row": "receiver", "classes": changes, "largest": largest}
    return Picture(name, title, caption, alt, tidy(numbers), png)


@contextmanager
def _panels(means: Sequence[ClassMean], title: str) -> Iterator[tuple[Figure, dict[tuple[int, int], Axes]]]:
    """A figure with axes for each (class, layer): layers below one another, classes beside, PER_ROW in one row."""
    layers, wide = means[0].A.shape[0], min(len(means), PER_ROW)
    tall = layers * math.ceil(len(means) / PER_ROW)
    with drawing(1.2 + 3.3 * wide, 0.8 + 3.3 * tall) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        every = figure.subplots(tall, wide, squeeze=False)
        grid = {
            (k, layer): every[layers * (k // PER_ROW) + layer, k % PER_ROW]
            for k in range(len(means))
            for layer in range(layers)
        }
        for axes in set(every.flat) - set(grid.values()):
            axes.set_axis_off()
        yield figure, grid


def mean_rows(means: Sequence[ClassMean], electrodes: list[str]) -> pd.DataFrame:
    """The numbers of both pictures, one row for each class, layer, receiver and sender."""
    n = len(electrodes)
    names = np.array(electrodes, dtype=object)
    receiver, sender = (index.ravel() for index in np.indices((n, n)))
    parts = [
        pd.DataFrame({
            "class": mean.name, "n_clips": mean.n_clips, "n_patients": mean.n_patients, "layer": layer + 1,
            "receiver": names[receiver], "sender": names[sender], "A": A.ravel(), "A_0": mean.prior.ravel(),
            "difference": (A - mean.prior).ravel(),
        })
        for mean in means for layer, A in enumerate(mean.A)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _numbers(mean: ClassMean, columns: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "n_clips": mean.n_clips, "n_patients": mean.n_patients, "column_sums": columns,
        "A": np.round(mean.A, 4), "A_0": np.round(mean.prior, 4),
    }  # fmt: skip


def _change(difference: NDArray[np.float64], electrodes: list[str]) -> dict[str, Any]:
    """Norm of a difference (n, n), and the three pairs off the diagonal that gained and that lost most."""
    n = len(electrodes)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    ranked = sorted(pairs, key=lambda pair: (-difference[pair], pair))
    named = [{"from": electrodes[j], "to": electrodes[i], "change": float(difference[i, j])} for i, j in ranked]
    own = float(np.trace(difference)) / n
    return {"norm": float(np.linalg.norm(difference)), "diagonal": own, "gains": named[:3], "losses": named[:-4:-1]}


def _matrix(axes: Axes, values: NDArray[np.float64], electrodes: list[str], scale: Normalize) -> None:
    axes.imshow(values, cmap=DIFFERENCE_MAP, norm=scale, interpolation="nearest")
    axes.set_xticks(range(len(electrodes)), electrodes, rotation=90, fontsize=5.5)
    axes.set_yticks(range(len(electrodes)), electrodes, fontsize=5.5)


def _counts(means: Sequence[ClassMean]) -> str:
    each = [f"{mean.name} {plural(mean.n_clips, 'clip')} of {plural(mean.n_patients, 'patient')}" for mean in means]
    return ", ".join(each)


def spread(values: NDArray[np.float64]) -> Normalize:
    """From the lowest to the highest value; where they are alike, all have the colour in the middle."""
    low, high = float(values.min()), float(values.max())
    return Normalize(low, high) if high - low > 10.0**-DECIMALS else Normalize(low - 0.5, high + 0.5)
