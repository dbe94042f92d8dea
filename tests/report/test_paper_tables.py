"""The paper's tables: each published value beside the measured one, by its key; marks that are computed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from pipeline.report.paper_counts import union_seconds
from pipeline.report.paper_inventory import read_paper_inventory
from pipeline.report.paper_tables import TITLES, paper_table, table_content
from pipeline.report.protocol import MEANING, corpus_marks, training_marks
from pipeline.report.published import table_rows
from pipeline.settings.corpora import SplitSettings
from pipeline.store import read_json, write_json, write_table
from tests.report.paper_table_inputs import (
    EVALUATION,
    RULES,
    SPLITS,
    corpus_inventory,
    make_inventory,
    make_run,
    write_predictions,
)

GRAPHS = {"dist": "distance", "corr": "correlation"}
SHARED = Path(__file__).parents[2] / ".." / "shared" / "spec" / "paper"


def measured(folder: Path, table: str, runs: list[dict[str, Any]], **more: Any) -> pd.DataFrame:
    return paper_table(read_paper_inventory(make_inventory(folder, table, runs, **more)), EVALUATION)


def only(frame: pd.DataFrame, **wanted: Any) -> pd.Series:
    for column, value in wanted.items():
        frame = frame[frame[column.rstrip("_")] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


@pytest.mark.parametrize("table", sorted(TITLES))
def test_the_published_numbers_are_those_of_the_specification(table: str) -> None:
    path = SHARED / f"{table}.csv"
    if not path.exists():
        pytest.skip("the specification lies beside the development checkout only")
    pd.testing.assert_frame_equal(
        pd.read_csv(path, keep_default_na=False, dtype=str)[["model", "metric", "mean", "std"]],
        pd.read_csv(Path("pipeline/report/published") / f"{table}.csv", keep_default_na=False, dtype=str)[
            ["model", "metric", "mean", "std"]
        ],
    )


def test_published_cells_known_by_heart() -> None:
    rows = table_rows("table02")
    best = rows[(rows["pretraining"] == "ssl") & (rows["graph"] == "distance") & (rows["clip_s"] == 60)]
    assert best.set_index("task")["mean"].to_dict() == {"detection": 0.875, "classification_4": 0.749}
    clips = table_rows("table05")
    whole = clips[(clips["metric"] == "clips") & (clips["task"] == "ssl_and_detection") & (clips["clip_s"] == 12)]
    assert whole.set_index("split")["mean"].to_dict() == {"train": 196646, "validation": 28057, "test": 44959}
    assert np.isnan(table_rows("table10")["mean"].iloc[-1])  # illegible in the source


def test_a_run_meets_its_cell_and_no_other(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, f"{short}-{init}", graph=graph, init=init, scores={("auroc", ""): value})
        for (short, graph), init, value in (
            (("dist", "distance"), "scratch", 0.61),
            (("dist", "distance"), "ssl", 0.62),
            (("corr", "correlation"), "scratch", 0.63),
            (("corr", "correlation"), "ssl", 0.64),
        )
    ]
    runs.append(make_run(tmp_path, "lstm", model="lstm", graph="none", scores={("auroc", ""): 0.65}))
    frame = measured(tmp_path, "table02", runs)
    assert len(frame) == 28  # 7 models, 2 tasks, 2 clip lengths
    filled = frame[frame["measured"].notna()]
    assert set(zip(filled["run"], filled["measured"], filled["published"], strict=True)) == {
        ("dist-scratch", 0.61, 0.824), ("dist-ssl", 0.62, 0.866), ("corr-scratch", 0.63, 0.812),
        ("corr-ssl", 0.64, 0.861), ("lstm", 0.65, 0.786),
    }  # fmt: skip
    one = only(frame, run="dist-ssl")
    assert (one["std"], one["low"], one["high"], one["published_std"]) == (0.02, 0.52, 0.72, 0.016)
    assert one["difference"] == pytest.approx(0.62 - 0.866)
    assert (one["n_seeds"], one["n_clips"], one["n_patients"]) == (5, 60, 9)


def test_weighted_f1_brings_macro_f1_with_it(tmp_path: Path) -> None:
    scores = {("weighted_f1", ""): 0.7, ("macro_f1", ""): 0.4, ("majority_weighted_f1", ""): 0.3}
    run = make_run(tmp_path, "dist-ssl", task="classification", init="ssl", scores=scores)
    frame = measured(tmp_path, "table02", [run])
    own = frame[frame["run"] == "dist-ssl"].set_index("metric")
    assert own["measured"].to_dict() == {"weighted_f1": 0.7, "macro_f1": 0.4, "majority_weighted_f1": 0.3}
    assert own["published"].isna().to_dict() == {"weighted_f1": False, "macro_f1": True, "majority_weighted_f1": True}


def test_time_and_frequency_runs_are_told_apart(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name, features=kind, scores={("auroc", ""): value})
            for name, kind, value in (("dist-time", "time", 0.55), ("dist-scratch", "fft", 0.66))]  # fmt: skip
    frame = measured(tmp_path, "table04", runs)
    filled = frame[frame["measured"].notna()].set_index("run")
    assert filled["published"].to_dict() == {"dist-time": 0.733, "dist-scratch": 0.825}


def test_the_operating_point_of_table_6(tmp_path: Path) -> None:
    values = {"f1": 0.4, "auprc": 0.41, "sensitivity": 0.42, "specificity": 0.43}
    run = make_run(tmp_path, "densecnn", model="densecnn", graph="none", length_s=60,
                   scores={(name, ""): value for name, value in values.items()})  # fmt: skip
    own = measured(tmp_path, "table06", [run]).query("run == 'densecnn'").set_index("metric")
    assert own["measured"].to_dict() == {"f1": 0.4, "aupr": 0.41, "sensitivity": 0.42, "specificity": 0.43}
    assert own["published"].to_dict() == {"f1": 0.404, "aupr": 0.399, "sensitivity": 0.451, "specificity": 0.869}


def test_lambda_is_chosen_on_validation_and_told(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, f"dist-aux-{name}", auxiliary=weight, validation=validation, scores={("auroc", ""): test})
        for name, weight, validation, test in (("01", 0.1, 0.7, 0.9), ("1", 1.0, 0.75, 0.6))
    ]
    one = only(measured(tmp_path, "table10", runs), pretraining="auxiliary", graph="distance", clip_s=12)
    assert (one["run"], one["measured"], one["published"]) == ("dist-aux-1", 0.6, 0.875)  # not the best on test clips
    assert "lambda 1, of the validation AUROCs 0.1: 0.7200, 1: 0.7700" in one["note"]


@pytest.mark.parametrize("undefined", [None, float("nan")])
def test_lambda_is_chosen_by_the_loss_where_validation_clips_are_of_one_class(
    tmp_path: Path, undefined: float | None
) -> None:
    def chosen(*kept: dict[str, Any]) -> pd.Series:
        runs = []
        for name, own in zip(("01", "1"), kept, strict=True):
            weight, test = {"01": (0.1, 0.9), "1": (1.0, 0.6)}[name]
            runs.append(make_run(tmp_path, f"dist-aux-{name}", auxiliary=weight, scores={("auroc", ""): test}))
            for path in map(Path, runs[-1]["cards"]):
                path.write_text(json.dumps({**read_json(path), "kept_epoch": own}))
        return only(measured(tmp_path, "table10", runs), pretraining="auxiliary", graph="distance", clip_s=12)

    one = chosen(
        {"validation_auroc": undefined, "validation_loss": 0.4}, {"validation_auroc": 0.9, "validation_loss": 0.3}
    )
    assert (one["run"], one["measured"]) == ("dist-aux-1", 0.6)
    assert "lambda 1, of the validation losses 0.1: 0.4000, 1: 0.3000" in one["note"]
    none = chosen({"validation_auroc": undefined}, {"validation_auroc": undefined})
    assert np.isnan(none["measured"])
    assert "no lambda can be chosen" in none["reason"]


def test_an_illegible_value_leaves_no_difference(tmp_path: Path) -> None:
    run = make_run(tmp_path, "dist-aux-1", auxiliary=1.0, length_s=60, scores={("auroc", ""): 0.6})
    one = only(measured(tmp_path, "table10", [run]), run="dist-aux-1")
    assert np.isnan(one["published"])
    assert np.isnan(one["difference"])
    assert one["measured"] == 0.6


def test_cells_without_a_run_say_why(tmp_path: Path) -> None:
    seven = measured(tmp_path, "table03", [])
    assert "paper.fold_corpora" in only(seven, task="classification_7", graph="distance", clip_s=12)["reason"]
    assert "another study" in only(seven, model="Asif et al. (2020)")["reason"]
    assert measured(tmp_path, "table08", [])["reason"].str.contains("paper.source_corpus").all()
    assert measured(tmp_path, "table09", [])["reason"].str.contains("paper.lengths_s").all()


def test_folds_are_averaged_and_pooled(tmp_path: Path) -> None:
    folds, tables = {}, {}
    for number in range(3):
        run = make_run(tmp_path / f"fold{number}", "dist-scratch-7", task="classification", scheme="seven",
                       seeds=[0, 1])  # fmt: skip
        for seed, path in zip(run["seeds"], run["predictions"], strict=True):
            patients = [f"f{number}-{k}" for k in range(2 + number)]
            tables[number, seed] = write_predictions(path, patients, scheme="seven", seed=10 * number + seed)
        folds[f"made-up-{number}"] = (run,)
    frame = measured(tmp_path, "table03", [], folds={name: list(runs) for name, runs in folds.items()})
    long = only(frame, task="classification_7", graph="distance", clip_s=60)
    assert "paper.lengths_s" in long["reason"]
    own = frame[(frame["run"] == "dist-scratch-7") & (frame["metric"] == "weighted_f1")].set_index("over")
    score = {key: f1_score(one["label"], one["predicted"], average="weighted") for key, one in tables.items()}
    per_seed = [np.mean([score[number, seed] for number in range(3)]) for seed in (0, 1)]
    assert own.loc["mean of folds", "measured"] == pytest.approx(np.mean(per_seed))
    assert own.loc["mean of folds", "std"] == pytest.approx(np.std(per_seed, ddof=1))
    joined = [pd.concat([tables[number, seed] for number in range(3)]) for seed in (0, 1)]
    pooled = [f1_score(one["label"], one["predicted"], average="weighted") for one in joined]
    assert own.loc["all folds together", "measured"] == pytest.approx(np.mean(pooled))
    assert own["n_patients"].tolist() == [9, 9]
    assert own["n_clips"].tolist() == [27, 27]
    assert own["published"].tolist() == [0.585, 0.585]
    assert own["protocol"].str.contains("F").all()
    assert (own["low"] < own["measured"]).all()
    assert (own["measured"] < own["high"]).all()


def folds_of(folder: Path, patients: list[list[str]], seeds: list[list[int]]) -> pd.DataFrame:
    """Weighted F1 of table 3 on folds with these patients and seeds."""
    folds = {}
    for number, (names, own) in enumerate(zip(patients, seeds, strict=True)):
        run = make_run(folder / f"fold{number}", "dist-scratch-7", task="classification", scheme="seven", seeds=own)
        for seed, path in zip(own, run["predictions"], strict=True):
            write_predictions(path, names, scheme="seven", seed=seed)
        folds[f"made-up-{number}"] = [run]
    frame = measured(folder, "table03", [], folds=folds)
    return frame[(frame["run"] == "dist-scratch-7") & (frame["metric"] == "weighted_f1")].set_index("over")


def test_a_fold_without_test_clips_leaves_the_mean_undefined_and_the_pooled_score_as_it_is(tmp_path: Path) -> None:
    own = folds_of(tmp_path, [["a", "b"], []], [[0], [0]])
    assert np.isnan(own.loc["mean of folds", "measured"])
    assert own.loc["mean of folds", "reason"] == "a fold has no test clip"
    assert np.isfinite(own.loc["all folds together", ["measured", "low", "high"]].astype(float)).all()
    none = folds_of(tmp_path / "none", [[], []], [[0], [0]])
    assert none["measured"].isna().all()
    assert none["reason"].str.contains("no test clip").all()


def test_one_patient_in_a_fold_gives_no_interval_of_the_mean(tmp_path: Path) -> None:
    own = folds_of(tmp_path, [["a"], ["b"]], [[0], [0]])
    assert np.isfinite(own["measured"]).all()
    assert own.loc["mean of folds", ["low", "high"]].isna().all()


def test_folds_without_a_common_seed_say_so(tmp_path: Path) -> None:
    own = folds_of(tmp_path, [["a", "b"], ["c", "d"]], [[0], [1]])
    assert own["measured"].isna().all()
    assert own["reason"].tolist() == ["the folds have no seed in common"]


def test_files_patients_and_seizures_are_counted(tmp_path: Path) -> None:
    frame = measured(tmp_path, "table01", [])
    train = frame[frame["split"] == "train"].set_index(["metric", "class"])["measured"].to_dict()
    assert train["eeg_files", "all"] == 4
    assert train["patients", "all"] == 3
    assert train["eeg_files_seizure_pct", "all"] == 75.0
    assert train["patients_seizure_pct", "all"] == 100.0
    assert train["duration_min", "all"] == 40.0
    assert train["duration_seizure_pct", "all"] == pytest.approx(100 * (60 + 30 + 30) / 2400)  # 30 to 40 s counts once
    assert {name: train["seizures", name] for name in ("CF", "GN", "AB", "CT")} == {"CF": 2, "GN": 1, "AB": 1, "CT": 0}
    assert train["patients_with_class", "CF"] == 1
    test = frame[frame["split"] == "test"].set_index(["metric", "class"])
    assert test.loc[("seizures", "CT"), "measured"] == 1
    assert test.loc[("eeg_files", "all"), "published"] == 900
    assert len(frame[frame["split"] == "validation"]) == 14
    assert frame[frame["split"] == "validation"]["published"].isna().all()


def test_seconds_of_events_that_overlap_count_once() -> None:
    rng = np.random.default_rng(0)
    onsets = rng.integers(0, 50, 40)
    times = {"onset_s": onsets.astype(float), "offset_s": (onsets + rng.integers(1, 9, 40)).astype(float)}
    events = pd.DataFrame({"recording": rng.choice(["a", "b"], 40), **times})
    seconds = {(row.recording, s) for row in events.itertuples() for s in range(int(row.onset_s), int(row.offset_s))}
    assert union_seconds(events) == len(seconds)


def test_clips_are_counted_by_task_and_split(tmp_path: Path) -> None:
    clips = {}
    for task, labels, codes in (
        ("detection", [1, 0, 0, 1, 0], [""] * 5),
        ("pretraining", [-1] * 3, [""] * 3),
        ("classification", [-1] * 4, ["fnsz", "gnsz", "mysz", "spsz"]),
    ):
        n = len(labels)
        rows = pd.DataFrame(
            {"split": "train", "patient": ["p0", "p0", "p1", "p2", "p2"][:n], "label": labels, "code": codes}
        )
        write_table(tmp_path / f"{task}.parquet", rows)
        clips[f"{task}-12s"] = [f"{tmp_path}/{task}.parquet"]
    main = corpus_inventory(tmp_path, "made-up") | {"clips": clips}
    frame = measured(tmp_path, "table05", [], main=main, rules=RULES | {"label_edge": "half_open"})
    train = frame[(frame["split"] == "train") & (frame["clip_s"] == 12)].set_index(["task", "metric", "class"])
    value = train["measured"].to_dict()
    assert value["ssl_and_detection", "clips", "all"] == 5
    assert value["ssl_and_detection", "clips_with_seizure", "all"] == 2
    assert value["ssl_and_detection", "clips_seizure_pct", "all"] == 40.0
    assert value["ssl_and_detection", "patients_seizure_pct", "all"] == pytest.approx(200 / 3)
    assert value["ssl", "pairs", "all"] == 3
    assert value["classification_4", "clips", "all"] == 3
    assert value["classification_4", "clips", "CF"] == 2
    assert train.loc[("ssl_and_detection", "clips", "all"), "published"] == 196646
    marked = train["marks"].str.contains("label edge half_open (published touching)", regex=False)
    assert set(marked[marked].index.get_level_values("task")) == {"ssl_and_detection"}  # other clips have no such label


def test_the_source_corpus_is_summed_up(tmp_path: Path) -> None:
    rows = pd.DataFrame({"split": ["train", "validation", "test"], "patient": ["a", "b", "c"], "label": [1, 0, 1]})
    write_table(tmp_path / "clips.parquet", rows)
    source = corpus_inventory(tmp_path, "other", synthetic=True) | {
        "clips": {"detection-12s": [f"{tmp_path}/clips.parquet"]}
    }
    frame = measured(tmp_path, "table07", [], source=source, source_corpus="other").set_index("metric")
    assert frame["measured"].to_dict() == {
        "eeg_files": 4, "eeg_files_seizure_pct": 75.0, "duration_min": 40.0, "patients": 3,
        "patients_seizure_pct": 100.0, "clips": 2, "clips_seizure_pct": 50.0,
    }  # fmt: skip
    assert frame["published"].notna().all()
    assert (frame["protocol"] == "ST").all()
    assert (frame["corpus"] == "other").all()
    assert measured(tmp_path, "table07", [])["reason"].str.contains("paper.source_corpus").all()


def test_marks_are_what_differs_from_the_published_protocol(tmp_path: Path) -> None:
    same = make_run(tmp_path, "dist-scratch", scores={("auroc", ""): 0.8})
    assert training_marks([read_json(path) for path in same["cards"]]) == []
    other = make_run(tmp_path, "dist-scratch", seeds=[0, 1], loop={"epochs": 6, "learning_rate": 2e-3, "batch": 16},
                     options={"units": 16}, scores={("auroc", ""): 0.8})  # fmt: skip
    marks = training_marks([read_json(path) for path in other["cards"]])
    assert {f"{mark.letter} {mark.text}" for mark in marks} == {
        "N 2 of 5 seeds", "E epochs 6 (published 100)", "L learning rate 0.002 (published 0.0001)",
        "O batch 16 (published 40)", "W units 16 (published 64)",
    }  # fmt: skip
    frame = measured(tmp_path, "table02", [other])
    assert only(frame, run="dist-scratch")["protocol"] == "CNEWLO"  # C: six files are not TUSZ
    narrow = make_run(tmp_path, "densecnn", model="densecnn", graph="none", options={"width": 0.1})
    assert [mark.text for mark in training_marks([read_json(narrow["cards"][0])] * 5)] == ["width 0.1 (published 1)"]


def test_the_encoder_that_a_run_started_from_counts_too(tmp_path: Path) -> None:
    run = make_run(tmp_path, "dist-ssl", init="ssl", scores={("auroc", ""): 0.8})
    pretraining = []
    for encoder, home, epochs in (("dcrnn-fft-distance", "made-up", 4), ("dcrnn-fft-correlation", "made-up", 7),
                                  ("dcrnn-fft-distance", "other", 9)):  # fmt: skip
        path = tmp_path / home / encoder / "card.json"
        card = read_json(run["cards"][0])
        card["settings"]["loop"] |= {"epochs": epochs, "learning_rate": 5e-4}
        write_json(path, card | {"task": "pretraining"})
        pretraining.append({"encoder": encoder, "length_s": 12, "history": str(path), "card": str(path)})
    main = corpus_inventory(tmp_path, "made-up") | {"runs": [run], "pretraining": pretraining}
    marks = only(measured(tmp_path, "table02", [run], main=main), run="dist-ssl")["marks"]
    assert "E pre-training: epochs 4 (published 350)" in marks
    assert "epochs 7" not in marks
    assert "epochs 9" not in marks


def test_the_corpus_is_recognised_by_its_counts() -> None:
    splits = SplitSettings.model_validate(SPLITS)
    parts = [("train", 4000, 531), ("validation", 599, 61), ("test", 900, 45)]
    rows = [(split, f"{split}{k % patients}") for split, files, patients in parts for k in range(files)]
    real = pd.DataFrame(rows, columns=["split", "patient"])
    assert corpus_marks(real, splits, synthetic=False) == []
    assert [mark.letter for mark in corpus_marks(real.iloc[1:], splits, synthetic=False)] == ["C"]
    assert [mark.letter for mark in corpus_marks(real, splits, synthetic=True)] == ["S"]
    hashed = splits.model_copy(update={"source": "hash"})
    assert [mark.letter for mark in corpus_marks(real, hashed, synthetic=False)] == ["P"]


def test_files_hold_the_same_cells_and_explain_their_marks(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lstm", model="lstm", graph="none", seeds=[0], scores={("auroc", ""): 0.8})
    inventory = read_paper_inventory(make_inventory(tmp_path, "table02", [run]))
    frame = paper_table(inventory, EVALUATION)
    content = json.loads(json.dumps(table_content(inventory, frame), allow_nan=False))
    assert [one["measured"] for one in content["cells"]].count(0.8) == 1
    assert len(content["cells"]) == len(frame)
    assert set(content["marks"]) == set("".join(frame["protocol"]))
    assert set(content["marks"]) <= set(MEANING)
