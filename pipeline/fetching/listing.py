"""What a server holds: names, sizes and checksums, before a byte of data is fetched.

PhysioNet: `SHA256SUMS.txt` (one `<sha256> <name>` a line, one blank between) names every other file; `RECORDS` names
the recordings; neither gives sizes, so that each file is asked for with HEAD. OpenNeuro: the pages of the bucket's
ListObjectsV2 give name, size and ETag, which is the MD5 of an object that was uploaded in one part; an ETag with a `-`
is not, and leaves the size to compare.
"""

import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pipeline.fetching.client import Client, Refused
from pipeline.fetching.names import FetchError, refused_names

MOST_BYTES = 1 << 24  # of SHA256SUMS.txt or of one page: 16 MiB, about 160 000 files
MOST_FILES = 200_000
PAGE = 1000  # keys of one page: the most that S3 gives
ALWAYS_BELOW = 1 << 20  # files of the top folder under 1 MiB (lists, licence, participants) come whatever --only says
SUMS, RECORDS = "SHA256SUMS.txt", "RECORDS"
LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)\Z")
MD5 = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file: `name` below the corpus folder, `size` in bytes, `checksum` (`sha256:…`, `md5:…` or empty)."""

    name: str
    url: str
    size: int
    checksum: str
    etag: str = ""


@dataclass(kw_only=True)
class Listing:
    """`files` can be fetched; `refused` (name -> why) cannot; `texts` are the lists themselves, to be kept beside."""

    files: list[RemoteFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def list_physionet(client: Client, base: str, only: list[str], *, known: Callable[[str, str], int | None]) -> Listing:
    """Files of a PhysioNet project. `known(name, checksum)`: the size where it is already here, else None."""
    sums = client.small(base + SUMS, limit=MOST_BYTES)
    checksums = parse_sums(sums.decode("utf-8", "replace"), where=base + SUMS)
    listing = Listing(texts={SUMS: sums}, refused=refused_names([name for name, _ in checksums]))
    listed = dict(checksums)
    if RECORDS in listed:
        records = client.small(base + RECORDS, limit=MOST_BYTES).decode("utf-8", "replace").split("\n")
        missing = {name.strip() for name in records if name.strip()} - set(listed)
        listing.refused.update(dict.fromkeys(missing, f"{RECORDS} names it, {SUMS} does not"))
    names = [name for name in listed if name not in listing.refused]
    wanted = [name for name in names if "/" not in name or matches(name, only)]
    with client.pool() as pool:
        sized = pool.map(lambda name: _with_size(client, base, name, f"sha256:{listed[name]}", known), wanted)
        for name, file in zip(wanted, sized, strict=True):
            if isinstance(file, RemoteFile):
                listing.files.append(file)
            else:
                listing.refused[name] = str(file)
    return _selected(listing, only, names)


def parse_sums(text: str, *, where: str) -> list[tuple[str, str]]:
    """(name, sha256) per line of a SHA256SUMS file. Raises FetchError naming a line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = LINE.match(line.rstrip())
        if match is None:
            raise FetchError(f"{where}: line {number} is not a checksum and a name: {line[:80]!a}")
        found.append((match[2].removeprefix("./"), match[1].lower()))
    if not found or len(found) > MOST_FILES:
        raise FetchError(f"{where}: lists {len(found)} files")
    return found


def _with_size(
    client: Client, base: str, name: str, checksum: str, known: Callable[[str, str], int | None]
) -> RemoteFile | FetchError:
    url = base + urllib.parse.quote(name)
    try:
        if (here := known(name, checksum)) is not None:
            return RemoteFile(name=name, url=url, size=here, checksum=checksum)
        size, etag = client.trying(url, lambda: _ask_size(client, url))
    except FetchError as error:
        return error
    return RemoteFile(name=name, url=url, size=size, checksum=checksum, etag=etag)


def _ask_size(client: Client, url: str) -> tuple[int, str]:
    """(size, ETag) by HEAD or, where the server does not answer that, by the first byte of the file."""
    try:
        with client.open(url, method="HEAD") as reply:
            stated, etag = reply.headers.get("Content-Length") or "", reply.headers.get("ETag") or ""
    except Refused as error:
        if error.status not in {403, 405, 501}:
            raise
        stated = ""
    if not stated.isdecimal():
        with client.open(url, headers={"Range": "bytes=0-0"}) as reply:
            stated = (reply.headers.get("Content-Range") or "").rpartition("/")[2]
            etag = reply.headers.get("ETag") or ""
    if not stated.isdecimal():
        raise FetchError(f"{url}: the server gives no size")
    return int(stated), etag


