"""Do something once in a child process of bounded memory and time, to see that this process may do it, too.

For files of strangers: a library in C may hang, fill the memory or crash where a file claims what it does not hold.
"""

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

MEMORY = 1 << 30  # bytes of addresses that the child may have beside what this process has
SECONDS = 10  # of one core
WAIT_S = 60.0  # by the clock
LONGEST = 1 << 20  # bytes of an answer
STATM = Path("/proc/self/statm")  # Linux; elsewhere the child's memory has no bound of its own


class Overrun(ValueError):
    """What was tried took too much memory or time, or crashed."""


def answer_of_child(question: Callable[[bytes], str], data: bytes) -> str:
    """What `question` says to `data`, asked in a forked child. Raises Overrun where the child dies or is too slow."""
    context = multiprocessing.get_context("fork")  # a new interpreter would import torch again: seconds
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(question, data, writer), daemon=True)
    child.start()
    writer.close()
    try:
        if not reader.poll(WAIT_S):
            raise Overrun(f"to read it takes more than {WAIT_S:g} s; not loaded")
        return reader.recv_bytes(LONGEST).decode()
    except (EOFError, OSError):
        bounds = f"{MEMORY >> 30} GiB of memory or {SECONDS} s"
        raise Overrun(f"to read it takes more than {bounds}, or crashes the reader; not loaded") from None
    finally:
        child.kill()
        child.join()
        reader.close()


def _child(question: Callable[[bytes], str], data: bytes, writer: Connection) -> None:
    torch.set_num_threads(1)  # threads of the parent are not there after a fork
    _limit(resource.RLIMIT_CPU, SECONDS)
    if STATM.is_file():
        _limit(resource.RLIMIT_AS, int(STATM.read_text().split()[0]) * resource.getpagesize() + MEMORY)
    writer.send_bytes(question(data).encode(errors="replace")[:LONGEST])


def _limit(kind: int, value: int) -> None:
    """Lower a limit of this process for good."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
