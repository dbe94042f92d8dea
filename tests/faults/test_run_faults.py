"""Fault rows 16 to 20 and 22: leaks, kills, full disks, two runs in one folder, results that depend on chance."""

import errno
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import store
from pipeline.corpora import folder
from pipeline.corpora.shards import deal, manifest_rows, write_manifest
from pipeline.findings import Findings
from pipeline.leaks import leaks, report_duplicates
from pipeline.settings.config import parse_config
from pipeline.settings.corpora import SplitSettings
from pipeline.settings.training import FitSettings
from pipeline.stages import scaler
from pipeline.store import digest_result, read_json, read_table, reading_store, write_json, write_table, writing_store
from pipeline.training.job import Inputs, Outputs, run_job
from tests.signals.edf_builder import EdfFile, scalp_channels
from tests.training.training_files import Files, fit_settings, make_files
from workflow.lib import job_settings, run_lock

ROOT = Path(__file__).parents[2]


def stage(name: str, settings: dict[str, Any], *, environment: dict[str, str] | None = None, **options: Any) -> Any:
    """A started stage; lists become several values."""
    command = [sys.executable, "-m", f"pipeline.stages.{name}", "--settings", json.dumps(settings)]
    for option, value in options.items():
        command += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    variables = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: Any) -> tuple[int, str]:
    """Exit status and what it wrote to the terminal."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def segments(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """recording, patient, split, digest."""
    table = pd.DataFrame(rows, columns=["recording", "patient", "split", "digest"])
    return table.assign(segment="000")


def test_row16_a_patient_in_two_splits_is_named_with_both() -> None:
    (problem,) = leaks(segments([("a1", "a", "train", "1"), ("a2", "a", "test", "2"), ("b1", "b", "test", "3")]))
    assert problem == "patient a is in test and train"


def test_row16_the_same_samples_under_two_names_or_two_ids() -> None:
    rows = [("a1", "a", "train", "1"), ("b1", "b", "test", "1"), ("c1", "c", "test", "2")]
    (problem,) = leaks(segments(rows))
    assert "a1/000 (train)" in problem
    assert "b1/000 (test)" in problem
    findings = Findings()
    within = [("a1", "a", "train", "1"), ("b1", "b", "train", "1")]
    assert leaks(segments(within)) == []
    assert report_duplicates(segments(within), findings) == {"b1"}
    assert [finding.code for finding in findings] == ["duplicate_samples"]


def test_row16_clean_splits_give_no_problem() -> None:
    dice = random.Random(16)
    split = {f"p{k}": dice.choice(["train", "validation", "test"]) for k in range(40)}
    rows = [(f"r{k}", f"p{k % 40}", split[f"p{k % 40}"], str(k)) for k in range(200)]
    assert leaks(segments(rows)) == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("run-faults"))


SPLITS = SplitSettings(source="hash", official={}, validation_share=0.0, test_share=0.0, file=None, seed=0)
FITS = ("scaler", "pretrain", "train")


def test_row17_no_fit_has_a_test_shard_among_its_inputs(tmp_path: Path) -> None:
    """Scaler, class weights, threshold and weights come from jobs that cannot open a test recording."""
    words = ["--configfile", "workflow/presets/tiny.yaml", "--config", f"results={tmp_path}"]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--printshellcmds", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    jobs: dict[str, list[str]] = {rule: [] for rule in (*FITS, "predict")}
    said = done.stdout.replace(str(tmp_path), "")
    for text in re.split(r"(?=python -m pipeline\.stages\.)", said)[1:]:
        rule, files = text.split()[2].rsplit(".", 1)[-1], text.split("\n\n")[0]
        jobs.setdefault(rule, []).append(files)
    assert all("train-" in files for rule in FITS for files in jobs[rule])
    assert not [files for rule in FITS for files in jobs[rule] if re.search(r"/test-[0-9]", files)]
    assert all(jobs[rule] for rule in FITS)
    assert any(re.search(r"/test-[0-9]", files) for files in jobs["predict"]), "this test could not fail otherwise"


def fit(files: Files, out: Path, **changes: Any) -> dict[str, bytes]:
    """Scaler and model of the training and validation shards, in this process; the bytes of each artefact."""
    shards, settings = files.job(slice(0, 3), "distance"), FitSettings.model_validate(fit_settings(epochs=2) | changes)
    argv = ["scaler", "--settings", '{"task": "detection", "length_s": 5}', "--scaler", str(out / "scaler.json")]
    argv += ["--features", *map(str, files.features[:2]), "--clips", *map(str, files.clips[:2])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        scaler.main()
    outputs = Outputs(out / "m.safetensors", out / "card.json", out / "history.parquet")
    run_job(Inputs(**shards, encoder=None), outputs, settings=settings, code="", checkpoints=out / "keep")
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def test_row17_other_test_data_leave_every_artefact_of_the_training_as_it_is(tmp_path: Path) -> None:
    """The folder's test shard is replaced by noise: scaler, threshold, weights and card do not move by a byte."""
    files = make_files(tmp_path / "data")
    before = fit(files, tmp_path / "before")
    table = read_table(files.clips[3])
    write_table(files.clips[3], table.assign(label=1 - table["label"]))
    files.features[3].write_bytes(b"noise")
    assert fit(files, tmp_path / "after") == before
    assert set(before) == {"scaler.json", "m.safetensors", "card.json", "history.parquet"}
    table = read_table(files.clips[0])
    write_table(files.clips[0], table.assign(label=1 - table["label"]))
    assert fit(files, tmp_path / "other")["m.safetensors"] != before["m.safetensors"], "training data do count"


