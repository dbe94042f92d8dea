"""Names and side files of a BIDS tree that is written: where the events of a recording go (formats.md, section 12)."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from pipeline.corpora._events_tsv import COLUMNS
from pipeline.corpora._szcore import HED

TASK = "szMonitoring"
SESSION = "01"  # of a recording whose corpus has no sessions
BIDS_VERSION = "1.10.0"
_EEG = re.compile(r"(sub-[A-Za-z0-9+]+/(?:ses-[A-Za-z0-9+]+/)?eeg/sub-[^/]*)_eeg\.edf", re.IGNORECASE)
_ABOUT = {
    "onset": "Seconds from the start of the recording to the start of the event.",
    "duration": "Seconds that the event lasts.",
    "eventType": "Type of the event: bckg where there is no seizure, else a seizure type of SzCORE.",
    "confidence": "Confidence in the event, from 0 to 1.",
    "channels": "Channels on which the event was annotated at some time; n/a: not known.",
    "dateTime": "Start of the recording; n/a: not known, or private.",
    "recordingDuration": "Seconds that the recording lasts.",
}


def event_paths(recordings: Iterable[tuple[str, str, str, str]]) -> dict[str, str]:
    """The path of each recording's events, from (recording, patient, session, path of its EDF).

    The events of a BIDS recording keep its name; others are `sub-<patient>/ses-<session>/eeg/…_run-NN_events.tsv`, runs
    counted from 00 in the order of the recordings' ids.
    """
    found: dict[str, str] = {}
    runs: dict[tuple[str, str], int] = {}
    recordings = sorted(recordings)
    patients = {patient for _, patient, _, _ in recordings}
    for recording, patient, session, edf in recordings:
        if match := _EEG.fullmatch(edf):
            found[recording] = f"{match[1]}_events.tsv"
            continue
        bare = patient.removeprefix("sub-")  # pseudonyms have it
        key = (_label(patient if bare in patients else bare), _label(session) or SESSION)
        run = runs[key] = runs.get(key, -1) + 1
        stem = f"sub-{key[0]}_ses-{key[1]}_task-{TASK}_run-{run:02d}"
        found[recording] = str(PurePosixPath(f"sub-{key[0]}", f"ses-{key[1]}", "eeg", f"{stem}_events.tsv"))
    return found


def _label(text: str) -> str:
    """Letters and digits alone, as BIDS asks; where that loses anything, a digest keeps two ids apart."""
    bare = re.sub(r"[^A-Za-z0-9]", "", text)
    return bare if bare == text else bare + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def sidecar() -> dict[str, object]:
    """`events.json`: what each column means, and the HED tag of every event type."""
    columns: dict[str, dict[str, object]] = {column: {"Description": _ABOUT[column]} for column in COLUMNS}
    columns["onset"]["Units"] = columns["duration"]["Units"] = columns["recordingDuration"]["Units"] = "s"
    columns["eventType"] |= {"Levels": {name: _described(name) for name in HED}, "HED": HED}
    columns["confidence"]["HED"] = "Statistical-uncertainty/#"
    return dict(columns)


def _described(event_type: str) -> str:
    """A level in words, from its HED tag: `Aware-focal-onset-epileptic-seizure` -> `Aware focal onset …`."""
    return HED[event_type].replace("-", " ").lower().capitalize()


def description(corpus: str, *, synthetic: bool) -> dict[str, object]:
    """`dataset_description.json` of a tree of events."""
    name = f"Seizure events of the corpus {corpus}" + (", SYNTHETIC recordings" if synthetic else "")
    return {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Ictograph", "Description": "pipeline.stages.export_events"}],
    }
