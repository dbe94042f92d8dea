"""benchmarks/memory_limit.py on made-up control groups: folders, whose limit is an ordinary file."""

from pathlib import Path

import pytest

from benchmarks import memory_limit
from benchmarks.memory_limit import limited


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory_limit, "ROOTS", ((tmp_path / "none", "memory.max"), (tmp_path, "memory.max")))
    return tmp_path


def test_the_limit_is_set_and_an_error_under_it_is_seen(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="of the body"):
        fail_under_limit()


def fail_under_limit() -> None:
    with limited(1000) as processes:
        assert processes is not None
        assert (processes.parent / "memory.max").read_text() == "1000"
        raise FileNotFoundError("of the body")  # nor can the group be removed: here, the limit's file is in the way


def test_without_groups_there_is_no_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "ROOTS", ((root / "none", "memory.max"), (root, "no folder/memory.max")))
    with limited(1000) as processes:
        assert processes is None
    assert list(root.iterdir()) == []  # what was made is gone
