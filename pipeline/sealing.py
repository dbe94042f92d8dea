"""Results bear a digest of themselves: a bit that flipped on the disk never becomes a number (faults.md, row 21).

A file is written with a mark and 32 zeros where it may hold any text (Parquet and safetensors: metadata; JSON: a key);
`seal` then puts the digest of all its bytes in place of the zeros. A ZIP archive has checksums of its entries' bytes;
its comment bears the digest of its table of entries. Any other program reads these files as before.
"""

import hashlib
import zipfile
from pathlib import Path

MARK = b"ictograph-blake2b:"
BLANK = b"0" * 32
UNSEALED = (MARK + BLANK).decode()  # what a writer puts into the file


class DamagedFile(Exception):
    """A result whose bytes are not those that were written. `sealed`: it is certainly one that this program made."""

    def __init__(self, path: Path | str, why: str, *, sealed: bool) -> None:
        super().__init__(f"{path}: damaged ({why}); delete it and run again: what is missing is made anew")
        self.path, self.sealed = Path(path), sealed


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode()


def seal(path: Path) -> None:
    """Put the digest in place of the zeros behind the one mark in the file."""
    data = path.read_bytes()
    if data.count(MARK + BLANK) != 1:
        raise ValueError(f"{path}: needs the mark of a seal exactly once, has {data.count(MARK + BLANK)}")
    with open(path, "r+b") as file:
        file.seek(data.index(MARK + BLANK) + len(MARK))
        file.write(_digest(data))


def checked_bytes(path: Path | str) -> bytes:
    """The bytes of a file, once its seal was found intact. A file without a mark (made elsewhere) is taken as it is.

    Raises DamagedFile.
    """
    data = Path(path).read_bytes()
    at = data.find(MARK)
    if at >= 0:
        start, stop = at + len(MARK), at + len(MARK) + len(BLANK)
        if _digest(data[:start] + BLANK + data[stop:]) != data[start:stop]:
            raise DamagedFile(path, "its bytes do not fit its checksum", sealed=True)
    return data


def is_sealed(data: bytes) -> bool:
    """Whether the bytes of a file bear a mark."""
    return MARK in data


def archive_seal(archive: zipfile.ZipFile) -> bytes:
    """The comment of an archive: a digest of its table of entries, which holds the checksum of each entry's bytes."""
    rows = [
        (
            entry.filename,
            entry.CRC,
            entry.file_size,
            entry.compress_size,
            entry.compress_type,
            entry.flag_bits,
            entry.header_offset,
        )
        for entry in archive.infolist()
    ]
    return MARK + _digest(repr(rows).encode("utf-8", "surrogateescape"))


def check_archive(path: Path | str) -> None:
    """Raise DamagedFile unless the file is a sealed archive whose table of entries is intact; reads no entry."""
    try:
        with zipfile.ZipFile(path) as archive:
            intact, sealed = archive.comment == archive_seal(archive), archive.comment.startswith(MARK)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise DamagedFile(path, f"{type(error).__name__}: {error}", sealed=False) from None
    if not intact:
        raise DamagedFile(path, "its table of entries does not fit its checksum", sealed=sealed)
