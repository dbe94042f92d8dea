"""Chapters on what the models used: example clips, mean maps on the head, coverage and localisation."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.localisation_summary import main_case
from pipeline.explain.map_store import read_maps
from pipeline.graphs.electrodes import coordinates
from pipeline.report.blocks import Block, Figure, Note, Section, Text, table_of, with_interval
from pipeline.report.cases import mean_map, views
from pipeline.report.examples import ClipView
from pipeline.report.head import graph_picture, topomap_picture
from pipeline.report.histograms import histogram_picture
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.learned_clips import clip_picture, read_clip
from pipeline.report.overview import Chapter
from pipeline.report.picture import Picture, plural, slug
from pipeline.report.published import SOURCE, published
from pipeline.report.traces import trace_picture
from pipeline.settings.evaluation import LocalisationSettings
from pipeline.settings.report import ReportSettings
from pipeline.store import read_json, read_table

RULES = {
    ("any", "masked"): "any derivation, FZ and PZ left out",
    ("any", "negative"): "any derivation, FZ and PZ negative",
    ("majority", "masked"): "majority of derivations, FZ and PZ left out",
    ("majority", "negative"): "majority of derivations, FZ and PZ negative",
    ("edges", "masked"): "bipolar derivations themselves",
    ("edges", "negative"): "bipolar derivations themselves, those without labels negative",
}


def examples_chapter(results: Results, settings: ReportSettings, *, localisation: LocalisationSettings) -> Chapter:
    """Traces with overlay, electrode graph and topographic map for a few clips of each run with maps over time."""
    blocks: list[Block] = []
    for entry in mapped_runs(results, "detection"):
        shown = views(results, entry, settings.example_clips)
        if not shown:
            blocks.append(Note(f"{title_of(entry)}: no clip with a defined localisation, so no example is shown."))
        for view in shown:
            blocks += [Figure(picture) for picture in case_pictures(results, entry, view, dpi=settings.dpi)]
        blocks += [Figure(picture) for picture in mean_pictures(results, entry, dpi=settings.dpi)]
    for entry in mapped_runs(results, "classification"):
        blocks += [Figure(picture) for picture in mean_pictures(results, entry, dpi=settings.dpi)]
    if not blocks:
        blocks = [Note("No occlusion map was computed (plan: maps), so there is nothing to show here.")]
    else:
        blocks.insert(0, Text(_how(results, localisation)))
    return Chapter(Section("examples", "What the model used", blocks))


def _how(results: Results, localisation: LocalisationSettings) -> str:
    """What an occlusion value is, for each task that has maps, and how the clips shown were picked."""
    parts = []
    if mapped_runs(results, "detection"):
        parts.append(
            f"Detection: each {results.node}-second of a clip is replaced in turn; the fall of the seizure logit is "
            "its occlusion value."
        )
    if mapped_runs(results, "classification"):
        parts.append(
            f"Classification: each {results.node} is replaced over the whole clip; the fall of the predicted class's "
            "logit is its occlusion value."
        )
    parts.append("Values are scaled to 0-1 within the clip.")
    if mapped_runs(results, "detection"):
        parts.append(f"Clips are picked by rule, not by eye. {_localised(localisation, results.node)}")
    return " ".join(parts)


def _localised(settings: LocalisationSettings, node: str) -> str:
    return f"Localisation: share of the marked {node}-seconds (above {settings.threshold:g}) that are annotated."


def definitions(settings: LocalisationSettings, node: str) -> str:
    """The two scores and what counts as precise, as the page uses the words; `node` is `electrode` or `derivation`."""
    return (
        f"Coverage: share of the annotated {node}-seconds that are marked (above {settings.threshold:g}). "
        f"{_localised(settings, node)} Precisely localised: localisation above {settings.precise:g}."
    )


def case_pictures(results: Results, entry: RunEntry, view: ClipView, *, dpi: int) -> list[Picture]:
    """Traces, electrode graph and map of one clip; its learned graph, if there is one."""
    made = [trace_picture(view, synthetic=results.synthetic, dpi=dpi)]
    if view.occlusion is None:
        return made
    common: dict[str, Any] = {
        "electrodes": view.electrodes, "positions": coordinates(view.electrodes), "synthetic": results.synthetic,
        "dpi": dpi,
    }  # fmt: skip
    values = view.occlusion.mean(axis=1)
    if view.weights is not None:
        name = f"graph-{slug(view.clip)}"
        what = "Occlusion value, mean over time"
        made.append(graph_picture(name, values, view.weights, graph=entry.graph, what=what, **common))
    made.append(topomap_picture(f"head-{slug(view.clip)}", head_panels(view), what="Occlusion value", **common))
    return [*made, *_learned(results, entry, view, dpi=dpi)]


def _learned(results: Results, entry: RunEntry, view: ClipView, *, dpi: int) -> list[Picture]:
    """The clip's learned graph beside its map, where the run has one."""
    seen = (
        read_clip(entry, view.clip, view.why, view.occlusion) if entry.learned and view.occlusion is not None else None
    )
    return (
        [] if seen is None else [clip_picture(seen, entry, run=title_of(entry), synthetic=results.synthetic, dpi=dpi)]
    )


