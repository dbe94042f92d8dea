"""The table of the records and the comparison of two runs: order of the graph, fate of files, the first cause."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.provenance_files import digest_content
from pipeline.report import provenance_comparison
from pipeline.report.provenance_comparison import BY_ITSELF, FOLLOWS, compared, difference_of
from pipeline.report.provenance_table import COLUMNS, in_order, lines_of, read_records, results_of, table_of, unfinished
from pipeline.stages import provenance as stage
from pipeline.stages.command import StageError
from pipeline.store import read_json, read_table, write_json

# A graph of five jobs: job -> (inputs, outputs); its names are in no order of the alphabet.
GRAPH = {
    "c/zeta": ([], ["c/raw.parquet"]),
    "c/index/b": (["c/raw.parquet"], ["c/index/b.parquet"]),
    "c/index/a": (["c/raw.parquet"], ["c/index/a.parquet"]),
    "c/train": (["c/index/a.parquet", "c/index/b.parquet"], ["c/model.safetensors", "c/card.json"]),
    "c/evaluate": (["c/model.safetensors", "c/card.json", "{program}/list.csv"], ["c/metrics.parquet"]),
}


def record(results: Path, job: str) -> dict[str, Any]:
    inputs, outputs = GRAPH[job]
    for name in outputs:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(f"content of {name}")

    def row(name: str) -> dict[str, Any]:
        path = results / name
        known = path.is_file()
        return {
            "name": name,
            "size": path.stat().st_size if known else 1,
            "digest": digest_content(path) if known else "d",
        }

    made = [row(name) | {"mtime_ns": (results / name).stat().st_mtime_ns} for name in outputs]
    return {
        "job": job, "stage": job.split("/")[1], "settings": {"loop": {"seed": 0, "rate": 0.1}},
        "settings_digest": "5e77", "code": "c0de", "source": {"commit": "0123456789abcdef", "clean": False},
        "inputs": [row(name) for name in inputs], "outputs": made, "versions": {"python": "3.11.7", "numpy": "2.4"},
        "device": {"cpu": "a CPU", "cores": 2, "threads": 1, "gpus": [], "driver": None, "visible": None}, "host": "h",
        "scheduler": {"system": "slurm", "job": "7", "partition": "cpu"}, "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:00:10Z", "duration_s": 10.0, "attempt": 1, "notes": {"resumed_from_epochs": 2},
        "peak_memory_mb": 100.0, "peak_gpu_memory_mb": None,
    }  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for job in GRAPH:
        corpus, name = job.split("/", 1)
        write_json(tmp_path / corpus / "provenance" / f"{name}.json", record(tmp_path, job))
    return tmp_path


def changed(records: list[dict[str, Any]], job: str) -> list[dict[str, Any]]:
    """As if this job had been run with another seed: its outputs and all that follows have other content."""
    made = copy.deepcopy(records)
    known = {record["job"]: record for record in made}
    known[job]["settings"]["loop"]["seed"] = 1
    other: set[str] = set()
    for name in [one["job"] for one in in_order(made)]:
        own = known[name]
        hit = [row for row in own["inputs"] if row["name"] in other]
        for row in hit:
            row["digest"] = "other"
        if name == job or hit:
            for row in own["outputs"]:
                row["digest"] = "other"
                other.add(row["name"])
    return made


def test_makers_come_before_readers_and_shards_side_by_side(results: Path) -> None:
    assert [one["job"] for one in read_records(results)] == [
        "c/zeta",
        "c/index/a",
        "c/index/b",
        "c/train",
        "c/evaluate",
    ]


def test_a_file_that_a_job_extends_and_a_ring_stop_nothing(results: Path) -> None:
    records = read_records(results)
    records[0]["inputs"] = [{"name": "c/metrics.parquet", "size": 1, "digest": "d"}]
    records[1]["inputs"].append({"name": "c/index/a.parquet", "size": 1, "digest": "d"})
    assert sorted(one["job"] for one in in_order(records)) == sorted(GRAPH)


def test_the_table_has_one_row_a_job(results: Path) -> None:
    table = table_of(read_records(results), results=results)
    assert list(table.columns) == list(COLUMNS)
    assert table["state"].tolist() == ["as made"] * 5
    train = table.set_index("job").loc["c/train"]
    assert (train["inputs"], train["outputs"], train["slurm_job"], train["partition"]) == (2, 2, "7", "cpu")
    assert (train["device"], train["commit"]) == ("a CPU", "0123456789 and changes")
    assert json.loads(train["notes"]) == {"resumed_from_epochs": 2}
    lines = lines_of(table)
    assert len(lines) == 6
    assert lines[4].split()[0] == "c/train"


def test_what_became_of_the_outputs_is_seen(results: Path) -> None:
    (results / "c/card.json").unlink()
    (results / "c/metrics.parquet").write_text("something else")
    os.utime(results / "c/raw.parquet", (10**9, 10**9))  # another time, the same content
    states = table_of(read_records(results), results=results).set_index("job")["state"]
    assert states.to_dict() == {
        "c/zeta": "as made", "c/index/a": "as made", "c/index/b": "as made", "c/train": "missing",
        "c/evaluate": "changed",
    }  # fmt: skip


def test_a_folder_deep_in_the_results_knows_where_names_begin(results: Path) -> None:
    made = results / "c" / "paper" / "table.csv"
    made.parent.mkdir()
    made.write_text("1")
    one = record(results, "c/zeta") | {"job": "c/paper/table", "source": {"commit": None, "clean": None, "reason": "r"}}
    row = {"name": "c/paper/table.csv", "size": 1, "digest": digest_content(made), "mtime_ns": made.stat().st_mtime_ns}
    write_json(made.parent / "provenance" / "table.json", one | {"outputs": [row]})
    for folder in (results, results / "c", results / "c" / "paper"):
        assert results_of(folder) == results
    printed = stage.listed(results / "c" / "paper")
    assert printed[-1].startswith("1 jobs (1 as made)")
    assert read_table(results / "c" / "paper" / "provenance.parquet")["commit"].tolist() == [""]


def test_a_job_that_died_has_a_row(results: Path) -> None:
    begun = {"settings_digest": "s", "code": "c", "attempt": 2, "host": "g1", "scheduler": {"job": "9"}, "started": "t"}
    (results / "c/provenance/run").mkdir()
    (results / "c/provenance/run/seed0.train.started").write_text(json.dumps(begun))
    (results / "c/provenance/run/torn.started").write_text("{")
    table = unfinished(results, results=results)
    assert table[["job", "state", "attempt", "host", "slurm_job"]].to_numpy().tolist() == [
        ["c/run/seed0.train", "unfinished", 2, "g1", "9"]
    ]
    printed = stage.listed(results / "c")
    assert printed[-1].startswith("6 jobs (5 as made, 1 unfinished)")
    assert read_table(results / "c" / "provenance.parquet")["job"].tolist()[-1] == "c/run/seed0.train"
    assert len((results / "c" / "provenance.tsv").read_text().splitlines()) == 7
    assert stage.listed(results / "c") == printed  # what it wrote is no record


def test_a_run_compared_with_itself(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compared(read_records(results), read_records(results))
    assert (comparison.differences, comparison.only_first, comparison.only_second) == ([], [], [])
    assert not comparison.outputs_differ
    assert comparison.lines() == [
        "5 jobs are in both", "none of them differs in settings, code, inputs, versions or outputs",
    ]  # fmt: skip


@pytest.mark.parametrize("job", list(GRAPH))
def test_the_first_difference_is_the_job_with_another_seed(results: Path, job: str) -> None:
    records = read_records(results)
    comparison = compared(records, changed(records, job))
    first, *others = comparison.differences
    assert (first.job, first.cause) == (job, BY_ITSELF)
    assert first.what["settings"] == ["loop.seed 0 | 1"]
    assert all(other.cause == FOLLOWS for other in others)
    assert {other.job for other in others} == {"c/zeta": set(GRAPH) - {"c/zeta"}, "c/evaluate": set()}.get(
        job, {"c/train", "c/evaluate"} - {job}
    )
    assert comparison.outputs_differ


def test_equal_work_with_other_outputs_tells_the_device(results: Path) -> None:
    first = read_records(results)[0]
    second = copy.deepcopy(first)
    second["device"]["cpu"] = "another CPU"
    second["host"] = second["finished"] = "elsewhere"
    assert difference_of(first, second) is None
    second["outputs"][0]["digest"] = "other"
    found = difference_of(first, second)
    assert found is not None
    assert (found.cause, found.what) == (
        BY_ITSELF,
        {"outputs": ["c/raw.parquet"], "device": ["cpu a CPU | another CPU"]},
    )


def test_versions_alone_are_told_but_are_no_failure(results: Path) -> None:
    records = read_records(results)
    others = copy.deepcopy(records)
    others[3]["versions"] = {"python": "3.12.1", "torch": "2"}
    comparison = compared(records, others)
    (found,) = comparison.differences
    assert found.what == {"versions": ["numpy 2.4 | absent", "python 3.11.7 | 3.12.1", "torch absent | 2"]}
    assert not comparison.outputs_differ


def test_jobs_of_one_run_alone_are_named(results: Path) -> None:
    records = read_records(results)
    comparison = compared(records[:-1], records[1:])
    assert (comparison.only_first, comparison.only_second) == (["c/zeta"], ["c/evaluate"])
    assert comparison.lines()[:3] == [
        "3 jobs are in both",
        "only in the first: c/zeta",
        "only in the second: c/evaluate",
    ]


def test_the_command_ends_with_status_1_where_outputs_differ(
    results: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path_factory.mktemp("other")
    for one in changed(read_records(results), "c/train"):
        write_json(other / "c" / "provenance" / f"{one['job'].split('/', 1)[1]}.json", one)  # records alone: a copy
    fewer, stranger = tmp_path_factory.mktemp("fewer"), tmp_path_factory.mktemp("stranger")
    for one in read_records(results)[:-1]:
        write_json(fewer / "c" / "provenance" / f"{one['job'].split('/', 1)[1]}.json", one)
        write_json(stranger / "d" / "provenance" / f"{one['stage']}.json", one | {"job": f"d/{one['stage']}"})
    pairs = [(results, other), (results, fewer), (fewer, results), (results, stranger)]
    for pair, status in [((results, results), 0), *((pair, 1) for pair in pairs)]:
        monkeypatch.setattr("sys.argv", ["provenance", "--compare", *map(str, pair)])
        with pytest.raises(SystemExit) as end:
            stage.main()
        assert end.value.code == status
        assert ("do not match" in capsys.readouterr().out) is (fewer in pair or stranger in pair)
    with pytest.raises(StageError, match="no record of provenance"):
        stage.recorded(tmp_path_factory.mktemp("empty"))


def test_long_lists_are_counted() -> None:
    assert provenance_comparison._shortened(list("abcdef")) == "a, b, c, d, and 2 more"


def test_records_are_read_whole_or_not_at_all(results: Path) -> None:
    path = results / "c/provenance/train.json"
    assert read_json(path)["job"] == "c/train"
    from pipeline.sealing import DamagedFile

    path.write_text(path.read_text().replace("c0de", "c1de"))
    with pytest.raises(DamagedFile):
        read_records(results)
