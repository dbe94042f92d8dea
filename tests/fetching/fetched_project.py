"""The project that the tests of the fetch serve, and what they do to fetch it."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from tests.fetching.hostile_server import Site

REPOSITORY = Path(__file__).resolve().parents[2]

SIZE = 3 << 20  # of the recordings of the tests: a few blocks, and more than one step of progress
HELD_S = 120.0  # how long a silent server holds a connection that nobody closes


def noise(seed: int, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


RECORDINGS = {
    "chb01/chb01_01.edf": noise(1),
    "chb01/chb01_03.edf": noise(2),
    "chb01/chb01_03.edf.seizures": noise(3, 52),
    "chb01/chb01-summary.txt": noise(4, 2000),
    "chb02/chb02_16+.edf": noise(5),
    "SUBJECT-INFO": b"Case\tGender\n",
}


def in_place(root: Path, files: dict[str, bytes]) -> None:
    """Every file is there byte for byte, and nothing unfinished lies about."""
    for name, body in files.items():
        assert (root / name).read_bytes() == body, name
    assert not list(root.rglob("*.part"))


def fetched(site: Site, target: Path, command, *more: object) -> SimpleNamespace:
    return command("chbmit", "--to", target, "--mirror", site.url, *more)


def start_process(site: Site, target: Path, *, stderr: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "pipeline.stages.fetch", "chbmit", "--to", target, "--mirror", site.url]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background hands down no Ctrl-C
    try:
        return subprocess.Popen(
            [*words, "--jobs", "1"], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=stderr, text=True
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)


def stall_after(n_bytes: int):
    """Send so many bytes, then nothing until the other side is gone, or for `HELD_S`."""

    def fault(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", str(SIZE))
        handler.end_headers()
        handler.send(handler.server.site.content[path][:n_bytes], path)
        handler.connection.settimeout(HELD_S)
        with contextlib.suppress(OSError):
            handler.connection.recv(1)
        handler.cut()
        return True

    return fault


def wait_for_part(folder: Path, size: int) -> Path:
    deadline = time.monotonic() + HELD_S
    while time.monotonic() < deadline:
        parts = list(folder.glob("*.part")) if folder.exists() else []
        if parts and parts[0].stat().st_size >= size:
            return parts[0]
        time.sleep(0.02)
    raise AssertionError(f"no part of {size} bytes in {folder}")
