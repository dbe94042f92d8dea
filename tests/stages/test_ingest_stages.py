"""The stages index, ingest and check_splits, over small corpora and over the real files."""

import contextlib
import importlib
import io
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.corpora.folder import find
from pipeline.corpora.shards import deal, manifest_rows, write_manifest
from pipeline.settings.corpora import SplitSettings
from pipeline.stages.command import run
from pipeline.store import digest_file, reading_store
from tests.signals.edf_builder import ELECTRODES, EdfFile, annotation_channel, scalp_channels

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = REPOSITORY.parent / "shared" / "real-eeg"
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def stage(name, settings, **options):
    """Run a stage within this process, as its command would: exit status and log."""
    words = ["stage", "--settings", json.dumps(settings)]
    for option, value in options.items():
        words += [f"--{option}", *([str(v) for v in value] if isinstance(value, list) else [str(value)])]
    module = importlib.import_module(f"pipeline.stages.{name}")
    log, status = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(log):
        patch.setattr(sys, "argv", words)
        try:
            run(module.main)
        except SystemExit as end:
            status = end.code
        finally:
            logging.getLogger("ictograph").handlers.clear()
    return SimpleNamespace(returncode=status, stderr=log.getvalue())


def ingest_settings(**signals):
    compat = {name: CONFIG["compat"][name] for name in ("zero_unreadable", "resample_length")}
    sections = {"channels": CONFIG["channels"], "signals": {**CONFIG["signals"], **signals}, "compat": compat}
    return {"corpus": "test", **sections}


def process(corpus, out, *, splits=None, **signals):
    """Index and ingest a plain folder of EDFs; tables by name, the path of the store, and the log, for each shard."""
    chosen = {"source": "hash", "official": {}, "validation_share": 0.0, "test_share": 0.0, "file": None, "seed": 0}
    shards = {"train": 1, "validation": 1, "test": 1}
    dealt, _ = deal(find(corpus, "auto"), SplitSettings(**{**chosen, **(splits or {})}), shards, "test")
    return {shard: process_shard(corpus, out, shard, recordings, signals) for shard, recordings in dealt.items()}


def process_shard(corpus, out, shard, recordings, signals):
    write_manifest(out / f"{shard}.tsv", manifest_rows(corpus, recordings))
    names = {name: out / f"{shard}.{name}.parquet" for name in ("recordings", "seizures", "segments")}
    tables = {name: names[name] for name in ("recordings", "seizures")} | {"root": corpus}
    index = {"index": {"corpus": "test", "reader": "folder", "version": "auto"}}
    findings = [out / f"{shard}.{stage}.findings.parquet" for stage in ("index", "ingest")]
    done = stage("index", index, manifest=out / f"{shard}.tsv", findings=findings[0], **tables)
    assert done.returncode == 0, done.stderr
    store = out / f"{shard}.zarr.zip"
    outputs = {"signals": store, "segments": names["segments"], "findings": findings[1]}
    done = stage("ingest", ingest_settings(**signals), **tables, **outputs)
    result = {name: pd.read_parquet(path) for name, path in names.items() if path.exists()}
    found = pd.concat([pd.read_parquet(path) for path in findings if path.exists()])
    return {**result, "findings": found, "store": store, "log": done.stderr, "rc": done.returncode}


@pytest.fixture
def corpus(tmp_path):
    """Two patients; one recording is bipolar, one has a gap, one is cut short."""
    rng = np.random.default_rng(8)
    root = tmp_path / "corpus"
    lists = [f"+{i if i < 6 else i + 100}\x14\x14\0" for i in range(12)]
    lists[2] += "+2.5\x153\x14sz_foc\x14\0"
    gap = [*scalp_channels(rng, records=12), annotation_channel(lists)]
    EdfFile(gap, reserved="EDF+D").write(root / "p1" / "gap.edf")
    whole = EdfFile(scalp_channels(rng, records=15, per_record=250), fields={"recording": "Startdate X X X Synthetic"})
    whole = whole.write(root / "p1" / "whole.edf")
    (root / "p1" / "whole.tsv").write_text("onset\tduration\teventType\n0.00\t15.00\tbckg\n")
    EdfFile(scalp_channels(rng, records=5, labels=["FP1-F7", "F7-T3"])).write(root / "p2" / "bipolar.edf")
    (root / "p2" / "cut.edf").write_bytes(whole.read_bytes()[:2000])
    return root


def test_index_and_ingest(corpus, tmp_path):
    (result,) = process(corpus, tmp_path).values()
    recordings, seizures, segments = (result[name] for name in ("recordings", "seizures", "segments"))
    assert list(recordings["recording"]) == ["p1-gap", "p1-whole", "p2-bipolar"]
    assert list(recordings["duration_s"]) == [112.0, 15.0, 5.0]
    assert list(recordings["labelled"]) == [True, True, False]
    assert list(recordings["synthetic"]) == [False, True, False]
    columns = ["recording", "channel", "onset_s", "offset_s", "code"]
    assert seizures[columns].to_numpy().tolist() == [["p1-gap", "TERM", 2.5, 5.5, "fnsz"]]
    assert segments[["recording", "segment", "start_s", "n_samples"]].to_numpy().tolist() == [
        ["p1-gap", "000", 0.0, 1200], ["p1-gap", "001", 106.0, 1200], ["p1-whole", "000", 0.0, 3000],
    ]  # fmt: skip
    assert len(segments["derivations"][0]) == 20
    rejected = result["findings"].query("severity == 'error'").set_index("recording")["code"]
    assert rejected.to_dict() == {"p2-cut": "header_invalid", "p2-bipolar": "bipolar_only"}
    with reading_store(result["store"]) as store:
        assert list(store.attrs["electrodes"]) == ELECTRODES
        assert store["p1-gap/001"].shape == (19, 1200)
        assert sorted(store.group_keys()) == ["p1-gap", "p1-whole"]


