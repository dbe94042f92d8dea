"""Ingest one shard of intracranial recordings: the used contacts, in microvolts, at one rate, in canonical order.

In: the tables of `soz_index` and the EDFs. Out: the signal store, the segments with the digest of their samples, and
what was repaired, skipped or rejected (spec soz.md, sections 2 and 8). Contacts are found by their row in the EDF,
which `soz_index` has matched by name. Streams block by block; memory does not grow with the length of a recording.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from pipeline.corpora.records import text_to_path
from pipeline.features._soz_montage import flat_rows
from pipeline.findings import Findings, Rejected, refuse_first
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.soz_data import SozReading
from pipeline.signals.contacts import open_contacts
from pipeline.signals.recording import CleanRecording, CleanSegment
from pipeline.stages.command import parser, run, start
from pipeline.stages.ingest import SEGMENTS, SampleDigest
from pipeline.store import read_table, write_table, writing_store

SOZ_SEGMENTS = {**SEGMENTS, "n_channels": "int64"}


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str
    reading: SozReading


def main() -> None:
    """Read the index, stream each recording into the store, write the tables."""
    options = parser(__doc__)
    for name in ("recordings", "contacts", "root", "signals", "segments", "findings"):
        options.add_argument(f"--{name}", type=Path, required=True)
    options.add_argument("--strict", action="store_true", help="stop at the first repair or skip (signals.strict)")
    arguments = options.parse_args()
    logger = start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    findings = Findings(corpus=settings.corpus)
    recordings, contacts = read_table(arguments.recordings), read_table(arguments.contacts)
    with writing_store(arguments.signals) as store:
        segments = ingest(
            arguments.root, recordings, contacts, settings, findings, store, logger, strict=arguments.strict
        )
    write_table(arguments.segments, pd.DataFrame(segments, columns=list(SOZ_SEGMENTS)).astype(SOZ_SEGMENTS))
    write_table(arguments.findings, findings.to_frame())
    logger.info("%d recordings, %d usable segments", len(recordings), len(segments))


def ingest(
    root: Path,
    recordings: pd.DataFrame,
    contacts: pd.DataFrame,
    settings: Settings,
    findings: Findings,
    store: zarr.Group,
    logger: logging.Logger,
    *,
    strict: bool = False,
) -> list[dict[str, Any]]:
    """Fill the store; return the rows of `segments`. A recording that cannot be used leaves a finding instead.

    Raises StrictError, with `strict`, at the first finding that is no note.
    """
    rows: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = recordings.to_dict("records")  # type: ignore[assignment]
    used = contacts[contacts["used"]].sort_values("order", kind="stable")
    for number, entry in enumerate(entries, start=1):
        own = findings.for_recording(entry["recording"])
        mine = used[used["recording"] == entry["recording"]]
        wanted = {str(name): int(row) for name, row in zip(mine["channel"], mine["edf_row"], strict=True)}
        try:
            recording = open_contacts(
                root / text_to_path(entry["path"]), wanted, rate_hz=settings.reading.rate_hz,
                block_s=settings.reading.block_s, findings=own,
            )  # fmt: skip
            made = [_segment(store, entry, recording, segment, own) for segment in recording.segments]
        except Rejected as rejected:
            own.extend([rejected.finding])
            if entry["recording"] in store:  # the file ended while it was read
                del store[entry["recording"]]
            logger.info("%d/%d %s", number, len(recordings), rejected)
        else:
            rows += made
            logger.info("%d/%d %s: %.0f s", number, len(recordings), entry["recording"], entry["duration_s"])
        if strict:
            refuse_first(findings)
    return rows


def _segment(
    store: zarr.Group, entry: dict[str, Any], recording: CleanRecording, segment: CleanSegment, findings: Findings
) -> dict[str, Any]:
    """Stream one segment into the store; its row of `segments`. Contacts that are flat all along are a finding."""
    names = recording.electrodes
    shape = (len(names), segment.n_samples)
    array = store.create_array(
        f"{entry['recording']}/{segment.name}",
        shape=shape,
        chunks=(shape[0], recording.block_samples(segment)),
        dtype="float32",
        compressors=None,
        attributes={
            "channels": list(names),
            "start_s": segment.start_s,
            "recorded_hz": [float(recording.sources[name].rate_hz) for name in names],
        },
    )
    digest, low, high = SampleDigest(shape[0]), np.full(shape[0], np.inf), np.full(shape[0], -np.inf)
    for first, block in recording.blocks(segment):
        array[:, first : first + block.shape[1]] = block
        digest.update(block)
        low, high = np.minimum(low, block.min(axis=1)), np.maximum(high, block.max(axis=1))
    for i in np.flatnonzero(flat_rows(np.stack([low, high], axis=1))):
        message = f"{recording.header.path.name}: contact {names[i]} is flat in segment {segment.name}; it is masked"
        findings.add("edf_header", message, action="note", channel=names[i], value="flatline")
    rate_hz = recording.settings.rate_hz
    return {
        **{name: entry[name] for name in ("recording", "patient", "session", "split", "labelled")},
        "segment": segment.name,
        "start_s": segment.start_s,
        "duration_s": segment.n_samples / rate_hz,
        "n_samples": segment.n_samples,
        "rate_hz": rate_hz,
        "digest": digest.hexdigest(),
        "derivations": [],
        "n_channels": shape[0],
    }


if __name__ == "__main__":
    run(main)