WRITER = """
import sys
import numpy as np, pandas as pd
from pathlib import Path
from pipeline.store import write_json, write_table, writing_store
folder, version = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    with writing_store(folder / "x.zarr.zip", {"version": version}) as group:
        for name in "abc":
            array = group.create_array(name, shape=(19, 4000), chunks=(19, 500), dtype="float32", compressors=None)
            array[...] = np.full((19, 4000), version, np.float32)
    write_table(folder / "x.parquet", pd.DataFrame({"version": [version] * 4000}))
    write_json(folder / "x.json", {"version": version, "text": "x" * 20000})
"""


def versions(folder: Path) -> list[int]:
    """The version that each of the three files holds in all of its parts; files that are not there yet are left out."""
    found = []
    if (folder / "x.zarr.zip").exists():
        with reading_store(folder / "x.zarr.zip") as group:
            inside = {int(group.attrs["version"]), *(int(v) for name in "abc" for v in np.unique(group[name][...]))}
        assert len(inside) == 1, "half of one version, half of another"
        found += inside
    if (folder / "x.parquet").exists():
        (version,) = set(read_table(folder / "x.parquet")["version"])
        found.append(int(version))
    if (folder / "x.json").exists():
        found.append(read_json(folder / "x.json")["version"])
    return found


def test_row18_sigkill_at_any_moment_of_a_write_leaves_whole_files_and_nothing_stale(tmp_path: Path) -> None:
    dice = random.Random(18)
    for version in range(1, 7):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(version)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(dice.uniform(0.0, 0.5))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert set(versions(tmp_path)) <= set(range(1, version + 1))
    for _ in range(3):  # temporaries of the dead are swept by whoever writes the same file next
        with writing_store(tmp_path / "x.zarr.zip", {"version": 9}) as group:
            for name in "abc":
                array = group.create_array(name, shape=(2, 2), dtype="float32", compressors=None)
                array[...] = np.full((2, 2), 9, np.float32)
        write_table(tmp_path / "x.parquet", pd.DataFrame({"version": [9]}))
        write_json(tmp_path / "x.json", {"version": 9})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.parquet", "x.zarr.zip"]
    assert versions(tmp_path) == [9, 9, 9]


