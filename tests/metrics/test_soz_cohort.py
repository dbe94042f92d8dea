"""Cohort means, exclusions, comparisons, calibration and strata of the SOZ arm against plain oracles."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t, wilcoxon
from sklearn.metrics import brier_score_loss, roc_auc_score
from soz_predictions import facts, places, predictions

from pipeline.metrics.calibration import binary_brier, calibration_error, equal_mass
from pipeline.metrics.soz_cohort import (
    NO_CHANGE,
    NO_SPREAD,
    expanded,
    fewest_patients,
    mean_estimate,
    paired,
    separation,
)
from pipeline.metrics.soz_contacts import contact_scores, ranks
from pipeline.metrics.soz_evaluation import (
    MODEL,
    comparisons_table,
    headline,
    metrics_table,
    patient_values,
)
from pipeline.metrics.soz_patients import (
    NO_CLIP,
    NO_RESECTION,
    NO_SCORE,
    NOT_JUDGED,
    ONE_CLASS,
    UNLABELLED,
    patient_rows,
)
from pipeline.metrics.soz_pooled import calibration_draws, pooled_estimates, reliability_table
from pipeline.settings.soz import SozEvaluation
from pipeline.training.soz_calibration import Calibrator

SETTINGS = SozEvaluation(bootstrap=300, confidence=0.95, seed=0)


def dealt(n: int, k: int = 3) -> np.ndarray:
    """Folds of n patients, in turn."""
    return np.arange(n) % k


def rows_of(table: pd.DataFrame) -> pd.DataFrame:
    return patient_rows(contact_scores(table), facts(table), places(table))


def value(rows: pd.DataFrame, patient: str, metric: str, condition: str = "both") -> tuple[float, str]:
    own = rows[(rows["patient"] == patient) & (rows["metric"] == metric) & (rows["condition"] == condition)]
    assert len(own) == 1
    return float(own["value"].iloc[0]), str(own["reason"].iloc[0])


def test_patient_values_are_scikit_learns_and_missing_conditions_say_so() -> None:
    table = predictions(4, conditions={"P01": ("interictal",), "P02": ("ictal",)})
    rows, contacts = rows_of(table), contact_scores(table)
    for patient in ("P00", "P01", "P02", "P03"):
        own = contacts[(contacts["patient"] == patient) & (contacts["condition"] == "both")]
        expected = roc_auc_score(own["soz"].astype(bool), own["logit"])
        assert value(rows, patient, "auroc") == (pytest.approx(expected), "")
        mass = own["p_cal"][own["resected"].astype(bool)].sum() / own["p_cal"].sum()
        assert value(rows, patient, "resected_mass")[0] == pytest.approx(mass)
    assert value(rows, "P01", "auroc", "ictal")[1] == NO_CLIP
    assert value(rows, "P02", "auroc", "interictal")[1] == NO_CLIP
    assert value(rows, "P01", "auroc", "interictal") == value(rows, "P01", "auroc", "both")


def test_a_run_of_one_condition_denies_no_clip() -> None:
    table = predictions(3, conditions={"P01": ("ictal",)})
    own = table[table["condition"] == "interictal"]  # a run judges by these alone; P01 has none
    rows = patient_rows(contact_scores(own), facts(table), places(table), judged="interictal")
    assert value(rows, "P00", "auroc", "ictal")[1] == NOT_JUDGED
    assert value(rows, "P00", "auroc", "both") == value(rows, "P00", "auroc", "interictal")
    assert value(rows, "P01", "auroc", "interictal")[1] == NO_SCORE


def test_nobody_disappears() -> None:
    table = predictions(4, unlabelled=["P01"], one_class=["P02"])
    table = table.assign(resected=table["resected"].where(table["patient"] != "P03", False))
    everybody = pd.concat([facts(table), pd.DataFrame([{"patient": "P09", "fold": 1}])], ignore_index=True)
    rows = patient_rows(contact_scores(table), everybody, places(table))
    found = {patient: value(rows, patient, "auroc")[1] for patient in ("P00", "P01", "P02", "P03", "P09")}
    assert found == {"P00": "", "P01": UNLABELLED, "P02": ONE_CLASS, "P03": "", "P09": NO_SCORE}
    assert value(rows, "P03", "resected_mass")[1] == NO_RESECTION
    metrics = metrics_table({MODEL: rows}, {MODEL: contact_scores(table)}, facts(table), SETTINGS)
    assert headline(metrics, "auroc")["n_patients"] == 2
    assert headline(metrics, "auroc")["n_excluded"] == 2
    good = [value(rows, patient, "auroc")[0] for patient in ("P00", "P03")]
    assert headline(metrics, "auroc")["value"] == pytest.approx(np.mean(good))


def test_interval_of_a_mean_is_that_of_a_slow_patient_bootstrap() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(1, 15))
    values[0, 3] = np.nan
    # every patient a fold of their own: Student's t over as many folds, which the bootstrap is nearly as wide as
    found = mean_estimate(values, np.arange(15), SozEvaluation(bootstrap=6000, confidence=0.9, seed=0))
    known, slow = values[0][np.isfinite(values[0])], []
    for _ in range(6000):
        slow.append(known[rng.integers(0, len(known), len(known))].mean())
    assert found.n_patients == 14
    assert found.value == pytest.approx(known.mean())
    tail = (1 - expanded(0.9, 14)) / 2
    assert tail < 0.05
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [tail, 1 - tail]), abs=0.01)
    student = t.interval(0.9, 13, known.mean(), known.std(ddof=1) / np.sqrt(14))
    assert found.low <= student[0] + 1e-12
    assert found.high >= student[1] - 1e-12


def test_of_equal_folds_that_differ_the_interval_is_students_over_their_means() -> None:
    rng, folds = np.random.default_rng(3), dealt(24, 4)
    values = np.array([0.3, 0.5, 0.6, 0.4])[folds] + rng.normal(0, 0.01, 24)
    means = np.array([values[folds == k].mean() for k in range(4)])
    found = mean_estimate(values[None], folds, SETTINGS)
    assert found.value == pytest.approx(means.mean())
    low, high = t.interval(0.95, 3, means.mean(), means.std(ddof=1) / 2)
    assert [found.low, found.high] == pytest.approx([low, high])


def test_folds_that_do_not_differ_leave_the_patients_interval() -> None:
    own = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.65])
    values, folds = np.tile(own, 4), np.repeat(np.arange(4), 6)  # every fold has the same values
    found = mean_estimate(values[None], folds, SETTINGS.model_copy(update={"bootstrap": 6000}))
    drawn = values[np.random.default_rng(0).integers(0, 24, (20000, 24))].mean(axis=1)
    tail = (1 - expanded(0.95, 24)) / 2
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [tail, 1 - tail]), abs=0.01)


def test_fewer_than_three_folds_have_no_interval() -> None:
    values = np.random.default_rng(0).uniform(size=(1, 12))
    for k in (1, 2, 3):
        found = mean_estimate(values, dealt(12, k), SETTINGS)
        assert (found.low is not None) is (k == 3)
        assert (f"{k} fold" in found.reason) is (k < 3)


@pytest.mark.parametrize(("n", "k"), [(24, 4), (30, 5)])
def test_where_patients_of_a_fold_share_a_model_the_interval_still_covers(n: int, k: int) -> None:
    """A third of the variance lies between folds; over patients alone it covers 0.76 (docs/statistics.md)."""
    rng, folds, covered = np.random.default_rng(5), dealt(n, k), 0
    for _ in range(300):
        values = 0.5 + rng.normal(0, 0.1, k)[folds] + rng.normal(0, 0.15, n)
        found = mean_estimate(values[None], folds, SETTINGS)
        covered += found.low <= 0.5 <= found.high  # type: ignore[operator]
    assert covered / 300 > 0.92


def test_of_normal_means_the_interval_is_students() -> None:
    rng, n = np.random.default_rng(0), 9
    values = rng.normal(size=n)
    redrawn = rng.normal(values.mean(), values.std() / np.sqrt(n), 400_000)  # as far as means of n redrawn ones vary
    tail = (1 - expanded(0.95, n)) / 2
    low, high = t.interval(0.95, n - 1, values.mean(), values.std(ddof=1) / np.sqrt(n))
    assert np.quantile(redrawn, [tail, 1 - tail]) == pytest.approx([low, high], abs=0.02)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
def test_an_interval_needs_as_many_patients_as_a_test_of_signs(confidence: float) -> None:
    n = fewest_patients(confidence)
    for size, enough in ((n - 1, False), (n, True)):
        assert (2 * binom.pmf(size, size, 0.5) <= 1 - confidence + 1e-12) is np.bool_(enough)
        found = mean_estimate(
            np.linspace(0.6, 0.9, size)[None],
            np.arange(size),
            SozEvaluation(bootstrap=200, confidence=confidence, seed=0),
        )
        assert (found.low is not None) is enough
        assert (found.reason == "") is enough


@pytest.mark.parametrize(("n", "most"), [(6, 0.05), (8, 0.04)])
def test_without_effect_an_interval_seldom_lies_above_a_half(n: int, most: float) -> None:
    """Nominal 0.025; percentiles that are not expanded have 0.065 and 0.05 (docs/statistics.md)."""
    rng = np.random.default_rng(1)
    drawn = (mean_estimate(np.clip(rng.normal(0.5, 0.18, (1, n)), 0, 1), dealt(n), SETTINGS) for _ in range(600))
    assert np.mean([found.low > 0.5 for found in drawn]) < most  # type: ignore[operator]


def test_equal_values_have_no_interval() -> None:
    found = mean_estimate(np.ones((2, 9)), dealt(9), SETTINGS)
    assert (found.value, found.low, found.reason) == (1.0, None, NO_SPREAD)


def test_one_patient_has_a_mean_and_no_interval_and_none_has_neither() -> None:
    one = mean_estimate(np.array([[0.7, np.nan]]), dealt(2), SETTINGS)
    assert (one.value, one.low, one.n_patients) == (0.7, None, 1)
    assert one.reason
    none = mean_estimate(np.full((2, 3), np.nan), dealt(3), SETTINGS)
    assert (none.value, none.n_patients) == (None, 0)


def test_paired_differences_are_wilcoxons_over_patients_that_both_have() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.uniform(size=(1, 12)), rng.uniform(size=(1, 12))
    first[0, 2] = second[0, 5] = np.nan
    found = paired(first, second, dealt(12), SETTINGS)
    d = (first - second)[0]
    d = d[np.isfinite(d)]
    assert found.estimate.n_patients == found.n_differ == 10
    assert found.estimate.value == pytest.approx(d.mean())
    assert found.p == pytest.approx(wilcoxon(d).pvalue)
    same = paired(first, first, dealt(12), SETTINGS)
    assert (same.p, same.estimate.value, same.reason) == (None, 0.0, NO_CHANGE)


def test_holm_is_within_metric_and_condition() -> None:
    effects = {MODEL: 1.5, "one": 0.0, "two": -0.5, "three": 0.8}
    systems = {
        name: rows_of(predictions(8, effect=effect, folds=8, random=k))
        for k, (name, effect) in enumerate(effects.items())
    }
    table = comparisons_table(systems, MODEL, SETTINGS)
    for _, own in table.groupby(["metric", "condition"]):
        p = own["p"].to_numpy()
        order, largest, expected = np.argsort(p), 0.0, np.zeros(3)
        for rank, place in enumerate(order):
            largest = max(largest, min(1.0, (3 - rank) * p[place]))
            expected[place] = largest
        np.testing.assert_allclose(own["p_holm"], expected)
        assert set(own["n_comparisons"]) == {3}
    auroc = table[(table["metric"] == "auroc") & (table["condition"] == "both")].set_index("second")
    assert auroc.loc["one", "difference"] > 0.2
    assert auroc.loc["one", "low"] > 0


def test_seeds_of_a_pair_are_means() -> None:
    three, one = rows_of(predictions(6, seeds=(0, 1, 2))), rows_of(predictions(6, random=4))
    table = comparisons_table({MODEL: three, "one": one}, MODEL, SETTINGS, metrics=["auroc"], conditions=["both"])
    own = three[(three["metric"] == "auroc") & (three["condition"] == "both")]
    assert table["value_first"].iloc[0] == pytest.approx(own["value"].mean())


def test_calibration_error_is_a_loop_over_ten_equal_masses_and_brier_scikit_learns() -> None:
    contacts = contact_scores(predictions(12, folds=3, random=3))
    own = contacts[contacts["condition"] == "both"]
    found = pooled_estimates(own, SETTINGS)
    p, y = own["p_cal"].to_numpy(), own["soz"].to_numpy(dtype=bool)
    assert found["brier_cal"].value == pytest.approx(brier_score_loss(y, p))
    assert found["pooled_auroc"].value == pytest.approx(roc_auc_score(y, p))
    n, order, total = len(p), np.argsort(p), 0.0
    masses = [[k for k in range(n) if k * 10 // n == m] for m in range(10)]
    for mass in masses:
        rows = order[mass]
        total += len(mass) / n * abs(p[rows].mean() - y[rows].mean())
    assert found["ece_cal"].value == pytest.approx(total)
    table = reliability_table(own, "p_cal")
    assert [row["n_contacts"] for row in table] == [len(mass) for mass in masses]
    assert table[3]["observed"] == pytest.approx(y[order[masses[3]]].mean())
    assert found["ece_cal"].low <= found["ece_cal"].high  # type: ignore[operator]


def test_calibration_by_patient_sums_is_that_of_contact_weights() -> None:
    rng = np.random.default_rng(5)
    p, owner = rng.uniform(size=80), rng.integers(0, 7, 80)
    positive, weights = rng.uniform(size=80) < p, rng.integers(0, 4, (30, 7)).astype(float)
    found = calibration_draws(positive, p, owner, weights)
    spread = weights[:, owner]
    np.testing.assert_allclose(found["ece"], calibration_error(positive, p, spread, equal_mass(p, 10)))
    np.testing.assert_allclose(found["brier"], binary_brier(positive, p, spread))


def test_a_score_that_is_no_probability_has_no_calibration() -> None:
    contacts = contact_scores(predictions(4).assign(p_raw=np.nan, p_cal=np.nan))
    found = pooled_estimates(contacts[contacts["condition"] == "both"], SETTINGS)
    assert found["ece_cal"].value is None
    assert found["pooled_auroc"].value is not None


def orders(calibrator: Callable[[np.ndarray], np.ndarray]) -> tuple[list[int], float]:
    """Ranks of channel_soz.tsv, patient by patient, and the pooled AUROC of one fold, both by p_cal."""
    table = predictions(6).assign(fold=0)
    contacts = contact_scores(table, {(0, 0): calibrator})
    contacts = contacts[contacts["condition"] == "both"]
    own = [ranks(one["p_cal"], one["p_raw"], one["channel"]) for _, one in contacts.groupby("patient")]
    pooled = pooled_estimates(contacts, SETTINGS)["pooled_auroc"].value
    assert pooled is not None
    return np.concatenate(own).tolist(), pooled


def test_temperature_and_platt_change_no_ranking_and_a_falling_line_does() -> None:
    told = {"asked": "platt", "reason": "", "x": [], "y": [], "n_patients": 6, "n_contacts": 60, "n_positives": 30}
    plain = orders(lambda logits: 1 / (1 + np.exp(-logits)))
    for kind, slope, intercept in (("temperature", 0.3, 0.0), ("platt", 0.05, 2.0), ("platt", 9.0, -4.0)):
        kept = Calibrator.from_json(told | {"kind": kind, "slope": slope, "intercept": intercept})
        assert orders(kept) == (plain[0], pytest.approx(plain[1], abs=1e-12))
    fallen = orders(Calibrator.from_json(told | {"kind": "platt", "slope": -0.3, "intercept": 0.0}))
    assert fallen[0] != plain[0]
    assert fallen[1] == pytest.approx(1 - plain[1])
    constant = orders(np.zeros_like)
    assert constant[1] == pytest.approx(0.5)


def test_strata_hold_their_own_patients_and_unknown_is_a_level() -> None:
    table = predictions(9)
    contacts, who = contact_scores(table), facts(table)
    rows = patient_rows(contacts, who, places(table))
    metrics = metrics_table({MODEL: rows}, {MODEL: contacts}, who, SETTINGS)
    cohort = metrics[(metrics["scope"] == "cohort") & (metrics["condition"] == "both") & (metrics["metric"] == "auroc")]
    found = {(row["factor"], row["level"]): row["n_patients"] for row in cohort.to_dict("records")}
    assert found == {("all", ""): 9, ("outcome", "good"): 3, ("outcome", "poor"): 3, ("outcome", "unknown"): 3,
                     ("implant", "SEEG"): 5, ("implant", "ECOG"): 4, ("lesion", "unknown"): 9, ("rate_hz", "512"): 5,
                     ("rate_hz", "256"): 4}  # fmt: skip
    for row in cohort[cohort["factor"] == "implant"].to_dict("records"):
        names = who.loc[who["implant"] == row["level"], "patient"]
        assert row["value"] == pytest.approx(np.mean([value(rows, name, "auroc")[0] for name in names]))


def test_order_of_rows_changes_no_metric() -> None:
    table = predictions(5)
    made = []
    for seed in (None, 8):
        own = table if seed is None else table.sample(frac=1, random_state=seed)
        contacts = contact_scores(own)
        rows = patient_rows(contacts, facts(table), places(own))
        made.append(metrics_table({MODEL: rows}, {MODEL: contacts}, facts(table), SETTINGS))
    pd.testing.assert_frame_equal(*made)


def test_separation_of_outcomes_is_an_auroc_over_patients() -> None:
    rng = np.random.default_rng(2)
    values, good = rng.uniform(size=(1, 20)), np.arange(20) < 8
    found = separation(values, good, dealt(20), SETTINGS)
    assert found.value == pytest.approx(roc_auc_score(good, values[0]))
    assert found.low < found.value < found.high  # type: ignore[operator]
    assert separation(values, np.ones(20, bool), dealt(20), SETTINGS).value is None


def test_a_lucky_order_of_outcomes_has_no_interval() -> None:
    for n_good, n_poor in ((7, 1), (6, 2), (3, 9)):  # the order by chance alone: 1 in 8, 28, 220
        values, good = np.linspace(0.9, 0.1, n_good + n_poor)[None], np.arange(n_good + n_poor) < n_good
        folds = dealt(n_good + n_poor)
        found = separation(values, good, folds, SETTINGS)
        assert (found.value, found.low, found.n_patients) == (1.0, None, n_good + n_poor)
        assert "one of the groups" in found.reason
        values[0, [n_good - 1, n_good]] = values[0, [n_good, n_good - 1]]  # nearly perfect
        assert separation(values, good, folds, SETTINGS).low is None
    perfect = separation(np.linspace(1, 0, 20)[None], np.arange(20) < 10, dealt(20), SETTINGS)
    assert (perfect.value, perfect.low, perfect.reason) == (1.0, None, NO_SPREAD)


def test_shuffled_labels_give_an_interval_around_a_half() -> None:
    """The leakage guard of the metrics: labels that know nothing of the scores, in most of twenty shuffles."""
    table, rng, covered = predictions(14, effect=3.0), np.random.default_rng(0), 0
    known = table.drop_duplicates(["patient", "channel"])[["patient", "channel", "soz"]]
    contacts = contact_scores(table).drop(columns="soz")
    for _ in range(20):
        shuffled = known.assign(soz=known.groupby("patient")["soz"].transform(lambda own: rng.permutation(own)))
        own = contacts.merge(shuffled, on=["patient", "channel"])
        rows = patient_rows(own[own["condition"] == "both"], facts(table), places(table))
        values = rows[(rows["metric"] == "auroc") & (rows["condition"] == "both")]["value"].to_numpy(dtype=float)
        estimate = mean_estimate(values[None], dealt(14), SETTINGS)
        covered += estimate.low <= 0.5 <= estimate.high  # type: ignore[operator]
    assert covered >= 16


def test_a_metrics_table_gives_back_the_rows_of_every_seed() -> None:
    table = predictions(4, seeds=(0, 1))
    rows, contacts = rows_of(table), contact_scores(table)
    metrics = metrics_table({MODEL: rows}, {MODEL: contacts}, facts(table), SETTINGS)
    pd.testing.assert_frame_equal(patient_values(metrics), rows, check_dtype=False)
    mean = metrics[(metrics["scope"] == "patient") & (metrics["seed"] == -1) & (metrics["metric"] == "auroc")]
    own = mean[(mean["patient"] == "P01") & (mean["condition"] == "both")]
    seeds = rows[(rows["patient"] == "P01") & (rows["metric"] == "auroc") & (rows["condition"] == "both")]
    assert own["value"].iloc[0] == pytest.approx(seeds["value"].mean())
