"""Ingest one shard: clean signals of each recording, in microvolts, at one rate, in segments without gaps.

In: the tables of `index` and the EDFs. Out: the signal store, the segments with the digest of their samples, and what
was repaired, skipped or rejected. Streams block by block; memory does not grow with the length of a recording.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from pipeline.corpora.records import text_to_path
from pipeline.findings import Findings, Rejected, refuse_first
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.signals import ChannelSettings, SignalCompat, SignalSettings
from pipeline.signals.channels import derivation_of, electrodes_of_labels
from pipeline.signals.montages import derivations_of
from pipeline.signals.recording import CleanRecording, CleanSegment, open_recording
from pipeline.stages.command import parser, run, start
from pipeline.store import read_table, write_table, writing_store

SEGMENTS = {
    "recording": "string", "patient": "string", "session": "string", "split": "string", "segment": "string",
    "start_s": "float64", "duration_s": "float64", "n_samples": "int64", "rate_hz": "float64", "digest": "string",
    "derivations": "object", "labelled": "bool",
}  # fmt: skip


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    corpus: str
    channels: ChannelSettings
    signals: SignalSettings
    compat: SignalCompat


def main() -> None:
    """Read the index, stream each recording into the store, write the tables."""
    options = parser(__doc__)
    options.add_argument("--recordings", type=Path, required=True)
    options.add_argument("--seizures", type=Path, required=True)
    options.add_argument("--root", type=Path, required=True)
    options.add_argument("--signals", type=Path, required=True)
    options.add_argument("--segments", type=Path, required=True)
    options.add_argument("--findings", type=Path, required=True)
    arguments = options.parse_args()
    logger = start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    findings = Findings(corpus=settings.corpus)
    recordings = read_table(arguments.recordings)
    with writing_store(arguments.signals, {"electrodes": list(settings.channels.nodes)}) as store:
        segments = ingest(arguments.root, recordings, settings, findings, store, logger)
    write_table(arguments.segments, pd.DataFrame(segments, columns=list(SEGMENTS)).astype(SEGMENTS))
    write_table(arguments.findings, findings.to_frame())
    logger.info("%d recordings, %d usable segments", len(recordings), len(segments))


def ingest(
    root: Path,
    recordings: pd.DataFrame,
    settings: Settings,
    findings: Findings,
    store: zarr.Group,
    logger: logging.Logger,
) -> list[dict[str, Any]]:
    """Fill the store; return the rows of `segments`. A recording that cannot be used leaves a finding instead."""
    rows: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = recordings.to_dict("records")  # type: ignore[assignment]
    for number, entry in enumerate(entries, start=1):
        own = findings.for_recording(entry["recording"])
        try:
            recording = open_recording(
                root / text_to_path(entry["path"]),
                channels=settings.channels,
                signals=settings.signals,
                compat=settings.compat,
                findings=own,
            )
            made = [_segment(store, entry, recording, segment) for segment in recording.segments]
        except Rejected as rejected:
            own.extend([rejected.finding])
            if entry["recording"] in store:  # the file ended while it was read
                del store[entry["recording"]]
            logger.info("%d/%d %s", number, len(recordings), rejected)
        else:
            rows += made
            logger.info("%d/%d %s: %.0f s", number, len(recordings), entry["recording"], entry["duration_s"])
        if settings.signals.strict:
            refuse_first(findings)
    return rows


def _segment(
    store: zarr.Group, entry: dict[str, Any], recording: CleanRecording, segment: CleanSegment
) -> dict[str, Any]:  # fmt: skip
    """Stream one segment into the store; its row of `segments`."""
    shape = (len(recording.electrodes), segment.n_samples)
    array = store.create_array(
        f"{entry['recording']}/{segment.name}",
        shape=shape,
        chunks=(shape[0], recording.block_samples(segment)),
        dtype="float32",
        compressors=None,
    )
    digest = SampleDigest(shape[0])
    for first, block in recording.blocks(segment):
        array[:, first : first + block.shape[1]] = block
        digest.update(block)
    rate_hz = recording.settings.rate_hz
    electrodes = {electrode for electrode in electrodes_of_labels(list(entry["labels"])) if electrode}
    recorded = frozenset(frozenset(pair) for label in entry["labels"] if (pair := derivation_of(label)))
    return {
        **{name: entry[name] for name in ("recording", "patient", "session", "split", "labelled")},
        "segment": segment.name,
        "start_s": segment.start_s,
        "duration_s": segment.n_samples / rate_hz,
        "n_samples": segment.n_samples,
        "rate_hz": rate_hz,
        "digest": digest.hexdigest(),
        "derivations": list(derivations_of(entry["montage"], electrodes, recorded)),
    }


class SampleDigest:
    """Digest of samples (n, s) that come in blocks; the same however they are cut into blocks (T46)."""

    def __init__(self, n: int) -> None:
        self._rows = [hashlib.blake2b(digest_size=16) for _ in range(n)]

    def update(self, block: np.ndarray) -> None:
        """Take in the next samples (n, s)."""
        for row, samples in zip(self._rows, block, strict=True):
            row.update(np.ascontiguousarray(samples).data)

    def hexdigest(self) -> str:
        """The digest of all samples so far, 32 characters."""
        return hashlib.blake2b(b"".join(row.digest() for row in self._rows), digest_size=16).hexdigest()


if __name__ == "__main__":
    run(main)
