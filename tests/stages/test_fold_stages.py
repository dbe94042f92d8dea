"""A fold of a corpus through the command lines: who is dealt, whose clips are cut, and what stops a leak."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.stages.command import StageError
from pipeline.store import read_table, write_table

CODES = ("fnsz", "gnsz", "absz")
COUNT = 3
CLIPS = {
    "clips": {"before_onset_s": 2, "forecast_s": 12},
    "compat": {"label_edge": "half_open", "clip_start_offset": False},
}


def run_stage(monkeypatch: pytest.MonkeyPatch, stage: str, settings: dict[str, Any], *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [stage, "--settings", json.dumps(settings), *map(str, words)])
    importlib.import_module(f"pipeline.stages.{stage}").main()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve patients, all in the official training set, each with two recordings and a seizure in the first."""
    patients = [f"p{k:02d}" for k in range(12)]
    rows = [(f"{name}_r{k}", name) for name in patients for k in range(2)]
    recordings = pd.DataFrame(rows, columns=["recording", "patient"])
    segments = recordings.assign(
        session="s", split="train", segment="0", start_s=0.0, duration_s=48.0, n_samples=9600, rate_hz=200.0,
        digest=recordings["recording"], labelled=True,
    )  # fmt: skip
    seizures = [(f"{name}_r0", "TERM", 14.0, 30.0, CODES[k % 3]) for k, name in enumerate(patients)]
    write_table(tmp_path / "recordings.parquet", recordings)
    write_table(tmp_path / "segments.parquet", segments)
    columns = ["recording", "channel", "onset_s", "offset_s", "code"]
    write_table(tmp_path / "seizures.parquet", pd.DataFrame(seizures, columns=columns))
    return tmp_path


def fold(monkeypatch: pytest.MonkeyPatch, corpus: Path, number: int, *given: object) -> Path:
    settings = {"fold": number, "count": COUNT, "validation_share": 0.25, "seed": 0}
    tables = ["--recordings", corpus / "recordings.parquet", "--seizures", corpus / "seizures.parquet"]
    path = corpus / f"folds{number}.parquet"
    run_stage(monkeypatch, "folds", settings, *tables, *given, "--folds", path)
    return path


def clips(monkeypatch: pytest.MonkeyPatch, corpus: Path, task: str, *given: object) -> pd.DataFrame:
    tables = ["--segments", corpus / "segments.parquet", "--seizures", corpus / "seizures.parquet"]
    out = ["--clips", corpus / "clips.parquet", "--findings", corpus / "findings.parquet"]
    run_stage(monkeypatch, "clips", {"task": task, "length_s": 12, **CLIPS}, *tables, *given, *out)
    return read_table(corpus / "clips.parquet")


@pytest.mark.parametrize("task", ["detection", "classification", "pretraining"])
def test_the_clips_of_a_fold_are_those_of_the_corpus_with_other_splits(
    monkeypatch: pytest.MonkeyPatch, corpus: Path, task: str
) -> None:
    whole, tested = clips(monkeypatch, corpus, task), []
    for number in range(COUNT):
        folds = fold(monkeypatch, corpus, number)
        splits = read_table(folds).set_index("patient")["split"]
        parts = [clips(monkeypatch, corpus, task, "--folds", folds, "--split", s) for s in splits.unique()]
        for split, part in zip(splits.unique(), parts, strict=True):
            assert len(part)
            assert (part["split"] == split).all()
            assert (part["patient"].map(splits) == split).all()
        together = pd.concat(parts).sort_values("clip").drop(columns="split").reset_index(drop=True)
        pd.testing.assert_frame_equal(together, whole.sort_values("clip").drop(columns="split").reset_index(drop=True))
        tested += list(splits.index[splits == "test"])
    assert sorted(tested) == sorted(whole["patient"].unique())


def check(monkeypatch: pytest.MonkeyPatch, corpus: Path, folds: Path) -> pd.DataFrame:
    out = ["--findings", corpus / "splits.findings.parquet", "--splits", corpus / "splits.parquet"]
    words = ["--segments", corpus / "segments.parquet", "--folds", folds, *out]
    run_stage(monkeypatch, "check_splits", {"corpus": "fold"}, *words)
    return read_table(corpus / "splits.parquet")


def test_the_proof_of_the_splits_is_that_of_the_fold(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    folds = fold(monkeypatch, corpus, 1)
    proven = check(monkeypatch, corpus, folds).set_index("patient")["split"]
    assert proven.to_dict() == read_table(folds).set_index("patient")["split"].to_dict()


def test_samples_that_two_patients_of_a_fold_share_stop_it(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    """Within one official split they were no more than duplicates."""
    folds = fold(monkeypatch, corpus, 0)
    splits = read_table(folds)
    train, test = (splits.loc[splits["split"] == split, "patient"].iloc[0] for split in ("train", "test"))
    segments = read_table(corpus / "segments.parquet")
    segments.loc[segments["recording"] == f"{test}_r1", "digest"] = f"{train}_r0"
    write_table(corpus / "segments.parquet", segments)
    with pytest.raises(StageError, match=f"the same samples are in .*{train}_r0.*{test}_r1|{test}_r1.*{train}_r0"):
        check(monkeypatch, corpus, folds)


def test_a_users_list_leaves_patients_out_of_everything(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    listed = corpus / "list.tsv"
    lines = [f"p{k:02d}\t{'none' if k == 7 else k % COUNT}" for k in range(12)]
    listed.write_text("\n".join(["patient\tfold", *lines]) + "\n")
    folds = fold(monkeypatch, corpus, 2, "--list", listed)
    assert set(read_table(folds).query("split == 'test'")["patient"]) == {"p02", "p05", "p08", "p11"}
    parts = [clips(monkeypatch, corpus, "detection", "--folds", folds, "--split", s) for s in ("train", "validation")]
    assert "p07" not in set(pd.concat(parts)["patient"])
    assert "p07" not in set(check(monkeypatch, corpus, folds)["patient"])
