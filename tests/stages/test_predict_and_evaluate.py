"""From a trained model to the metrics table, through the command lines of the stages."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from training_files import Files, fit_settings, make_files

from pipeline.stages import command, evaluate, predict, train
from pipeline.store import digest_result, read_json, read_table, write_json, write_table

EVALUATION = {"bootstrap": 200, "confidence": 0.95, "seed": 0, "threshold_strict": False, "calibration_bins": 10}
DEVICE = fit_settings()["device"]


def call(monkeypatch: pytest.MonkeyPatch, stage: Any, settings: dict[str, Any], **options: Any) -> None:
    """Run a stage's `main` with the given options; lists become several values."""
    line = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    monkeypatch.setattr(sys, "argv", line)
    stage.main()


def fitted(monkeypatch: pytest.MonkeyPatch, files: Files, out: Path, settings: dict[str, Any]) -> dict[str, Path]:
    """Train on the first three shards, predict the last two; paths of the results."""
    paths = {"model": out / "model.safetensors", "card": out / "card.json"}
    keep = {"history": out / "history.parquet", "checkpoints": out / "checkpoints"}
    call(monkeypatch, train, settings, **files.job(slice(0, 3), settings["graph"]), **paths, **keep)
    predictions = out / "predictions.parquet"
    shards = files.job(slice(2, 4), settings["graph"])
    call(
        monkeypatch,
        predict,
        {"device": DEVICE, "batch": 7, "threshold_strict": False},
        **shards,
        **paths,
        predictions=predictions,
    )
    return paths | keep | {"predictions": predictions}


def splits(path: Path, patients: pd.Series) -> Path:
    names = sorted(set(patients))
    write_table(path, pd.DataFrame({"patient": names, "split": ["test"] * len(names)}))
    return path


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("stages-detection"), "detection")


