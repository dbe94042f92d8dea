"""A web server on this machine: serves a PhysioNet folder or an S3 bucket, counts bytes, misbehaves on demand."""

import array
import fcntl
import hashlib
import re
import socket
import ssl
import struct
import termios
import threading
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

BLOCK = 1 << 16


@dataclass
class Site:
    """`content` by path (bytes, or a number of zero bytes). `faults`: for each path, what happens to its next GETs."""

    content: dict[str, bytes | int] = field(default_factory=dict)
    faults: dict[str, list[Callable[["Handler", str], bool]]] = field(default_factory=lambda: defaultdict(list))
    served: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    ranges: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    page_keys: int = 1000
    head_status: int = 200

    def add_project(self, files: dict[str, bytes | int], *, records: bool = True) -> None:
        """A PhysioNet project: the files, RECORDS and SHA256SUMS.txt as that site writes it (one blank)."""
        named = dict(files)
        if records:
            named["RECORDS"] = "".join(f"{name}\n" for name in sorted(files) if name.endswith(".edf")).encode()
        self.content.update({f"/{name}": body for name, body in named.items()})
        sums = "".join(f"{sha256(body)} {name}\n" for name, body in sorted(named.items()))
        self.content["/SHA256SUMS.txt"] = sums.encode()

    def gets(self, path: str) -> list[dict[str, str]]:
        """Headers of each GET of `path`."""
        return [headers for method, asked, headers in self.requests if method == "GET" and asked == path]

    def total_served(self, *suffixes: str) -> int:
        """Bytes of bodies sent for the paths that end so."""
        return sum(n for path, n in self.served.items() if path.endswith(suffixes))


def blocks_of(body: bytes | int, start: int) -> Iterator[bytes]:
    """The body from byte `start` on, in blocks."""
    size = body if isinstance(body, int) else len(body)
    for at in range(start, size, BLOCK):
        yield bytes(min(BLOCK, size - at)) if isinstance(body, int) else body[at : at + BLOCK]


def sha256(body: bytes | int) -> str:
    """Hex digest of a body."""
    digest = hashlib.sha256()
    for block in blocks_of(body, 0):
        digest.update(block)
    return digest.hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the site of the server."""

    server: "Server"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Size and ETag."""
        self.answer(head=True)

    def do_GET(self) -> None:
        """The body, or its range, or what the next fault of the path makes of it."""
        self.answer(head=False)

    def answer(self, *, head: bool) -> None:
        """Count, misbehave or serve."""
        site, path = self.server.site, urllib.parse.unquote(self.path.split("?")[0])
        with site.lock:
            site.requests.append((self.command, path, dict(self.headers.items())))
            fault = site.faults[path].pop(0) if site.faults[path] and not head else None
        try:
            if fault is None or not fault(self, path):
                self.serve(path, head=head)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def serve(self, path: str, *, head: bool) -> None:
        """What an honest server does."""
        site = self.server.site
        if "list-type=2" in self.path:
            self.reply(200, list_page(site, urllib.parse.urlsplit(self.path).query), {}, path)
            return
        if path not in site.content:
            self.reply(404, b"no such file", {}, path)
            return
        if head and site.head_status != 200:
            self.reply(site.head_status, b"", {}, path)
            return
        body, etag = site.content[path], site.etags.get(path, '"v1"')
        size, start = body if isinstance(body, int) else len(body), 0
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and asked[2] == "0" and site.ranges:
            self.reply(206, b"?", {"Content-Range": f"bytes 0-0/{size}", "ETag": etag}, path)
            return
        if asked and site.ranges and self.headers.get("If-Range", etag) == etag:
            start = int(asked[1])
        if start and start >= size:
            self.reply(416, b"", {"Content-Range": f"bytes */{size}"}, path)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.send_header("ETag", etag)
        self.end_headers()
        for block in () if head else blocks_of(body, start):
            self.send(block, path)

    def reply(self, status: int, body: bytes, headers: dict[str, str], path: str) -> None:
        """A whole reply."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.send(body, path)

    def send(self, block: bytes, path: str) -> None:
        """Count and send: whoever has it finds it counted."""
        with self.server.site.lock:
            self.server.site.served[path] += len(block)
        self.wfile.write(block)

    def wait_until_sent(self) -> None:
        """Until the other side's kernel has everything: a reset discards what has not left this one's."""
        left, deadline = array.array("i", [1]), time.monotonic() + 60
        while left[0] and time.monotonic() < deadline:
            fcntl.ioctl(self.connection.fileno(), termios.TIOCOUTQ, left)
            time.sleep(0.005)

    def cut(self) -> None:
        """Reset the connection."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """A server with a site."""

    daemon_threads = True
    request_queue_size = 64
    site: Site

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that a fault closed is no error here."""


