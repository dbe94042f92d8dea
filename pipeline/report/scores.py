"""Chapters with scores: in brief, then each task and length with intervals, published values, curves, confusion."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.clips import class_numbers, classes
from pipeline.report.bars import Score, bars_picture
from pipeline.report.blocks import Block, Figure, Note, Points, Section, Table, Text, with_interval
from pipeline.report.confusion import confusion_picture
from pipeline.report.curves import RunCurves, curves_picture
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.overview import Chapter
from pipeline.report.picture import plural, slug
from pipeline.report.published import SOURCE, published
from pipeline.report.score_files import read_curves, read_scores
from pipeline.settings.report import ReportSettings
from pipeline.store import read_table

HEADLINE = {"detection": ("auroc", "AUROC"), "classification": ("weighted_f1", "weighted F1")}
COLUMNS = {
    "detection": {
        "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "sensitivity": "sensitivity", "specificity": "specificity",
        "weighted_f1": "weighted F1", "macro_f1": "macro F1",
    },
    "classification": {
        "weighted_f1": "weighted F1", "macro_f1": "macro F1", "accuracy": "accuracy",
        "majority_weighted_f1": "weighted F1 of always guessing the most frequent class",
    },
}  # fmt: skip
PER_CLASS = {"recall": "recall", "precision": "precision", "f1": "F1", "auroc": "AUROC, one versus rest"}


def grouped(results: Results) -> dict[tuple[str, int], list[RunEntry]]:
    """Runs by task and length: detection first, short clips first."""
    groups: dict[tuple[str, int], list[RunEntry]] = {}
    for entry in sorted(results.inventory.runs, key=lambda e: (e.task != "detection", e.task, e.length_s)):
        groups.setdefault((entry.task, entry.length_s), []).append(entry)
    return groups


def brief_chapter(results: Results) -> Chapter:
    """The one score of each task and run, in a sentence each."""
    points = []
    for (task, length_s), entries in grouped(results).items():
        metric, name = HEADLINE[task]
        for entry in entries:
            row = _row(read_scores(entry.metrics), metric)
            if row is None or row["mean"] is None:
                why = "could not be scored on these test clips."
            else:
                shown = with_interval(row["mean"], row["low"], row["high"])
                why = f"{name} {shown}, {_n(row)}.{_beside(entry, metric)}"
            points.append((f"{task.capitalize()} on {length_s}-s clips, {entry.run}:", why))
    if not points:
        return Chapter(Section("brief", "In brief", [Note("No model was trained, so there is no score.")]))
    text = (
        "Scores on test patients that no fit, threshold or choice of checkpoint has seen. In brackets: 95 % interval "
        "over patients."
    )
    if results.synthetic:
        text += f" “Published” is {SOURCE}: other data, shown as context only."
    return Chapter(Section("brief", "In brief", [Text(text), Points(points)]))


def scores_chapters(results: Results, settings: ReportSettings) -> list[Chapter]:
    """One chapter for each task and clip length."""
    made = [_chapter(results, settings, *key, entries) for key, entries in grouped(results).items()]
    frames = [_labelled(entry) for entry in results.inventory.runs]
    if frames and made:
        made[0].tables["metrics"] = pd.concat(frames, ignore_index=True)
    return made


def _chapter(results: Results, settings: ReportSettings, task: str, length_s: int, entries: list[RunEntry]) -> Chapter:
    key = f"{task}-{length_s}s"
    scores = {entry.run: read_scores(entry.metrics) for entry in entries}
    blocks: list[Block] = [Text(_test_set(entries[0])), _score_table(key, task, entries, scores, results.synthetic)]
    look: dict[str, Any] = {"synthetic": results.synthetic, "dpi": settings.dpi}
    if len(entries) > 1:
        bars = _bars(key, task, length_s, entries, scores, look)
        blocks += [Figure(bars)] if bars else []
    if task == "detection":
        curves = [curve for entry in entries if (curve := _curves(entry)) is not None]
        if curves:
            title = f"ROC and precision-recall, detection on {length_s}-s clips"
            blocks.append(Figure(curves_picture(f"curves-{key}", title, curves, **look)))
        else:
            blocks.append(Note("No curve: the test clips hold one class only."))
    else:
        blocks.append(_class_table(key, entries, scores))
    for entry in entries:
        drawn = _confusion(entry, look)
        blocks.append(drawn if drawn else Note(f"{entry.run}: no test clip, so no confusion matrix."))
    return Chapter(Section(key, f"{task.capitalize()}, {length_s}-s clips", blocks))


def _score_table(
    key: str, task: str, entries: list[RunEntry], scores: dict[str, pd.DataFrame], synthetic: bool
) -> Table | Note:
    rows = []
    for entry in entries:
        cells = [f"{entry.run}\n({entry.graph} graph, {'pre-trained' if entry.init == 'ssl' else 'from scratch'})"]
        for metric in COLUMNS[task]:
            row = _row(scores[entry.run], metric)
            if row is None or row["mean"] is None:
                cells.append("–")
                continue
            text = with_interval(row["mean"], row["low"], row["high"])
            spread = f"\n± {row['std']:.3f} over {row['n_seeds']} seeds" if row["std"] is not None else ""
            printed = published(task, entry.length_s, metric, graph=entry.graph, init=entry.init)
            beside = f"\npublished {_printed(printed)}" if printed else ""
            cells.append(text + spread + beside)
        rows.append(cells)
    kept = [i for i in range(len(rows[0])) if i == 0 or any(row[i] != "–" for row in rows)]
    if len(kept) == 1:
        return Note("No score is defined on these test clips.")
    columns = ["run", *COLUMNS[task].values()]
    origin = "other data, context only" if synthetic else "mean ± std over five runs"
    caption = f"Test scores, mean over seeds, [95 % patient interval]; published: {SOURCE} ({origin})"
    return Table(key, caption, [columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _class_table(key: str, entries: list[RunEntry], scores: dict[str, pd.DataFrame]) -> Table:
    rows = []
    for entry in entries:
        support = _support(entry)
        for label in classes(entry.scheme):
            cells = [f"{entry.run}, {label}", f"{support.get(label, 0):,}"]
            for metric in PER_CLASS:
                row = _row(scores[entry.run], metric, label)
                cells.append("–" if row is None else with_interval(row["mean"], row["low"], row["high"]))
            rows.append(cells)
    columns = ["run, class", "test clips", *PER_CLASS.values()]
    return Table(f"{key}-classes", "Scores of each class", columns, rows, frozenset({1}))


def _bars(
    key: str, task: str, length_s: int, entries: list[RunEntry], scores: dict[str, pd.DataFrame], look: dict[str, Any]
) -> Any:
    metric, name = HEADLINE[task]
    found: list[Score] = []
    for entry in entries:
        row = _row(scores[entry.run], metric)
        if row is not None and row["mean"] is not None:
            printed = published(task, length_s, metric, graph=entry.graph, init=entry.init)
            found.append(Score(entry.run, row["mean"], row["low"], row["high"], printed[0] if printed else None))
    if task == "classification" and found:
        guess = _row(scores[entries[0].run], "majority_weighted_f1")
        if guess is not None and guess["mean"] is not None:
            found.append(Score("always the most frequent class", guess["mean"], guess["low"], guess["high"], reference=True))
    if not found:
        return None
    first = _row(scores[entries[0].run], metric)
    chance = 0.5 if metric == "auroc" else None
    title = f"{name}, {task} on {length_s}-s clips"
    return bars_picture(f"scores-{key}", title, found, metric=name, chance=chance, n=_n(first or {}), **look)


def _curves(entry: RunEntry) -> RunCurves | None:
    seeds = read_curves(entry)
    if not seeds:
        return None
    test = _test_rows(entry.predictions[0])
    return RunCurves(entry.run, seeds, len(test), int((test["label"] == 1).sum()), test["patient"].nunique())


def _confusion(entry: RunEntry, look: dict[str, Any]) -> Figure | None:
    names = ["background", "seizure"] if entry.task == "detection" else list(classes(entry.scheme))
    matrices, patients = [], 0
    for path in entry.predictions:
        test = _test_rows(path)
        true = test["label"].to_numpy() if entry.task == "detection" else class_numbers(test["code"], entry.scheme)
        given = test["predicted"].to_numpy(dtype=np.int64)
        known = true >= 0
        cells = np.bincount(true[known] * len(names) + given[known], minlength=len(names) ** 2)
        matrices.append(cells.reshape(len(names), len(names)))
        patients = test["patient"].nunique()
    if not matrices or not np.sum(matrices):
        return None
    title = f"Confusion, {entry.run}, {entry.length_s} s"
    name = f"confusion-{entry.clips_key}-{slug(entry.run)}"
    return Figure(confusion_picture(name, title, np.stack(matrices), names, n_patients=patients, **look))


def _test_rows(path: str) -> pd.DataFrame:
    rows = read_table(path)
    return rows[rows["split"] == "test"]


def _test_set(entry: RunEntry) -> str:
    if not entry.predictions:
        return "No prediction was made."
    test = _test_rows(entry.predictions[0])
    text = f"Test set: {plural(len(test), 'clip')} of {plural(test['patient'].nunique(), 'patient')}"
    if entry.task == "detection":
        return f"{text}, {int((test['label'] == 1).sum()):,} with a seizure. The threshold is chosen on validation patients."
    return f"{text}: {', '.join(f'{count} {label}' for label, count in _support(entry).items())}."


def _support(entry: RunEntry) -> dict[str, int]:
    if not entry.predictions:
        return {}
    numbers = class_numbers(_test_rows(entry.predictions[0])["code"], entry.scheme)
    return {label: int((numbers == k).sum()) for k, label in enumerate(classes(entry.scheme))}


def _labelled(entry: RunEntry) -> pd.DataFrame:
    frame = read_scores(entry.metrics)
    first = {"run": entry.run, "task": entry.task, "length_s": entry.length_s, "graph": entry.graph, "init": entry.init}
    for place, (name, value) in enumerate(first.items()):
        frame.insert(place, name, value)
    printed = [
        published(entry.task, entry.length_s, row.metric, graph=entry.graph, init=entry.init, klass=row.about or "all")
        for row in frame.itertuples()
    ]
    frame["published_mean"] = [np.nan if cell is None else cell[0] for cell in printed]
    frame["published_std"] = [np.nan if cell is None or cell[1] is None else cell[1] for cell in printed]
    return frame


def _row(scores: pd.DataFrame, metric: str, about: str = "") -> dict[str, Any] | None:
    rows = scores[(scores["metric"] == metric) & (scores["about"] == about)]
    if not len(rows):
        return None
    row = rows.iloc[0].to_dict()
    return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}


def _n(row: dict[str, Any]) -> str:
    if not row.get("n_clips"):
        return "n unknown"
    seeds = f", {plural(int(row['n_seeds']), 'seed')}" if row.get("n_seeds") else ""
    return f"n = {plural(int(row['n_clips']), 'clip')} of {plural(int(row['n_patients']), 'patient')}{seeds}"


def _beside(entry: RunEntry, metric: str) -> str:
    printed = published(entry.task, entry.length_s, metric, graph=entry.graph, init=entry.init)
    return f" Published: {_printed(printed)}." if printed else ""


def _printed(printed: tuple[float, float | None] | None) -> str:
    if printed is None:
        return ""
    return f"{printed[0]:.3f}" if printed[1] is None else f"{printed[0]:.3f} ± {printed[1]:.3f}"
