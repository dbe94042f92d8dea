"""Clips that the paper's figures show: chosen by a rule that the caption states, never by eye."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.explain.localisation_summary import main_case
from pipeline.report.cases import maps_of, spans, view_of
from pipeline.report.examples import ClipView, Span
from pipeline.report.inventory import Results, RunEntry
from pipeline.report.picture import plural
from pipeline.store import read_table

SHORTEST_S = 5  # a seizure that lasts less within the clip shows little
WHOLE = "TERM"


@dataclass(frozen=True)
class Mapped:
    """A run's maps of its first seed: `drop` (n, t) by clip, predictions by clip, scores of the main label rule."""

    entry: RunEntry
    maps: dict[str, NDArray[np.float32]]
    electrodes: list[str]
    predictions: pd.DataFrame
    scores: pd.DataFrame


def read_mapped(entry: RunEntry) -> Mapped:
    """Read the first seed's maps and what belongs to them."""
    maps, electrodes = maps_of(entry.maps[0])
    predictions = read_table(entry.predictions[0]).set_index("clip", drop=False)
    scores = pd.DataFrame(columns=["clip", "focal", "coverage", "localisation"])
    if entry.localisation:
        rows = main_rows(entry)
        scores = rows[rows["seed"] == entry.seeds[0]]
    return Mapped(entry, maps, electrodes, predictions, scores.set_index("clip", drop=False))


def main_rows(entry: RunEntry) -> pd.DataFrame:
    """Localisation of every clip and seed under the main label rule (any annotated derivation; FZ and PZ left out)."""
    assert entry.localisation is not None
    rows = read_table(entry.localisation)
    rule, policy = main_case(rows)
    return rows[(rows["rule"] == rule) & (rows["fz_pz"] == policy)]


def view(results: Results, mapped: Mapped, clip: str, why: str) -> ClipView | None:
    """The clip with samples, annotation, map and graph; None if no store has its samples."""
    table = results.clips[mapped.entry.clips_key]
    row = table[table["clip"] == clip].set_index("clip").iloc[0]
    seen = view_of(results, mapped.entry, row, why, mapped.maps[clip], mapped.electrodes, mapped.predictions)
    if seen is None or clip not in mapped.scores.index:
        return seen
    return replace(seen, localisation=float(mapped.scores["localisation"].to_dict()[clip]))


def typical(results: Results, mapped: Mapped, group: str, *, among: Collection[str]) -> tuple[str, str] | None:
    """(clip, why): the clip of `group` (focal, generalised) in the middle by localisation; else by probability.

    Of the clips `among` with a map. One whose seizure begins within the clip and lasts SHORTEST_S or more goes before
    the others; of these the one nearest to the middle rank is taken.
    """
    rows = mapped.predictions.loc[sorted(set(among) & set(mapped.maps))]
    rows = rows[rows["focal"] == group]
    if not len(rows):
        return None
    scored = mapped.scores["localisation"].reindex(rows.index)
    by = "localisation" if scored.notna().any() else "predicted probability"
    values = scored.dropna() if by == "localisation" else rows["p_seizure"]
    ranked = values.to_frame("value").rename_axis("name").reset_index().sort_values(["value", "name"], kind="stable")
    names = [str(name) for name in ranked["name"]]
    middle = (len(names) - 1) / 2
    nearest = sorted(range(len(names)), key=lambda k: (abs(k - middle), k))
    chosen = next((k for k in nearest if _shows_onset(results, mapped, names[k])), nearest[0])
    why = f"rank {chosen + 1} of {plural(len(names), f'{group} clip')} by {by}, lowest first"
    return names[chosen], why


def seizure(seen: ClipView) -> tuple[int, int] | None:
    """First and last-plus-one whole second of the longest annotated seizure within the clip."""
    inside = [_clipped(span, seen.length_s) for span in seen.spans if span.channel == WHOLE]
    found = [(start, end) for start, end in inside if end > start]
    if not found:
        return None
    start, end = max(found, key=lambda one: (one[1] - one[0], -one[0]))
    return int(np.floor(start)), min(int(np.ceil(end)), seen.length_s)


def crop(seen: ClipView, start: int, end: int) -> ClipView:
    """Seconds [start, end) of a clip; `first_s` says where in the clip the part begins."""
    moved = [Span(span.channel, span.onset_s - start, span.offset_s - start, span.code) for span in seen.spans]
    first, last = round(start * seen.rate_hz), round(end * seen.rate_hz)
    return replace(
        seen,
        signal=seen.signal[:, first:last],
        length_s=end - start,
        spans=[span for span in moved if span.offset_s > 0 and span.onset_s < end - start],
        occlusion=None if seen.occlusion is None else seen.occlusion[:, start:end],
        first_s=seen.first_s + start,
    )


def ranked_clips(mapped: Mapped, group: str, *, above: float) -> list[str]:
    """Clips of a group whose localisation lies above `above`, best first."""
    rows = mapped.scores[(mapped.scores["focal"] == group) & (mapped.scores["localisation"] > above)]
    order = rows.reset_index(drop=True).sort_values(["localisation", "clip"], ascending=[False, True], kind="stable")
    return [str(clip) for clip in order["clip"] if clip in mapped.maps]


def _shows_onset(results: Results, mapped: Mapped, clip: str) -> bool:
    table = results.clips[mapped.entry.clips_key]
    row = table[table["clip"] == clip].iloc[0]
    length = int(row["length_s"])
    events = [span for span in spans(results.seizures, row) if span.channel == WHOLE and span.onset_s >= 0]
    return any(min(span.offset_s, length) - span.onset_s >= SHORTEST_S for span in events)


def _clipped(span: Span, length_s: int) -> tuple[float, float]:
    return max(span.onset_s, 0.0), min(span.offset_s, float(length_s))