def head_panels(view: ClipView) -> list[tuple[str, np.ndarray]]:
    """Mean over the clip, and over the annotated seconds and the others where both exist."""
    assert view.occlusion is not None
    seconds = np.arange(view.occlusion.shape[1])
    inside = np.zeros(len(seconds), dtype=bool)
    for span in view.spans:
        inside |= (seconds + 1 > span.onset_s) & (seconds < span.offset_s)
    panels = [(f"whole clip, {len(seconds)} s", view.occlusion.mean(axis=1))]
    if inside.any() and not inside.all():
        panels.append((f"annotated seizure, {inside.sum()} s", view.occlusion[:, inside].mean(axis=1)))
        panels.append((f"outside, {(~inside).sum()} s", view.occlusion[:, ~inside].mean(axis=1)))
    return panels


def mean_pictures(results: Results, entry: RunEntry, *, dpi: int) -> list[Picture]:
    """One head for focal, one for generalised seizures: the mean of all maps of the first seed."""
    clips = results.clips.get(entry.clips_key, pd.DataFrame())
    if not len(clips):
        return []
    groups = mean_map(entry, clips.set_index("clip")["focal"])
    if not groups:
        return []
    electrodes = read_maps(entry.maps[0]).electrodes
    panels = [(f"{group}, {plural(n, 'clip')}", values) for group, (values, n) in groups.items()]
    name = f"head-mean-{entry.clips_key}-{slug(entry.run)}"
    made = topomap_picture(
        name, panels, electrodes=electrodes, positions=coordinates(electrodes), synthetic=results.synthetic, dpi=dpi,
        what="Mean occlusion value of all maps",
    )  # fmt: skip
    caption = f"{made.caption} Mean of maps, each scaled within its clip: shows where, not how much."
    return [Picture(name, f"Mean map, {title_of(entry)}", caption, made.alt, made.numbers, made.png)]


def localisation_chapter(results: Results, settings: ReportSettings, *, localisation: LocalisationSettings) -> Chapter:
    """Histograms, and a table of both label rules with intervals and the two nulls."""
    blocks: list[Block] = []
    tables: dict[str, pd.DataFrame] = {}
    for entry in mapped_runs(results, "detection"):
        if not (entry.localisation and entry.summary):
            continue
        scores, summary = read_table(entry.localisation), read_json(entry.summary)
        key = f"{entry.clips_key}-{slug(entry.run)}"
        tables[f"localisation-{key}"] = scores
        rule, policy = main_case(scores)
        chosen = scores[(scores["rule"] == rule) & (scores["fz_pz"] == policy)]
        blocks.append(Text(_in_words(entry, summary)))
        if len(chosen):
            picture = histogram_picture(
                f"localisation-{key}", f"Coverage and localisation, {title_of(entry)}", chosen,
                precise=localisation.precise, synthetic=results.synthetic, dpi=settings.dpi,
            )  # fmt: skip
            blocks.append(Figure(picture))
        table = summary_table(summary)
        tables[f"localisation-summary-{key}"] = table
        if len(table):
            blocks.append(table_of(f"localisation-{key}", f"Coverage and localisation, {title_of(entry)}", table))
    if blocks:
        blocks.insert(0, Text(definitions(localisation, results.node)))
    else:
        blocks = [Note("No map was held against channel annotations: no run has maps, or no clip with a seizure was "
                       "predicted correctly.")]  # fmt: skip
    return Chapter(Section("localisation", "Coverage and localisation", blocks), tables)


