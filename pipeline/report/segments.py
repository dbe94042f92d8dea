"""The page of the target real-segments: what a detector makes of a user's recordings, for plausibility only.

A segment's score is the mean of the probabilities of its clips; the highest stands beside it. Guard G8 of
spec/simulator.md: seizure segments should rank above `other` and `grda` ones; reported, never a gate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.explain.localisation import normalise
from pipeline.explain.map_store import OcclusionMaps
from pipeline.findings import Findings
from pipeline.report.blocks import Block, Figure, Note, Section, Text, cell, table_of
from pipeline.report.build import Built
from pipeline.report.cases import spans
from pipeline.report.caveats import SAMPLES_LINE, SYNTHETIC_LINE, caveats
from pipeline.report.derivations import node_word
from pipeline.report.examples import ClipView
from pipeline.report.overview import findings_by_code
from pipeline.report.page import Page
from pipeline.report.picture import plural
from pipeline.report.provenance import model_line, versions
from pipeline.report.traces import trace_picture
from pipeline.settings.evaluation import OcclusionSettings
from pipeline.settings.report import ReportSettings
from pipeline.store import reading_store

SEIZURE, COMPARED = "sz", ("other", "grda")
DPI = 80  # of two dozen trace pages on one HTML page


@dataclass(frozen=True)
class Scored:
    """files: recording, file, label, synthetic; segments: one row an EDF (`answered`); predictions: one row a clip."""

    files: pd.DataFrame
    segments: pd.DataFrame
    predictions: pd.DataFrame
    maps: OcclusionMaps


def answered(files: pd.DataFrame, predictions: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """One row an EDF: clips, mean and highest probability, or the reason why it was not scored; highest mean first.

    Raises ValueError for an EDF that has neither: nothing is dropped silently.
    """
    grouped = predictions.groupby("recording")["p_seizure"]
    table = files.merge(grouped.agg(clips="size", p_mean="mean", p_max="max").reset_index(), how="left", on="recording")
    table["clips"] = table["clips"].fillna(0).astype(int)
    reasons: dict[str, tuple[str, str]] = {}
    for finding in findings:
        if finding.severity == "error" or finding.action == "skip":
            reasons[finding.recording] = (finding.code, finding.message)
    unscored = table["clips"] == 0
    if silent := sorted(set(table.loc[unscored, "recording"]) - set(reasons)):
        raise ValueError(f"{silent[0]} was not scored and no finding says why")
    for place, column in enumerate(("code", "reason")):
        pairs = zip(table["recording"], unscored, strict=True)
        table[column] = [reasons[name][place] if missing else "" for name, missing in pairs]
    return table.sort_values(["p_mean", "recording"], ascending=[False, True], kind="stable").reset_index(drop=True)


def ranking(segments: pd.DataFrame) -> dict[str, Any]:
    """Guard G8: of all pairs of a seizure segment and one to compare with, the share in order (ties count half)."""
    scored = segments[segments["clips"] > 0]
    seizure = scored[scored["label"] == SEIZURE]
    out: dict[str, Any] = {"n_scored": len(scored), "n_seizure": len(seizure), "gate": False}
    others = {"other_and_grda": scored[scored["label"].isin(COMPARED)]}
    others["every_other_label"] = scored[(scored["label"] != SEIZURE) & (scored["label"] != "")]
    for name, rest in others.items():
        out[name] = {"n": len(rest)}
        for score in ("p_mean", "p_max"):
            pairs = np.sign(seizure[score].to_numpy()[:, None] - rest[score].to_numpy()[None])
            out[name][score] = float((pairs + 1).mean() / 2) if pairs.size else None
    order = scored["recording"].tolist()
    out["seizure_ranks_by_mean"] = {str(name): order.index(name) + 1 for name in seizure["recording"]}
    return out


def segment_views(
    scored: Scored, segments: pd.DataFrame, seizures: pd.DataFrame, signals: Path, *, length_s: int
) -> list[ClipView]:
    """One view a scored EDF, best rank first: its clips side by side, every map scaled by itself."""
    drops = dict(zip(scored.maps.clips, scored.maps.drop, strict=True))
    made: list[ClipView] = []
    for row in _rows(scored.segments[scored.segments["clips"] > 0]):
        clips = scored.predictions[scored.predictions["recording"] == row.recording].sort_values("start_s")
        segment = segments[segments["recording"] == row.recording].iloc[0]
        inside = clips[clips["start_s"] < segment["start_s"] + segment["duration_s"]]  # of the first stretch
        seconds = length_s * len(inside)
        with reading_store(signals) as store:
            stored: Any = store[f"{row.recording}/{segment['segment']}"]
            samples = np.asarray(stored[:, : round(seconds * float(segment["rate_hz"]))])
        clock = pd.Series({"recording": row.recording, "start_s": segment["start_s"], "length_s": seconds})
        made.append(ClipView(
            clip=str(row.recording), patient="", signal=samples, rate_hz=float(segment["rate_hz"]),
            electrodes=scored.maps.electrodes, length_s=seconds, spans=spans(seizures, clock),
            occlusion=_joined([drops[clip] for clip in inside["clip"]]), code=f"label {row.label or 'unknown'}",
            probability=float(row.p_mean), why=_why(row, len(made) + 1),
            breaks_s=tuple(range(length_s, seconds, length_s)),
        ))  # fmt: skip
    return made


def build_page(
    scored: Scored,
    views: list[ClipView],
    summary: dict[str, Any],
    *,
    findings: pd.DataFrame,
    card: dict[str, Any],
    settings: ReportSettings,
    occlusion: OcclusionSettings,
    trained_on: str,
    synthetic_training: bool,
) -> Built:
    """Ranking, unscored files, findings, traces."""
    table = scored.segments
    synthetic = bool(table["synthetic"].any())
    unscored = table[table["clips"] == 0]
    blocks: list[Block] = [Text(in_words(summary)), _ranking_table(table)]
    why: list[Block] = [Note("Every EDF was scored.")]
    if len(unscored):
        why = [table_of("unscored", "EDFs that are not scored", unscored[["recording", "label", "code", "reason"]])]
    if len(findings):
        why.append(table_of("findings", "All findings by code", findings_by_code(findings), decimals=0))
    pictures: list[Block] = [
        Figure(trace_picture(view, synthetic=synthetic, dpi=min(settings.dpi, DPI))) for view in views
    ]
    origin = f"the {'synthetic ' if synthetic_training else ''}corpus “{trained_on}”"
    page = Page(
        title=f"{settings.title}: real segments",
        subtitle=f"{plural(len(views), 'recording')} of {len(table)} scored by a detector trained only on {origin}",
        banner=SYNTHETIC_LINE if synthetic else SAMPLES_LINE,
        synthetic=synthetic,
        sections=[
            Section("ranking", "Ranking", blocks),
            Section("unscored", "Not scored, and why", why),
            Section("traces", "Traces and occlusion maps", pictures or [Note("No EDF could be scored.")]),
        ],
        caveats=caveats(synthetic=synthetic, occlusion=occlusion, samples=True, node=node_word(scored.maps.electrodes)),
        provenance=[*versions(), ("Model", model_line(card)), ("Training corpus", trained_on)],
    )
    return Built(page, {"segments": table, "clips": scored.predictions, "findings": findings})


def in_words(summary: dict[str, Any]) -> str:
    """The answer to guard G8."""
    rest = summary["other_and_grda"]
    start = f"{plural(summary['n_scored'], 'EDF')} scored; the score is the mean over the clips of one EDF."
    if rest["p_mean"] is None:
        return f"{start} There are no labels of both kinds (seizure; other or GRDA), so no ranking can be judged."
    ranks = sorted(summary["seizure_ranks_by_mean"].values())
    return (
        f"{start} Plausibility only: the {plural(summary['n_seizure'], 'segment')} with a majority vote for seizure "
        f"rank {', '.join(map(str, ranks))} of {summary['n_scored']}. Of the pairs with one of the "
        f"{rest['n']} segments labelled other or GRDA, {rest['p_mean']:.0%} are in the expected order "
        f"({rest['p_max']:.0%} by the highest clip); chance is 50 %. No sensitivity can be quoted from so few segments."
    )


def _ranking_table(table: pd.DataFrame) -> Block:
    shown = table[table["clips"] > 0].reset_index(drop=True)
    if not len(shown):
        return Note("No EDF could be scored.")
    frame = pd.DataFrame({"rank": range(1, len(shown) + 1), "recording": shown["recording"], "label": shown["label"]})
    frame["mean p(seizure)"], frame["highest"], frame["clips"] = shown["p_mean"], shown["p_max"], shown["clips"]
    return table_of("ranking", "Scored EDFs, highest mean probability first", frame)


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    yield from table.itertuples()


def _joined(drops: list[Any]) -> Any:
    scaled = [normalise(drop) for drop in drops]
    flat = [np.zeros(drop.shape) if one is None else one for drop, one in zip(drops, scaled, strict=True)]
    return np.concatenate(flat, axis=1)


def _why(row: Any, rank: int) -> str:
    return f"Rank {rank}, mean probability {cell(float(row.p_mean))}, highest {cell(float(row.p_max))}."
