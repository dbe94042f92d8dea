"""A share of the labels: stratified, nested, of whole patients or of each patient's clips, and it holds every class."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_files import fit_settings, make_files

from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.training import FitSettings, SamplingSettings
from pipeline.store import read_json, read_table, write_table
from pipeline.training.job import Inputs, Outputs, UnfitData, run_job
from pipeline.training.sampling import labelled_clips, labelled_patients, training_rows

SHARES = (0.25, 0.5, 0.75, 1.0)
Held = list[list[int]]  # of each patient, the classes of its clips


def cohort(held: Held) -> tuple[pd.Series, np.ndarray]:
    """Patients (clips,) and labels (clips,)."""
    pairs = [(f"p{k:03}", label) for k, labels in enumerate(held) for label in labels]
    return pd.Series([name for name, _ in pairs]), np.array([label for _, label in pairs])


def rows(held: Held, share: float, unit: str, seed: int) -> np.ndarray:
    sampling = SamplingSettings(balance=False, negative_seed="run", label_fraction=share, label_unit=unit)
    return training_rows(*cohort(held), settings=sampling, seed=seed)


# Most patients of class 0, few of the others, some of several: as skewed as seizure types are
HELD = st.lists(st.lists(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3]), min_size=1, max_size=6), min_size=1, max_size=40)


@settings(deadline=None)  # wall time says nothing on a busy machine
@given(HELD, st.integers(0, 50), st.sampled_from(["patient", "clip"]))
def test_larger_shares_hold_smaller_ones_and_all_hold_every_class(held: Held, seed: int, unit: str) -> None:
    _, labels = cohort(held)
    shares = [rows(held, share, unit, seed) for share in SHARES]
    for smaller, larger in pairwise(shares):
        assert set(smaller) <= set(larger)
    assert len(shares[-1]) == len(labels)
    for found in shares:
        assert set(labels[found]) == set(labels)
        assert (np.diff(found) > 0).all()


@settings(deadline=None)  # wall time says nothing on a busy machine
@given(HELD, st.integers(0, 50), st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_patients_are_whole_and_as_many_of_each_stratum_as_the_share_says(held: Held, seed: int, share: float) -> None:
    """Plain oracle: the rarest class of each patient by counting; no stratum is more than the cover off its share."""
    patients, labels = cohort(held)
    chosen = set(labelled_patients(patients, labels, share, seed))
    assert set(patients.iloc[rows(held, share, "patient", seed)]) == chosen
    assert len(rows(held, share, "patient", seed)) == patients.isin(chosen).sum()
    holders = {label: {p for p, own in zip(patients, labels, strict=True) if own == label} for label in set(labels)}
    strata: dict[int, list[str]] = {}
    for name in set(patients):
        rarest = min((len(found), label) for label, found in holders.items() if name in found)[1]
        strata.setdefault(rarest, []).append(name)
    extra = 0
    for members in strata.values():
        wanted = int(share * len(members) + 0.5)
        assert len(chosen & set(members)) >= wanted
        extra += len(chosen & set(members)) - wanted
    assert extra <= len(holders)  # one patient a class at most, so that the class is held


def test_the_numbers_of_a_skewed_cohort() -> None:
    """14 patients with class 0 alone, 4 with 1, 2 with 2, 2 with 3: halves up, one at least."""
    held = [[0, 0]] * 14 + [[1, 0]] * 4 + [[2]] * 2 + [[3, 0, 0]] * 2
    for share, expected in ((0.25, (4, 1, 1, 1)), (0.5, (7, 2, 1, 1)), (0.75, (11, 3, 2, 2)), (1.0, (14, 4, 2, 2))):
        chosen = {int(name[1:]) for name in labelled_patients(*cohort(held), share, 3)}
        parts = [range(14), range(14, 18), range(18, 20), range(20, 22)]
        assert tuple(len(chosen & set(part)) for part in parts) == expected


def test_a_class_whose_patients_all_hold_a_rarer_one_stays() -> None:
    """Class 1 is nobody's rarest: without the cover a small share could leave it out."""
    held = [[0]] * 20 + [[1, 2]] * 1 + [[2, 0]] * 1 + [[1, 3]] * 1 + [[3, 0]] * 1 + [[1, 4]] * 1 + [[4, 0]] * 1
    _, labels = cohort(held)
    for seed in range(30):
        assert set(labels[rows(held, 0.05, "patient", seed)]) == {0, 1, 2, 3, 4}


def test_seeds_choose_others_and_the_order_of_the_clips_does_not_matter() -> None:
    patients, labels = cohort([[0]] * 30 + [[1]] * 10)
    drawn = {tuple(labelled_patients(patients, labels, 0.25, seed)) for seed in range(20)}
    assert len(drawn) > 15
    turned = labelled_patients(patients[::-1].reset_index(drop=True), labels[::-1].copy(), 0.25, 0)
    assert turned == labelled_patients(patients, labels, 0.25, 0)


def test_clips_within_patients_are_the_share_on_average_however_few_they_are() -> None:
    held = [[0] * (1 + k % 4) + [1] * (k % 3) for k in range(60)]
    patients, labels = cohort(held)
    shares = [len(labelled_clips(patients, labels, 0.25, seed)) / len(labels) for seed in range(40)]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.01)
    many = [[0] * 40] * 3
    for name in ("p000", "p001", "p002"):  # every patient gives its part
        assert (cohort(many)[0].iloc[rows(many, 0.25, "clip", 1)] == name).sum() == 10


def test_a_share_says_what_it_is_of() -> None:
    given_settings = {"balance": False, "negative_seed": "run", "label_fraction": 0.5}
    with pytest.raises(SettingsError, match=r"label_fraction: 0.5; a share of what"):
        parse_section(SamplingSettings, given_settings)
    with pytest.raises(SettingsError, match=r"label_unit: .*'patient' or 'clip'"):
        parse_section(SamplingSettings, given_settings | {"label_unit": "patients"})


def train(folder: Path, out: Path, share: float, **changes: object) -> dict:
    """Card of a small classifier on a share of the labels."""
    files = make_files(folder, "classification", clips_per_shard=40)
    sampling = {"balance": False, "negative_seed": "run", "label_fraction": share}
    sampling |= {"label_unit": "patient"} if share < 1 else {}
    told = FitSettings.model_validate(fit_settings("classification", epochs=1, sampling=sampling) | changes)
    outputs = Outputs(out / "model.safetensors", out / "card.json", out / "history.parquet")
    inputs = Inputs(**files.job(slice(0, 3), "distance"), encoder=None)
    run_job(inputs, outputs, settings=told, code="code", checkpoints=out / "checkpoints")
    return read_json(outputs.card)


def test_the_card_counts_what_was_learnt_from(tmp_path: Path) -> None:
    whole, half = (train(tmp_path / "files", tmp_path / f"{share}", share) for share in (1.0, 0.5))
    assert half["counts"]["training_patients"] == 4 == whole["counts"]["training_patients"] / 2
    assert sum(half["training_clips"].values()) == half["counts"]["training_clips"]
    assert min(half["training_clips"].values()) > 0
    assert {name: whole["counts"][f"validation_{name}"] for name in ("clips", "patients")} == {
        name: half["counts"][f"validation_{name}"] for name in ("clips", "patients")
    }
    assert "training_clips" not in whole
    assert set(whole["settings"]["sampling"]) == {"balance", "negative_seed", "label_fraction"}


def test_a_class_that_no_training_patient_has_is_refused(tmp_path: Path) -> None:
    files = make_files(tmp_path / "files", "classification", clips_per_shard=40)
    for path in files.clips[:2]:
        table = read_table(path)
        write_table(path, table.assign(code=table["code"].replace("absz", "fnsz")))
    told = fit_settings("classification", epochs=1)
    told["sampling"] = {"balance": False, "negative_seed": "run", "label_fraction": 0.5, "label_unit": "patient"}
    outputs = Outputs(*(tmp_path / name for name in ("model.safetensors", "card.json", "history.parquet")))
    with pytest.raises(UnfitData, match="no training patient has a clip of AB, which validation clips are of"):
        run_job(
            Inputs(**files.job(slice(0, 3), "distance"), encoder=None), outputs, code="code",
            settings=FitSettings.model_validate(told), checkpoints=tmp_path / "checkpoints",
        )  # fmt: skip
