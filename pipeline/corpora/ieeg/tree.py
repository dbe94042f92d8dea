"""Names of an iEEG-BIDS tree: recordings, and the side files that belong to each by the inheritance of BIDS.

A side file belongs to a recording where its entities are among the recording's, in the recording's folder or in one
above; the nearest counts, and of JSON files all do, the nearest last. Standard library only: runs at parse time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.corpora._tree import folders, safe_name
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import CorpusError

DATATYPE = "ieeg"
PARTICIPANTS = "participants.tsv"
READMES = ("README", "README.md", "README.txt", "README.rst")
_ASIDE = ("derivatives", "sourcedata", "code")  # of BIDS, beside the recordings
_OTHER_FORMAT = re.compile(r".*_ieeg\.(?:vhdr|eeg|nwb|set|mefd|bdf|edf\.gz)", re.IGNORECASE)
_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9+]+)")
_SIDES = ("channels.tsv", "events.tsv", "ieeg.json", "electrodes.tsv", "coordsystem.json")
_NEAREST = ("channels.tsv", "events.tsv")  # one of these counts; of the others, all that belong

Listing = Mapping[tuple[str, ...], set[str]]


@dataclass(frozen=True, kw_only=True)
class BidsName:
    """A file name taken apart: `sub-01_task-x_run-02_ieeg.edf` has three entities and the ending `ieeg.edf`."""

    entities: Mapping[str, str]
    ending: str

    @property
    def run(self) -> tuple[int, str]:
        """By which runs are ordered: number, text; a file without a run is the first."""
        text = self.entities.get("run", "")
        return (int(text) if text.isascii() and text.isdigit() else 0, text)


def bids_name(path: str) -> BidsName | None:
    """The name of the file `path` taken apart; None where it is no name of BIDS, or has an entity twice."""
    *entities, ending = PurePosixPath(path).name.split("_")
    found = [_ENTITY.fullmatch(entity) for entity in entities]
    if "." not in ending or any(one is None for one in found):
        return None
    pairs = [(one[1], one[2]) for one in found if one is not None]
    return BidsName(entities=dict(pairs), ending=ending) if len(dict(pairs)) == len(pairs) else None


def find_recordings(root: Path) -> list[RecordingFiles]:
    """The iEEG recordings below `root`, by name only.

    Raises CorpusError for an iEEG file that fits no BIDS name or is no EDF: it would else be lost in silence.
    """
    listing = {folder: names for folder, names in folders(root) if not folder or folder[0] not in _ASIDE}
    edfs = []
    for folder, names in listing.items():
        for name in sorted(names) if DATATYPE in folder[-1:] or not folder else ():
            if _OTHER_FORMAT.fullmatch(name):
                raise CorpusError(f"{'/'.join((*folder, name))}: only EDF is read; convert it, or move it away")
            if name.lower().endswith(".edf"):
                edfs.append("/".join((*folder, name)))
    return recordings(edfs, listing)


def find_listed(root: Path, edfs: Sequence[str]) -> list[RecordingFiles]:
    """The recordings of a list of EDF paths (POSIX, from `root`), whose side files alone are there."""
    return recordings(edfs, dict(folders(root)))


def recordings(edfs: Sequence[str], listing: Listing) -> list[RecordingFiles]:
    """A recording for every EDF with its side files among `listing` (folder -> names)."""
    parsed = {
        folder: {name: found for name in names if name.endswith(_SIDES) and (found := bids_name(name)) is not None}
        for folder, names in listing.items()
    }
    top = [name for name in (PARTICIPANTS, *READMES) if name in listing.get((), set())]
    return sorted((_recording(path, parsed, top) for path in edfs), key=lambda files: files.recording)


def _recording(path: str, parsed: Mapping[tuple[str, ...], dict[str, BidsName]], top: list[str]) -> RecordingFiles:
    *folder, name = path.split("/")
    own = bids_name(name)
    if own is None or own.ending.lower() != "ieeg.edf" or not {"sub", "task"} <= set(own.entities):
        raise CorpusError(f"{path}: no BIDS name (sub-…_task-…_ieeg.edf); rename it, or move it away")
    patient, session = own.entities["sub"], own.entities.get("ses", "")
    expected = [f"sub-{patient}", *([f"ses-{session}"] if session else []), DATATYPE]
    if folder != expected:
        raise CorpusError(f"{path}: belongs into {'/'.join(expected)}; move it there")
    stem = name[: -len("_ieeg.edf")]
    sides = [side for ending in _SIDES for side in _belonging(tuple(folder), own, ending, parsed)]
    return RecordingFiles(
        recording=safe_name(stem, path),
        patient=safe_name(patient, patient),
        session=safe_name(session, session),
        montage="",
        edf=path,
        annotations=(*sides, *top),
    )


def _belonging(
    folder: tuple[str, ...], own: BidsName, ending: str, parsed: Mapping[tuple[str, ...], dict[str, BidsName]]
) -> list[str]:
    """Paths of the side files of one kind that belong to a recording, the most general first."""
    found = []
    for depth in range(len(folder) + 1):
        level = folder[:depth]
        inside = [
            (len(one.entities), "/".join((*level, name)))
            for name, one in parsed.get(level, {}).items()
            if one.ending == ending and _covers(one, own)
        ]
        found += [path for _, path in sorted(inside)]
    return found[-1:] if ending in _NEAREST else found


def _covers(side: BidsName, own: BidsName) -> bool:
    """Whether a side file's entities are among the recording's; `space` is a matter of coordinates alone."""
    return all(own.entities.get(key) == value for key, value in side.entities.items() if key != "space")


def side_files(files: RecordingFiles, ending: str) -> list[str]:
    """Paths of a recording's side files of one kind (`channels.tsv`), the most general first."""
    return [path for path in files.annotations if path.endswith(f"_{ending}") or path == ending]