def test_equal_bytes_and_equal_digests(corpus, tmp_path):
    """Two runs give the same bytes; the digest of the samples does not depend on how they were cut into blocks."""
    (one,) = process(corpus, tmp_path / "one").values()
    (two,) = process(corpus, tmp_path / "two").values()
    (small,) = process(corpus, tmp_path / "small", block_s=4.0).values()
    assert digest_file(one["store"]) == digest_file(two["store"])
    assert list(one["segments"]["digest"]) == list(two["segments"]["digest"]) == list(small["segments"]["digest"])
    assert one["segments"]["digest"].nunique() == 3


def test_strict_stops(corpus, tmp_path):
    (result,) = process(corpus, tmp_path, strict=True).values()
    assert result["rc"] == 1
    assert "strict" in result["log"]
    assert not result["store"].exists()


def check(out, results):
    segments = [out / f"{shard}.segments.parquet" for shard in results]
    options = {"segments": segments, "findings": out / "findings.parquet", "splits": out / "splits.parquet"}
    return stage("check_splits", {"corpus": "test"}, **options)


def split_corpus(tmp_path, copies):
    """Two patients in train and test, by a list; `copies` are (from, to) of EDFs under another name."""
    rng = np.random.default_rng(1)
    root = tmp_path / "corpus"
    for patient in ("a", "b"):
        EdfFile(scalp_channels(rng, records=13)).write(root / patient / "one.edf")
    for source, target in copies:
        (root / target).write_bytes((root / source).read_bytes())
    listed = tmp_path / "splits.tsv"
    listed.write_text("patient\tsplit\na\ttrain\nb\ttest\n")
    return process(root, tmp_path / "out", splits={"source": "file", "file": str(listed)})


def test_splits_without_leaks(tmp_path):
    results = split_corpus(tmp_path, [])
    assert check(tmp_path / "out", results).returncode == 0
    table = pd.read_parquet(tmp_path / "out" / "splits.parquet")
    assert table.to_numpy().tolist() == [["b", "test", 1, 0, False], ["a", "train", 1, 0, False]]


def test_T46_the_same_samples_in_two_splits_stop_everything(tmp_path):
    done = check(tmp_path / "out", split_corpus(tmp_path, [("a/one.edf", "b/copy.edf")]))
    assert done.returncode == 1
    assert "a-one/000 (train)" in done.stderr
    assert "b-copy/000 (test)" in done.stderr
    assert not (tmp_path / "out" / "splits.parquet").exists()


def test_T46_the_same_samples_in_one_split_are_a_finding(tmp_path):
    done = check(tmp_path / "out", split_corpus(tmp_path, [("a/one.edf", "a/copy.edf")]))
    assert done.returncode == 0
    findings = pd.read_parquet(tmp_path / "out" / "findings.parquet")
    assert list(findings["code"]) == ["duplicate_samples"]
    assert pd.read_parquet(tmp_path / "out" / "splits.parquet")["duplicates"].sum() == 1


def test_a_patient_in_two_splits_stops_everything(tmp_path):
    results = split_corpus(tmp_path, [])
    path = tmp_path / "out" / "test-00.segments.parquet"
    pd.read_parquet(path).assign(patient="a").to_parquet(path)
    done = check(tmp_path / "out", results)
    assert done.returncode == 1
    assert "patient a is in test and train" in done.stderr


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
def test_all_33_real_files_are_answered(tmp_path):
    (result,) = process(REAL, tmp_path).values()
    segments, findings = result["segments"], result["findings"]
    used = set(segments["recording"])
    assert len(used) == 24
    assert all(name.startswith("iiic_sparcnet-") for name in used)
    assert (segments["n_samples"] == 10_000).all()
    refused = findings.query("severity == 'error'").set_index("recording")["code"].to_dict()
    expected = dict.fromkeys((f"siena_f8_64hz-PN00-{i}_F8_64Hz" for i in (1, 2, 4, 5)), "missing_electrode")
    expected |= {f"headers_whitenoise-{name}": "bipolar_only" for name in ("chb01_01_sample", "chb05_06")}
    expected |= {f"headers_whitenoise-{name}": "fixture" for name in ("PN00-5_sample", "PN16-1", "P_ID10_r5_sample")}
    assert refused == expected


def test_a_file_that_ends_while_it_is_read_leaves_nothing_behind(corpus, tmp_path, monkeypatch):
    from pipeline.signals import recording
    from pipeline.signals.edf_header import reject

    decode_span = recording.decode_span

    def failing(header, *arguments):
        if header.path.name == "whole.edf":
            raise reject("file_unreadable", "gone")
        return decode_span(header, *arguments)

    monkeypatch.setattr(recording, "decode_span", failing)
    (result,) = process(corpus, tmp_path).values()
    assert set(result["segments"]["recording"]) == {"p1-gap"}
    assert "file_unreadable" in set(result["findings"]["code"])
    with reading_store(result["store"]) as store:
        assert sorted(store.group_keys()) == ["p1-gap"]


def test_a_killed_ingest_is_swept_by_the_next(corpus, tmp_path):
    process(corpus, tmp_path)
    stale = tmp_path / ".train-00.zarr.zip.999999999.x.dir"
    stale.mkdir()
    (stale / "chunk").write_bytes(b"x")
    process(corpus, tmp_path)
    assert not stale.exists()
