"""Paired differences on simulated patients and seeds: equal runs, the null, coverage, a slow oracle; Holm."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.metrics import comparisons
from pipeline.metrics.clip_metrics import Key, auroc
from pipeline.metrics.comparisons import DifferentClips, holm, over_drawn_seeds, paired_difference, two_sided_p
from pipeline.metrics.evaluation import Predicted
from pipeline.metrics.patient_auroc import patient_auroc

AUROC, ACCURACY = Key("auroc", ""), Key("accuracy", "")
HOW = {"draws": 300, "confidence": 0.9, "seed": 0}


def runs_of(
    rng: np.random.Generator, *, n_patients: int = 20, each: int = 8, n_seeds: int = 3, gain: float = 0.0
) -> tuple[list[Predicted], list[Predicted]]:
    """Two runs that answer rightly with chance 0.7 and 0.7 - gain, moved by patient and by seed."""
    patients = np.repeat([f"p{k:02}" for k in range(n_patients)], each)
    labels = np.tile([0, 1], len(patients) // 2)
    shared = np.repeat(rng.normal(0, 0.1, n_patients), each)
    made = []
    for run, chance in enumerate((0.7, 0.7 - gain)):
        own = np.repeat(rng.normal(0, 0.07, n_patients), each)
        seeds = []
        for seed in range(n_seeds):
            level = chance + shared + own + rng.normal(0, 0.05)
            right = rng.random(len(labels)) < np.clip(level, 0, 1)
            answer = np.where(right, labels, 1 - labels)
            seeds.append(Predicted(seed + 10 * run, labels, answer[:, None] * 0.5 + 0.2, answer, patients))
        made.append(seeds)
    return made[0], made[1]


def test_equal_predictions_differ_by_nothing() -> None:
    run, _ = runs_of(np.random.default_rng(0))
    found = paired_difference(run, run, ("seizure",), metric=AUROC, **HOW)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert (found.n_seeds, found.n_patients, found.n_clips, found.reason) == (3, 20, 160, "")


def test_values_are_means_over_seeds_and_order_turns_the_sign() -> None:
    first, second = runs_of(np.random.default_rng(1), gain=0.1)
    own = [np.mean([roc_auc_score(one.labels, one.probabilities[:, 0]) for one in run]) for run in (first, second)]
    found = paired_difference(first, second, ("seizure",), metric=AUROC, **HOW)
    assert found.value == pytest.approx(own[0] - own[1])
    assert (found.first, found.second) == (pytest.approx(own[0]), pytest.approx(own[1]))
    turned = paired_difference(second, first, ("seizure",), metric=AUROC, **HOW)
    assert turned.value == pytest.approx(-found.value)
    assert found.low < found.value < found.high
    assert found == paired_difference(first, second, ("seizure",), metric=AUROC, **HOW)  # equal seed, equal draws


def test_spread_equals_that_of_clips_and_seeds_redrawn_one_by_one() -> None:
    """Slow oracle: patients' clips are copied, seeds are drawn, the metric is taken anew; pairs of equal seeds."""
    first, second = runs_of(np.random.default_rng(2))
    second = [Predicted(k, one.labels, one.probabilities, one.predicted, one.patients) for k, one in enumerate(second)]
    rng, n, values = np.random.default_rng(3), 3, []
    owned = [np.flatnonzero(first[0].patients == name) for name in np.unique(first[0].patients)]
    for _ in range(6000):
        rows = np.concatenate([owned[k] for k in rng.integers(0, 20, 20)])
        right = np.array([[np.mean((one.predicted == one.labels)[rows]) for one in run] for run in (first, second)])
        each = right[0] - right[1]
        values.append(each.mean() + np.sqrt(n / (n - 1)) * (each[rng.integers(0, n, n)].mean() - each.mean()))
    found = paired_difference(first, second, ("seizure",), metric=ACCURACY, draws=10_000, confidence=0.9, seed=0)
    np.testing.assert_allclose([found.low, found.high], np.quantile(values, [0.05, 0.95]), atol=0.006)


def test_interval_covers_the_true_difference_at_its_level() -> None:
    """Patients and seeds are new in each of 200 studies; the true difference of accuracy is 0.05."""
    rng, covered = np.random.default_rng(4), 0
    for study in range(200):
        first, second = runs_of(rng, n_patients=24, gain=0.05)
        found = paired_difference(first, second, ("seizure",), metric=ACCURACY, draws=200, confidence=0.9, seed=study)
        covered += found.low <= 0.05 <= found.high
    assert 0.83 < covered / 200 < 0.98


def test_p_is_about_uniform_where_nothing_differs() -> None:
    """On the careful side: chance within a clip is counted with the patients and once more with the seeds."""
    rng, found = np.random.default_rng(5), []
    for study in range(200):
        first, second = runs_of(rng, n_patients=24)
        found.append(
            paired_difference(first, second, ("seizure",), metric=ACCURACY, draws=200, confidence=0.9, seed=study).p
        )
    shares = [np.mean(np.array(found) <= level) for level in (0.1, 0.25, 0.5, 0.75)]
    assert all(level - 0.16 < share < level + 0.06 for level, share in zip((0.1, 0.25, 0.5, 0.75), shares, strict=True))


