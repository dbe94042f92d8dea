"""A frozen bundle and the prediction of one BIDS subject by it, through the command lines."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

sys.path += [str(Path(__file__).parents[1] / name) for name in ("training", "corpora")]
from ieeg_tree import Made, write_participants
from soz_files import FINETUNING
from soz_trial import Trial, trial

from pipeline.metrics.soz_channels import COLUMNS as DERIVATIVE
from pipeline.report.soz_channels import of_patient, read_run
from pipeline.sealing import DamagedFile
from pipeline.stages import command, soz_bundle, soz_predict_subject
from pipeline.store import read_json, write_json
from pipeline.training.soz_bundle import SIMULATED, UnfitBundle, open_bundle
from pipeline.training.soz_data import load_clips
from pipeline.training.soz_ensemble import Verdict, judge, warnings
from tests.metrics.soz_predictions import evaluation_settings

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
FEW = FINETUNING | {"epochs": 1}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("cohort"))


def cohort_json(run: Path, *, folds: int, seeds: int = 1) -> None:
    """What soz_evaluate says of a run of so many folds and seeds; a test of its own holds that it does."""
    cards = [read_json(run / f"fold{j}/seed{k}/card.json") for j in range(folds) for k in range(seeds)]
    content = {
        "run": "main", "synthetic": True, "made": evaluation_settings()["made"], "seeds": list(range(seeds)),
        "folds": {"folds": [{"fold": card["fold"], "hash": card["fold_hash"]} for card in cards if not card["seed"]]},
        "models": [{name: card[name] for name in ("fold", "seed", "model_hash")} for card in cards],
    }  # fmt: skip
    write_json(run / "cohort.json", content)


@pytest.fixture(scope="module")
def results(cohort: Trial) -> Path:
    """Two folds of a run, in the layout of results/<corpus>/."""
    run = cohort.root / "results/soz/main"
    for fold in (0, 1):
        cohort.train(run / f"fold{fold}/seed0", fold=fold, finetuning=FEW)
    cohort_json(run, folds=2)
    return cohort.root / "results"


def call(monkeypatch: pytest.MonkeyPatch, stage: Any, **options: Any) -> None:
    line = ["stage", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    monkeypatch.setattr(sys, "argv", line)
    stage.main()


@pytest.fixture(scope="module")
def bundle(results: Path) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        folder = results / "bundle"
        call(patched, soz_bundle, results=results, run="main", bundle=folder)
    return folder


def test_a_bundle_says_who_taught_it_and_how_it_is_used(bundle: Path, cohort: Trial) -> None:
    content, models = open_bundle(bundle, CPU)
    cards = [read_json(bundle / f"fold{fold}-seed0.json") for fold in (0, 1)]
    assert set(content.training_patients) == {n for card in cards for own in card["teaching"].values() for n in own}
    assert [member.fold_hash for member in content.members] == [card["fold_hash"] for card in cards]
    assert [trained.threshold for trained in models] == [card["threshold"] for card in cards]
    assert content.synthetic
    words = (bundle / "MODEL_CARD.md").read_text()
    assert "Research use only" in words
    assert SIMULATED in words
    assert all(name in words for name in content.training_patients)


def test_a_bundle_is_made_into_a_new_folder_alone(bundle: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(command.StageError, match="holds something already"):
        call(monkeypatch, soz_bundle, results=results, run="main", bundle=bundle)
    with pytest.raises(command.StageError, match="run the target soz first"):
        call(monkeypatch, soz_bundle, results=results, run="no-attention", bundle=results / "new")


def test_what_was_evaluated_is_frozen_and_no_stale_model(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold and a seed that an earlier config.yaml had lie beside the run's own; they are no part of it."""
    copy = shutil.copytree(results, tmp_path / "results")
    for stale in ("fold2/seed0", "fold0/seed1"):
        shutil.copytree(copy / "soz/main/fold1/seed0", copy / "soz/main" / stale)
    call(monkeypatch, soz_bundle, results=copy, run="main", bundle=tmp_path / "bundle")
    content, _ = open_bundle(tmp_path / "bundle", CPU)
    assert [(member.fold, member.seed) for member in content.members] == [(0, 0), (1, 0)]
    assert content.made.model_dump(mode="json") == evaluation_settings()["made"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_hash": "0" * 8}, "trained anew since cohort.json was written"),
        ({"fold_hash": "0" * 8}, "trained anew since cohort.json was written"),
        (None, "not there, and cohort.json lists it"),
    ],
)
def test_a_run_that_changed_since_its_evaluation_is_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str] | None, said: str
) -> None:
    copy = shutil.copytree(results, tmp_path / "results")
    model = copy / "soz/main/fold1/seed0/model.safetensors"
    if changed is None:
        model.unlink()
    else:
        write_json(model.with_name("card.json"), read_json(model.with_name("card.json")) | changed)
    with pytest.raises(command.StageError, match=said):
        call(monkeypatch, soz_bundle, results=copy, run="main", bundle=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_half_a_run_is_refused(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(results, tmp_path / "results")
    told = read_json(copy / "soz/main/cohort.json")
    write_json(copy / "soz/main/cohort.json", told | {"models": told["models"][:1]})
    with pytest.raises(command.StageError, match="does not list every fold and seed"):
        call(monkeypatch, soz_bundle, results=copy, run="main", bundle=tmp_path / "bundle")


def test_weights_of_another_model_are_refused(bundle: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(bundle, tmp_path / "bundle")
    shutil.copy(broken / "fold0-seed0.safetensors", broken / "fold1-seed0.safetensors")
    with pytest.raises(DamagedFile, match="not the weights that the card is of"):
        open_bundle(broken, CPU)
    card = read_json(bundle / "fold1-seed0.json") | {"threshold": 0.9}
    write_json(broken / "fold1-seed0.json", card)
    with pytest.raises(DamagedFile, match=r"is not the one that bundle\.json lists"):
        open_bundle(broken, CPU)
    with pytest.raises(UnfitBundle, match=r"no bundle\.json"):
        open_bundle(tmp_path, CPU)


def test_the_ensemble_is_the_mean_of_its_models_and_abstains_below_the_threshold(bundle: Path, cohort: Trial) -> None:
    _, models = open_bundle(bundle, CPU)
    data = load_clips(cohort.files.tokens, cohort.files.rows, patients=["P05"], labels="soz", shifted=False)
    device = models[0].settings.device
    both = judge(models, data, device=CPU, settings=device)
    alone = [judge([one], data, device=CPU, settings=device).channels for one in models]
    np.testing.assert_allclose(both.channels["p_cal"], (alone[0]["p_cal"] + alone[1]["p_cal"]) / 2)
    np.testing.assert_allclose(both.channels["model_sd"], np.abs(alone[0]["p_cal"] - alone[1]["p_cal"]) / 2)
    assert sorted(both.channels["rank"]) == list(range(1, len(both.channels) + 1))
    best = both.channels.loc[both.channels["p_cal"].idxmax()]
    assert (best["rank"], both.top(1)) == (1, [best["channel"]])
    for part in alone:  # both conditions are there: the mean logit lies between them
        low, high = part[["p_ictal", "p_interictal"]].min(axis=1), part[["p_ictal", "p_interictal"]].max(axis=1)
        assert part["p_cal"].between(low - 1e-12, high + 1e-12).all()
    high = [replace(one, threshold=0.9999999) for one in models]
    assert "possible missed coverage" in judge(high, data, device=CPU, settings=device).abstained
    low = [replace(one, threshold=0.0) for one in models]
    assert judge(low, data, device=CPU, settings=device).abstained == ""
    split = [replace(models[0], threshold=0.0), replace(models[1], threshold=1.0)]
    assert judge(split, data, device=CPU, settings=device).abstained.startswith("no confident SOZ")


def test_models_that_disagree_abstain(bundle: Path, cohort: Trial) -> None:
    """No contact is called by more than half of the models, though the mean is above the mean threshold."""
    _, models = open_bundle(bundle, CPU)
    data = load_clips(cohort.files.tokens, cohort.files.rows, patients=["P05"], labels="soz", shifted=False)
    device = models[0].settings.device
    p = judge(models[:1], data, device=CPU, settings=device).channels["p_cal"].max()
    one, other = replace(models[0], threshold=p - 1e-3), replace(models[0], threshold=p + 1e-4)
    said = judge([one, other], data, device=CPU, settings=device)
    assert "the models disagree: no contact is called by more than 1 of 2" in said.abstained
    assert judge([one, one, other], data, device=CPU, settings=device).abstained == ""


def test_warnings(bundle: Path, cohort: Trial) -> None:
    content, _ = open_bundle(bundle, CPU)
    data = load_clips(cohort.files.tokens, cohort.files.rows, patients=["P05"], labels="soz", shifted=False)
    known = content.training_patients[0]
    assert warnings(content, data, patient="new", rates_hz=[512.0]) == [SIMULATED]
    real = content.model_copy(update={"synthetic": False})
    assert warnings(real, data, patient="new", rates_hz=[512.0]) == []
    assert "256 Hz, below 512 Hz" in warnings(content, data, patient="new", rates_hz=[256.0, 512.0])[0]
    assert "is the name of a training patient" in warnings(content, data, patient=known, rates_hz=[512.0])[0]
    few = content.model_copy(update={"fewest_channels": 50, "most_channels": 60})
    assert "out of range" in warnings(few, data, patient="new", rates_hz=[512.0])[0]


def subject(root: Path, **changed: Any) -> Path:
    """One unlabelled subject with an interictal recording of 40 s."""
    Made(marks={}, **changed).write(root, ("interictal", 1))
    write_participants(root, "sub-01\tn/a\tn/a\tSEEG")
    return root


def answer_of(out: Path) -> dict[str, Any]:
    return dict(read_json(out / "prediction.json"))


def test_a_simulated_subject_is_marked(bundle: Path, tmp_path: Path) -> None:
    content, _ = open_bundle(bundle, CPU)
    table = pd.DataFrame({"participant_id": ["sub-01"], "p_cal": [0.5]}).reindex(
        columns=list(soz_predict_subject.COLUMNS)
    )
    verdict = Verdict(table.assign(rank=1, channel="A1"), 0.5, "")
    real = content.model_copy(update={"synthetic": False})
    for simulated in (True, False):
        soz_predict_subject.write(tmp_path, table, verdict, [], real, simulated=simulated)
        told = (tmp_path / "dataset_description.json").read_text() + (tmp_path / "channel_soz.json").read_text()
        assert ("SYNTHETIC" in told) == simulated
        assert SIMULATED not in told
        assert answer_of(tmp_path)["simulated_recordings"] is simulated


def test_one_subject_without_labels_or_events(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, out = subject(tmp_path / "bids"), tmp_path / "out"
    monkeypatch.chdir(ROOT)
    call(monkeypatch, soz_predict_subject, bundle=bundle, root=root, subject="sub-01", out=out, device="cpu")
    table = pd.read_csv(out / "channel_soz.tsv", sep="\t", keep_default_na=False)
    assert list(table["channel"]) == ["LA1", "LA2", "LA3", "RB1", "RB2"]  # EKG1 is bad
    assert set(table["participant_id"]) == {"sub-01"}
    assert set(table["p_ictal"]) == {"n/a"}
    assert set(table["n_clips_interictal"]) == {1}
    assert list(table.columns) == [*DERIVATIVE, "model_sd", "votes"]
    assert set(json.loads((out / "channel_soz.json").read_text())) >= set(table.columns)
    name = json.loads((out / "dataset_description.json").read_text())["Name"]
    assert SIMULATED in name  # the bundle was taught by a simulator
    assert "SYNTHETIC" not in name  # the subject's EDF does not say so of itself
    assert answer_of(out)["simulated_recordings"] is False
    assert set(table["label_soz"]) == set(table["resected"]) == {"n/a"}
    assert [float(x) for x in table["x"]] == [-30, -34, -38, 31, 35]  # a number, and not text with an apostrophe
    again = of_patient(read_run(out / "channel_soz.tsv"), "01")  # as the pages read a run's table
    assert sorted(again["rank"]) == [1, 2, 3, 4, 5]
    assert set(again["implant"]) == {"SEEG"}
    answer = read_json(out / "prediction.json")
    assert any("5 to 5 channels" in line for line in answer["warnings"])  # the training patients had 12 to 20
    assert any("no ictal clip" in line for line in answer["warnings"])
    assert answer["trained_on_simulated_recordings"]
    assert SIMULATED in answer["warnings"]
    assert bool(answer["abstained"]) != bool(answer["top"])
    assert (out / "findings.tsv").exists()


def test_a_check_that_stops_stops_the_prediction(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the EDF has and channels.tsv has not: nothing is renamed by position, nothing predicted."""
    names = ("LA1", "LA2", "LA3", "RB1", "RX9", "EKG1")
    root, out = subject(tmp_path / "bids", edf=names), tmp_path / "out"
    monkeypatch.chdir(ROOT)
    with pytest.raises(command.StageError, match="name_order"):
        call(monkeypatch, soz_predict_subject, bundle=bundle, root=root, subject="01", out=out, device="cpu")
    assert not (out / "channel_soz.tsv").exists()
    assert "name_order" in (out / "findings.tsv").read_text()
    with pytest.raises(command.StageError, match="no iEEG recording of '02'; there are recordings of 01"):
        call(monkeypatch, soz_predict_subject, bundle=bundle, root=root, subject="02", out=out, device="cpu")
