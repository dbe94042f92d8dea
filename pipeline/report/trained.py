"""The chapter on training: one picture a task and length, one for pre-training."""

import pandas as pd

from pipeline.report.blocks import Block, Figure, Note, Section
from pipeline.report.inventory import Results
from pipeline.report.overview import Chapter
from pipeline.report.training_curves import training_picture
from pipeline.settings.report import ReportSettings
from pipeline.store import read_table


def training_chapter(results: Results, settings: ReportSettings) -> Chapter:
    """Loss and metric by epoch of every model."""
    blocks: list[Block] = []
    tables = {}
    for name, histories in grouped_histories(results).items():
        if histories:
            title = f"Training, {name}"
            slugged = "training-" + name.replace(", ", "-").replace(" ", "")
            drawn = training_picture(slugged, title, histories, synthetic=results.synthetic, dpi=settings.dpi)
            blocks.append(Figure(drawn))
            tables[slugged] = pd.concat([frame.assign(model=label) for label, frame in histories.items()])
    if not blocks:
        blocks = [Note("No model was trained, so there is no history.")]
    return Chapter(Section("training", "Training", blocks), tables)


def grouped_histories(results: Results) -> dict[str, dict[str, pd.DataFrame]]:
    """`detection, 12 s` -> model -> history."""
    groups: dict[str, dict[str, pd.DataFrame]] = {}
    for entry in results.inventory.runs:
        group = groups.setdefault(f"{entry.task}, {entry.length_s} s", {})
        for seed, path in zip(entry.seeds, entry.histories, strict=False):
            group[entry.run if len(entry.seeds) == 1 else f"{entry.run}, seed {seed}"] = read_table(path)
    for encoder in results.inventory.pretraining:
        group = groups.setdefault(f"pre-training, {encoder.length_s} s", {})
        group[encoder.encoder] = read_table(encoder.history)
    return groups
