"""Temporary files of writers that share a folder over several machines: who may sweep which."""

import os
import socket
import time
from pathlib import Path

import pytest

from pipeline.store import STALE_DAYS, replacing, write_json

DEAD = 999_999_999  # no process has such a number
HERE = socket.gethostname().split(".")[0]


@pytest.mark.parametrize(
    ("writer", "age_days", "stays"),
    [
        (f"{DEAD}-{HERE}", 0, False),
        (f"{os.getpid()}-{HERE}", 2 * STALE_DAYS, True),  # a writer that lives is never swept
        (f"{DEAD}-elsewhere", 0, True),  # whether it lives cannot be seen from here
        (f"{DEAD}-elsewhere", 2 * STALE_DAYS, False),
        (f"{os.getpid()}-elsewhere", 2 * STALE_DAYS, False),
    ],
    ids=["dead", "alive", "elsewhere", "elsewhere-long-ago", "number-of-a-living-one-elsewhere"],
)
def test_the_next_writer_sweeps_what_dead_ones_left(tmp_path: Path, writer: str, age_days: int, stays: bool) -> None:
    left = tmp_path / f".card.json.{writer}.abc.part"
    left.write_text("half")
    then = time.time() - age_days * 86400
    os.utime(left, (then, then))
    write_json(tmp_path / "card.json", {"a": 1})
    assert left.exists() is stays


def test_a_temporary_file_bears_process_and_machine(tmp_path: Path) -> None:
    with replacing(tmp_path / "card.json") as temporary:
        assert temporary.name.startswith(f".card.json.{os.getpid()}-{HERE}.")
        temporary.write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]