def test_detection_from_features_to_metrics(detection: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [
        fitted(monkeypatch, detection, tmp_path / f"seed{seed}", fit_settings(epochs=8, dropout=0.0, seed=seed))
        for seed in (0, 1)
    ]
    table = read_table(seeds[0]["predictions"])
    card = read_json(seeds[0]["card"])
    assert set(table["split"]) == {"validation", "test"}
    np.testing.assert_allclose(table["p_seizure"], 1 / (1 + np.exp(-table["logit_seizure"])))
    assert (table["predicted"] == (table["p_seizure"] >= card["threshold"])).all()
    test = table[table["split"] == "test"]
    clean = splits(tmp_path / "splits.parquet", test["patient"])
    settings = {"run": "r", "task": "detection", "length_s": 5, "scheme": "four", "evaluation": EVALUATION}
    inputs = {"predictions": [one["predictions"] for one in seeds], "cards": [one["card"] for one in seeds]}
    results = {"metrics": tmp_path / "metrics.parquet", "curves": tmp_path / "curves.json"}
    call(monkeypatch, evaluate, settings, **inputs, splits=clean, **results)
    metrics = read_table(results["metrics"]).set_index(["seed", "metric", "class"])
    auroc = metrics.loc[(0, "auroc", ""), "value"]
    assert auroc == pytest.approx(roc_auc_score(test["label"], test["logit_seizure"]))
    assert auroc > 0.7
    assert metrics.loc[(-1, "auroc", ""), "n_seeds"] == 2
    curves = read_json(results["curves"])
    assert [one["seed"] for one in curves["seeds"]] == [0, 1]
    assert curves["n_positive"] == int(test["label"].sum())
    assert np.array(curves["seeds"][0]["confusion"]).sum() == len(test)


def test_threshold_itself_counts_unless_strict(
    detection: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fitted(monkeypatch, detection, tmp_path, fit_settings(epochs=1))
    first = read_table(paths["predictions"]).iloc[0]
    write_json(tmp_path / "moved.json", read_json(paths["card"]) | {"threshold": float(first["p_seizure"])})
    found = []
    for strict in (False, True):
        settings = {"device": DEVICE, "batch": 7, "threshold_strict": strict}
        named = {"model": paths["model"], "card": tmp_path / "moved.json", "predictions": tmp_path / "again.parquet"}
        call(monkeypatch, predict, settings, **detection.job(slice(2, 4), "distance"), **named)
        found.append(int(read_table(tmp_path / "again.parquet")["predicted"].iloc[0]))
    assert found == [1, 0]


def test_batch_size_and_repetition_do_not_matter(
    detection: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fitted(monkeypatch, detection, tmp_path, fit_settings(epochs=1))
    shards = detection.job(slice(2, 4), "distance")
    named = {name: paths[name] for name in ("model", "card")}
    again, other = tmp_path / "again.parquet", tmp_path / "other.parquet"
    call(
        monkeypatch,
        predict,
        {"device": DEVICE, "batch": 7, "threshold_strict": False},
        **shards,
        **named,
        predictions=again,
    )
    call(
        monkeypatch,
        predict,
        {"device": DEVICE, "batch": 3, "threshold_strict": False},
        **shards,
        **named,
        predictions=other,
    )
    assert digest_result(again) == digest_result(paths["predictions"])
    np.testing.assert_allclose(read_table(again)["logit_seizure"], read_table(other)["logit_seizure"], atol=1e-6)


def test_classification_leaves_out_what_the_scheme_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_files(tmp_path, "classification", clips_per_shard=40)
    paths = fitted(monkeypatch, files, tmp_path / "out", fit_settings("classification", "correlation", epochs=6))
    table = read_table(paths["predictions"])
    assert "mysz" not in set(table["code"])
    columns = [f"p_{name}" for name in ("CF", "GN", "AB", "CT")]
    np.testing.assert_allclose(table[columns].sum(axis=1), 1.0)
    assert (table["predicted"] == table[columns].to_numpy().argmax(axis=1)).all()
    clean = splits(tmp_path / "splits.parquet", table.loc[table["split"] == "test", "patient"])
    settings = {"run": "r", "task": "classification", "length_s": 5, "scheme": "four", "evaluation": EVALUATION}
    results = {"metrics": tmp_path / "metrics.parquet", "curves": tmp_path / "curves.json"}
    inputs = {"predictions": [paths["predictions"]], "cards": [paths["card"]]}
    call(monkeypatch, evaluate, settings, **inputs, splits=clean, **results)
    metrics = read_table(results["metrics"]).set_index(["seed", "metric", "class"])
    weighted = metrics.loc[(-1, "weighted_f1", ""), "value"]
    assert weighted > metrics.loc[(-1, "majority_weighted_f1", ""), "value"]
    assert set(read_json(results["curves"])["seeds"][0]["classes"]) == {"CF", "GN", "AB", "CT"}


def test_a_patient_outside_the_split_table_gives_no_number(
    detection: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fitted(monkeypatch, detection, tmp_path, fit_settings(epochs=1))
    clean = splits(tmp_path / "splits.parquet", pd.Series(["somebody else"]))
    settings = {"run": "r", "task": "detection", "length_s": 5, "scheme": "four", "evaluation": EVALUATION}
    with pytest.raises(command.StageError, match="is no test patient"):
        call(
            monkeypatch, evaluate, settings, predictions=[paths["predictions"]], cards=[paths["card"]], splits=clean,
            metrics=tmp_path / "metrics.parquet", curves=tmp_path / "curves.json",
        )  # fmt: skip
    assert not (tmp_path / "metrics.parquet").exists()


def test_another_scaler_is_refused(detection: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = fitted(monkeypatch, detection, tmp_path, fit_settings(epochs=1))
    write_json(tmp_path / "scaler.json", {"mean": 0.0, "std": 1.0, "n_values": 1, "n_clips": 1})
    shards = detection.job(slice(2, 4), "distance") | {"scaler": tmp_path / "scaler.json"}
    with pytest.raises(command.StageError, match="not the scaler"):
        call(
            monkeypatch, predict, {"device": DEVICE, "batch": 7, "threshold_strict": False}, **shards,
            model=paths["model"], card=paths["card"],
            predictions=tmp_path / "p.parquet",
        )  # fmt: skip
