"""soz_evaluate, soz_baselines and soz_ablations as their commands: files, checks, equal bytes."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.soz_channels import COLUMNS, read_channels
from pipeline.metrics.soz_evaluation import COMPARISONS, METRICS, MODEL, headline
from pipeline.stages import soz_ablations, soz_bundle, soz_evaluate
from pipeline.stages.command import StageError
from pipeline.store import digest_file, read_json, read_table, write_json, write_table
from pipeline.training.soz_folds import fold_hash
from tests.metrics.soz_predictions import evaluation_settings, index_contacts, predictions, rows_of

EVALUATION = {"bootstrap": 60, "confidence": 0.95, "seed": 0}
FILES = ("channel_soz.tsv", "channel_soz.json", "dataset_description.json", "metrics.parquet", "comparisons.parquet",
         "contacts.parquet", "cohort.json")  # fmt: skip
IDENTITY = {"kind": "temperature", "asked": "temperature", "reason": "", "slope": 0.5, "intercept": 0.0, "x": [],
            "y": [], "n_patients": 2, "n_contacts": 20, "n_positives": 5}  # fmt: skip


def call(stage: Any, settings: dict[str, Any], **options: Any) -> None:
    words = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        try:
            stage.main()
        finally:
            logging.getLogger("ictograph").handlers.clear()


def written(
    root: Path, *, n: int = 6, seeds: tuple[int, ...] = (0, 1), effect: float = 2.0, k: int = 2
) -> dict[str, Any]:
    """All files that soz_evaluate reads, in `root`; P01 lacks ictal clips, P05 is unlabelled; k folds."""
    about: dict[str, Any] = {"effect": effect, "unlabelled": ["P05"], "folds": k}
    table = predictions(n, seeds=seeds, conditions={"P01": ("interictal",)}, **about)
    patients = sorted(set(table["patient"]))
    folds = pd.DataFrame(
        [{"fold": fold, "patient": patient, "part": "test" if int(patient[1:]) % k == fold else "train",
          "soz": True, "strict": False} for fold in range(k) for patient in patients]
    )  # fmt: skip
    made: dict[str, Any] = {name: root / f"{name}.parquet" for name in ("folds", "baselines")}
    write_table(made["folds"], folds)
    made |= {"predictions": [], "cards": []}
    for fold in range(k):
        own = folds[folds["fold"] == fold]
        for seed in seeds:
            rows = table[(table["fold"] == fold) & (table["seed"] == seed)]
            path, card = root / f"{fold}-{seed}.parquet", root / f"{fold}-{seed}.json"
            write_table(path, rows)
            parts = {part: sorted(own.loc[own["part"] == part, "patient"]) for part in ("train", "inner", "test")}
            write_json(card, {"fold": fold, "seed": seed, "fold_hash": fold_hash(own), "patients": parts,
                              "calibrator": IDENTITY, "threshold": 0.3, "model_hash": f"{fold}{seed}" * 8,
                              "parameters": 100, "settings": {"finetuning": {"conditions": "both"}}})  # fmt: skip
            made["predictions"].append(path)
            made["cards"].append(card)
    plain = {"p_raw": np.nan, "p_cal": np.nan}
    baselines = [
        predictions(n, **about | {"effect": found}, random=9).assign(baseline=name, **plain)
        for found, name in ((0.0, "noise"), (1.0, "line_length"))
    ]
    write_table(made["baselines"], pd.concat(baselines, ignore_index=True))
    known = pd.DataFrame({"patient": patients})
    tables = {
        "contacts": index_contacts(table),
        "rows": rows_of(table),
        "patients": known.assign(outcome="good", implant="SEEG", lesion="lesional", engel="1A"),
        "recordings": known.assign(recording=known["patient"] + "_r0", rate_hz=512.0, synthetic=False),
        "findings": pd.DataFrame({"code": ["short_seizure", "soz_unlabelled", "short_seizure"]}),
    }
    for name, own in tables.items():
        write_table(root / f"{name}.parquet", own)
        made[name] = [root / f"{name}.parquet"]
    return made


def evaluate(made: dict[str, Any], out: Path, *, compared: Sequence[str] = ()) -> None:
    call(soz_evaluate, evaluation_settings(**EVALUATION) | {"compared": list(compared)}, **made, out=out)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    root = tmp_path_factory.mktemp("scored")
    made = written(root)
    evaluate(made, root / "out")
    return made, root / "out"


def test_the_derivative_and_the_tables_are_there(scored: tuple[dict[str, Any], Path]) -> None:
    _, out = scored
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    channels = read_channels(out / "channel_soz.tsv")
    assert list(channels.columns) == list(COLUMNS)
    assert channels["participant_id"].nunique() == 6
    assert channels["p_cal"].between(0, 1).all()
    assert channels["seed_sd"].notna().all()
    assert set(read_json(out / "channel_soz.json")) == set(COLUMNS)
    told = read_json(out / "dataset_description.json")
    assert told["DatasetType"] == "derivative"
    assert "Research use only" in told["GeneratedBy"][0]["Description"]
    hashes = channels.loc[channels["participant_id"] == "sub-P00", "model_hash"]
    assert set(hashes) == {"00" * 8 + "," + "01" * 8}


def test_a_bundle_learns_from_cohort_json_what_was_evaluated(scored: tuple[dict[str, Any], Path]) -> None:
    made, out = scored
    cohort = read_json(out / "cohort.json")
    origin = soz_bundle.origin_of(cohort, where="cohort.json")
    assert (origin.run, origin.synthetic) == ("main", False)
    assert origin.made.model_dump(mode="json") == evaluation_settings()["made"]
    folder = out.parent / "run"
    for path in made["cards"]:
        fold, seed = path.stem.split("-")
        model = folder / f"fold{fold}" / f"seed{seed}"
        write_json(model / "card.json", read_json(path))
        (model / "model.safetensors").touch()
    assert len(soz_bundle.models_of(cohort, folder)) == len(made["cards"])


def test_simulated_recordings_are_marked_in_every_file_for_others(scored: tuple[dict[str, Any], Path]) -> None:
    made, out = scored
    assert read_json(out / "cohort.json")["synthetic"] is False
    files = ("dataset_description.json", "channel_soz.json")
    assert not any("SYNTHETIC" in (out / name).read_text() for name in files)
    recordings = read_table(made["recordings"][0])
    recordings.loc[0, "synthetic"] = True  # one EDF says so of itself, whatever config.yaml says of the corpus
    mixed = out.parent / "mixed.parquet"
    write_table(mixed, recordings)
    evaluate(made | {"recordings": [mixed]}, out.parent / "simulated")
    assert read_json(out.parent / "simulated" / "cohort.json")["synthetic"] is True
    assert all("SYNTHETIC" in (out.parent / "simulated" / name).read_text() for name in files)


def test_metrics_hold_the_run_and_its_baselines(scored: tuple[dict[str, Any], Path]) -> None:
    _, out = scored
    metrics, compared = read_table(out / "metrics.parquet"), read_table(out / "comparisons.parquet")
    assert list(metrics.columns) == list(METRICS)
    assert list(compared.columns) == list(COMPARISONS)
    assert set(metrics["system"]) == {MODEL, "noise", "line_length"}
    assert headline(metrics, "auroc")["value"] > 0.8
    assert headline(metrics, "auroc")["n_excluded"] == 1  # P05
    assert headline(metrics, "auroc", condition="ictal")["n_excluded"] == 2  # P01, too
    assert set(compared["second"]) == {"noise", "line_length"}
    assert "accuracy" not in set(metrics["metric"])


def test_the_summary_says_who_is_missing_and_why(scored: tuple[dict[str, Any], Path]) -> None:
    _, out = scored
    told = read_json(out / "cohort.json")
    assert {(one["patient"], one["condition"]) for one in told["excluded"]} == {
        ("P05", "both"), ("P05", "ictal"), ("P05", "interictal"), ("P01", "ictal")}  # fmt: skip
    assert [one["patient"] for one in told["patients"]] == [f"P{k:02d}" for k in range(6)]
    assert told["findings"] == {"short_seizure": 2, "soz_unlabelled": 1}
    assert told["seeds"] == [0, 1]
    assert len(told["models"]) == 4
    assert told["worst"][0] in {f"P{k:02d}" for k in range(5)}
    assert sum(row["n_contacts"] for row in told["reliability"]["both"]["cal"]) == 2 * told["contacts"]["labelled"]
    table = read_table(out / "metrics.parquet")
    assert told["headline"]["both"]["auroc"]["value"] == headline(table, "auroc")["value"]


def test_the_same_again_gives_the_same_bytes(scored: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    made, out = scored
    evaluate(made, tmp_path)
    assert [digest_file(tmp_path / name) for name in FILES] == [digest_file(out / name) for name in FILES]


def test_the_patients_abstention_is_told(scored: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    made, _ = scored
    cards = []
    for path in made["cards"]:
        write_json(tmp_path / path.name, read_json(path) | {"threshold": 0.9999})
        cards.append(tmp_path / path.name)
    evaluate(made | {"cards": cards}, tmp_path / "out")
    told = read_json(tmp_path / "out" / "cohort.json")
    assert told["abstained"] == 6
    assert all("possible missed coverage" in one["abstained"] for one in told["patients"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patients": {"train": ["P00"], "inner": [], "test": []}}, "P00 is no test patient"),
        ({"fold_hash": "other"}, "other folds"),
        ({"seed": 1}, "is there twice"),
    ],
)
def test_models_that_do_not_fit_stop(
    scored: tuple[dict[str, Any], Path], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    made, _ = scored
    first = 1 if "seed" in change else 0
    card = tmp_path / "card.json"
    cards = list(made["cards"])
    if "seed" in change:  # fold 0, seed 1 bears the card of fold 0, seed 1 twice
        cards[0] = cards[first]
        predicted = [made["predictions"][first], *made["predictions"][1:]]
    else:
        write_json(card, read_json(cards[0]) | change)
        cards[0], predicted = card, made["predictions"]
    with pytest.raises(StageError, match=words):
        evaluate(made | {"cards": cards, "predictions": predicted}, tmp_path / "out")


def test_other_runs_stand_among_the_baselines(scored: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    made, _ = scored
    runs = {name: written(tmp_path / name, effect=effect) for name, effect in (("weak", 0.0), ("again", 2.0))}
    files = {
        f"other-{what}": [path for own in runs.values() for path in own[what]] for what in ("predictions", "cards")
    }
    evaluate(made | files, tmp_path / "out", compared=list(runs))
    metrics, table = (read_table(tmp_path / "out" / f"{name}.parquet") for name in ("metrics", "comparisons"))
    assert set(metrics["system"]) == {MODEL, "weak", "again", "noise", "line_length"}
    own = table[(table["metric"] == "auroc") & (table["condition"] == "both")].set_index("second")
    assert own["value_second"].to_dict() == {
        name: pytest.approx(headline(metrics, "auroc", system=name)["value"]) for name in own.index
    }
    assert set(own.index) == {"weak", "again", "noise", "line_length"}
    assert own.loc["weak", "difference"] > 0.2
    assert own.loc["again", ["difference", "n_differ"]].tolist() == [0, 0]
    assert set(own["n_comparisons"]) == {3}  # one family; of two runs that never differ there is no p
    family = sorted(own["p"].dropna())
    assert own["p_holm"].min() == pytest.approx(3 * family[0])
    assert read_json(tmp_path / "out" / "cohort.json")["compared"] == ["weak", "again"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ["noise"]}, "'noise' is also the name of a baseline"),
        ({"names": ["one", "two"]}, "each has to have 4 of both"),
        ({"seeds": (0, 2)}, "one: other folds or seeds than the run itself"),
        ({"n": 5}, "other folds"),
    ],
)
def test_other_runs_that_do_not_fit_stop(
    scored: tuple[dict[str, Any], Path], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    made, names = scored[0], change.pop("names", ["one"])
    other = written(tmp_path / "one", **change)
    files = {f"other-{what}": other[what] for what in ("predictions", "cards")}
    with pytest.raises(StageError, match=words):
        evaluate(made | files, tmp_path / "out", compared=names)


def test_a_missing_model_stops(scored: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    made, _ = scored
    fewer = {name: made[name][:3] for name in ("cards", "predictions")}
    with pytest.raises(StageError, match="fold 1, seed 1 is missing"):
        evaluate(made | fewer, tmp_path / "out")


def ablated(root: Path) -> dict[str, list[Path]]:
    """Metrics and contacts of a run, of one without effect, of itself, of itself with another calibrator, of fewer."""
    found: dict[str, list[Path]] = {"metrics": [], "contacts": []}
    for name in ("main", "weak", "again", "platt", "fewer"):
        made = written(root / name, effect=0.0 if name == "weak" else 2.0, n=7 if name == "fewer" else 8, k=3)
        if name == "platt":
            for path in made["cards"]:
                write_json(path, read_json(path) | {"calibrator": IDENTITY | {"kind": "platt", "intercept": -2.0}})
        evaluate(made, root / name / "out")
        for file, paths in found.items():
            paths.append(root / name / "out" / f"{file}.parquet")
    return found


def test_ablations_are_paired_on_the_same_folds(tmp_path: Path) -> None:
    files = ablated(tmp_path)
    settings = {"run": "main", "ablations": ["weak", "again", "platt"], "evaluation": EVALUATION}
    chosen = {name: paths[:4] for name, paths in files.items()}
    call(soz_ablations, settings, **chosen, out=tmp_path / "ablations.tsv")
    table = pd.read_csv(tmp_path / "ablations.tsv", sep="\t").set_index(["run", "metric"])
    assert set(table["reference_run"]) == {"main"}
    assert table.loc[("weak", "auroc"), "difference_high"] < 0
    assert table.loc[("weak", "auroc"), "reference"] == pytest.approx(table.loc[("main", "auroc"), "value"], rel=1e-4)
    assert table.loc[("again", "auroc"), "difference"] == 0
    assert np.isnan(table.loc[("again", "auroc"), "p"])
    assert np.isnan(table.loc[("main", "auroc"), "difference"])
    assert (table["n_seeds"] == 2).all()
    same, moved = table.loc[("platt", "auroc")], table.loc[("platt", "brier_cal")]
    assert (same["difference"], same["n_differ"]) == (0, 0)
    assert moved["difference"] == pytest.approx(moved["value"] - moved["reference"], abs=1e-4)
    assert moved["n_differ"] == moved["n_patients"] == 7  # P05 is unlabelled
    assert moved["difference_low"] < moved["difference"] < moved["difference_high"]
    assert moved["p"] <= moved["p_holm"] <= 2 * table.loc[["weak", "platt"]].xs("brier_cal", level=1)["p"].max() + 1e-6
    assert moved["n_comparisons"] == 2  # of `again` there is no p
    calibration = table.loc[("platt", "ece_cal")]
    assert np.isfinite(calibration["difference_low"])
    assert np.isnan(calibration["p"])
    last = {name: [*paths[:3], paths[4]] for name, paths in files.items()}
    with pytest.raises(StageError, match="P07"):
        call(soz_ablations, settings, **last, out=tmp_path / "x.tsv")
    with pytest.raises(StageError, match="2 metrics files for 4 runs"):
        call(soz_ablations, settings, metrics=files["metrics"][:2], contacts=chosen["contacts"], out=tmp_path / "x.tsv")
