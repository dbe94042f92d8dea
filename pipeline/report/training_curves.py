"""How training went: loss on training and validation patients by epoch, and the metric that chose the checkpoint."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.picture import SERIES, STYLES, Picture, drawing, finish, plural, tidy

LOSSES = ("train_loss", "validation_loss")


def history_numbers(histories: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Columns of each history as lists."""
    return tidy({label: {name: frame[name].tolist() for name in frame.columns} for label, frame in histories.items()})


def metric_column(frame: pd.DataFrame) -> str | None:
    """The validation metric of a history: the first validation column that is not the loss."""
    names = [name for name in frame.columns if name.startswith("validation_") and name != "validation_loss"]
    if "metric" in frame.columns:
        return "metric"
    return names[0] if names else None


def training_picture(
    name: str, title: str, histories: dict[str, pd.DataFrame], *, synthetic: bool, dpi: int
) -> Picture:
    """Losses left (solid: training, dashed: validation), validation metric right; one colour a model."""
    metrics = [metric_column(frame) for frame in histories.values()]
    panels = 2 if any(metrics) else 1
    with drawing(4.6 * panels + 0.6, 3.7) as figure:
        row = figure.subplots(1, panels, squeeze=False)[0]
        for index, (label, frame) in enumerate(histories.items()):
            colour = SERIES[index % len(SERIES)]
            _draw(row[0], frame, "train_loss", colour, "-", f"{label}, training")
            _draw(row[0], frame, "validation_loss", colour, "--", f"{label}, validation")
            if metrics[index]:
                _draw(row[1], frame, metrics[index], colour, STYLES[index % len(STYLES)], label)
        row[0].set(xlabel="epoch", ylabel="loss", title="Loss")
        if panels == 2:
            row[1].set(xlabel="epoch", ylabel="validation metric", title="Metric that chooses the checkpoint")
        for axes in row:
            axes.grid(color="#dddddd", linewidth=0.5)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=7)
        png = finish(figure, synthetic=synthetic, dpi=dpi)
    caption = f"n = {plural(len(histories), 'trained model')}; losses are means over clips of the split named."
    return Picture(name, title, caption, _alt(histories), history_numbers(histories), png)


def _draw(axes: Axes, frame: pd.DataFrame, column: str | None, colour: str, style: Any, label: str) -> None:
    if column in frame.columns:
        epochs = frame["epoch"] if "epoch" in frame.columns else np.arange(1, len(frame) + 1)
        axes.plot(epochs, frame[column], color=colour, linestyle=style, marker=".", markersize=4, label=label)


def _alt(histories: dict[str, pd.DataFrame]) -> str:
    parts = []
    for label, frame in histories.items():
        if len(frame) and all(column in frame.columns for column in LOSSES):
            last = frame.iloc[-1]
            parts.append(f"{label}: {len(frame)} epochs, validation loss {last['validation_loss']:.3f} at the end")
    return f"Training curves. {'; '.join(parts)}."
