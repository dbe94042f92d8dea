"""From found recordings to shards: each patient's split, the dealing, and the manifest of each shard.

A patient's split is a function of the patient alone, so that a new recording moves nobody else. Standard library only
(and the light settings): this runs while Snakemake parses.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath

from pipeline.corpora.records import ManifestRow, RecordingFiles
from pipeline.findings import CorpusError, Findings
from pipeline.settings.corpora import SplitSettings
from pipeline.store import replacing

SPLITS = ("train", "validation", "test")  # of a patient in several, the first wins (formats.md, T02)
MANIFEST_COLUMNS = [field.name for field in fields(ManifestRow)]
_NUMBER = re.compile(r"[0-9]{1,20}")
_UNSAFE = ("\t", "\n", "\r", "\0")


def stable_share(*parts: object) -> float:
    """A number in [0, 1) from the parts' text alone: equal in every process, on every machine."""
    text = "|".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big") / 2**56


def shard_of(patient: str, split: str, shards: Mapping[str, int]) -> str:
    """The shard of a patient, e.g. `train-03`: split and stable hash of the patient."""
    width = max(2, len(str(shards[split] - 1)))
    return f"{split}-{int(stable_share('shard', patient) * shards[split]):0{width}d}"


def deal(
    recordings: Sequence[RecordingFiles], splits: SplitSettings, shards: Mapping[str, int], corpus: str
) -> tuple[dict[str, list[RecordingFiles]], Findings]:
    """Deal recordings into shards by (split, stable hash of patient); a shard that nobody falls into is left out.

    The recordings come back with `split` set. A patient whom the corpus puts on both sides stays in training and is
    dropped from the test side (T02); one whom a list of splits does not name is left out. Each recording that is left
    out is a finding with the patient as `value` and the split that the patient was kept in as `expected`.
    Raises CorpusError where a split cannot be told.
    """
    findings = Findings(corpus=corpus)
    chosen = patient_splits(recordings, splits)
    dealt: dict[str, list[RecordingFiles]] = {}
    for files in sorted(recordings, key=lambda files: files.recording):
        split, patient, own = chosen.get(files.patient), files.patient, findings.for_recording(files.recording)
        if split is None:
            message = f"{files.edf}: patient {patient} is not in {splits.file}; left out. Add a line to use it"
            own.add("split_missing", message, action="skip", value=patient)
            continue
        if splits.source == "official" and not _official_side_kept(files, split, splits):
            message = f"{files.edf}: patient {patient} is also in {split}, and kept there; this recording is left out"
            own.add("patient_in_two_splits", message, action="skip", value=patient, expected=split)
            continue
        name = shard_of(files.patient, split, shards)
        dealt.setdefault(name, []).append(replace(files, split=split))
    return dict(sorted(dealt.items(), key=lambda item: (SPLITS.index(item[0].rsplit("-", 1)[0]), item[0]))), findings


def patient_splits(recordings: Sequence[RecordingFiles], splits: SplitSettings) -> dict[str, str]:
    """The split of every patient; those that no split list names are absent."""
    patients = sorted({files.patient for files in recordings})
    if splits.source == "file":
        listed = _read_split_file(splits.file)
        return {patient: listed[patient] for patient in patients if patient in listed}
    if splits.source == "hash":
        return {patient: _split_by_hash(patient, splits, splits.test_share) for patient in patients}
    chosen = _official_splits(recordings, splits)
    return {
        patient: _split_by_hash(patient, splits, 0.0) if split == "train" else split
        for patient, split in chosen.items()
    }


def _split_by_hash(patient: str, splits: SplitSettings, test_share: float) -> str:
    share = stable_share("split", splits.seed, patient)
    if share < test_share:
        return "test"
    return "validation" if share < test_share + splits.validation_share else "train"


def _official_splits(recordings: Sequence[RecordingFiles], splits: SplitSettings) -> dict[str, str]:
    """Of a patient in several, the first of SPLITS: training before validation before test (T02)."""
    sides: dict[str, set[str]] = {}
    for files in recordings:
        if files.official not in splits.official:
            known = ", ".join(sorted(splits.official))
            raise CorpusError(
                f"{files.edf}: the corpus puts it in {files.official or 'no split folder'!r}, and splits.official "
                f"knows {known}; add it there, or set splits.source: hash or file"
            )
        sides.setdefault(files.patient, set()).add(splits.official[files.official])
    return {patient: min(found, key=SPLITS.index) for patient, found in sides.items()}


