"""Chapters with scores: in brief, then each task and clip length with intervals, curves and confusion."""

from typing import Any

import numpy as np

from pipeline.report.bars import Score, bars_picture
from pipeline.report.blocks import Block, Figure, Note, Points, Section, Text, listed, with_interval
from pipeline.report.confusion import confusion_picture
from pipeline.report.curves import curves_picture
from pipeline.report.inventory import Results
from pipeline.report.overview import Chapter
from pipeline.report.picture import plural, slug
from pipeline.report.published import SOURCE
from pipeline.report.reliability import reliability_picture
from pipeline.report.score_files import drawn_curves, over_seeds, read_curves
from pipeline.report.score_tables import (
    HEADLINE,
    Scored,
    calibration_table,
    class_table,
    in_print,
    metrics_frame,
    n_of,
    score_table,
)
from pipeline.settings.report import ReportSettings

Groups = dict[tuple[str, int], list[Scored]]


def scored_runs(results: Results) -> Groups:
    """Runs with their scores by task and length: detection first, short clips first."""
    groups: Groups = {}
    for entry in sorted(results.inventory.runs, key=lambda e: (e.task != "detection", e.task, e.length_s)):
        one = Scored(entry, over_seeds(entry), read_curves(entry))
        groups.setdefault((entry.task, entry.length_s), []).append(one)
    return groups


def brief_chapter(results: Results, groups: Groups) -> Chapter:
    """The one score of each task and run, in a sentence each."""
    points = []
    for (task, length_s), runs in groups.items():
        metric, name = HEADLINE[task]
        for run in runs:
            row, printed = run.row(metric), run.printed(metric)
            if row is None:
                why = "could not be scored on these test clips."
            else:
                why = f"{name} {with_interval(row['value'], row['low'], row['high'])}, n = {n_of(row)}."
                why += f" Published: {in_print(printed)}." if printed else ""
            points.append((f"{task.capitalize()} on {length_s}-s clips, {run.entry.run}:", why))
    if not points:
        return Chapter(Section("brief", "In brief", [Note("No model was trained, so there is no score.")]))
    text = (
        "Scores on test patients that no fit, threshold or choice of checkpoint has seen. In brackets: bootstrap "
        "interval over patients."
    )
    if results.synthetic:
        text += f" “Published” is {SOURCE}: other data, shown as context only."
    return Chapter(Section("brief", "In brief", [Text(text), Points(points)]))


def scores_chapters(results: Results, settings: ReportSettings, groups: Groups) -> list[Chapter]:
    """One chapter for each task and clip length; the first carries the table of all scores."""
    look: dict[str, Any] = {"synthetic": results.synthetic, "dpi": settings.dpi}
    made = [_chapter(task, length_s, runs, look) for (task, length_s), runs in groups.items()]
    if made:
        made[0].tables["metrics"] = metrics_frame([run for runs in groups.values() for run in runs])
    return made


def _chapter(task: str, length_s: int, runs: list[Scored], look: dict[str, Any]) -> Chapter:
    key = f"{task}-{length_s}s"
    table = score_table(key, task, runs, synthetic=look["synthetic"])
    blocks: list[Block] = [Text(_test_set(task, runs[0].curves)), table]
    if len(runs) > 1 and (bars := _bars(key, task, length_s, runs, look)):
        blocks.append(bars)
    if task == "detection":
        curves = [drawn for run in runs if (drawn := drawn_curves(run.entry.run, run.curves)) is not None]
        if curves:
            title = f"ROC and precision-recall, detection on {length_s}-s clips"
            blocks.append(Figure(curves_picture(f"curves-{key}", title, curves, **look)))
        else:
            blocks.append(Note("No curve: the test clips hold one class only."))
    else:
        blocks.append(class_table(key, runs))
    blocks += _calibration(key, task, length_s, runs, look)
    blocks += [_confusion(run, look) for run in runs]
    return Chapter(Section(key, f"{task.capitalize()}, {length_s}-s clips", blocks))


def _calibration(key: str, task: str, length_s: int, runs: list[Scored], look: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = [calibration_table(key, runs)]
    curves = {run.entry.run: run.curves for run in runs if run.curves.get("n_clips")}
    if curves:
        title = f"Reliability, {task} on {length_s}-s clips"
        blocks.append(Figure(reliability_picture(f"reliability-{key}", title, curves, **look)))
    return blocks


def _bars(key: str, task: str, length_s: int, runs: list[Scored], look: dict[str, Any]) -> Figure | None:
    metric, name = HEADLINE[task]
    found: list[Score] = []
    for run in runs:
        if (row := run.row(metric)) is not None:
            printed = run.printed(metric)
            found.append(Score(run.entry.run, row["value"], row["low"], row["high"], printed[0] if printed else None))
    if not found:
        return None
    if guess := runs[0].row("majority_weighted_f1") if task == "classification" else None:
        label = "always the most frequent class"
        found.append(Score(label, guess["value"], guess["low"], guess["high"], reference=True))
    first = next(row for run in runs if (row := run.row(metric)) is not None)
    chance = 0.5 if metric == "auroc" else None
    title = f"{name}, {task} on {length_s}-s clips"
    return Figure(bars_picture(f"scores-{key}", title, found, metric=name, chance=chance, n=n_of(first), **look))


def _confusion(run: Scored, look: dict[str, Any]) -> Figure | Note:
    matrices = np.array([seed["confusion"] for seed in run.curves.get("seeds", [])], dtype=np.float64)
    if not matrices.sum():
        return Note(f"{run.entry.run}: no test clip, so no confusion matrix.")
    title = f"Confusion, {run.entry.run}, {run.entry.length_s}-s clips"
    name = f"confusion-{run.entry.clips_key}-{slug(run.entry.run)}"
    n_patients = run.curves["n_patients"]
    return Figure(confusion_picture(name, title, matrices, run.curves["classes"], n_patients=n_patients, **look))


def _test_set(task: str, content: dict[str, Any]) -> str:
    if not content:
        return "No prediction was made."
    text = f"Test set: {plural(content['n_clips'], 'clip')} of {plural(content['n_patients'], 'patient')}"
    if task == "detection":
        positive = f"{content['n_positive']:,} with a seizure"
        return f"{text}, {positive}. The threshold is chosen on the validation patients."
    pairs = zip(content["classes"], content["n_per_class"], strict=True)
    return f"{text}: {listed(f'{count} {label}' for label, count in pairs)}."