def list_bucket(client: Client, base: str, prefix: str, only: list[str]) -> Listing:
    """Objects of a public bucket below `prefix`, page by page."""
    found: list[RemoteFile] = []
    token, tokens = "", {""}
    while True:
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(PAGE), "encoding-type": "url"}
        query |= {"continuation-token": token} if token else {}
        url = f"{base}?{urllib.parse.urlencode(query)}"
        page, token = parse_page(client.small(url, limit=MOST_BYTES), base=base, prefix=prefix)
        found += page
        if len(found) > MOST_FILES:
            raise FetchError(f"{base}{prefix}: more than {MOST_FILES} files")
        if not token:
            break
        if token in tokens:
            raise FetchError(f"{base}{prefix}: the listing gives one page twice")
        tokens.add(token)
    if not found:
        raise FetchError(f"{base}{prefix}: the listing is empty; see --mirror")
    refused = refused_names([file.name for file in found])
    files = [file for file in found if file.name not in refused]
    wanted = [file for file in files if "/" not in file.name or matches(file.name, only)]
    return _selected(Listing(files=wanted, refused=refused), only, [file.name for file in files])


def parse_page(content: bytes, *, base: str, prefix: str) -> tuple[list[RemoteFile], str]:
    """(files, token of the next page or empty) of one ListBucketResult. Raises FetchError for anything else."""
    try:
        text = content.decode("utf-8")  # strictly, and parsed as text: no other encoding can hide what is looked for
        if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            raise FetchError(f"{base}: the listing holds a document type, as no listing of a bucket does")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise FetchError(f"{base}: the listing is not XML ({error})") from None
    if _tag(root) != "ListBucketResult":
        raise FetchError(f"{base}: not the listing of a bucket but {_tag(root)[:40]!a}")
    fields = {_tag(child): child.text or "" for child in root}
    encoded = fields.get("EncodingType") == "url"
    files = []
    for child in root:
        if _tag(child) == "Contents" and (file := _object(child, base=base, prefix=prefix, encoded=encoded)):
            files.append(file)
    more = fields.get("IsTruncated") == "true"
    token = fields.get("NextContinuationToken", "") if more else ""
    if more and not token:
        raise FetchError(f"{base}: the listing says that there is more, not where")
    return files, token


def _object(element: ElementTree.Element, *, base: str, prefix: str, encoded: bool) -> RemoteFile | None:
    values = {_tag(child): child.text or "" for child in element}
    key = urllib.parse.unquote_plus(values.get("Key", "")) if encoded else values.get("Key", "")
    size, etag = values.get("Size", ""), values.get("ETag", "").strip('"')
    if not key.startswith(prefix) or not re.fullmatch(r"[0-9]{1,15}", size):
        raise FetchError(f"{base}: an entry {key[:80]!a} of size {size[:20]!a} does not belong to {prefix}")
    if key.endswith("/") and size == "0":
        return None  # a folder, as some tools leave behind: there is nothing to fetch
    name = key.removeprefix(prefix)
    checksum = f"md5:{etag}" if MD5.match(etag) else ""
    return RemoteFile(
        name=name,
        url=base + urllib.parse.quote(key),
        size=int(size),
        checksum=checksum,
        etag=f'"{etag}"' if etag else "",
    )


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def matches(name: str, only: list[str]) -> bool:
    """True if `name` is one of `only` or fits one of its patterns (`*` also spans `/`), or if there are none."""
    return not only or any(fnmatchcase(name, pattern) for pattern in only)


def _selected(listing: Listing, only: list[str], names: list[str]) -> Listing:
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            some = ", ".join(sorted(names)[:3])
            raise FetchError(f"--only {pattern!a}: no file is so called; there are {len(names)}, such as {some}")
    kept = [file for file in listing.files if matches(file.name, only) or file.size < ALWAYS_BELOW]
    listing.files = sorted(kept, key=lambda file: file.name)
    listing.refused = {name: why for name, why in sorted(listing.refused.items()) if matches(name, only)}
    return listing
