"""From token stores to predictions through the command lines of soz_folds, soz_pretrain, soz_train, soz_predict."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from soz_files import DEVICE, FINETUNING, FOLDS, MODEL, PRETRAINING, Cohort, patient_facts, write_cohort

from pipeline.stages import command, soz_folds, soz_predict, soz_pretrain, soz_train
from pipeline.store import read_json, read_table, write_table
from pipeline.training.soz_predicting import COLUMNS

JOB = {"fold": 1, "seed": 3, "labels": "soz", "model": MODEL, "device": DEVICE}


def call(monkeypatch: pytest.MonkeyPatch, stage: Any, settings: dict[str, Any], **options: Any) -> None:
    line = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    monkeypatch.setattr(sys, "argv", line)
    stage.main()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    facts = patient_facts(8)
    facts[5]["labelled"] = False
    return write_cohort(tmp_path_factory.mktemp("cohort"), facts)


def test_the_whole_chain(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"recordings": cohort.recordings, "contacts": cohort.contacts, "patients": cohort.patients}
    dealt = {"folds": tmp_path / "folds.parquet"}
    call(monkeypatch, soz_folds, {"folds": FOLDS}, **tables, **dealt, summary=tmp_path / "folds.json")
    told = read_json(tmp_path / "folds.json")
    assert told["not_teaching"]["soz"] == ["P05"]

    read = {"tokens": cohort.tokens, "rows": cohort.rows, **dealt}
    kept = {"checkpoints": tmp_path / "checkpoints"}
    encoder = {"encoder": tmp_path / "encoder.safetensors"}
    learnt = {"card": tmp_path / "encoder.json", "history": tmp_path / "pretraining.parquet"}
    call(monkeypatch, soz_pretrain, JOB | {"pretraining": PRETRAINING}, **read, **kept, **encoder, **learnt)
    model = {"model": tmp_path / "model.safetensors", "card": tmp_path / "card.json"}
    training = JOB | {"finetuning": FINETUNING, "calibration": "platt"}
    history = {"history": tmp_path / "history.parquet"}
    call(monkeypatch, soz_train, training, **read, **kept, **encoder, **model, **history)
    card = read_json(model["card"])
    assert (card["calibrator"]["kind"], card["calibrator"]["asked"]) == ("temperature", "platt")  # few inner patients
    assert card["pretraining"]["model_hash"] == read_json(learnt["card"])["model_hash"]

    found = tmp_path / "predictions.parquet"
    call(monkeypatch, soz_predict, {"device": DEVICE}, **read, **model, predictions=found)
    table = read_table(found)
    assert list(table.columns) == list(COLUMNS)
    assert set(zip(table["fold"], table["seed"], strict=True)) == {(1, 3)}
    parts = {part: sorted(set(own["patient"])) for part, own in table.groupby("part")}
    assert parts == {part: card["patients"][part] for part in ("inner", "test")}
    assert not table["clip"].str.contains("#").any()
    assert table[table["patient"] == "P05"]["soz"].isna().all()
    assert not table.duplicated(["clip", "channel"]).any()


def test_predictions_want_the_folds_of_the_training(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"recordings": cohort.recordings, "contacts": cohort.contacts, "patients": cohort.patients}
    folds, summary = tmp_path / "folds.parquet", tmp_path / "folds.json"
    call(monkeypatch, soz_folds, {"folds": FOLDS}, **tables, folds=folds, summary=summary)
    read = {"tokens": cohort.tokens, "rows": cohort.rows, "folds": folds}
    model = {"model": tmp_path / "model.safetensors", "card": tmp_path / "card.json"}
    training = JOB | {"finetuning": FINETUNING | {"epochs": 1}, "calibration": "temperature"}
    kept = {"checkpoints": tmp_path / "checkpoints", "history": tmp_path / "history.parquet"}
    call(monkeypatch, soz_train, training, **read, **model, **kept)
    table = read_table(folds)
    turned = table["part"].map({"train": "test", "test": "train", "inner": "inner"}).astype("string")
    write_table(folds, pd.DataFrame(table.assign(part=turned)))
    with pytest.raises(command.StageError, match="not the folds that"):
        call(monkeypatch, soz_predict, {"device": DEVICE}, **read, **model, predictions=tmp_path / "p.parquet")
