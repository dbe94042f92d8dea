"""iEEG-BIDS: intracranial recordings with their side files (spec soz.md, section 8; docs/soz.md).

`sub-<label>/[ses-<label>/]ieeg/<entities>_ieeg.edf`; side files are paired by name, with the inheritance of BIDS. What
channels.tsv, electrodes.tsv and participants.tsv say is read by the stage `soz_index`, by an adapter for each corpus.
"""

from pathlib import Path

from pipeline.corpora.ieeg.events import COMMON, read_seizures
from pipeline.corpora.ieeg.sidecars import SideFileError
from pipeline.corpora.ieeg.tree import find_recordings, side_files
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.findings import CorpusError, Finding, Findings, Rejected

VERSIONS = ("auto",)
FILE_NAMES = "needed"  # codes, by which side files and tasks are found: docs/privacy.md
INTRACRANIAL = True  # what comes out are contacts: the SOZ arm reads them, scalp models do not


def find(root: Path | str, version: str) -> list[RecordingFiles]:
    """The iEEG recordings below `root`, by name only; no file is opened.

    The folders derivatives, sourcedata and code, and other kinds of data (eeg, meg …), are not entered. Raises
    CorpusError for an iEEG file that fits no BIDS name or is no EDF: it would else be lost in silence.
    """
    if version not in VERSIONS:
        raise CorpusError(f"version {version!r} of an iEEG-BIDS corpus; known is {', '.join(VERSIONS)}")
    return find_recordings(Path(root))


def read_events(root: Path | str, files: RecordingFiles, duration_s: float, findings: Findings) -> list[Event] | None:
    """Seizures of a recording by the usual texts (`sz onset`, `sz offset`); None, with a finding, without a table.

    Raises Rejected (`side_file_invalid`) for a table that cannot be read.
    """
    tables = side_files(files, "events.tsv")
    if not tables:
        findings.add("annotation_missing", f"{files.edf}: no events.tsv; used without labels", action="note")
        return None
    try:
        return read_seizures(Path(root, tables[-1]), COMMON, duration_s, findings)
    except SideFileError as problem:
        row = Finding(code="side_file_invalid", severity="error", action="error", message=f"{problem}; correct it")
        raise Rejected(row) from None
