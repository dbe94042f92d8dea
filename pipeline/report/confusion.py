"""Picture 5: confusion matrix, mean over seeds, each row (true class) adding up to 100 %."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.report.picture import Picture, drawing, finish, plural, tidy


def confusion_numbers(matrices: NDArray[np.floating], classes: list[str]) -> dict[str, Any]:
    """matrices: (seed, true, predicted) counts -> mean counts, row shares (None for a class that is absent)."""
    counts = np.asarray(matrices, dtype=np.float64).mean(axis=0)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    return tidy({"classes": classes, "seeds": len(matrices), "counts": counts, "shares": shares})


def confusion_picture(
    name: str,
    title: str,
    matrices: NDArray[np.floating],
    classes: list[str],
    *,
    n_patients: int,
    synthetic: bool,
    dpi: int,
) -> Picture:
    """One matrix with count and per cent in every cell; rows are true classes."""
    numbers = confusion_numbers(matrices, classes)
    counts = np.asarray(numbers["counts"], dtype=np.float64)
    shares = np.array([[np.nan if cell is None else cell for cell in row] for row in numbers["shares"]])
    size = 2.2 + 0.85 * len(classes)
    with drawing(size + 1.2, size) as figure:
        axes = figure.subplots()
        draw_matrix(axes, counts, shares, rows=classes, columns=classes, title=title)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = (
        f"Row-normalised: of the clips of a true class, the share given each answer, with the mean count over "
        f"{plural(len(matrices), 'seed')} below it. n = {plural(round(float(counts.sum())), 'test clip')} of "
        f"{plural(n_patients, 'patient')}."
    )
    hits = [
        f"{label} {'absent' if np.isnan(shares[i, i]) else f'{shares[i, i]:.0%}'}" for i, label in enumerate(classes)
    ]
    return Picture(
        name, title, caption, f"Confusion matrix; correct share by true class: {', '.join(hits)}.", numbers, png
    )


def draw_matrix(
    axes: Axes,
    counts: NDArray[np.float64],
    shares: NDArray[np.float64],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
) -> None:
    """Per cent and count in every cell of (true, predicted); NaN shares are those of a class that is absent."""
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        percent = "-" if np.isnan(shares[i, j]) else f"{shares[i, j]:.0%}"
        colour = "white" if np.nan_to_num(shares[i, j]) > 0.55 else "black"
        axes.text(j, i, f"{percent}\n{counts[i, j]:g}", ha="center", va="center", color=colour, fontsize=9)
    labels = [f"{label} (n = {total:g})" for label, total in zip(rows, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), labels)
    axes.set(xlabel="predicted", ylabel="true class", title=title)
    for edge in axes.spines.values():
        edge.set_visible(True)
