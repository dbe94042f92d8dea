"""Fetching from this machine: 1 and 4 connections against the plain loop of urllib, both with SHA-256 of every byte.

`python -m benchmarks.fetch_localhost [--gigabytes 1]` also fetches one sparse file of that size and prints the peak
memory of the process that did. The server is Python's own http.server, in another process.
"""

import argparse
import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.comparing import compare

FILES, MEGABYTES = 8, 32
MEASURED = """
from benchmarks.peak_memory import peak_mib
from pipeline.stages.fetch import main
main()
print(peak_mib())
"""


def project(folder: Path, *, files: int, size: int) -> None:
    """A PhysioNet folder of sparse files with its SHA256SUMS.txt."""
    folder.mkdir(parents=True)
    for number in range(files):
        with open(folder / f"{number}.edf", "wb") as out:
            out.truncate(size)
    digest = hashlib.sha256()
    for _ in range(size >> 20):
        digest.update(bytes(1 << 20))
    lines = [f"{digest.hexdigest()} {number}.edf\n" for number in range(files)]
    (folder / "SHA256SUMS.txt").write_text("".join(lines))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of `folder` in another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def fetched(url: str, target: Path, *, jobs: int) -> float:
    """Fetch everything into an empty folder in a process of its own; its peak memory in MiB."""
    shutil.rmtree(target, ignore_errors=True)
    words = [sys.executable, "-c", MEASURED, "chbmit", "--to", str(target), "--mirror", url, "--jobs", str(jobs)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def plain(url: str, target: Path) -> None:
    """The straightforward way: one file after the other, written and hashed, in a process of its own."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    subprocess.run([sys.executable, "-c", PLAIN, url, str(target)], check=True)


PLAIN = """
import hashlib, sys, urllib.request
url, target = sys.argv[1:]
for line in urllib.request.urlopen(url + "SHA256SUMS.txt").read().decode().splitlines():
    published, name = line.split()
    digest = hashlib.sha256()
    with urllib.request.urlopen(url + name) as reply, open(f"{target}/{name}", "wb") as out:
        while block := reply.read(1 << 18):
            out.write(block)
            digest.update(block)
    assert digest.hexdigest() == published
"""


def measure() -> list[dict[str, Any]]:
    """Rows of the table: 1 and 4 connections."""
    with tempfile.TemporaryDirectory() as place:
        served, target = Path(place) / "served", Path(place) / "target"
        project(served, files=FILES, size=MEGABYTES << 20)
        with serving(served) as url:
            return [
                compare(
                    f"fetch, {jobs} connections",
                    lambda jobs=jobs: fetched(url, target, jobs=jobs),
                    lambda: plain(url, target),
                    target=None, unit=f"{FILES * MEGABYTES} MiB from localhost", repeats=3,
                )
                for jobs in (1, 4)
            ]  # fmt: skip


def main() -> None:
    """Print the throughput with 1 and 4 connections, and the peak memory for one large file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=int, default=1)
    size = parser.parse_args().gigabytes << 30
    for row in measure():
        rate = FILES * MEGABYTES / row["ours_s"]
        print(f"{row['name']}: {rate:.0f} MiB/s, {row['ratio']:.2f} times the plain loop (both with start-up)")
    with tempfile.TemporaryDirectory() as place:
        served, target = Path(place) / "served", Path(place) / "target"
        project(served, files=1, size=size)
        with serving(served) as url:
            begun = time.perf_counter()
            peak = fetched(url, target, jobs=1)
            print(f"one file of {size >> 30} GiB: {time.perf_counter() - begun:.1f} s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
