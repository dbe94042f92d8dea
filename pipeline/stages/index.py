"""Index one shard: what each EDF's header says, and the seizures of its annotation files.

In: a manifest and the corpus folder. Out: `recordings` and `seizures` (Parquet), and what was found on the way. A file
that cannot be used is left out with a finding (faults.md, section 1); with --strict the first finding stops the stage.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.corpora.records import Event, RecordingFiles, path_to_text
from pipeline.corpora.shards import read_manifest, recordings_of
from pipeline.findings import COLUMN_TYPES, CorpusError, Findings, Rejected, refuse_first
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.corpora import IndexSettings
from pipeline.signals.channels import electrodes_of_labels
from pipeline.signals.edf_annotations import stretches
from pipeline.signals.edf_header import EdfHeader, read_header, reject
from pipeline.stages.command import StageError, parser, run, start
from pipeline.store import write_rows

RECORDINGS = {
    "corpus": "string", "recording": "string", "patient": "string", "session": "string", "split": "string",
    "montage": "string", "path": "string", "duration_s": "float64", "rate_hz": "float64", "n_signals": "int64",
    "labels": "object", "labelled": "bool", "synthetic": "bool",
}  # fmt: skip
SEIZURES = {
    "recording": "string", "channel": "string", "onset_s": "float64", "offset_s": "float64", "code": "string",
    "confidence": "float64",
}  # fmt: skip


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    index: IndexSettings


def main() -> None:
    """Read the manifest, index each recording, write the three tables."""
    options = parser(__doc__)
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--root", type=Path, required=True)
    options.add_argument("--recordings", type=Path, required=True)
    options.add_argument("--seizures", type=Path, required=True)
    options.add_argument("--findings", type=Path, required=True)
    options.add_argument("--strict", action="store_true", help="stop at the first repair or rejection (signals.strict)")
    arguments = options.parse_args()
    logger = start(arguments, heads=True)
    settings = parse_settings(Settings, arguments.settings).index
    findings = Findings(corpus=settings.corpus)
    try:
        listed = recordings_of(read_manifest(arguments.manifest))
    except CorpusError as error:
        raise StageError(str(error)) from None
    recordings, seizures = index(arguments.root, listed, settings, findings)
    if arguments.strict:
        refuse_first(findings)
    write_rows(arguments.recordings, recordings, RECORDINGS)
    write_rows(arguments.seizures, seizures, SEIZURES)
    write_rows(arguments.findings, findings.to_rows(), COLUMN_TYPES)
    logger.info("%d of %d recordings indexed, %d events", len(recordings), len(listed), len(seizures))


def index(
    root: Path, listed: list[RecordingFiles], settings: IndexSettings, findings: Findings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `recordings` and of `seizures` for those recordings that can be used."""
    read_events = load_plugin("corpora", settings.reader).read_events
    recordings: list[dict[str, Any]] = []
    seizures: list[dict[str, Any]] = []
    for files in listed:
        own = findings.for_recording(files.recording)
        try:
            header = read_header(root / files.edf, own)
            duration_s = _duration(header)
            events = read_events(root, files, duration_s, own)
        except Rejected as rejected:
            own.extend([rejected.finding])
            continue
        except OSError as error:  # an annotation that cannot be read: whether there was a seizure is unknown
            message = f"{files.edf}: {error.strerror or error}: {Path(error.filename or files.edf).name}"
            own.add("file_unreadable", message, severity="error", action="skip")
            continue
        recordings.append(_recording_row(settings.corpus, files, header, duration_s, labelled=events is not None))
        seizures += [_seizure_row(files.recording, event) for event in events or []]
    return recordings, seizures


def _duration(header: EdfHeader) -> float:
    """Seconds from the first to the last sample, gaps included (their finding is made by `ingest`).

    Raises Rejected for a file that holds nothing but annotations: they have no duration.
    """
    if all(signal.is_annotation for signal in header.signals):
        raise reject("not_eeg", f"{header.path.name}: annotations only, no signal")
    last = stretches(header, Findings())[-1]
    return last.start_s + float((last.stop - last.first) * header.record_s)


def _recording_row(
    corpus: str, files: RecordingFiles, header: EdfHeader, duration_s: float, *, labelled: bool
) -> dict[str, Any]:
    signals = [signal for signal in header.signals if not signal.is_annotation]
    named = electrodes_of_labels([signal.label for signal in signals])
    electrodes = [signal for signal, electrode in zip(signals, named, strict=True) if electrode] or signals
    per_record = Counter(signal.samples_per_record for signal in electrodes).most_common(1)
    return {
        "corpus": corpus,
        "recording": files.recording,
        "patient": files.patient,
        "session": files.session,
        "split": files.split,
        "montage": files.montage,
        "path": path_to_text(files.edf),
        "duration_s": duration_s,
        "rate_hz": float(per_record[0][0] / header.record_s) if per_record and header.record_s > 0 else 0.0,
        "n_signals": len(signals),
        "labels": [signal.label for signal in signals],
        "labelled": labelled,
        "synthetic": header.synthetic,
    }


def _seizure_row(recording: str, event: Event) -> dict[str, Any]:
    return {
        "recording": recording,
        "channel": event.channel,
        "onset_s": event.onset_s,
        "offset_s": event.offset_s,
        "code": event.code,
        "confidence": event.confidence,
    }


if __name__ == "__main__":
    run(main)
