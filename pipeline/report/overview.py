"""Chapters that say what went in: recordings by split, clips by task, models, and every finding."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.clips import class_numbers, classes, seizure_events
from pipeline.findings import CODES
from pipeline.report.blocks import Block, Links, Note, Section, Text, table_of
from pipeline.report.inventory import SPLITS, Results, RunEntry
from pipeline.report.picture import plural
from pipeline.report.qc import splits_block, summary


@dataclass(frozen=True)
class Chapter:
    """A section of the page and the full tables behind it, by file name."""

    section: Section
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def what_ran(results: Results) -> Chapter:
    """Recordings, clips, runs."""
    corpus = corpus_table(results)
    clips = clips_table(results)
    runs = runs_table(results)
    hours = corpus["hours"].sum() if len(corpus) else 0.0
    lead = (
        f"Corpus “{results.inventory.corpus}”: {plural(len(results.recordings), 'recording')}, {hours:.1f} hours, of "
        f"{plural(int(corpus['patients'].sum()) if len(corpus) else 0, 'patient')}."
    )
    if results.splits is not None:
        lead += " The workflow has checked that no patient and no samples are in two splits."
    blocks: list[Block] = [Text(lead)] if len(corpus) else [Note("No recording is in this corpus, so nothing ran.")]
    if len(corpus):
        blocks.append(table_of("corpus", "Recordings by split", corpus, decimals=2))
    blocks += [table_of("clips", "Clips by task and split", clips)] if len(clips) else [Note("No clip was cut.")]
    blocks += [table_of("runs", "Models", runs)] if len(runs) else [Note("No model was trained.")]
    return Chapter(Section("what-ran", "What ran", blocks), {"corpus": corpus, "clips": clips, "runs": runs})


def corpus_table(results: Results) -> pd.DataFrame:
    """One row a split: patients, recordings, hours, seizures, ictal minutes, recordings left out."""
    if not len(results.recordings):
        return pd.DataFrame()
    events = seizure_events(results.seizures) if len(results.seizures) else pd.DataFrame({"recording": []})
    used = set(results.segments["recording"]) if len(results.segments) else set()
    rows = []
    for split in _splits(results.recordings):
        part = results.recordings[results.recordings["split"] == split]
        ictal = events[events["recording"].isin(part["recording"])]
        minutes = float((ictal["offset_s"] - ictal["onset_s"]).sum()) / 60 if len(ictal) else 0.0
        rows.append({
            "split": split, "patients": part["patient"].nunique(), "recordings": len(part),
            "hours": float(part["duration_s"].sum()) / 3600, "seizures": len(ictal), "seizure minutes": minutes,
            "left out": int((~part["recording"].isin(used)).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def clips_table(results: Results) -> pd.DataFrame:
    """One row a task, length and split: clips, patients, with seizure, and clips of each class of four."""
    rows = []
    for name, clips in sorted(results.clips.items(), key=lambda pair: (not pair[0].startswith("detection"), pair[0])):
        for split in _splits(clips) if len(clips) else []:
            part = clips[clips["split"] == split]
            row: dict[str, Any] = {
                "task": name,
                "split": split,
                "clips": len(part),
                "patients": part["patient"].nunique(),
            }
            row["with seizure"] = int((part["label"] == 1).sum()) if name.startswith("detection") else pd.NA
            numbers = class_numbers(part["code"], "four") if name.startswith("classification") else None
            for k, label in enumerate(classes("four")):
                row[label] = int((numbers == k).sum()) if numbers is not None else pd.NA
            rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(("with seizure", *classes("four")), "Int64")) if rows else frame


def runs_table(results: Results) -> pd.DataFrame:
    """One row a trained run."""
    return pd.DataFrame([_run_row(results, entry) for entry in results.inventory.runs])


def _run_row(results: Results, entry: RunEntry) -> dict[str, Any]:
    cards = [results.cards[path] for path in entry.cards]
    parameters = next((card["parameters"] for card in cards), pd.NA)
    return {
        "run": entry.run, "model": entry.model, "task": entry.task, "clip (s)": entry.length_s, "graph": entry.graph,
        "start": entry.start, "seeds": len(entry.seeds),
        "parameters": parameters,
        "occlusion maps": bool(entry.maps),
    }  # fmt: skip


def findings_chapter(results: Results) -> Chapter:
    """Findings by code with counts, and the recordings that were left out or repaired, one by one."""
    rows, known = results.findings, results.outcomes
    outcomes: list[Block] = []
    if known is not None:
        links = [("Quality control: every EDF with its outcome, and every code with its remedy", "../qc/index.html")]
        outcomes = [Text(summary(known)), splits_block(known), Links(links)]
    if not len(rows):
        empty = Note("Nothing was repaired, skipped or rejected (n = 0).")
        return Chapter(Section("findings", "Findings", [*outcomes, empty]))
    by_code = findings_by_code(rows)
    gone = rows[(rows["severity"] == "error") | (rows["action"] == "skip")]
    columns = ["recording", "channel", "code", "action", "value", "expected", "message"]
    shown = gone[columns].head(200)
    blocks: list[Block] = [
        *outcomes,
        Text(
            f"{plural(len(rows), 'finding')} on {plural(rows['recording'].nunique(), 'recording')}. Every input ends "
            "as used, used with findings, skipped or rejected; nothing is dropped silently."
        ),
        table_of("findings", "Findings by code", by_code, decimals=0),
    ]
    if len(shown):
        caption = f"What was skipped or rejected, one by one ({len(shown)} of {len(gone)} shown)"
        blocks.append(table_of("left-out", caption, shown, folded=len(shown) > 12))
    return Chapter(Section("findings", "Findings", blocks), {"findings": rows, "findings-by-code": by_code})


def findings_by_code(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a (code, severity, action): findings, recordings, seconds affected, meaning in words."""
    grouped = rows.groupby(["code", "severity", "action"], sort=True, observed=True)
    frame = grouped.agg(
        findings=("message", "size"), recordings=("recording", "nunique"), seconds=("seconds_affected", "sum")
    ).reset_index()
    frame["meaning"] = frame["code"].map(lambda code: CODES.get(str(code), ""))
    return frame


def _splits(frame: pd.DataFrame) -> list[str]:
    found = set(frame["split"])
    return [split for split in SPLITS if split in found] + sorted(found - set(SPLITS))
