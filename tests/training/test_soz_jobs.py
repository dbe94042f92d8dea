"""Whole trainings of the SOZ arm on made-up tokens: learning, leaks, resuming to the byte, refusing what is unfit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from soz_files import FINETUNING, MODEL, PRETRAINING
from soz_trial import FACTS, JOB, RESULTS, Trial, trial

from pipeline.models.soz import SozEncoder
from pipeline.settings.soz_jobs import SozPretrainJob
from pipeline.store import read_json, read_table, write_json, write_table
from pipeline.training import soz_fit, soz_job
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.model_io import load_weights
from pipeline.training.sampling import TORCH, generator
from pipeline.training.soz_calibration import Calibrator
from pipeline.training.soz_card import UnfitEncoder, load_trained
from pipeline.training.soz_data import load_clips
from pipeline.training.soz_fold import UnfitData, read_fold
from pipeline.training.soz_folds import Leak, members, teachers
from pipeline.training.soz_predicting import prediction_table
from pipeline.training.soz_scores import channel_logits, patient_mean_auprc


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def trained(base: Trial) -> list[bytes]:
    return base.both(base.root / "out")


def test_the_model_finds_the_raised_contacts_of_patients_that_it_never_saw(base: Trial, trained: list[bytes]) -> None:
    out = base.root / "out"
    model = load_trained(out / "model.safetensors", read_json(out / "card.json"), torch.device("cpu"))
    parts = members(read_table(base.root / "folds.parquet"), 0)
    data = load_clips(base.files.tokens, base.files.rows, patients=parts["test"], labels="soz", shifted=False)
    table = prediction_table(model, data, parts, device=torch.device("cpu"), settings=model.settings.device)
    assert set(table["part"]) == {"test"}
    assert len(table) == len(data.rows)  # one row a clip and usable channel, pre-ictal clips among them
    known = table.assign(label=table["soz"].astype(int))
    assert (patient_mean_auprc(channel_logits(known)) or 0) > 0.9
    np.testing.assert_allclose(table["p_raw"], 1 / (1 + np.exp(-table["logit"])))
    card = read_json(out / "card.json")
    np.testing.assert_allclose(table["p_cal"], Calibrator.from_json(card["calibrator"])(table["logit"].to_numpy()))


def test_the_card_says_who_taught_and_what_was_fitted(base: Trial, trained: list[bytes]) -> None:
    card = read_json(base.root / "out" / "card.json")
    parts = members(read_table(base.root / "folds.parquet"), 0)
    assert card["patients"] == parts
    facts = {fact["patient"]: fact for fact in FACTS}
    positive = sum(facts[name]["n_soz"] for name in parts["train"])
    usable = sum(facts[name]["n"] - (name == "P02") for name in parts["train"])  # P02 has a flat channel
    assert card["class_counts"] == {"negative": usable - positive, "positive": positive}
    assert card["prevalence"] == positive / usable
    inner = sum(facts[name]["n"] - (name == "P02") for name in parts["inner"])
    assert (card["calibrator"]["n_patients"], card["calibrator"]["n_contacts"]) == (len(parts["inner"]), inner)
    assert 0 < card["threshold"] < 1
    assert card["pretraining"]["fold_hash"] == card["fold_hash"]


@pytest.mark.parametrize("how", ["changed", "relabelled"])
def test_a_test_patient_changes_no_byte_of_any_training(
    base: Trial, trained: list[bytes], tmp_path: Path, how: str
) -> None:
    tested = members(read_table(base.root / "folds.parquet"), 0)["test"][0]
    other = trial(tmp_path / "cohort", **{how: tested})
    kind = "tokens" if how == "changed" else "rows"
    pairs = zip(getattr(base.files, kind), getattr(other.files, kind), strict=True)
    assert any(old.read_bytes() != new.read_bytes() for old, new in pairs)
    assert other.both(tmp_path / "out") == trained


@pytest.mark.parametrize("how", ["changed", "relabelled"])
@pytest.mark.parametrize("part", ["train", "inner"])
def test_a_training_or_inner_patient_does_change_them(
    base: Trial, trained: list[bytes], tmp_path: Path, how: str, part: str
) -> None:
    """Or the test above could not fail. An inner patient stops and calibrates, and is in no pre-training."""
    name = members(read_table(base.root / "folds.parquet"), 0)[part][0]
    found = trial(tmp_path / "cohort", **{how: name}).both(tmp_path / "out")
    assert found[3:] != trained[3:]
    assert (found[0] == trained[0]) == (part == "inner")
    if part == "inner":
        old, new = (read_json(path / "out/card.json") for path in (base.root, tmp_path))
        assert new["calibrator"]["slope"] != old["calibrator"]["slope"]


def test_folds_that_put_a_test_patient_into_training_are_refused(base: Trial, tmp_path: Path) -> None:
    table = read_table(base.root / "folds.parquet")
    tested = members(table, 0)["test"][0]
    row = table[(table["fold"] == 0) & (table["patient"] == tested)].assign(part="train")
    write_table(tmp_path / "folds.parquet", pd.concat([table, row], ignore_index=True))
    settings = SozPretrainJob.model_validate(JOB | {"pretraining": PRETRAINING})
    with pytest.raises(Leak, match="is in two parts"):
        read_fold(replace(base.inputs, folds=tmp_path / "folds.parquet"), settings)


@pytest.mark.parametrize("where", [("pretrain", 1), ("train", 2)])
def test_a_killed_training_goes_on_to_the_same_bytes(
    base: Trial, trained: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[str, int]
) -> None:
    stage, epochs = where
    saved: list[int] = []
    save = Checkpoints.save

    def save_then_die(self: Checkpoints, tensors: Any, record: Any) -> None:
        save(self, tensors, record)
        saved.append(len(record["history"]))
        if len(saved) == epochs:
            raise Killed

    monkeypatch.setattr(soz_job, "SAVE_EVERY_S", 0.0)
    encoder = base.pretrain(tmp_path) if stage == "train" else None
    run = (lambda: base.train(tmp_path, encoder=encoder)) if stage == "train" else (lambda: base.pretrain(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", save_then_die)
        with pytest.raises(Killed):
            run()
    assert not (tmp_path / ("model.safetensors" if stage == "train" else "encoder.safetensors")).exists()
    begun: list[int] = []
    train_epoch = soz_fit._Run.train_epoch

    def counted(self: Any, epoch: int, **more: Any) -> dict[str, Any]:
        begun.append(epoch)
        return train_epoch(self, epoch, **more)

    monkeypatch.setattr(soz_fit._Run, "train_epoch", counted)
    run()
    assert begun[0] == epochs  # nothing is done twice
    names = RESULTS[3:] if stage == "train" else RESULTS[:3]
    assert [(tmp_path / name).read_bytes() for name in names] == [trained[RESULTS.index(name)] for name in names]
    assert not any((tmp_path / "checkpoints").iterdir())


def test_strict_labels_teach_with_engel_1_alone(base: Trial, tmp_path: Path) -> None:
    few = {"pretraining": PRETRAINING | {"epochs": 1}, "labels": "strict"}
    first = base.pretrain(tmp_path / "a", **few)
    card = read_json(first.with_suffix(".json"))
    facts = {fact["patient"]: fact for fact in FACTS}
    assert card["teaching"]["train"] == teachers(read_table(base.root / "folds.parquet"), 0, "train", "strict")
    assert all(facts[name]["outcome"] == "good" for part in card["teaching"].values() for name in part)
    poor = next(name for name in card["patients"]["train"] if facts[name]["outcome"] == "poor")
    good = card["teaching"]["train"][0]
    other = trial(tmp_path / "poor", changed=poor).pretrain(tmp_path / "b", **few)
    assert other.read_bytes() == first.read_bytes()
    other = trial(tmp_path / "good", changed=good).pretrain(tmp_path / "c", **few)
    assert other.read_bytes() != first.read_bytes()


def test_leaving_one_patient_out(tmp_path: Path) -> None:
    one = trial(tmp_path / "cohort", folds={"scheme": "patients"}, facts=FACTS[:4])
    short = {"fold": 3, "finetuning": FINETUNING | {"epochs": 1}}
    one.train(tmp_path / "out", **short)
    card = read_json(tmp_path / "out/card.json")
    assert card["patients"]["test"] == ["P03"]
    changed = trial(tmp_path / "other", folds={"scheme": "patients"}, facts=FACTS[:4], changed="P03")
    changed.train(tmp_path / "again", **short)
    for name in ("model.safetensors", "card.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_batches_without_an_anchor_move_nothing(tmp_path: Path) -> None:
    """One contact of each class: nobody has a partner, so no loss, and no step, weight decay included."""
    pairs = trial(tmp_path / "cohort", facts=[fact | {"n": 2, "n_soz": 1} for fact in FACTS[3:]])
    weights = load_weights(pairs.pretrain(tmp_path / "out"))
    history = read_table(tmp_path / "out/pretraining.parquet")
    assert (history["n_steps"] == 0).all()
    assert (history["n_skipped"] > 0).all()
    assert (history["n_anchors"] == 0).all()
    torch.manual_seed(int(generator(0, TORCH).integers(2**63)))
    fresh = SozEncoder(SozPretrainJob.model_validate(JOB | {"pretraining": PRETRAINING}).model).state_dict()
    assert all(torch.equal(weights[name], value) for name, value in fresh.items())


def test_a_frozen_encoder_stays_and_the_head_learns(base: Trial, trained: list[bytes], tmp_path: Path) -> None:
    encoder = base.root / "out" / "encoder.safetensors"
    model = base.train(tmp_path, encoder=encoder, finetuning=FINETUNING | {"freeze_encoder": True})
    before, after = load_weights(encoder), load_weights(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.weight", "head.bias"}


def test_the_pretrained_weights_are_where_training_starts(base: Trial, trained: list[bytes], tmp_path: Path) -> None:
    still = FINETUNING | {"learning_rate_head": 1e-12, "learning_rate_encoder": 1e-12, "epochs": 1, "weight_decay": 0}
    encoder = base.root / "out" / "encoder.safetensors"
    model = load_weights(base.train(tmp_path, encoder=encoder, finetuning=still))
    for name, value in load_weights(encoder).items():
        if name != "head.bias":
            torch.testing.assert_close(model[name], value, rtol=0, atol=1e-6)
    share = read_json(tmp_path / "card.json")["prevalence"]
    assert float(model["head.bias"]) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"seed": 1}, "seed"), ({"fold": 1}, "fold"), ({"model": MODEL | {"dropout": 0.2}}, "model")],
)
def test_an_encoder_of_another_fold_seed_or_model_is_refused(
    base: Trial, trained: list[bytes], tmp_path: Path, changed: dict[str, Any], word: str
) -> None:
    with pytest.raises(UnfitEncoder, match=f"the encoder's {word} is"):
        base.train(tmp_path, encoder=base.root / "out" / "encoder.safetensors", **changed)


def test_one_condition_alone(base: Trial, tmp_path: Path) -> None:
    base.train(tmp_path, finetuning=FINETUNING | {"conditions": "interictal", "epochs": 1})
    model = load_trained(tmp_path / "model.safetensors", read_json(tmp_path / "card.json"), torch.device("cpu"))
    data = load_clips(base.files.tokens, base.files.rows, patients=["P00"], labels="soz", shifted=False)
    table = prediction_table(model, data, {"test": ["P00"]}, device=torch.device("cpu"), settings=model.settings.device)
    assert set(table["condition"]) == {"interictal"}


@pytest.mark.parametrize("told", [True, False])
def test_pre_ictal_clips_teach_only_where_the_phase_is_told(base: Trial, told: bool) -> None:
    settings = SozPretrainJob.model_validate(JOB | {"pretraining": PRETRAINING, "model": MODEL | {"phase": told}})
    fold = read_fold(base.inputs, settings)
    assert ("pre" in set(fold.data.clips["phase"])) == told
    clips = load_clips(
        base.files.tokens, base.files.rows, patients=fold.teaching["train"], labels="soz", shifted=False, pre_ictal=told
    )
    assert fold.scaler.n_rows == len(clips.rows)  # nor do they enter the normaliser


def test_a_part_that_nobody_teaches_in_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    poor = [fact | {"outcome": "poor"} for fact in FACTS[:6]]
    with pytest.raises(UnfitData, match=r"fold 0: no train patient has contacts of both classes \(labels: strict\)"):
        trial(tmp_path / "cohort", facts=poor).pretrain(tmp_path / "out", labels="strict")


def test_weights_that_the_card_is_not_of_are_refused(base: Trial, trained: list[bytes], tmp_path: Path) -> None:
    card = read_json(base.root / "out/card.json") | {"model_hash": "0" * 32}
    write_json(tmp_path / "card.json", card)
    with pytest.raises(Exception, match="not the weights that the card is of"):
        load_trained(base.root / "out/model.safetensors", read_json(tmp_path / "card.json"), torch.device("cpu"))