@contextmanager
def serving(site: Site, *, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve `site` on a free port of this machine; `site.url` is its address."""
    server = Server(("127.0.0.1", 0), Handler)
    server.site = site
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def list_page(site: Site, query: str) -> bytes:
    """One page of a bucket's ListObjectsV2, keys encoded as `encoding-type=url` asks."""
    asked = dict(urllib.parse.parse_qsl(query))
    keys = sorted(path[1:] for path in site.content if path[1:].startswith(asked["prefix"]))
    first = int(asked.get("continuation-token", "0"))
    shown = keys[first : first + site.page_keys]
    more = first + site.page_keys < len(keys)
    rows = "".join(
        f"<Contents><Key>{escape(urllib.parse.quote_plus(key, safe='/'))}</Key>"
        f"<Size>{len(site.content['/' + key])}</Size>"
        f"<ETag>{escape(site.etags.get('/' + key, ''), {chr(34): '&quot;'})}</ETag></Contents>"
        for key in shown
    )
    token = f"<NextContinuationToken>{first + site.page_keys}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
    ).encode()


def add_bucket(site: Site, prefix: str, files: dict[str, bytes]) -> None:
    """Objects below `prefix`, uploaded in one part: their ETag is their MD5."""
    for name, body in files.items():
        site.content[f"/{prefix}{name}"] = body
        site.etags[f"/{prefix}{name}"] = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def drop_after(n_bytes: int) -> Callable[[Handler, str], bool]:
    """Promise the whole range, send `n_bytes` of it and reset the connection."""

    def fault(handler: Handler, path: str) -> bool:
        body = handler.server.site.content[path]
        asked = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.send(body[start : start + n_bytes], path)
        handler.wait_until_sent()
        handler.cut()
        return True

    return fault


def say(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler, str], bool]:
    """Answer with this status; `Retry_After` stands for Retry-After."""

    def fault(handler: Handler, path: str) -> bool:
        handler.reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, path)
        return True

    return fault


def corrupt(handler: Handler, path: str) -> bool:
    """Send the whole with one bit of its middle flipped."""
    body = bytearray(handler.server.site.content[path])
    body[len(body) // 2] ^= 1
    handler.reply(200, bytes(body), {}, path)
    return True


def unstated(body: bytes) -> Callable[[Handler, str], bool]:
    """Send this body without saying how long it is; the end of the connection ends it."""

    def fault(handler: Handler, path: str) -> bool:
        handler.send_response(200)
        handler.end_headers()
        handler.send(body, path)
        handler.close_connection = True
        return True

    return fault


def truncate(handler: Handler, path: str) -> bool:
    """Send half of it as if it were the whole."""
    body = handler.server.site.content[path]
    return unstated(body[: len(body) // 2])(handler, path)


def drip(handler: Handler, path: str) -> bool:
    """Send a few bytes, each well within any timeout, for as long as the other side listens."""
    body = handler.server.site.content[path]
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for at in range(len(body)):
        handler.send(body[at : at + 1], path)
        time.sleep(0.05)
    return True


def silence(handler: Handler, path: str) -> bool:
    """Accept, answer nothing, and hold the connection a while."""
    time.sleep(1.5)
    handler.cut()
    return True
