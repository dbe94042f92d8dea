"""Many recordings: one that changes plans its shard and what gathers; which rule makes a file is looked up once."""

from pathlib import Path

import pytest
from snakemake.output_index import OutputIndex

from benchmarks.scale import Project, feature_targets, one_changed
from tests.workflow.short_edfs import make_short_edfs
from workflow.lib.producers import remember_producers

PER_SHARD = dict.fromkeys(("index", "ingest", "features_grid", "features_classification", "graph_correlation"), 1)


@pytest.mark.slow
def test_one_changed_edf_of_many_plans_its_shard_and_what_gathers(tmp_path: Path) -> None:
    """As benchmarks/scale.py does with 600; here the jobs are marked as finished instead of run."""
    project = Project(tmp_path, shards={"train": 4, "validation": 1, "test": 2})
    make_short_edfs(project.root, count=36, duration_s=10)
    targets = feature_targets(project)
    project.run(*targets, module="benchmarks.finished_state")
    assert "Nothing to be done" in project.run(*targets)[0]
    shard, jobs = one_changed(project, *targets)
    assert shard.startswith("train-")
    assert jobs == {**PER_SHARD, "clips": 2, "scaler": 1, "check_splits": 1}


class Counted:
    """A rule as the index of outputs sees it; it counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def products(self) -> list["Product"]:
        return [Product()]

    def is_producer(self, path: str) -> bool:
        self.asked += 1
        return path.endswith("-ours.txt")


class Product:
    """An output `results/{...}.txt`."""

    def constant_prefix(self) -> str:
        return "results/"

    def constant_suffix(self) -> str:
        return ".txt"


def test_producers_are_the_same_and_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = getattr(OutputIndex.match_producers, "__wrapped__", OutputIndex.match_producers)
    monkeypatch.setattr(OutputIndex, "match_producers", plain)
    rule = Counted()
    expected = {path: OutputIndex([rule]).match_producers(path) for path in ("results/a-ours.txt", "results/b.txt")}  # type: ignore[list-item]
    assert list(map(len, expected.values())) == [1, 0]
    remember_producers()
    index, rule.asked = OutputIndex([rule]), 0  # type: ignore[list-item]
    for _ in range(3):
        assert {path: index.match_producers(path) for path in expected} == expected
    assert rule.asked == len(expected)
    assert OutputIndex([Counted()]).match_producers("results/a-ours.txt") != expected["results/a-ours.txt"]  # type: ignore[list-item]
