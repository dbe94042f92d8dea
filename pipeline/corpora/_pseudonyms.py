"""Pseudonyms in place of patient folders and file names, and the private folder that says which is which.

A name becomes ten consonants by a keyed hash (BLAKE2b) under a secret key: stable while the key lives, and not to be
guessed from a list of names without it. The pipeline then reads the files through links that bear the pseudonyms, so
that no table, message, log or page can repeat what they were called (docs/privacy.md). Standard library only.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline.corpora.records import RecordingFiles
from pipeline.findings import CODES, CorpusError, Finding
from pipeline.store import guarded_cell, replacing

ALPHABET = "bcdfghjklmnpqrstvwxz"  # no vowels: no word, no name, no number can come out by chance
LENGTH = 10  # 43 bits: two of 6,000 names meet once in 500,000 corpora
SHORTEST_KEY = 16
_SESSION = re.compile(r"[A-Za-z]?[0-9]{0,4}")


@dataclass(frozen=True)
class Pseudonyms:
    """Names under one secret key."""

    key: bytes

    def word(self, kind: str, text: str) -> str:
        """Ten letters that stand for `text`; `kind` keeps patients and recordings of one name apart."""
        number = self.number(kind, text)
        letters = []
        for _ in range(LENGTH):
            number, place = divmod(number, len(ALPHABET))
            letters.append(ALPHABET[place])
        return "".join(letters)

    def number(self, kind: str, text: str) -> int:
        """A number of 128 bits that only the key's owner can tell."""
        content = f"{kind}\0{text}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(content, digest_size=16, key=self.key).digest(), "big")

    def patient(self, name: str) -> str:
        """`sub-` and ten letters."""
        return f"sub-{self.word('patient', name)}"

    def recording(self, patient: str, path: str) -> str:
        """The patient's pseudonym, `_rec-` and ten letters of the file's path below the corpus root."""
        return f"{self.patient(patient)}_rec-{self.word('recording', path)}"

    def of(self, files: RecordingFiles) -> RecordingFiles:
        """The same recording under pseudonyms: id, patient and the names of its files, which keep their extensions."""
        recording = self.recording(files.patient, files.edf)
        beside = (f"{recording}_{k}{PurePosixPath(path).suffix.lower()}" for k, path in enumerate(files.annotations))
        return replace(
            files,
            recording=recording,
            patient=self.patient(files.patient),
            session=files.session if _SESSION.fullmatch(files.session) else "",
            edf=f"{recording}.edf",
            annotations=tuple(beside),
        )


def load_key(path: Path | str) -> bytes:
    """The secret key in a file. Raises CorpusError for a file that is not there or too short a key."""
    try:
        text = Path(path).read_bytes().strip()
    except OSError as error:
        raise CorpusError(f"{path}: the key of the pseudonyms cannot be read: {error.strerror}") from None
    return checked_key(text, str(path))


def checked_key(text: bytes, place: str) -> bytes:
    """The key as the hash takes it, whatever its length; one that could be guessed is a CorpusError."""
    if len(text) < SHORTEST_KEY:
        raise CorpusError(f"{place}: a key of {len(text)} characters can be guessed; give at least {SHORTEST_KEY}")
    return hashlib.blake2b(text, digest_size=32).digest()


def made_key(path: Path) -> bytes:
    """The key in `path`; made at random, readable by its owner alone, where there is none yet."""
    private_folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_key(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    return load_key(path)


def private_folder(folder: Path) -> Path:
    """A folder that only its owner can look into."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def link_files(
    root: Path | str, folder: Path, originals: Sequence[RecordingFiles], hidden: Sequence[RecordingFiles]
) -> None:
    """Below `folder` (private) one link for each file, `files/<pseudonym>`, and `names.tsv`, the way back.

    Links that are right are left alone, others are made or removed. Raises CorpusError where two files would share one.
    """
    wanted: dict[str, str] = {}
    for files, other in zip(originals, hidden, strict=True):
        for path, name in zip((files.edf, *files.annotations), (other.edf, *other.annotations), strict=True):
            target = os.path.abspath(os.path.join(root, path))
            if wanted.setdefault(name, target) != target:
                raise CorpusError(f"two files bear the pseudonym {name}; remove {folder / 'key'} for another key")
    links = private_folder(private_folder(folder) / "files")
    for stale in set(os.listdir(links)) - set(wanted):
        (links / stale).unlink()
    for name, target in wanted.items():
        _link(links / name, target)
    _write_names(folder / "names.tsv", originals, hidden)


def _link(link: Path, target: str) -> None:
    if link.is_symlink() and os.readlink(link) == target:
        return
    link.unlink(missing_ok=True)
    os.symlink(target, link)


def _write_names(path: Path, originals: Sequence[RecordingFiles], hidden: Sequence[RecordingFiles]) -> None:
    """recording, patient, and what they were: the one table that leads back to the files."""
    lines = ["recording\tpatient\tfile\tpatient_was"]
    for files, other in zip(originals, hidden, strict=True):
        cells = (other.recording, other.patient, files.edf, files.patient)
        lines.append("\t".join(str(guarded_cell(cell)) for cell in cells))
    content = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
    if path.exists() and path.read_bytes() == content:
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    path.chmod(0o600)


def hidden_findings(
    findings: Iterable[Finding], originals: Sequence[RecordingFiles], hidden: Sequence[RecordingFiles]
) -> list[Finding]:
    """What the scan found, told with pseudonyms: what is of a recording begins with its file and patient."""
    pairs = {files.recording: (files, other) for files, other in zip(originals, hidden, strict=True)}
    told = []
    for row in findings:
        if not row.recording:  # of the whole corpus: names no file
            told.append(row)
            continue
        files, other = pairs[row.recording]
        start = f"{files.edf}: patient {files.patient} "
        rest = row.message.removeprefix(start) if row.message.startswith(start) else CODES[row.code]
        message = f"{other.edf}: patient {other.patient} {rest}"
        told.append(replace(row, recording=other.recording, value=other.patient, message=message))
    return told