def _official_side_kept(files: RecordingFiles, split: str, splits: SplitSettings) -> bool:
    """Whether this recording lies on the side that its patient was kept on."""
    side = splits.official[files.official]
    return side == split or (side == "train" and split == "validation")


def _read_split_file(path: str | None) -> dict[str, str]:
    if path is None:
        raise CorpusError("splits.source: file needs splits.file, a TSV with the columns patient, split")
    rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not rows or [name.strip() for name in rows[0][:2]] != ["patient", "split"]:
        raise CorpusError(f"{path}: the first line must be: patient<TAB>split")
    listed: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        patient, split = (cell.strip() for cell in (*row, "")[:2])
        if split not in SPLITS or listed.get(patient, split) != split:
            raise CorpusError(f"{path}, row {number}: {patient!r} {split!r}; needs one of {', '.join(SPLITS)}")
        listed[patient] = split
    return listed


def manifest_rows(root: Path | str, recordings: Sequence[RecordingFiles]) -> list[ManifestRow]:
    """One row for every file of the recordings, with its size and time."""
    rows = []
    for files in recordings:
        for role, path in [("edf", files.edf), *(("annotation", path) for path in files.annotations)]:
            size, mtime_ns = _size_and_time(Path(root) / path)
            row = ManifestRow(
                recording=files.recording,
                patient=files.patient,
                session=files.session,
                split=files.split,
                montage=files.montage,
                role=role,
                path=path,
                size=size,
                mtime_ns=mtime_ns,
            )
            rows.append(row)
    return rows


def _size_and_time(path: Path) -> tuple[int, int]:
    """Both zero for a link that leads nowhere (data sets under git-annex have many): `index` then reports the file."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def write_manifest(path: Path | str, files: Sequence[ManifestRow]) -> bool:
    """Write a shard's manifest (TSV). The file is left alone where nothing changed; returns whether it was written."""
    lines = ["\t".join(MANIFEST_COLUMNS)]
    for row in files:
        cells = [str(getattr(row, name)) for name in MANIFEST_COLUMNS]
        if any(mark in cell for cell in cells for mark in _UNSAFE):
            raise CorpusError(f"{row.path!r}: a name with a tab or a line break cannot be listed; rename the file")
        lines.append("\t".join(cells))
    content = os.fsencode("\n".join(lines) + "\n")  # paths as the bytes that they are, whatever the locale
    target = Path(path)
    if target.exists() and target.read_bytes() == content:
        return False
    with replacing(target) as temporary:
        temporary.write_bytes(content)
    return True


def read_manifest(path: Path | str) -> list[ManifestRow]:
    """Read a manifest; a path that would leave the corpus root is an error."""
    text = os.fsdecode(Path(path).read_bytes())
    head, *lines = text.rstrip("\n").split("\n")
    if head.split("\t") != MANIFEST_COLUMNS:
        raise CorpusError(f"{path}: the first line must be {' '.join(MANIFEST_COLUMNS)}")
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(MANIFEST_COLUMNS) or not all(map(_NUMBER.fullmatch, cells[-2:])):
            raise CorpusError(f"{path}, row {number}: {line[:80]!r} is no row of a manifest; delete the file")
        values: dict[str, str | int] = dict(zip(MANIFEST_COLUMNS, cells, strict=True))
        row = ManifestRow(**{**values, "size": int(cells[-2]), "mtime_ns": int(cells[-1])})  # type: ignore[arg-type]
        inside = PurePosixPath(row.path)
        if inside.is_absolute() or ".." in inside.parts or "\0" in row.path:
            raise CorpusError(f"{path}, row {number}: {row.path[:80]!r} leaves the corpus folder, or is no path")
        rows.append(row)
    return rows


def recordings_of(rows: Sequence[ManifestRow]) -> list[RecordingFiles]:
    """The recordings that a manifest lists, each with its files."""
    grouped: dict[str, list[ManifestRow]] = {}
    for row in rows:
        grouped.setdefault(row.recording, []).append(row)
    found = []
    for recording, own in grouped.items():
        edfs = [row for row in own if row.role == "edf"]
        if not edfs:
            raise CorpusError(f"recording {recording}: no EDF in the manifest; delete the manifest and run again")
        if len(edfs) > 1:
            paths = " and ".join(row.path for row in edfs)
            raise CorpusError(f"{paths}: EDFs of one id, {recording}; rename one, or move it away")
        annotations = tuple(row.path for row in own if row.role == "annotation")
        row = edfs[0]
        found.append(
            RecordingFiles(
                recording=recording,
                patient=row.patient,
                session=row.session,
                split=row.split,
                montage=row.montage,
                edf=row.path,
                annotations=annotations,
            )
        )
    return found
