"""Which clips the page shows in full, and their samples, annotation, map and graph read from the stores."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.explain.localisation import normalise
from pipeline.explain.localisation_summary import main_case
from pipeline.explain.map_store import read_maps
from pipeline.report.examples import ClipView, Span
from pipeline.report.inventory import Results, RunEntry, graph_paths
from pipeline.report.picture import plural
from pipeline.store import read_table, reading_store


def choose(scores: pd.DataFrame, count: int) -> list[tuple[str, str]]:
    """(clip, why): best, median and worst localised focal clips (evenly spread ranks), so that none is hand-picked.

    scores: rows of one seed of localisation.parquet under one rule. Without focal clips the others stand in.
    """
    rows = scores.dropna(subset=["localisation"])
    focal = rows[rows["focal"] == "focal"]
    kind, rows = ("focal clip", focal) if len(focal) else ("clip", rows)
    rows = rows.sort_values(["localisation", "clip"], ascending=[False, True], kind="stable").reset_index(drop=True)
    if not len(rows):
        return []
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))

    chosen = []
    for place in places:
        word = "Best" if place == 0 else "Worst" if place == len(rows) - 1 else f"Rank {place + 1} of the"
        score = rows["localisation"].iloc[place]
        why = f"{word} localised of {plural(len(rows), kind)} (localisation {score:.2f})."
        chosen.append((str(rows["clip"].iloc[place]), why))
    return chosen


def views(results: Results, entry: RunEntry, count: int) -> list[ClipView]:
    """Up to `count` clips of one run's first seed, ready to draw; empty if a store that they need is not there."""
    if not (entry.maps and entry.predictions and results.inventory.signals):
        return []
    clips = results.clips.get(entry.clips_key, pd.DataFrame())
    maps, electrodes = maps_of(entry.maps[0])
    predictions = read_table(entry.predictions[0]).set_index("clip")
    if entry.localisation:
        rows = read_table(entry.localisation)
        rule, policy = main_case(rows)
        first = rows[(rows["seed"] == entry.seeds[0]) & (rows["rule"] == rule) & (rows["fz_pz"] == policy)]
        chosen = choose(first, count)
    else:
        chosen = [(clip, "One of the clips with a map, in the order of the corpus.") for clip in sorted(maps)[:count]]
    table = clips.set_index("clip") if len(clips) else clips
    made = [
        view_of(results, entry, table.loc[clip], why, maps[clip], electrodes, predictions)
        for clip, why in chosen
        if clip in maps and clip in table.index
    ]
    return [view for view in made if view is not None]


def mean_map(entry: RunEntry, focal: pd.Series) -> dict[str, tuple[NDArray[np.float64], int]]:
    """Mean over time and clips of the scaled maps of the first seed: group -> ((n,), clips). `focal`: by clip."""
    maps, _ = maps_of(entry.maps[0])
    out: dict[str, tuple[NDArray[np.float64], int]] = {}
    for group in ("focal", "generalised"):
        scaled = [normalise(maps[clip]) for clip in sorted(maps) if focal.get(clip) == group]
        kept = [values.mean(axis=1) for values in scaled if values is not None]
        if kept:
            out[group] = (np.mean(kept, axis=0), len(kept))
    return out


def maps_of(path: str) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """Maps (n, t) by clip, and the electrodes."""
    stored = read_maps(path)
    return dict(zip(stored.clips, stored.drop, strict=True)), stored.electrodes


def view_of(
    results: Results,
    entry: RunEntry,
    clip: Any,
    why: str,
    drop: NDArray,
    electrodes: list[str],
    table: pd.DataFrame,
) -> ClipView | None:
    """One row of the clips table ready to draw, with its map `drop` (n, t) scaled; None if no store has its samples."""
    found = _samples(results, clip)
    if found is None:
        return None
    signal, rate_hz = found
    name = str(clip.name)
    scaled = normalise(drop)
    score = table["p_seizure"].get(name) if "p_seizure" in table.columns else None
    return ClipView(
        clip=name,
        patient=str(clip["patient"]),
        signal=signal,
        rate_hz=rate_hz,
        electrodes=electrodes,
        length_s=int(clip["length_s"]),
        spans=spans(results.seizures, clip),
        occlusion=None if scaled is None or scaled.shape[1] == 1 else scaled,
        weights=_weights(results, entry, name),
        code=str(clip["codes"] or clip["code"]),
        probability=None if score is None else float(score),
        why=why,
    )


def _samples(results: Results, clip: pd.Series) -> tuple[NDArray[np.float32], float] | None:
    """The clip's samples (n, s) in µV and their rate, from whichever store has its segment."""
    segments = results.segments
    row = segments[(segments["recording"] == clip["recording"]) & (segments["segment"] == clip["segment"])].iloc[0]
    rate = float(row["rate_hz"])
    first = round((float(clip["start_s"]) - float(row["start_s"])) * rate)
    for path in results.inventory.signals:
        with reading_store(path) as group:
            name = f"{clip['recording']}/{clip['segment']}"
            if name in group:
                stored: Any = group[name]
                return np.asarray(stored[:, first : first + round(int(clip["length_s"]) * rate)]), rate
    return None


def spans(seizures: pd.DataFrame, clip: pd.Series) -> list[Span]:
    """Annotated events of the clip's recording that meet it, on the clip's clock."""
    if not len(seizures):
        return []
    start, end = float(clip["start_s"]), float(clip["start_s"]) + int(clip["length_s"])
    rows = seizures[(seizures["recording"] == clip["recording"]) & (seizures["onset_s"] < end)]
    rows = rows[rows["offset_s"] > start].sort_values(["channel", "onset_s"], kind="stable")
    return [
        Span(str(row.channel), float(row.onset_s) - start, float(row.offset_s) - start, str(row.code))
        for row in rows.itertuples()
    ]


def _weights(results: Results, entry: RunEntry, clip: str) -> NDArray[np.floating] | None:
    own = entry.top_neighbours
    for path in graph_paths(results.inventory, entry.graph, entry.clips_key, top_neighbours=own):
        with reading_store(path) as group:
            attributes: dict[str, Any] = dict(group.attrs)
            stored: Any = group["weights"]
            names = list(attributes.get("clips", []))
            if clip in names:
                return np.asarray(stored[names.index(clip)])
            if not names:
                return np.asarray(stored[0])
    return None
