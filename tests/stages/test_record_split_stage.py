"""The stage of guard G5: the second model differs from the first in its clips alone, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_predict_and_evaluate import call, fitted  # first: it makes training_files importable
from training_files import Files, fit_settings, make_files

from pipeline.explain.record_split import Deal
from pipeline.stages import command, record_split
from pipeline.store import read_json, read_table, write_table

FIT = fit_settings(epochs=3, length_s=5)
EXPERIMENTS = {"permutations": 1, "bootstrap": 100, "confidence": 0.95, "seed": 0}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Four patients a shard; those of the test shard have two recordings each."""
    made = make_files(tmp_path_factory.mktemp("record-split"))
    table = read_table(made.clips[3])
    half = (table["segment"].astype(int) // 3).astype(str)
    write_table(made.clips[3], table.assign(recording=table["patient"] + "_r" + half))
    return made


def ask(monkeypatch: pytest.MonkeyPatch, files: Files, out: Path, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Train, predict, ask; the answer and the table."""
    run = fitted(monkeypatch, files, out, FIT)
    kept = {name: run[name] for name in ("card", "predictions", "checkpoints")}
    shards = files.job(slice(0, 4), "distance")
    call(monkeypatch, record_split, settings, **shards, **kept, out=out / "answer.json", table=out / "table.parquet")
    assert list(run["checkpoints"].iterdir()) == []
    return read_json(out / "answer.json"), read_table(out / "table.parquet")


def test_both_models_are_asked_about_the_last_recordings(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, table = ask(monkeypatch, files, tmp_path, {"fit": FIT, "experiments": EXPERIMENTS})
    test = read_table(files.clips[3])
    assert set(table["clip"]) == set(test.loc[test["recording"].str.endswith("_r1"), "clip"])
    assert answer["n_patients"] == 4
    assert answer["value"] == pytest.approx(answer["auroc_record"] - answer["auroc_patient"])
    assert not np.allclose(table["logit_patient"], table["logit_record"], atol=1e-6)


def test_with_the_same_clips_it_is_the_same_model(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = record_split.deal

    def unchanged(*arguments: Any, **options: Any) -> Deal:
        dealt = plain(*arguments, **options)
        return Deal(dealt.tested, dealt.patient, dealt.patient)

    monkeypatch.setattr(record_split, "deal", unchanged)
    answer, table = ask(monkeypatch, files, tmp_path, {"fit": FIT, "experiments": EXPERIMENTS})
    np.testing.assert_allclose(table["logit_record"], table["logit_patient"], atol=1e-6, rtol=0)
    assert answer["value"] == 0


def test_a_model_of_other_settings_is_refused(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(command.StageError, match=r"card\.json"):
        ask(monkeypatch, files, tmp_path, {"fit": FIT | {"seed": 5}, "experiments": EXPERIMENTS})
