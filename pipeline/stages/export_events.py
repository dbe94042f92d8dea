"""Write seizures as a BIDS tree of SzCORE event files, for scorers and converters of the field. Run by hand.

    python -m pipeline.stages.export_events --index results/<corpus>/index --out DIR
    python -m pipeline.stages.export_events --index … --out DIR --hypotheses FILE.tsv --shortest-s 1

In: the tables of `index` (every shard of the folder). Out: `sub-*/ses-*/eeg/*_events.tsv` (a BIDS corpus keeps its own
names), `events.json`, `dataset_description.json`, and `recordings.tsv`, which says whose file is whose.

With --hypotheses the events are those of a table with the columns recording, onset, duration and, if known, eventType,
confidence, channels and recordingDuration (over a second off is an error): a detector's output, clipped to the
recording. What is clipped or united, and a recording that no line names (it gets a row of background), stand in the
log.
Recordings without labels have no reference, and no file. See docs/corpora.md.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.corpora._bids_tree import description, event_paths, sidecar
from pipeline.corpora._event_rules import DISAGREE_S, Row, seizures, settle_types, to_events, whole_recording
from pipeline.corpora._events_tsv import (
    LEAST_S,
    EventTableError,
    event_rows,
    listed_code,
    read_table,
    row_duration,
    write_events,
)
from pipeline.corpora.records import WHOLE_RECORDING, Event
from pipeline.findings import Findings
from pipeline.stages.command import StageError, run, start
from pipeline.store import read_tables, replacing, write_tsv


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--index", type=Path, required=True, metavar="DIR", help="folder with the tables of the stage index")
    add("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    add(
        "--hypotheses", type=Path, default=None, metavar="TSV", help="write these events rather than the annotated ones"
    )
    add(
        "--shortest-s",
        type=float,
        default=0.0,
        help="lengthen shorter events to this: scorers at 1 Hz lose them; 0: no",
    )
    add("--log", type=Path, default=None, help="also write the log to this file")
    return parser


def main() -> None:
    """Read the tables, choose the events, write the tree."""
    arguments = options().parse_args()
    logger = start(arguments)
    if not 0.0 <= arguments.shortest_s < float("inf"):
        raise StageError(f"--shortest-s {arguments.shortest_s}: give seconds, 0 or more")
    _check_paths(arguments.out, arguments.hypotheses)
    recordings = _tables(arguments.index, "recordings")
    if arguments.hypotheses is None:
        chosen = annotated(recordings, _tables(arguments.index, "seizures"))
    else:
        chosen = hypothesised(arguments.hypotheses, recordings, logger)
    n_events = write_tree(arguments.out, recordings, chosen, shortest_s=arguments.shortest_s)
    unlabelled = len(recordings) - len(chosen)
    logger.info("%d files, %d events; %d recordings without labels have no file", len(chosen), n_events, unlabelled)


def _check_paths(out: Path, hypotheses: Path | None) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StageError(f"--out {out} is a file or not empty; give a new folder")
    if hypotheses is not None and not hypotheses.is_file():
        raise StageError(f"--hypotheses {hypotheses}: no such file; give a TSV with recording, onset, duration")


def _tables(folder: Path, kind: str) -> pd.DataFrame:
    found = sorted(folder.glob(f"*.{kind}.parquet"))
    if not found:
        raise StageError(f"--index {folder}: no *.{kind}.parquet; build the corpus's index first")
    return read_tables(found)


def annotated(recordings: pd.DataFrame, found: pd.DataFrame) -> dict[str, list[Event]]:
    """The indexed events of each labelled recording."""
    chosen: dict[str, list[Event]] = {str(name): [] for name in recordings.loc[recordings["labelled"], "recording"]}
    columns = ["recording", "onset_s", "offset_s", "code", "channel", "confidence"]
    for recording, *values in found[columns].itertuples(index=False):
        onset_s, offset_s, code, channel, confidence = values
        event = Event(onset_s=onset_s, offset_s=offset_s, code=code, channel=channel, confidence=confidence)
        chosen[recording].append(event)
    return {recording: _with_whole(events) for recording, events in chosen.items()}


def _with_whole(events: list[Event]) -> list[Event]:
    """The events, and their union where only channels have some."""
    if any(event.channel == WHOLE_RECORDING for event in events):
        return events
    rows = [
        Row(start_s=e.onset_s, stop_s=e.offset_s, label=e.code, place="", channel=e.channel, confidence=e.confidence)
        for e in events
    ]
    return [*to_events(whole_recording(rows)), *events]


def hypothesised(path: Path, recordings: pd.DataFrame, logger: logging.Logger) -> dict[str, list[Event]]:
    """The events of a table of hypotheses, for every recording of the index; what is repaired is logged.

    Raises StageError naming the line for a row that cannot be read, or that names no recording.
    """
    durations = dict(zip(recordings["recording"], recordings["duration_s"], strict=True))
    try:
        rows = _hypothesis_rows(path, durations, logger)
    except EventTableError as problem:
        raise StageError(f"--hypotheses {problem}") from None
    chosen: dict[str, list[Event]] = {}
    for recording, duration_s in durations.items():
        if recording not in rows:
            logger.warning("%s: no line of %s; written as no seizure", recording, path.name)
        findings = Findings(recording=recording)
        inside = [row for row in (_cut(row, duration_s, logger) for row in rows.get(recording, [])) if row]
        chosen[recording] = to_events(settle_types(seizures(inside, duration_s, findings), findings))
        for finding in findings:
            logger.warning("%s: %s", recording, finding.message)
    return chosen


def _cut(row: Row, duration_s: float, logger: logging.Logger) -> Row | None:
    """The part of a hypothesis inside the recording: a detector may well run over its ends (scoring.md, section 4)."""
    cut = replace(row, start_s=max(row.start_s, 0.0), stop_s=min(row.stop_s, duration_s))
    if cut != row:
        logger.warning("%s: %g-%g s reaches outside %g s; clipped", row.place, row.start_s, row.stop_s, duration_s)
    return cut if cut.stop_s > cut.start_s else None


def _hypothesis_rows(path: Path, durations: dict[str, float], logger: logging.Logger) -> dict[str, list[Row]]:
    table = read_table(path)
    table.require("recording", "onset", "duration")
    rows: dict[str, list[Row]] = {}
    for number, cells in table.lines:
        if cells["recording"] not in durations:
            raise EventTableError(f"{table.name}, line {number}: no recording of the index in the column recording")
        own = event_rows(table, number, {"": "sz", **cells}, listed_code)  # without a column of types: any seizure
        if own[0].stop_s <= own[0].start_s:
            raise EventTableError(f"{table.name}, line {number}: a duration of zero or less")
        _check_length(row_duration(table, number, cells), durations[cells["recording"]], own[0].place, logger)
        rows.setdefault(cells["recording"], []).extend(own)
    return rows


def _check_length(stated_s: float | None, duration_s: float, place: str, logger: logging.Logger) -> None:
    """The length that a hypothesis states for its recording: within a second it is aligned, else it is an error."""
    off_s = 0.0 if stated_s is None else abs(stated_s - duration_s)
    told = f"{place}: recordingDuration {stated_s} s, the recording has {duration_s:.2f} s"
    if off_s > DISAGREE_S:
        raise EventTableError(f"{told}; give the events of this recording")
    if off_s > LEAST_S:
        logger.warning("%s; aligned to the recording", told)


def write_tree(
    folder: Path, recordings: pd.DataFrame, chosen: dict[str, list[Event]], *, shortest_s: float
) -> int:  # fmt: skip
    """Write every file of the tree; returns the number of events."""
    rows = recordings[recordings["recording"].isin(list(chosen))].fillna({"session": ""})
    paths = event_paths(rows[["recording", "patient", "session", "path"]].itertuples(index=False, name=None))
    for recording, duration_s in zip(rows["recording"], rows["duration_s"], strict=True):
        write_events(folder / paths[recording], chosen[recording], duration_s, shortest_s=shortest_s)
    corpora, synthetic = sorted(set(recordings["corpus"])), bool(recordings["synthetic"].any())
    _write_json(folder / "events.json", sidecar())
    _write_json(folder / "dataset_description.json", description(", ".join(corpora), synthetic=synthetic))
    listed = sorted((path, recording) for recording, path in paths.items())
    write_tsv(folder / "recordings.tsv", pd.DataFrame(listed, columns=["events", "recording"]))
    _write_text(folder / ".bidsignore", "recordings.tsv\n")
    return sum(_n_whole(events) for events in chosen.values())


def _n_whole(events: Sequence[Event]) -> int:
    return sum(event.channel == WHOLE_RECORDING for event in events)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """JSON as BIDS has it: no key of ours in it."""
    _write_text(path, json.dumps(content, indent=1) + "\n")


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