def test_row18_the_file_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(store.os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(store.os, "replace", lambda *names: (order.append("replace"), replace(*names))[1])
    write_json(tmp_path / "x.json", {"a": 1})
    assert order.index("fsync") < order.index("replace")


def big_store(path: Path) -> None:
    with writing_store(path, {}) as group:
        array = group.create_array("a", shape=(100, 10_000), chunks=(10, 10_000), dtype="float32", compressors=None)
        array[...] = np.ones((100, 10_000), np.float32)


WRITES = {
    "x.zarr.zip": big_store,
    "x.parquet": lambda path: write_table(path, pd.DataFrame({"x": np.random.default_rng(0).random(200_000)})),
    "x.json": lambda path: write_json(path, {"x": list(range(100_000))}),
}


@pytest.mark.parametrize("name", WRITES)
def test_row19_a_full_disk_leaves_the_old_file_and_no_part_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A limit on file size stands for the disk: write(2) fails after some of the bytes, as it does there."""
    (tmp_path / name).write_bytes(b"old")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # or modules imported here would be cut off, too
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OSError, match=name):
            WRITES[name](tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"old"
    WRITES[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size > 100_000


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("name", WRITES)
def test_row19_no_permission_and_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """Root may write everywhere: the error that the system would give is made here."""

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(store.tempfile, "mkstemp", refused)
        patch.setattr(store.tempfile, "mkdtemp", refused)
        with pytest.raises(OSError, match=name) as caught:
            WRITES[name](tmp_path / name)
    assert caught.value.errno == code
    assert list(tmp_path.iterdir()) == []


def test_row19_the_stage_says_what_to_do_and_the_same_command_succeeds_later(files: Files, tmp_path: Path) -> None:
    settings, shards = {"task": "detection", "length_s": 5}, {"features": files.features[:2], "clips": files.clips[:2]}
    blocked = tmp_path / "blocked"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50)); "
    run = "import runpy, sys; sys.argv[0] = 'scaler'; runpy.run_module('pipeline.stages.scaler', run_name='__main__')"
    command = [sys.executable, "-B", "-c", limit + run, "--settings", json.dumps(settings)]
    for option, paths in shards.items():
        command += [f"--{option}", *map(str, paths)]
    full = subprocess.run(
        [*command, "--scaler", str(blocked / "s.json")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert "s.json" in full.stderr
    assert "make room, then run the same command again" in full.stderr
    assert list(blocked.iterdir()) == []
    assert answer(stage("scaler", settings, **shards, scaler=blocked / "s.json"))[0] == 0


HOLDER = """
import sys, time
from workflow.lib import job_settings, run_lock
print(repr(run_lock.take(sys.argv[1])), flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.said = process.stdout.readline()  # type: ignore[attr-defined]
    return process


def test_row20_a_second_run_is_refused_by_the_name_of_the_first_and_a_stale_lock_recovered(tmp_path: Path) -> None:
    import socket

    assert run_lock.holder(tmp_path) == "", "nobody has been here"
    first = holder(tmp_path)
    try:
        assert run_lock.holder(tmp_path).startswith(f"process {first.pid} on")
        with pytest.raises(run_lock.FolderInUse, match=f"process {first.pid} on {socket.gethostname()}"):
            run_lock.take(tmp_path)
    finally:
        first.kill()
        first.wait()
    assert run_lock.holder(tmp_path) == "", "a killed run holds nothing"
    assert f"process {first.pid}" in run_lock.take(tmp_path), "the killed run is named, and its lock taken over"
    run_lock.release(tmp_path)
    second = holder(tmp_path)
    assert second.said == "''\n", "after a run that ended well there is nothing to say"  # type: ignore[attr-defined]
    second.kill()
    second.wait()


def test_row20_snakemake_itself_is_refused_before_any_job(tmp_path: Path) -> None:
    run_lock.take(tmp_path)
    target = f"{tmp_path}/tiny/manifests/train-00.tsv"
    words = ["--configfile", "workflow/presets/tiny.yaml", "--config", f"results={tmp_path}"]
    try:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", target, *words]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        looking = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        run_lock.release(tmp_path)
    assert refused.returncode == 1
    assert f"in use by process {os.getpid()} on" in refused.stdout + refused.stderr
    assert not Path(target).exists()
    assert looking.returncode == 0, "to look at the plan is always allowed"


def results_of(out: Path) -> dict[str, str]:
    return {path.name: digest_result(path) for path in sorted(out.iterdir()) if path.is_file()}


def start_training(files: Files, out: Path, hash_seed: str) -> Any:
    results = {"model": out / "m.safetensors", "card": out / "card.json", "history": out / "history.parquet"}
    shards, environment = files.job(slice(0, 3), "distance"), {"PYTHONHASHSEED": hash_seed}
    return stage(
        "train", fit_settings(epochs=2), **shards, **results, checkpoints=f"{out}-keep", environment=environment
    )


def test_row22_trainings_at_the_same_time_under_other_hash_seeds_give_equal_bytes(files: Files, tmp_path: Path) -> None:
    together = {name: start_training(files, tmp_path / name, seed) for name, seed in (("a", "1"), ("b", "random"))}
    for process in together.values():
        code, said = answer(process)
        assert code == 0, said
    assert results_of(tmp_path / "a") == results_of(tmp_path / "b")
    assert len(results_of(tmp_path / "a")) == 3


SETTINGS = yaml.safe_load((ROOT / "config.yaml").read_text())


def ingest(corpus: Path, out: Path, hash_seed: str) -> dict[str, str]:
    """Manifest, index and signals of a folder of EDFs in fresh processes; the digests of what they wrote."""
    dealt = deal(folder.find(corpus, "stems"), SPLITS, {"train": 1, "validation": 1, "test": 1}, "c")[0]
    (recordings,) = dealt.values()
    write_manifest(out / "manifest.tsv", manifest_rows(corpus, recordings))
    index = {"corpus": "c", "reader": "folder", "version": "stems"}
    tables = {"recordings": out / "recordings.parquet", "seizures": out / "seizures.parquet"}
    environment = {"PYTHONHASHSEED": hash_seed}
    code, said = answer(stage("index", {"index": index}, root=corpus, manifest=out / "manifest.tsv", **tables,
                              findings=out / "index.findings.parquet", environment=environment))  # fmt: skip
    assert code == 0, said
    settings = job_settings.ingest(parse_config(SETTINGS), "synthetic") | {"corpus": "c"}
    code, said = answer(stage("ingest", json.loads(job_settings.as_text(settings)), root=corpus, **tables,
                              signals=out / "signals.zarr.zip", segments=out / "segments.parquet",
                              findings=out / "findings.parquet", environment=environment))  # fmt: skip
    assert code == 0, said
    return results_of(out)


@pytest.mark.slow
def test_row22_ingest_gives_equal_bytes_under_any_hash_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(22)
    for patient in ("a", "b", "c"):
        EdfFile(scalp_channels(rng, records=8, per_record=256)).write(tmp_path / "corpus" / f"{patient}_1.edf")
    one, other = (ingest(tmp_path / "corpus", tmp_path / seed, seed) for seed in ("0", "12345"))
    assert one == other
    assert "signals.zarr.zip" in one


def test_row22_the_digest_of_a_result_sees_one_changed_number(tmp_path: Path) -> None:
    for name, value in (("one.zarr.zip", 1.0), ("same.zarr.zip", 1.0), ("other.zarr.zip", 1.0000001)):
        with writing_store(tmp_path / name, {}) as group:
            array = group.create_array("a", shape=(3,), dtype="float32", compressors=None)
            array[...] = np.array([0.0, value, 2.0], np.float32)
    one, same, other = (digest_result(tmp_path / f"{name}.zarr.zip") for name in ("one", "same", "other"))
    assert one == same
    assert one != other