def test_one_seed_too_few_is_not_taken_for_certainty() -> None:
    """Redrawn seeds vary as the mean of that many new ones would, whatever their number."""
    rng = np.random.default_rng(6)
    for n in (2, 5):
        spreads = [over_drawn_seeds(np.repeat(rng.normal(size=(n, 1)), 400, axis=1), rng).var() for _ in range(500)]
        assert np.mean(spreads) == pytest.approx(1 / n, rel=0.12)
    alone = rng.normal(size=(1, 50))
    np.testing.assert_array_equal(over_drawn_seeds(alone, rng), alone[0])


def test_p_has_one_added_and_follows_the_interval() -> None:
    assert two_sided_p(np.full(99, 2.0)) == pytest.approx(2 / 100)
    assert two_sided_p(np.array([1.0] * 95 + [-1.0] * 4)) == pytest.approx(10 / 100)
    assert two_sided_p(np.array([1.0] * 9 + [np.nan] * 5)) == pytest.approx(2 / 10)
    assert two_sided_p(np.zeros(9)) == 1.0


def slow_holm(p_values: list[float]) -> list[float]:
    """By its definition: the smallest level at which the step-down procedure rejects a hypothesis, by trying levels."""

    def rejected(level: float) -> set[int]:
        order, gone = sorted(range(len(p_values)), key=lambda k: p_values[k]), set()
        for rank, k in enumerate(order):
            if p_values[k] > level / (len(p_values) - rank):
                break
            gone.add(k)
        return gone

    grid = np.arange(0, 1.0005, 0.001)
    return [next((level for level in grid if k in rejected(level)), 1.0) for k in range(len(p_values))]


def test_holm_against_its_definition() -> None:
    rng = np.random.default_rng(7)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    for size in (1, 2, 5, 8):
        p = rng.choice(np.arange(1, 400), size).astype(float) / 1000  # ties too
        np.testing.assert_allclose(holm(list(p)), slow_holm(list(p)), atol=0.0011)
    assert holm([0.02, None, 0.03]) == pytest.approx([0.04, None, 0.04])
    assert holm([]) == []


def test_other_clips_are_refused() -> None:
    first, second = runs_of(np.random.default_rng(8))
    shorter = [
        Predicted(one.seed, one.labels[8:], one.probabilities[8:], one.predicted[8:], one.patients[8:])
        for one in second
    ]
    turned = [Predicted(one.seed, 1 - one.labels, one.probabilities, one.predicted, one.patients) for one in second]
    for other in (shorter, turned, [*second[:2], shorter[2]]):
        with pytest.raises(DifferentClips, match="different test clips"):
            paired_difference(first, other, ("seizure",), metric=AUROC, **HOW)


def test_named_clips_may_have_other_labels_but_not_other_names() -> None:
    first, second = runs_of(np.random.default_rng(9))
    names = np.array([f"clip{k}" for k in range(160)])

    def named(run: list[Predicted], labels: np.ndarray, clips: np.ndarray) -> list[Predicted]:
        return [Predicted(one.seed, labels, one.probabilities, one.predicted, one.patients, clips) for one in run]

    labels = second[0].labels.copy()
    labels[0] = 1 - labels[0]
    found = paired_difference(
        named(first, first[0].labels, names), named(second, labels, names), ("seizure",), metric=AUROC, **HOW
    )
    assert found.n_clips == 160
    with pytest.raises(DifferentClips):
        paired_difference(
            named(first, first[0].labels, names), named(second, labels, names[::-1]), ("seizure",), metric=AUROC, **HOW
        )


def test_what_is_undefined_says_why() -> None:
    first, second = runs_of(np.random.default_rng(10))

    def changed(run: list[Predicted], **new: np.ndarray) -> list[Predicted]:
        return [Predicted(**{**vars(one), **new}) for one in run]

    def reasons(seed: int, **new: np.ndarray) -> str:
        how = HOW | {"seed": seed}
        found = paired_difference(changed(first, **new), changed(second, **new), ("seizure",), metric=AUROC, **how)
        assert (found.p is None) == (found.low is None) == bool(found.reason)
        return found.reason

    assert "one class only" in reasons(0, labels=np.zeros(160, dtype=np.int64))
    assert "of one patient" in reasons(0, patients=np.repeat("p", 160))
    halves = {"labels": np.repeat([1, 0], 80), "patients": np.repeat(["a", "b"], 80)}  # both drawn in half of the draws
    assert {reasons(seed, **halves) for seed in range(8)} == {"", comparisons.FEW_DRAWS}


def test_auroc_from_pairs_between_patients_is_that_of_the_clips() -> None:
    rng = np.random.default_rng(12)
    patients = rng.choice(["a", "b", "c", "d", "e"], 300)
    positive, scores = rng.random(300) < 0.2, rng.integers(0, 40, 300) / 40  # many ties
    positive[patients == "e"] = False  # a patient without a seizure
    counts = next(comparisons.patient_weights(np.unique(patients), draws=50, rng=np.random.default_rng(1)))
    weights = next(comparisons.patient_weights(patients, draws=50, rng=np.random.default_rng(1)))
    np.testing.assert_allclose(patient_auroc(positive, scores, patients, counts), auroc(positive, scores, weights))
    assert np.isnan(patient_auroc(np.zeros(300, dtype=bool), scores, patients, counts)).all()


def test_blocks_of_draws_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = runs_of(np.random.default_rng(11))
    whole = paired_difference(first, second, ("seizure",), metric=AUROC, **HOW)
    original = comparisons.patient_weights
    monkeypatch.setattr(comparisons, "patient_weights", lambda *a, **k: original(*a, **k, cells=500))
    assert paired_difference(first, second, ("seizure",), metric=AUROC, **HOW) == whole
