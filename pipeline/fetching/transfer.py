"""Bring files into a folder: resumed where they broke off, checked, and only then under their name.

A file grows as `<name>.<identity>.part` beside its place; the identity is a digest of the checksum and size that the
server gives (the ETag, where it gives no checksum), so that a part is only continued for the very same content. Whole
and of the right checksum, it is flushed to the disk and renamed. A file that is already there is not overwritten unless
`replace` is set.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.fetching.client import GAVE_UP, STOPPED, Client, Interrupted, Refused
from pipeline.fetching.listing import RemoteFile
from pipeline.fetching.manifest import BLOCK, Manifest, Row, sha256_of
from pipeline.fetching.names import PART, FetchError, place

State = Literal["present", "differs", "part", "missing"]
PROGRESS = 1 << 20  # a try that brought so many bytes does not count among the vain ones
WRONG_CONTENT = 2  # times that complete content may have the wrong checksum
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)\Z")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one file; `problem` is empty where it is in place. `received`: bytes that came over the line."""

    name: str
    size: int
    received: int = 0
    problem: str = ""


def part_path(root: Path, file: RemoteFile) -> Path:
    """Where the unfinished file grows."""
    path = place(root, file.name)
    identity = hashlib.sha256(f"{file.checksum} {file.size} {'' if file.checksum else file.etag}".encode())
    return path.with_name(f"{path.name}.{identity.hexdigest()[:12]}{PART}")


def state_of(root: Path, file: RemoteFile, manifest: Manifest, *, trust: bool) -> tuple[State, int]:
    """(state, bytes that are here). With `trust`, a file of the size and time in the manifest is not read again."""
    path = place(root, file.name)
    if path.exists():
        row = manifest.unchanged(file.name) if trust else None
        same = row is not None and row.size == file.size and row.verified == (file.checksum or "size")
        if same or adopt(path, file, manifest):
            return "present", file.size
        return "differs", 0
    part = part_path(root, file)
    have = part.stat().st_size if part.is_file() else 0
    return ("part", min(have, file.size)) if have else ("missing", 0)


def adopt(path: Path, file: RemoteFile, manifest: Manifest) -> bool:
    """True if the file at `path` has the published size and checksum; it is then listed as fetched."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    sha256 = sha256_of(path)
    if file.checksum.startswith("sha256:") and sha256 != file.checksum.removeprefix("sha256:"):
        return False
    if file.checksum.startswith("md5:") and _digest(path, "md5") != file.checksum.removeprefix("md5:"):
        return False
    _record(path, file, sha256, manifest)
    return True


def fetch_all(
    client: Client,
    root: Path,
    files: list[RemoteFile],
    manifest: Manifest,
    *,
    replace: bool,
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Fetch `files` with the client's number of jobs; `report(outcome)` after each.

    A full disk or Ctrl-C stops everything; what the others have stays as parts. Once the server is given up, the files
    that were not begun are left out of what is returned.
    """
    outcomes = []
    with client.pool() as pool:
        waiting = [pool.submit(fetch_one, client, root, file, manifest, replace=replace) for file in files]
        for done in as_completed(waiting):
            if done.cancelled():
                continue
            outcomes.append(done.result())
            report(outcomes[-1])
            if client.stop.is_set():
                for other in waiting:
                    other.cancel()
    return sorted(outcomes, key=lambda outcome: outcome.name)


def fetch_one(client: Client, root: Path, file: RemoteFile, manifest: Manifest, *, replace: bool) -> Outcome:
    """Fetch one file. What the server did wrong is in the outcome; a local fault (disk, permission) raises OSError."""
    received = 0
    try:
        path = place(root, file.name)
        for content in _tries(client, root, file):
            received += content.received
        if path.exists() and not replace:
            raise FetchError("a file appeared in its place meanwhile; not overwritten")
        os.replace(content.part, path)
        _record(path, file, content.sha256.hexdigest(), manifest)
        _sweep_parts(path)
        client.won()
        return Outcome(name=file.name, size=file.size, received=received)
    except FetchError as error:
        return Outcome(name=file.name, size=file.size, received=received, problem=str(error))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(root / file.name)) from None


def _tries(client: Client, root: Path, file: RemoteFile) -> Iterator["_Content"]:
    """Each try, the last of which is whole and right. Raises FetchError when too many in a row bring nothing new."""
    vain, wrong, furthest = 0, 0, 0
    while True:
        content = _Content(client, root, file)
        try:
            content.bring()
            content.check()
        except Interrupted as error:
            vain = 0 if content.have >= furthest + PROGRESS else vain + 1
            wrong, furthest = wrong + content.wrong, max(furthest, content.have)
            yield content
            if client.stop.is_set():
                raise FetchError(STOPPED) from None
            if wrong >= WRONG_CONTENT:
                raise FetchError(f"{error} ({wrong} times)") from None
            if vain >= client.manners.tries:
                client.lost()
                raise FetchError(f"{error}; {GAVE_UP} {vain} tries that brought nothing new") from None
            client.pause(max(0, vain - 1), error)
        else:
            yield content
            return


