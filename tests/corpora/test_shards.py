"""Splits and shards: pure functions of the patient; leaks dropped with a finding; manifests."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import (
    deal,
    manifest_rows,
    read_manifest,
    recordings_of,
    shard_of,
    stable_share,
    write_manifest,
)
from pipeline.findings import CorpusError
from pipeline.settings.corpora import SplitSettings

SHARDS = {"train": 4, "validation": 2, "test": 3}


def settings(**changes):
    values = {
        "source": "official", "official": {"train": "train", "dev": "validation", "eval": "test"},
        "validation_share": 0.0, "test_share": 0.0, "file": None, "seed": 0,
    }  # fmt: skip
    return SplitSettings(**{**values, **changes})


def recording(patient, number=0, official="train"):
    name = f"{patient}_s001_t{number:03d}_{official}"
    return RecordingFiles(
        recording=name, patient=patient, session="s001", montage="01_tcp_ar", edf=f"{name}.edf", official=official
    )


def many(n, official="train"):
    return [recording(f"p{i}", k, official) for i in range(n) for k in range(2)]


def dealt_patients(dealt):
    return {shard: {files.patient for files in found} for shard, found in dealt.items()}


def test_stable_numbers():
    """Fixed for ever: another number would move patients between splits and shards."""
    share = int.from_bytes(hashlib.blake2b(b"shard|00001027", digest_size=7).digest(), "big") / 256**7
    assert stable_share("shard", "00001027") == share
    assert shard_of("00001027", "train", SHARDS) == f"train-0{int(4 * share)}" == "train-01"


def test_a_patient_is_never_split_over_shards():
    found = many(60) + many(20, "dev") + many(20, "eval")
    dealt, findings = deal(found, settings(official=dict.fromkeys(["train", "dev", "eval"], "train")), SHARDS, "x")
    assert len(findings) == 0
    assert sum(len(found) for found in dealt.values()) == 200
    assert len([patient for group in dealt_patients(dealt).values() for patient in group]) == 60


def test_splits_and_shards_bear_the_split():
    found = (
        many(40)
        + [recording(f"d{i}", 0, "dev") for i in range(20)]
        + [recording(f"e{i}", 0, "eval") for i in range(20)]
    )
    dealt, _ = deal(found, settings(), SHARDS, "x")
    for shard, files in dealt.items():
        assert {one.split for one in files} == {shard.rsplit("-", 1)[0]}
        assert int(shard.rsplit("-", 1)[1]) < SHARDS[shard.rsplit("-", 1)[0]]
    names = [f"{split}-0{i}" for split, n in SHARDS.items() for i in range(n)]
    assert list(dealt) == names


@given(st.permutations(list(range(12))), st.integers(0, 11))
def test_dealing_depends_on_the_patient_alone(order, left_out):
    """Neither the order of the recordings nor who else is there moves a patient."""
    everyone = many(12)
    whole, _ = deal(everyone, settings(source="hash", validation_share=0.3, test_share=0.3), SHARDS, "x")
    some = [files for i in order if i != left_out for files in everyone[2 * i : 2 * i + 2]]
    part, _ = deal(some, settings(source="hash", validation_share=0.3, test_share=0.3), SHARDS, "x")
    expected = {shard: group - {f"p{left_out}"} for shard, group in dealt_patients(whole).items()}
    assert dealt_patients(part) == {shard: group for shard, group in expected.items() if group}


def test_hash_shares_are_kept():
    dealt, _ = deal(many(2000), settings(source="hash", validation_share=0.1, test_share=0.2), SHARDS, "x")
    counts = {split: sum(len(f) for s, f in dealt.items() if s.startswith(split)) / 4000 for split in SHARDS}
    assert abs(counts["validation"] - 0.1) < 0.02
    assert abs(counts["test"] - 0.2) < 0.03


def test_validation_is_held_out_of_train():
    found = [*many(200), recording("e1", 0, "eval")]
    dealt, _ = deal(found, settings(validation_share=0.1), SHARDS, "x")
    held_out = {files.patient for shard, group in dealt.items() if shard.startswith("validation") for files in group}
    assert 8 < len(held_out) < 35
    assert "e1" not in held_out


def test_T02_patients_on_both_sides_leave_the_test_side():
    """The five of TUSZ v1.5.2, whose official test folder is `dev`."""
    five = ["00001027", "00001981", "00004671", "00006546", "00009842"]
    found = [recording(patient, 0, side) for patient in [*five, "00000001"] for side in ("train", "dev")]
    found += [recording("00000002", 0, "dev")]
    official = {"train": "train", "dev": "test"}
    dealt, findings = deal(found, settings(official=official, validation_share=0.5), SHARDS, "tusz")
    test = {files.patient for shard, group in dealt.items() if shard.startswith("test") for files in group}
    assert test == {"00000002"}
    assert {finding.value for finding in findings} == {*five, "00000001"}
    assert {finding.code for finding in findings} == {"patient_in_two_splits"}
    assert sum(len(group) for group in dealt.values()) == 7  # the training sides are all kept


def test_an_unknown_folder_is_an_error():
    with pytest.raises(CorpusError, match=r"dev2.*splits\.official"):
        deal([recording("a", 0, "dev2")], settings(), SHARDS, "x")


def test_a_list_of_splits(tmp_path):
    listed = tmp_path / "splits.tsv"
    listed.write_text("patient\tsplit\np0\ttest\np1\ttrain\n")
    dealt, findings = deal(many(3), settings(source="file", file=str(listed)), SHARDS, "x")
    assert {files.patient for group in dealt.values() for files in group} == {"p0", "p1"}
    assert {(finding.code, finding.value) for finding in findings} == {("split_missing", "p2")}
    assert [finding.recording for finding in findings] == [
        files.recording for files in many(3) if files.patient == "p2"
    ]
    listed.write_text("patient\tsplit\np0\ttest\np0\ttrain\n")
    with pytest.raises(CorpusError, match="row 3"):
        deal(many(1), settings(source="file", file=str(listed)), SHARDS, "x")


def test_manifests(tmp_path):
    files = replace(recording("a"), split="train", annotations=("a.csv",))
    (tmp_path / files.edf).write_bytes(b"edf")
    (tmp_path / "a.csv").write_text("csv")
    rows = manifest_rows(tmp_path, [files])
    assert [(row.role, row.size) for row in rows] == [("edf", 3), ("annotation", 3)]
    path = tmp_path / "manifests" / "train-00.tsv"
    assert write_manifest(path, rows)
    before = path.stat().st_mtime_ns
    assert not write_manifest(path, rows)
    assert path.stat().st_mtime_ns == before
    assert read_manifest(path) == rows
    assert recordings_of(rows) == [replace(files, official="")]
    assert write_manifest(path, [replace(row, size=4) for row in rows])


def test_two_edfs_of_one_id_are_named_both(tmp_path):
    """`a.edf` and `a.EDF`: the reader gives both the id `a`, and whoever mends it needs both paths."""
    found = [replace(recording("a"), edf=name, split="train") for name in ("p/a.EDF", "p/a.edf")]
    (tmp_path / "p").mkdir()
    for files in found:
        (tmp_path / files.edf).write_bytes(b"edf")
    rows = manifest_rows(tmp_path, found)
    with pytest.raises(CorpusError, match=r"p/a\.EDF and p/a\.edf: EDFs of one id.*rename one"):
        recordings_of(rows)
    with pytest.raises(CorpusError, match=r"no EDF in the manifest"):
        recordings_of([replace(row, role="annotation") for row in rows])


@pytest.mark.parametrize("bad", ["../../etc/passwd", "/etc/passwd", "a/../../b.edf"])
def test_a_manifest_stays_in_the_corpus(tmp_path, bad):
    files = replace(recording("a"), split="train")
    (tmp_path / files.edf).write_bytes(b"edf")
    path = tmp_path / "m.tsv"
    write_manifest(path, [replace(row, path=bad) for row in manifest_rows(tmp_path, [files])])
    with pytest.raises(CorpusError, match="leaves"):
        read_manifest(path)
    with pytest.raises(CorpusError, match="tab"):
        write_manifest(path, [replace(row, path="a\tb.edf") for row in manifest_rows(tmp_path, [files])])


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.rsplit("\t", 1)[0],
        lambda line: line + "\tmore",
        lambda line: line.rsplit("\t", 1)[0] + "\tsoon",
        lambda line: line.rsplit("\t", 1)[0] + "\t" + "9" * 5000,
        lambda line: line.rsplit("\t", 1)[0] + "\t\u00b2",
        lambda line: line.replace(".edf", ".edf\0"),
    ],
)
def test_a_broken_row_of_a_manifest_is_named(tmp_path, change):
    files = replace(recording("a"), split="train")
    (tmp_path / files.edf).write_bytes(b"edf")
    path = tmp_path / "m.tsv"
    write_manifest(path, manifest_rows(tmp_path, [files]))
    head, line = path.read_text().splitlines()
    path.write_text(f"{head}\n{change(line)}\n")
    with pytest.raises(CorpusError, match=r"m.tsv, row 2: "):
        read_manifest(path)
