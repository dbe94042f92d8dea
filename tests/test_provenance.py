"""The record beside the results of a job: complete, true, whole or absent, and silent about names."""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import provenance, provenance_files, provenance_machine
from pipeline.corpora.folder import find
from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.report.provenance_comparison import BY_ITSELF, compared
from pipeline.report.provenance_table import read_records
from pipeline.stages import clips, command, index, ingest, soz_ingest, train
from pipeline.store import digest_file, read_json, reading_store, writing_store
from tests.signals.edf_builder import EdfFile, scalp_channels
from tests.stages.test_ingest_stages import ingest_settings
from tests.stages.test_soz_data_stages import RATES, READING, index_tables, write_edf

sys.path.insert(0, str(Path(__file__).parent / "training"))
from training_files import fit_settings, make_files

FIELDS = {
    "stage", "job", "settings", "settings_digest", "code", "source", "inputs", "outputs", "versions", "device", "host",
    "scheduler", "started", "finished", "duration_s", "peak_memory_mb", "peak_gpu_memory_mb", "attempt", "notes",
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that the environment names, as the workflow does."""
    monkeypatch.setenv(provenance.RESULTS, str(tmp_path / "results"))
    monkeypatch.setenv(provenance_machine.SOURCE, "0123456789abcdef clean")
    return tmp_path / "results"


def call(module: Any, settings: dict[str, Any], log: Path, *words: str, **options: Any) -> int | None:
    """Run a stage within this process, as its command would; its exit status."""
    line = ["stage", "--settings", json.dumps(settings), "--code", "c0de", "--log", str(log), *words]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", line)
        try:
            command.run(module.main)
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            logging.getLogger("ictograph").handlers.clear()
    return 0


def named(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Name of each file -> its digest."""
    return {row["name"]: row["digest"] for row in rows}


def job(results: Path, name: str = "job", *, settings: str = "{}", code: str = "c") -> argparse.Namespace:
    """Arguments of a job that has a log."""
    return argparse.Namespace(settings=settings, code=code, log=results / "x" / "logs" / f"{name}.log")


def ended(arguments: argparse.Namespace) -> dict[str, Any]:
    """End the running job; its record."""
    provenance.finish("made_up")
    return read_json(provenance.record_path(arguments.log))


def test_the_record_of_a_training_is_complete(results: Path) -> None:
    files = make_files(results / "x", clips_per_shard=8).job(slice(0, 3), "distance")
    made = {name: results / "x" / "run" / file for name, file in
            (("model", "model.safetensors"), ("card", "card.json"), ("history", "history.parquet"))}  # fmt: skip
    kept = {"checkpoints": results / ".checkpoints"}
    settings = fit_settings(epochs=1)
    assert call(train, settings, results / "x/logs/run/seed0.train.log", **files, **kept, **made) == 0
    record = read_json(results / "x/provenance/run/seed0.train.json")
    assert set(record) == FIELDS
    assert (record["stage"], record["job"], record["code"]) == ("train", "x/run/seed0.train", "c0de")
    assert record["settings"] == settings
    read = [*files["features"], *files["clips"], *files["graphs"], files["scaler"]]
    assert set(named(record["inputs"])) == {str(path.relative_to(results)) for path in read}
    assert named(record["outputs"]) == {str(path.relative_to(results)): digest_file(path) for path in made.values()}
    assert all(row["size"] == (results / row["name"]).stat().st_size for row in record["outputs"])
    assert record["source"] == {"commit": "0123456789abcdef", "clean": True}
    import torch

    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["device"]["threads"] == torch.get_num_threads()
    assert record["device"]["gpus"] == []
    assert record["device"]["cpu"]
    assert record["duration_s"] > 0
    assert record["peak_memory_mb"] > 50  # numpy and pandas alone take as much
    assert record["attempt"] == 1
    assert not (results / "x/provenance/run/seed0.train.started").exists()


def test_two_trainings_of_other_seeds_differ_in_the_seed_and_in_what_came_out(tmp_path: Path, monkeypatch) -> None:
    found = []
    for place, seed in (("one", 1), ("again", 1), ("other", 2)):
        results = tmp_path / place
        monkeypatch.setenv(provenance.RESULTS, str(results))
        files = make_files(results / "x", clips_per_shard=8).job(slice(0, 3), "distance")
        made = {name: results / "x" / f"{name}.out" for name in ("model", "card", "history")}
        settings = fit_settings(epochs=1, seed=seed)
        assert call(train, settings, results / "x/logs/a.log", **files, **made, checkpoints=results / ".c") == 0
        found.append(read_records(results))
    one, again, other = found
    assert compared(one, again).differences == []
    (difference,) = compared(one, other).differences
    assert difference.cause == BY_ITSELF
    assert difference.what == {
        "settings": ["seed 1 | 2"],
        "outputs": [f"x/{n}.out" for n in ("card", "history", "model")],
    }


def make_corpus(root: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("annabel", "roberto"):
        (root / name).mkdir(parents=True)
        EdfFile(scalp_channels(rng, records=20, per_record=200)).write(root / name / f"{name}_r1.edf")


def scalp_shard(results: Path, root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Index and ingest a folder of EDFs as one shard; their records."""
    base = results / "mine"
    manifest = base / "manifests" / "train-00.tsv"
    write_manifest(manifest, manifest_rows(root, sorted(find(root, "auto"), key=lambda files: files.recording)))
    tables = {name: base / "index" / f"{name}.parquet" for name in ("recordings", "seizures")} | {"root": root}
    settings = {"index": {"corpus": "mine", "reader": "folder", "version": "auto"}}
    found = base / "index" / "findings.parquet"
    log = base / "logs"
    assert call(index, settings, log / "index/train-00.log", manifest=manifest, findings=found, **tables) == 0
    made = {name: base / "signals" / name for name in ("segments.parquet", "findings.parquet", "train-00.zarr.zip")}
    outputs = {"segments": made["segments.parquet"], "findings": made["findings.parquet"]}
    store = made["train-00.zarr.zip"]
    assert call(ingest, ingest_settings(), log / "ingest/train-00.log", signals=store, **outputs, **tables) == 0
    return tuple(read_json(base / "provenance" / name / "train-00.json") for name in ("index", "ingest"))


def test_an_input_has_the_digest_that_its_maker_gave_it(results: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(provenance_files, "HEAD_BYTES", 1000)  # the test's EDFs are small ones
    make_corpus(tmp_path / "edfs")
    indexed, ingested = scalp_shard(results, tmp_path / "edfs")
    made, read = named(indexed["outputs"]), named(ingested["inputs"])
    shared = {"mine/index/recordings.parquet", "mine/index/seizures.parquet"}
    assert shared <= set(made)
    assert {name: made[name] for name in shared} == {name: read[name] for name in shared}
    edfs = {
        f"{{root}}/{name}/{name}_r1.edf": tmp_path / "edfs" / name / f"{name}_r1.edf" for name in ("annabel", "roberto")
    }
    assert {name: read[name] for name in edfs} == {name: digest_file(path) for name, path in edfs.items()}
    assert {name: named(indexed["inputs"])[name] for name in edfs} == dict.fromkeys(edfs)  # headers only: no digest
    assert set(read) == shared | set(edfs)
    assert set(named(ingested["outputs"])) == {
        "mine/signals/segments.parquet", "mine/signals/findings.parquet", "mine/signals/train-00.zarr.zip",
    }  # fmt: skip


def test_the_record_of_an_soz_stage(results: Path, tmp_path: Path) -> None:
    root, base = tmp_path / "corpus", results / "c"
    for recording in RATES:
        write_edf(root, recording)
    (base / "index").mkdir(parents=True)
    tables = index_tables(base / "index")
    outputs = {"signals": base / "s.zarr.zip", "segments": base / "s.parquet", "findings": base / "f.parquet"}
    read = {name: tables[name] for name in ("recordings", "contacts")} | {"root": root}
    settings = {"corpus": "c", "reading": READING | {"block_s": 20.0}}
    assert call(soz_ingest, settings, base / "logs/soz_ingest/train-00.log", **read, **outputs) == 0
    record = read_json(base / "provenance/soz_ingest/train-00.json")
    assert set(record) == FIELDS
    assert record["stage"] == "soz_ingest"
    sources = {f"{{root}}/{recording}.edf" for recording in RATES}
    assert set(named(record["inputs"])) == sources | {"c/index/recordings.parquet", "c/index/contacts.parquet"}
    assert set(named(record["outputs"])) == {"c/s.zarr.zip", "c/s.parquet", "c/f.parquet"}


def test_names_that_pseudonyms_hide_are_in_no_record(results: Path, tmp_path: Path) -> None:
    private = results / "mine" / "private"
    (private / "files").mkdir(parents=True)
    make_corpus(tmp_path / "edfs")
    (private / "files" / "sub-x.edf").symlink_to(tmp_path / "edfs" / "annabel" / "annabel_r1.edf")
    (private / "key").write_text("a very secret key")
    arguments = job(results)
    arguments.log = results / "mine" / "logs" / "job.log"
    arguments.root, arguments.list = tmp_path / "edfs", tmp_path / "edfs-of-annabel.tsv"
    arguments.list.write_text("annabel")
    provenance.begin(arguments)
    for path in (private / "key", private / "files/sub-x.edf", tmp_path / "edfs/roberto/roberto_r1.edf"):
        path.read_bytes()
    record = ended(arguments)
    told = json.dumps(record)
    assert [name for name in ("annabel", "roberto", "private/key", "very secret", str(tmp_path)) if name in told] == []
    roberto = digest_file(tmp_path / "edfs/roberto/roberto_r1.edf")
    assert {"mine/private/files/sub-x.edf", f"{{root}}/{roberto}"} <= set(named(record["inputs"]))


def test_settings_tell_no_folder_of_this_machine(results: Path) -> None:
    settings = {"lists": [{"clips": "/home/somebody/lists/test.txt"}], "rate_hz": 200}
    arguments = job(results, settings=json.dumps(settings))
    provenance.begin(arguments)
    record = ended(arguments)
    assert record["settings"] == {"lists": [{"clips": "{outside}/test.txt"}], "rate_hz": 200}


@pytest.mark.parametrize("hidden", [True, False])
def test_settings_of_a_corpus_under_pseudonyms_tell_no_name_of_a_path(results: Path, hidden: bool) -> None:
    (results / "x").mkdir(parents=True)
    if hidden:
        (results / "x" / "private").mkdir()
    paths = ["~/patients/Jane_Doe", "data/Jane/x.key", "/scratch/Jane_Doe"]
    settings = {"corpora": {"x": {"root": "Jane", "lists": paths, "corpus": "x"}}}
    arguments = job(results, settings=json.dumps(settings))
    provenance.begin(arguments)
    provenance.begin(arguments)
    record = ended(arguments)
    assert record["attempt"] == 2  # the note of the attempt knows the same settings
    own = record["settings"]["corpora"]["x"]
    assert own["corpus"] == "x"
    if hidden:
        assert "Jane" not in json.dumps(record)
        assert (own["root"], own["lists"]) == ("{outside}", ["{outside}"] * 3)
    else:
        assert own["lists"] == ["{outside}/Jane_Doe", "data/Jane/x.key", "{outside}/Jane_Doe"]


def test_a_job_that_did_not_end_well_leaves_no_record_and_is_counted(results: Path) -> None:
    arguments = job(results, settings='{"a": 1, "b": 2}')
    record = provenance.record_path(arguments.log)
    provenance.begin(arguments)
    assert ended(arguments)["attempt"] == 1
    for _ in range(2):
        provenance.begin(arguments)  # and killed: nothing follows
        assert not record.exists()
    begun = json.loads(record.with_suffix(".started").read_text())
    assert begun["attempt"] == 2
    provenance.begin(job(results, settings='{"b": 2, "a": 1}'))  # another order of keys is the same job
    assert ended(arguments)["attempt"] == 3
    provenance.begin(arguments)
    provenance.begin(job(results, settings='{"a": 2, "b": 2}'))  # another job: its first attempt
    assert ended(arguments)["attempt"] == 1


def test_a_failed_stage_leaves_no_record(results: Path) -> None:
    log = results / "x" / "logs" / "clips.log"
    provenance.begin(argparse.Namespace(settings="{}", code="", log=log))
    provenance.finish("clips")
    assert provenance.record_path(log).exists()
    absent = {name: results / name for name in ("segments", "seizures", "clips", "findings")}
    assert call(clips, {"corpus": "x"}, log, **absent) == 1
    assert not provenance.record_path(log).exists()


def test_a_full_disk_costs_the_record_and_not_the_results(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    make_corpus(results / "corpus")
    log, found = results / "x/logs/index.log", results / "x/findings.parquet"
    write_manifest(results / "x/manifests/a.tsv", manifest_rows(results / "corpus", find(results / "corpus", "auto")))
    tables = {name: results / "x" / f"{name}.parquet" for name in ("recordings", "seizures")}
    read = {"manifest": results / "x/manifests/a.tsv", "root": results / "corpus", "findings": found}
    settings = {"index": {"corpus": "x", "reader": "folder", "version": "auto"}}
    monkeypatch.setattr(provenance, "write_json", full)
    assert call(index, settings, log, **read, **tables) == 0
    assert found.exists()
    assert "No space left" in log.read_text()
    assert not provenance.record_path(log).exists()
    assert provenance.record_path(log).with_suffix(".started").exists()  # so that the table shows the gap


def test_an_input_that_cannot_be_read_again_costs_its_line_and_not_the_results(results: Path, monkeypatch) -> None:
    make_corpus(results / "corpus")
    log, found = results / "x/logs/index.log", results / "x/findings.parquet"
    write_manifest(results / "x/manifests/a.tsv", manifest_rows(results / "corpus", find(results / "corpus", "auto")))
    tables = {name: results / "x" / f"{name}.parquet" for name in ("recordings", "seizures")}
    read = {"manifest": results / "x/manifests/a.tsv", "root": results / "corpus", "findings": found}
    digest = provenance_files.digest_content

    def broken(path: Path) -> str:
        if path.suffix == ".tsv":
            raise OSError(5, "Input/output error", str(path))
        return digest(path)

    monkeypatch.setattr(provenance_files, "digest_content", broken)
    settings = {"index": {"corpus": "x", "reader": "folder", "version": "auto"}}
    assert call(index, settings, log, **read, **tables) == 0
    record = read_json(provenance.record_path(log))
    assert "x/manifests/a.tsv" not in named(record["inputs"])
    assert "x/findings.parquet" in named(record["outputs"])
    assert "x/manifests/a.tsv is not in the record of provenance: Input/output error" in log.read_text()
    assert "stays" not in log.read_text()


def test_a_note_is_kept_with_the_job_it_was_made_in(results: Path) -> None:
    provenance.note("resumed_from_epochs", 1)  # without a job: nothing
    arguments = job(results)
    provenance.begin(arguments)
    provenance.note("resumed_from_epochs", 3)
    assert ended(arguments)["notes"] == {"resumed_from_epochs": 3}
    provenance.begin(arguments)
    assert ended(arguments)["notes"] == {}


def test_without_a_log_there_is_no_record(tmp_path: Path) -> None:
    provenance.begin(argparse.Namespace(settings="{}", code="", log=None))
    provenance.finish("made_up")
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("log", "record"),
    [
        ("r/tiny/logs/ingest/train-00.log", "r/tiny/provenance/ingest/train-00.json"),
        ("r/tiny/logs/run/seed0.train.log", "r/tiny/provenance/run/seed0.train.json"),
        ("/logs/r/tiny/paper/logs/table01.log", "/logs/r/tiny/paper/provenance/table01.json"),
        ("elsewhere/a.log", "elsewhere/a.provenance.json"),
    ],
)
def test_where_records_lie(log: str, record: str) -> None:
    assert provenance.record_path(Path(log)) == Path(record)


def store(path: Path, value: float, **attributes: Any) -> Path:
    with writing_store(path, attributes) as group:
        group.create_array("x", shape=(4, 5), chunks=(2, 5), dtype="float32", compressors=None)[...] = value
    return path


def test_the_digest_of_a_store_is_of_its_arrays(tmp_path: Path) -> None:
    first = provenance_files.digest_content(store(tmp_path / "a.zarr.zip", 1.0))
    assert provenance_files.digest_content(store(tmp_path / "b.zarr.zip", 1.0)) == first
    assert provenance_files.digest_content(store(tmp_path / "c.zarr.zip", 1.5)) != first
    assert provenance_files.digest_content(store(tmp_path / "d.zarr.zip", 1.0, clips=["k"])) != first
    (tmp_path / "e.zarr.zip").write_bytes(b"no archive")
    assert provenance_files.digest_content(tmp_path / "e.zarr.zip") == digest_file(tmp_path / "e.zarr.zip")


def test_a_copy_of_a_corpus_with_other_times_has_manifests_of_equal_content(tmp_path: Path) -> None:
    make_corpus(tmp_path / "edfs")
    digests = []
    for place in ("here", "there"):
        manifest = tmp_path / place / "manifests" / "train-00.tsv"
        write_manifest(manifest, manifest_rows(tmp_path / "edfs", find(tmp_path / "edfs", "auto")))
        digests.append((provenance_files.digest_content(manifest), digest_file(manifest)))
        os.utime(tmp_path / "edfs/annabel/annabel_r1.edf", (10**9, 10**9))
    assert digests[0][0] == digests[1][0]
    assert digests[0][1] != digests[1][1]
    with open(tmp_path / "edfs/annabel/annabel_r1.edf", "ab") as edf:
        edf.write(b"more")
    write_manifest(manifest, manifest_rows(tmp_path / "edfs", find(tmp_path / "edfs", "auto")))
    assert provenance_files.digest_content(manifest) != digests[0][0]


def test_pages_of_another_build_stamp_are_equal(tmp_path: Path) -> None:
    from pipeline.report.page import Page, render

    digests = []
    for number, (stamp, title) in enumerate((("today", "t"), ("tomorrow", "t"), ("", "t"), ("today", "another"))):
        page = Page(title=title, subtitle="", banner="", synthetic=False, sections=[], caveats=[], stamp=stamp)
        path = tmp_path / f"{number}.html"
        path.write_text(render(page, max_mb=1.0))
        digests.append(provenance_files.digest_content(path))
    assert digests[0] == digests[1]
    assert digests[0] != digests[3]


def test_what_is_opened_and_renamed_is_seen(results: Path, tmp_path: Path) -> None:
    arguments = job(results)
    base = results / "x"
    base.mkdir(parents=True)
    (base / "read.txt").write_text("1")
    (base / "extended.txt").write_text("1")
    (tmp_path / "elsewhere.txt").write_text("1")
    provenance.begin(arguments)
    (base / "read.txt").read_text()
    with open(base / "extended.txt", "a") as file:
        file.write("2")
    (base / ".temporary").write_text("3")
    (base / ".temporary").replace(base / "renamed.txt")
    (base / "removed.txt").write_text("4")
    (base / "removed.txt").unlink()
    (base / "benchmarks").mkdir()
    (base / "benchmarks" / "b.tsv").write_text("5")
    (tmp_path / "elsewhere.txt").read_text()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "page.html").write_text("6")
    (tmp_path / "folder").rename(base / "pages")
    store(base / "s.zarr.zip", 1.0)
    with reading_store(base / "s.zarr.zip") as group:
        assert group["x"].shape == (4, 5)
    record = ended(arguments)
    assert set(named(record["inputs"])) == {"x/read.txt"}
    made = ("extended.txt", "pages/page.html", "renamed.txt", "s.zarr.zip")
    assert named(record["outputs"]) == {f"x/{name}": provenance_files.digest_content(base / name) for name in made}


def test_files_that_libraries_open_unseen_are_known_by_the_command_line(results: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    arguments = job(results)
    (results / "x").mkdir(parents=True)
    (tmp_path / "weights.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    arguments.weights, arguments.made = [tmp_path / "weights.safetensors"], results / "x" / "made.bin"
    provenance.begin(arguments)
    load_file(tmp_path / "weights.safetensors")
    subprocess.run(["cp", arguments.weights[0], arguments.made], check=True)
    record = ended(arguments)
    assert set(named(record["inputs"])) == {"{outside}/weights.safetensors"}
    assert set(named(record["outputs"])) == {"x/made.bin"}


def test_the_scheduler_and_the_commit_come_from_the_environment(results: Path, monkeypatch, tmp_path: Path) -> None:
    for name, value in (("SLURM_JOB_ID", "17"), ("SLURM_JOB_PARTITION", "gpu"), ("SLURMD_NODENAME", "g1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(provenance_machine.SOURCE, "feed changed")
    arguments = job(results)
    provenance.begin(arguments)
    record = ended(arguments)
    assert record["scheduler"] == {"system": "slurm", "job": "17", "partition": "gpu", "node": "g1"}
    assert record["source"] == {"commit": "feed", "clean": False}
    assert provenance_machine.source_state(tmp_path) == ""