def _sweep_parts(path: Path) -> None:
    """Remove parts of `path` that were begun for other content."""
    begun = re.compile(re.escape(path.name) + rf"\.[0-9a-f]{{12}}{re.escape(PART)}\Z")
    for other in path.parent.iterdir():
        if begun.match(other.name):
            other.unlink(missing_ok=True)


class _Content:
    """One try at one file: continue its part, then compare the whole."""

    def __init__(self, client: Client, root: Path, file: RemoteFile) -> None:
        self.client, self.file, self.part = client, file, part_path(root, file)
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.received = 0  # bytes of this try
        self.have = 0  # bytes of the file so far
        self.wrong = 0  # 1: the server sent what cannot be the file

    def bring(self) -> None:
        """Append what is missing. Raises Interrupted where the try fails."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            with open(handle, "r+b", buffering=0) as out:
                self._read_what_is_here(out)
                if self.have < self.file.size:
                    self._receive(out)
                os.fsync(out.fileno())
        finally:
            if self.have == 0 < self.file.size:  # nothing came: leave nothing behind
                self.part.unlink(missing_ok=True)

    def _read_what_is_here(self, out: Any) -> None:
        """Bytes that the part holds, taken into the checksums; a part longer than the file is emptied."""
        if os.fstat(out.fileno()).st_size > self.file.size:
            out.truncate(0)
        while block := out.read(BLOCK):
            self._update(block)

    def _receive(self, out: Any) -> None:
        headers = {"Range": f"bytes={self.have}-"} if self.have else {}
        if self.have and self.file.etag.startswith('"'):  # a weak ETag must not stand in If-Range (RFC 9110, 13.1.5)
            headers["If-Range"] = self.file.etag
        try:
            with self.client.open(self.file.url, headers=headers) as reply:
                if self.have and not self._continues(reply):
                    self._start_anew(out)
                stated = reply.headers.get("Content-Length")
                if stated and stated.isdecimal() and int(stated) != self.file.size - self.have:
                    self.wrong = 1
                    raise Interrupted(
                        f"would bring {stated} bytes, not the {self.file.size - self.have} that are missing"
                    )
                for block in self.client.blocks(reply):
                    self._append(out, block)
        except Refused as error:
            if error.status != 416:
                raise
            self._start_anew(out)  # the server's file ends before our part does: the part is of another one
            raise Interrupted("the server has less than is already here") from None
        if self.have < self.file.size:
            raise Interrupted(f"broke off at {self.have} of {self.file.size} bytes")

    def _append(self, out: Any, block: bytes) -> None:
        self.received += len(block)
        if self.have + len(block) > self.file.size:
            self._start_anew(out)
            self.wrong = 1
            raise Interrupted(f"more than the {self.file.size} bytes that the listing gives")
        self._update(block)
        left = memoryview(block)
        while left:  # an unbuffered write may take less than it is given
            left = left[out.write(left) :]

    def _continues(self, reply: Any) -> bool:
        """True if the reply is the wanted range of a file of the wanted size; False if it is the whole file."""
        if reply.status == 200:
            return False
        found = RANGE.match(reply.headers.get("Content-Range") or "")
        if reply.status != 206 or found is None or int(found[1]) != self.have or int(found[3]) != self.file.size:
            self.wrong = 1
            raise Interrupted(f"answered with the range {reply.headers.get('Content-Range')!a}, not from {self.have}")
        return True

    def _start_anew(self, out: Any) -> None:
        out.seek(0)
        out.truncate(0)
        self.have, self.sha256, self.md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def _update(self, block: bytes) -> None:
        self.have += len(block)
        self.sha256.update(block)
        if self.file.checksum.startswith("md5:"):
            self.md5.update(block)

    def check(self) -> None:
        """Compare with the published checksum; a part that does not fit is removed, to be started anew."""
        kind, _, published = self.file.checksum.partition(":")
        if not kind:
            return
        found = (self.sha256 if kind == "sha256" else self.md5).hexdigest()
        if found != published:
            self.part.unlink(missing_ok=True)
            self.wrong = 1
            raise Interrupted(f"{kind} {found}, published {published}")


def _record(path: Path, file: RemoteFile, sha256: str, manifest: Manifest) -> None:
    status = path.stat()
    manifest.add(
        Row(
            name=file.name, size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=sha256,
            verified=file.checksum or "size", url=file.url,
        )
    )  # fmt: skip


def _digest(path: Path, kind: str) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