def summary_table(summary: dict[str, Any]) -> pd.DataFrame:
    """One row a label rule and group, every quantity with its patient interval."""
    rows = []
    for case in summary.get("cases", []):
        if not case["n_clips"]:
            continue
        row = {"labels by": RULES.get((case["rule"], case["fz_pz"]), f"{case['rule']}, {case['fz_pz']}")}
        row |= {"seizures": case["group"], "clips": case["n_clips"], "patients": case["n_patients"]}
        for name, column in _QUANTITIES.items():
            part = case.get(name) or {}
            row[column] = with_interval(part.get("value"), part.get("low"), part.get("high"))
        row["undefined"] = sum(case.get("undefined", {}).values())
        rows.append(row)
    return pd.DataFrame(rows)


_QUANTITIES = {
    "coverage": "coverage", "localisation": "localisation", "precise": "share precisely localised",
    "above_electrodes": "localisation minus null (electrodes permuted)",
    "above_seconds": "localisation minus null (seconds permuted)",
}  # fmt: skip


def _in_words(entry: RunEntry, summary: dict[str, Any]) -> str:
    cases = {(case["rule"], case["fz_pz"], case["group"]): case for case in summary.get("cases", [])}
    rule = "any" if ("any", "masked", "focal") in cases else "edges"  # a map of derivations has no other
    focal = cases.get((rule, "masked", "focal"))
    start = (
        f"{title_of(entry)}: {plural(summary.get('n_clips', 0), 'map')} of "
        f"{plural(summary.get('n_patients', 0), 'patient')} ({summary.get('n_flat', 0)} flat, "
        f"{summary.get('n_mixed', 0)} of mixed type)."
    )
    if not focal or not (focal.get("precise") or {}).get("n_clips"):
        return f"{start} No focal clip has a defined localisation."
    precise, null = focal["precise"], focal.get("above_electrodes") or {}
    text = f"{start} Of {plural(precise['n_clips'], 'focal map')}, {precise['value']:.1%} are precisely localised"
    printed = published("detection", entry.length_s, "precise", graph=entry.graph, init=entry.init, klass="focal")
    shown = printed and entry.in_paper and rule == "any"  # what was published is of electrodes
    text += f" (published: {printed[0]:.1%}; {SOURCE})." if printed and shown else "."
    return f"{text} {_against_null(null, 'electrodes' if rule == 'any' else 'derivations')}"


def _against_null(null: dict[str, Any], nodes: str) -> str:
    """Does the mean localisation beat the null that permutes the nodes? Said plainly, with the interval."""
    if null.get("value") is None:
        return "It could not be compared with chance."
    shown = with_interval(null["value"], null.get("low"), null.get("high"))
    if null.get("low") is None:
        return f"Difference to permuted {nodes}: {shown}; too few patients for an interval."
    verdict = "above" if null["low"] > 0 else "below" if null["high"] < 0 else "not distinguishable from"
    return f"Mean localisation is {verdict} chance: the difference to permuted {nodes} is {shown}."


def mapped_runs(results: Results, task: str) -> list[RunEntry]:
    """Runs of a task that have occlusion maps."""
    return [entry for entry in results.inventory.runs if entry.maps and entry.task == task]


def title_of(entry: RunEntry) -> str:
    """`dist-scratch, detection on 60-s clips`."""
    return f"{entry.run}, {entry.task} on {entry.length_s}-s clips"
