"""Weights of another corpus are not tested on whom they were learnt from."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.stages import check_source
from pipeline.stages.command import StageError
from pipeline.store import read_json, write_table


def corpus(folder: Path, patients: dict[str, str], *, samples: str = "") -> dict[str, str]:
    """Two segments each of `patients` (name -> split); `samples` stands before the digest of a segment."""
    rows = [
        {"recording": f"{name}_r", "segment": str(k), "patient": name, "split": split, "digest": f"{samples}{name}{k}"}
        for name, split in patients.items()
        for k in range(2)
    ]
    write_table(folder / "segments.parquet", pd.DataFrame(rows))
    splits = pd.DataFrame({"patient": list(patients), "split": list(patients.values())})
    write_table(folder / "splits.parquet", splits)
    return {"segments": str(folder / "segments.parquet"), "splits": str(folder / "splits.parquet")}


def check(monkeypatch: pytest.MonkeyPatch, learnt: dict[str, str], tested: dict[str, str], out: Path) -> None:
    settings = json.dumps({"corpus": "here", "source": "there"})
    words = ["check_source", "--settings", settings, "--learnt", learnt["segments"]]
    words += ["--learnt-splits", learnt["splits"], "--tested", tested["segments"], "--tested-splits", tested["splits"]]
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(out)])
    check_source.main()


def test_other_patients_pass_and_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    learnt = corpus(tmp_path / "a", {"p1": "train", "p2": "validation", "p3": "test"})
    tested = corpus(tmp_path / "b", {"q1": "train", "q2": "test"})
    check(monkeypatch, learnt, tested, tmp_path / "out.json")
    counted = {"corpus": "here", "source": "there", "learnt_patients": 2, "tested_patients": 1}
    assert read_json(tmp_path / "out.json") == counted


def test_who_is_tested_on_both_sides_or_trains_on_both_is_no_leak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    both = {"p1": "train", "p2": "validation", "p3": "test"}
    check(monkeypatch, corpus(tmp_path / "a", both), corpus(tmp_path / "b", both), tmp_path / "out.json")
    assert (tmp_path / "out.json").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_patient_who_was_learnt_from_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, split: str) -> None:
    learnt = corpus(tmp_path / "a", {"p1": split, "p2": "test"}, samples="other ")
    tested = corpus(tmp_path / "b", {"p1": "test", "p2": "train"})
    with pytest.raises(StageError, match="learnt on there may not be tested on here: 1 patients are in both: p1"):
        check(monkeypatch, learnt, tested, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_the_same_samples_under_another_name_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two corpora hold one recording, each under a name (or pseudonym) of its own."""
    learnt = corpus(tmp_path / "a", {"p1": "train", "p2": "test"})
    table = pd.read_parquet(learnt["segments"])
    same = table.loc[table["patient"] == "p1", "digest"].to_numpy()
    tested = corpus(tmp_path / "b", {"q1": "test"})
    foreign = pd.read_parquet(tested["segments"]).assign(digest=same)
    write_table(Path(tested["segments"]), foreign)
    with pytest.raises(StageError, match="the same samples are in both: q1_r"):
        check(monkeypatch, learnt, tested, tmp_path / "out.json")
