"""A small HTTP client: https only, no redirect to another host, bounded replies, back-off that the server may set.

One client serves all threads of a fetch: where the server asks to wait (429 or 503 with Retry-After), all wait.
"""

import http.client
import random
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from pipeline.fetching.names import FetchError

AGENT = "ictograph-fetch/0.1 (research; Python urllib)"
LOCAL = {"localhost", "127.0.0.1", "::1"}
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # worth another try; any other status is an answer
STOPPED = "stopped; run again to go on"
GAVE_UP, LATER = "gave up after", "asks to come back in"
INTERRUPTED = (STOPPED, GAVE_UP, LATER)  # in the reason why a file is missing: another run may bring it
BLOCK = 1 << 18  # bytes read at a time
MOST_REDIRECTS = 5
MOST_LOST = 8  # files in a row given up for want of a good answer: the server is down, and the rest need not be tried


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How patient and how polite a fetch is. Times in seconds, rates in bytes a second."""

    jobs: int = 4  # connections to the one host
    timeout_s: float = 60.0  # no byte for so long: the connection is dead
    slowest: float = 1024.0  # less than this over `timeout_s`: given up and taken up again
    tries: int = 6  # tries in a row that bring nothing new
    backoff_s: float = 1.0  # first pause, doubled each time up to `longest_s`, times 0.5 to 1.5
    longest_s: float = 120.0
    patience_s: float = 900.0  # a server that asks for a longer pause is left alone


class Interrupted(Exception):
    """A try that failed in a way that another may not; `wait_s` is what the server asked for, if it did."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Refused(FetchError):
    """An answer that no other try will change, with its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect on the same host (`www.` apart) that does not leave https; refuses every other."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        same_host = (old.hostname or "").removeprefix("www.") == (new.hostname or "").removeprefix("www.")
        same_port = old.scheme != new.scheme or old.port == new.port
        if not (same_host and same_port and new.scheme in {old.scheme, "https"}):
            raise FetchError(
                f"{req.full_url}: redirected to {newurl!a}, another host or scheme; refused (see --mirror)"
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            made.method = req.get_method()
        return made


@dataclass(kw_only=True)
class Client:
    """Opens addresses politely. `generator` gives the jitter of the pauses; `stop` ends pauses and transfers."""

    manners: Manners
    generator: random.Random
    stop: threading.Event = field(default_factory=threading.Event)
    _not_before: float = 0.0
    _lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def open(self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> Iterator[Any]:
        """Yield the reply (status below 400). Raises Interrupted where another try may help, else FetchError."""
        self._await_turn()
        if self.stop.is_set():
            raise FetchError(STOPPED)
        request = urllib.request.Request(
            url, method=method, headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **(headers or {})}
        )
        try:
            local = urllib.parse.urlsplit(url).hostname in LOCAL
            reply = _opener(local=local).open(request, timeout=self.manners.timeout_s)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(url, error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise FetchError(f"{url}: the certificate is not trusted: {reason}") from None
            raise Interrupted(f"no connection: {reason or type(error).__name__}") from None
        except FetchError:
            raise
        except ValueError as error:  # a Location that is no address
            raise FetchError(f"{url}: {error}") from None
        with reply:
            if reply.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchError(
                    f"{url}: sent as {reply.headers['Content-Encoding']!a} though plain bytes were asked for"
                )
            yield reply

    def blocks(self, reply: Any) -> Iterator[bytes]:
        """The bytes of a reply as they come. Raises Interrupted where they stop coming or come too slowly."""
        since, came = time.monotonic(), 0
        while not self.stop.is_set():
            try:
                block = reply.read1(BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise Interrupted(f"connection lost: {error or type(error).__name__}") from None
            if not block:
                return
            came += len(block)
            if (passed := time.monotonic() - since) > self.manners.timeout_s:
                if came < self.manners.slowest * passed:
                    raise Interrupted(f"only {came / passed:.0f} bytes a second")
                since, came = time.monotonic(), 0
            yield block
        raise Interrupted("stopped")

    def small(self, url: str, *, limit: int) -> bytes:
        """The whole of a small text at `url`, with retries. Raises FetchError beyond `limit` bytes or after them."""

        def read() -> bytes:
            content = bytearray()
            with self.open(url) as reply:
                for block in self.blocks(reply):
                    content += block
                    if len(content) > limit:
                        raise FetchError(f"{url}: longer than {limit} bytes; no such listing is known")
                _whole(reply, len(content))
            return bytes(content)

        return self.trying(url, read)

    def trying(self, what: str, once: Any) -> Any:
        """What `once()` returns, tried again after each Interrupted. Raises FetchError after the last."""
        for attempt in range(self.manners.tries):
            try:
                found = once()
            except Interrupted as error:
                last = error
                if attempt + 1 < self.manners.tries:
                    self.pause(attempt, last)
            else:
                self.won()
                return found
        self.lost()
        raise FetchError(f"{what}: {last}; {GAVE_UP} {self.manners.tries} tries")

    def lost(self) -> None:
        """Note that something was given up; too many in a row end the whole fetch."""
        with self._lock:
            self._lost += 1
            if self._lost >= MOST_LOST:
                self.stop.set()

    def won(self) -> None:
        """Note that something came whole."""
        with self._lock:
            self._lost = 0

    @contextmanager
    def pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for the jobs. An exception (a full disk, say) stops them at their next block, Ctrl-C at once."""
        threads = ThreadPoolExecutor(self.manners.jobs)
        try:
            yield threads
        except BaseException as error:
            self.stop.set()
            threads.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
            raise
        threads.shutdown()

    def pause(self, attempt: int, error: Interrupted) -> None:
        """Wait before the next try: what the server asked for, else a doubled and jittered time."""
        doubled = min(self.manners.backoff_s * 2**attempt, self.manners.longest_s)
        with self._lock:
            wait_s = doubled * self.generator.uniform(0.5, 1.5)
            if error.wait_s is not None:
                self._not_before = max(self._not_before, time.monotonic() + max(wait_s, error.wait_s))
        if error.wait_s is None:
            self.stop.wait(wait_s)

    def _await_turn(self) -> None:
        while not self.stop.is_set() and (left := self._not_before - time.monotonic()) > 0:
            self.stop.wait(left)

    def _refused(self, url: str, error: urllib.error.HTTPError) -> Exception:
        if error.code not in TRANSIENT:
            return Refused(f"{url}: {error.code} {error.reason!a}", status=error.code)
        wait_s = retry_after_s(error.headers.get("Retry-After"))
        if wait_s is not None and wait_s > self.manners.patience_s:
            return Refused(f"{url}: {error.code}; {LATER} {wait_s:.0f} s", status=error.code)
        return Interrupted(f"{error.code} {error.reason!a}", wait_s=wait_s)


def retry_after_s(text: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (a number or a date); None where there is none that can be read."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def check_address(url: str, *, allow_http: bool = False) -> str:
    """`url` with a final slash. Raises FetchError unless https, or http on this machine, or http that was allowed."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise FetchError(f"{url!a}: {error}") from None
    plain = parts.scheme == "http" and (allow_http or parts.hostname in LOCAL)
    if not parts.hostname or not (parts.scheme == "https" or plain) or parts.query or parts.username:
        raise FetchError(f"{url!a}: needs an https address without user, password or query")
    return url if url.endswith("/") else f"{url}/"


def _whole(reply: Any, n_bytes: int) -> None:
    stated = reply.headers.get("Content-Length")
    if stated is not None and stated.isdecimal() and int(stated) != n_bytes:
        raise Interrupted(f"{n_bytes} of {stated} bytes came")


@cache
def _opener(*, local: bool) -> urllib.request.OpenerDirector:
    """Only http and https (urllib's own default also opens files and FTP); no proxy for this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if local else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener
