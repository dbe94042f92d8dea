"""Baselines of the SOZ arm: what is fitted sees training patients alone; what is plain is what was measured."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from soz_files import FOLDS, Cohort, patient_facts, write_cohort

from pipeline.metrics.soz_contacts import contact_scores
from pipeline.metrics.soz_ranking import ranking_metrics
from pipeline.settings.soz import SozFolds
from pipeline.store import read_table, read_tables, write_table
from pipeline.training.soz_baselines import (
    BASELINES,
    FITTED,
    LOGISTIC,
    PLAIN,
    Features,
    balanced,
    baseline_table,
    load_features,
    standardised,
    token_statistics,
)
from pipeline.training.soz_data import load_clips
from pipeline.training.soz_folds import deal_folds, members, patient_table, teachers
from pipeline.training.soz_predicting import COLUMNS

FACTS = patient_facts(10)


@dataclass(frozen=True)
class Made:
    """A cohort whose tables of rows hold plain measures, its folds, and its baselines."""

    files: Cohort
    folds: pd.DataFrame
    features: Features
    table: pd.DataFrame


def measured(files: Cohort) -> None:
    """Measures into the tables of rows: spikes are more in the SOZ; P03 has no high frequencies."""
    for path in files.rows:
        table, rng = read_table(path), np.random.default_rng(1)
        number = table["channel"].str.removeprefix("A").astype(int)
        values = {name: rng.normal(size=len(table)) for name in PLAIN.values()}
        values["spike_rate"] = rng.poisson(3, len(table)) + 20.0 * (number == 1)
        values["hfo_rate"] = np.where(table["patient"] == "P03", np.nan, values["hfo_rate"])
        write_table(path, table.assign(**values))


def make(root: Path, **changed: Any) -> Made:
    files = write_cohort(root, FACTS, **changed)
    measured(files)
    patients = patient_table(*(read_tables(paths) for paths in (files.recordings, files.contacts, files.patients)))
    folds = deal_folds(patients, SozFolds.model_validate(FOLDS))
    features = load_features(files.tokens, files.rows, sorted(set(folds["patient"])))
    return Made(files, folds, features, baseline_table(features, folds, seed=0))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("baselines"))


def mean_auroc(table: pd.DataFrame, name: str) -> float:
    own = contact_scores(table[(table["baseline"] == name) & (table["part"] == "test")])
    own = own[own["condition"] == "both"]
    nowhere = np.full((100, 3), np.nan)
    return float(np.mean([ranking_metrics(rows["soz"].to_numpy(bool), rows["logit"].to_numpy(), nowhere[: len(rows)])[
        "auroc"] for _, rows in own.groupby("patient")]))  # fmt: skip


def test_every_baseline_scores_every_scored_row_of_inner_and_test_patients(made: Made) -> None:
    assert list(made.table.columns) == [*COLUMNS, "baseline"]
    assert set(made.table["baseline"]) == set(BASELINES)
    assert set(made.table["part"]) == {"inner", "test"}
    assert "pre" not in set(made.table["phase"])
    for fold in (0, 1):
        parts = members(made.folds, fold)
        seen = {*parts["inner"], *parts["test"]}
        expected = int(made.features.rows["patient"].isin(seen).sum())
        own = made.table[made.table["fold"] == fold]
        assert set(own.groupby("baseline").size()) == {expected}
        assert set(own["patient"]) == seen


def test_plain_measures_are_what_was_measured_and_no_probability(made: Made) -> None:
    rows = read_tables(made.files.rows).set_index(["clip", "channel"])
    for name, column in PLAIN.items():
        own = made.table[made.table["baseline"] == name]
        expected = rows.loc[list(zip(own["clip"], own["channel"], strict=True)), column]
        np.testing.assert_array_equal(own["logit"], expected)
        assert own[["p_raw", "p_cal"]].isna().all(axis=None)
    hfo = made.table[(made.table["baseline"] == "hfo_rate") & (made.table["patient"] == "P03")]
    assert hfo["logit"].isna().all()


def test_band_power_is_the_mean_z_over_usable_bands_and_seconds(made: Made) -> None:
    own = made.table[(made.table["baseline"] == "band_power") & (made.table["patient"] == "P01")]
    data = load_clips(made.files.tokens, made.files.rows, patients=["P01"], labels="soz", shifted=False)
    keys = data.rows[["clip", "channel"]].apply(tuple, axis=1).tolist()
    for row in own.drop_duplicates(["clip", "channel"]).sample(20, random_state=0).to_dict("records"):
        place = keys.index((row["clip"], row["channel"]))
        assert row["logit"] == pytest.approx(data.tokens[place, :16].mean(), rel=1e-5)  # P01: 256 Hz, 16 bands


def test_prevalence_is_the_share_among_contacts_of_training_patients(made: Made) -> None:
    contacts = read_tables(made.files.contacts)
    for fold in (0, 1):
        own = contacts[contacts["patient"].isin(teachers(made.folds, fold, "train", "soz"))]
        dropped = (own["patient"] == "P02") & (own.groupby("patient").cumcount(ascending=False) == 0)  # flat
        rows = made.table[(made.table["baseline"] == "prevalence") & (made.table["fold"] == fold)]
        assert rows["p_cal"].to_numpy() == pytest.approx(own.loc[~dropped, "soz"].astype(bool).mean())


def test_what_is_fitted_finds_the_planted_effect_and_coordinates_nothing(made: Made) -> None:
    assert mean_auroc(made.table, "logistic") > 0.9
    assert mean_auroc(made.table, "boosting") > 0.9
    assert mean_auroc(made.table, "coordinates") == 0.5  # no contact has a place: all tie
    assert mean_auroc(made.table, "prevalence") == 0.5


def test_logistic_is_scikit_learns_on_the_training_rows(made: Made) -> None:
    rows, fold = made.features.rows, 0
    train = rows["patient"].isin(teachers(made.folds, fold, "train", "soz")).to_numpy()
    x = standardised(made.features.x, train)
    np.testing.assert_allclose(x[train].mean(axis=0)[:32], 0, atol=1e-9)
    weights = np.zeros(train.sum())
    for k, row in enumerate(rows[train].to_dict("records")):
        same = rows[train & (rows["patient"] == row["patient"]).to_numpy() & (rows["label"] == row["label"]).to_numpy()]
        weights[k] = 1 / len(same)
    weights *= len(weights) / weights.sum()
    np.testing.assert_allclose(balanced(rows[train]), weights)
    model = LogisticRegression(**LOGISTIC).fit(x[train], rows["label"][train], sample_weight=weights)
    own = made.table[(made.table["baseline"] == "logistic") & (made.table["fold"] == fold)]
    chosen = rows["patient"].isin(set(own["patient"])).to_numpy()
    np.testing.assert_allclose(own["logit"], model.decision_function(x[chosen]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(own["p_raw"], expit(own["logit"]))


def test_statistics_are_nan_where_nothing_was_recorded(made: Made) -> None:
    data = load_clips(made.files.tokens, made.files.rows, patients=["P01"], labels="soz", shifted=False)
    x = token_statistics(data)
    assert x.shape[1] == 129
    assert np.isnan(x[:, 16:32]).all()
    assert np.isfinite(x[:, :16]).all()
    ictal = (data.rows["phase"] == "ictal").to_numpy()
    assert np.isfinite(x[ictal, 96:112]).all()
    assert np.isnan(x[~ictal, 96:128]).all()


def test_a_test_patient_changes_no_fit(made: Made, tmp_path: Path) -> None:
    """Other data or labels of a patient of the test part move no score of anybody else in that fold."""
    for k, changed in enumerate(({"changed": "P04"}, {"relabelled": "P04"})):
        other = make(tmp_path / str(k), **changed)
        fold = int(made.folds.loc[(made.folds["patient"] == "P04") & (made.folds["part"] == "test"), "fold"].iloc[0])
        keys = ["baseline", "clip", "channel"]
        tables = [
            one.table[(one.table["fold"] == fold) & (one.table["patient"] != "P04")
                      & one.table["baseline"].isin([*FITTED, "prevalence"])]
            .sort_values(keys, ignore_index=True) for one in (made, other)
        ]  # fmt: skip
        pd.testing.assert_frame_equal(*tables)


def test_the_same_again_gives_the_same(made: Made) -> None:
    again = baseline_table(made.features, made.folds, seed=0)
    pd.testing.assert_frame_equal(again, made.table)


def test_ratios_that_no_training_clip_has_stop_no_baseline(made: Made) -> None:
    """A corpus without seizures has no baseline of any, so no ratio."""
    without = made.features.x.copy()
    without[:, 96:128] = np.nan
    table = baseline_table(replace(made.features, x=without), made.folds, seed=0)
    assert np.isfinite(table.loc[table["baseline"].isin(FITTED), "logit"]).all()
    assert mean_auroc(table, "boosting") > 0.8
