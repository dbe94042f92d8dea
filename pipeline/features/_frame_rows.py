"""Any rows of a feature store, read from its file into memory of the caller's: neither a whole chunk nor a page more.

A feature store is not compressed, so a row lies in the file as it is: chunk by chunk, each one entry of the archive.
Reading through zarr would take the whole chunk (8 MB) of each clip. A mapped file would count as this process's memory.
"""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.sealing import DamagedFile
from pipeline.store import reading_store

ROW_DTYPE = np.dtype("<f4")
LOCAL_HEADER = 30  # bytes of an entry's own header in a ZIP file, before its name and its extra field


class FrameRows:
    """The rows (n, f) float32 of the array `frames` of one store. The file is open only while something is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading_store(path) as group:
            array: Any = group["frames"]
            self.shape: tuple[int, ...] = array.shape
            self._chunk = int(array.chunks[0])
            plain = array.compressors == () and array.dtype == ROW_DTYPE and array.chunks[1:] == array.shape[1:]
        if not plain:
            raise DamagedFile(path, "its frames are not stored as plain rows of float32", sealed=False)
        self._row_bytes = int(np.prod(self.shape[1:])) * ROW_DTYPE.itemsize
        self._positions = list(self._found_chunks())
        self._identity = _identity(os.stat(path))

    def _found_chunks(self) -> Iterator[int | None]:
        """Where each chunk begins in the file; None for one that holds zeros alone, which zarr does not write."""
        with zipfile.ZipFile(self.path) as archive, open(self.path, "rb") as file:
            entries = {entry.filename: entry for entry in archive.infolist()}
            for k in range(-(-self.shape[0] // self._chunk)):
                entry = entries.get(f"frames/c/{k}/0/0")
                if entry is None:
                    yield None
                    continue
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise DamagedFile(self.path, f"its entry {entry.filename} is compressed", sealed=False)
                file.seek(entry.header_offset + LOCAL_HEADER - 4)
                name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
                yield entry.header_offset + LOCAL_HEADER + name + extra

    def read(self, runs: list[tuple[int, np.ndarray]]) -> None:
        """Fill each array (rows, n, f) with the rows of the store from the number beside it on.

        Raises OSError where another file has taken the store's place: its rows lie elsewhere, and may be others.
        """
        handle = os.open(self.path, os.O_RDONLY)
        try:
            found = _identity(os.fstat(handle))
            cut_short = found[:2] == self._identity[:2] and found[2] < self._identity[2]  # damage: found below
            if found != self._identity and not cut_short:
                raise OSError(f"{self.path} was replaced while it was being read; run the same command again")
            for start, into in runs:
                self._fill(handle, start, into)
        finally:
            os.close(handle)

    def _fill(self, handle: int, start: int, into: np.ndarray) -> None:
        done = 0
        while done < len(into):
            chunk, within = divmod(start + done, self._chunk)
            piece = into[done : done + self._chunk - within]
            position = self._positions[chunk]
            if position is None:
                piece[...] = 0.0
            else:
                self._read_at(handle, position + within * self._row_bytes, piece)
            done += len(piece)

    def _read_at(self, handle: int, position: int, piece: np.ndarray) -> None:
        rest = piece.reshape(-1).view(np.uint8).data  # a view: `piece` is contiguous
        while len(rest):
            count = os.preadv(handle, [rest], position)
            if count == 0:
                raise DamagedFile(self.path, f"it ends before byte {position + len(rest)}", sealed=True)
            rest, position = rest[count:], position + count


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
