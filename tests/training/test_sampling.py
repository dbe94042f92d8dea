"""Which clips a run sees, and in which order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.graphs.distance import distance_weights
from pipeline.settings.training import AugmentSettings, SamplingSettings
from pipeline.training.augment import draw, mirrored_weights
from pipeline.training.sampling import epoch_order, generator, training_rows

PATIENTS = pd.Series([f"p{k % 10}" for k in range(400)])
LABELS = (np.arange(400) % 7 == 0).astype(np.int64)


def sampling(**changes: object) -> SamplingSettings:
    return SamplingSettings(**{"balance": True, "negative_seed": "run", "label_fraction": 1.0} | changes)


def test_all_positives_and_as_many_negatives() -> None:
    rows = training_rows(PATIENTS, LABELS, settings=sampling(), seed=3)
    assert LABELS[rows].sum() == LABELS.sum()
    assert len(rows) == 2 * LABELS.sum() == len(set(rows))
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize(("negative_seed", "same"), [("run", False), ("published", True)])
def test_D07_negatives_follow_the_seed_of_the_run(negative_seed: str, same: bool) -> None:
    first, second = (
        training_rows(PATIENTS, LABELS, settings=sampling(negative_seed=negative_seed), seed=seed) for seed in (1, 2)
    )
    assert np.array_equal(first, second) is same


def test_unbalanced_keeps_all() -> None:
    assert len(training_rows(PATIENTS, LABELS, settings=sampling(balance=False), seed=0)) == 400


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 4))
def test_epoch_order_is_a_permutation_by_windows(n: int, block: int, window: int) -> None:
    order = epoch_order(n, generator(0, 2, 1), block=block, window=window)
    assert sorted(order) == list(range(n))
    blocks = -(-n // block)
    owner = np.repeat(np.arange(blocks), [len(part) for part in np.array_split(np.arange(n), blocks)])
    first_window = order[: n // blocks * window]  # no window is shorter than this, unless it is the only one
    assert len(set(owner[first_window])) <= window


def test_epoch_order_differs_by_epoch_and_seed_and_repeats() -> None:
    orders = [epoch_order(100, generator(seed, 2, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert np.array_equal(orders[0], orders[3])
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


AUGMENT = AugmentSettings(
    reflect_probability=0.5, scale_low=0.8, scale_high=1.2, mirror_pairs="published", mirror_graph="published",
    scale_zero_bins=False,
)  # fmt: skip


def test_draws_have_the_asked_distribution() -> None:
    draws = draw(20_000, AUGMENT, generator(0, 3))
    assert draws.reflect.mean() == pytest.approx(0.5, abs=0.02)
    assert (draws.scale.min(), draws.scale.max()) == pytest.approx((0.8, 1.2), abs=0.001)


def test_D05_published_reflection_replaces_22_of_36_edges() -> None:
    """Defect D5, as the specification counts it."""
    from training_files import ELECTRODES

    weights = distance_weights(ELECTRODES, kappa=0.9)
    mirrored = mirrored_weights(weights[None], ELECTRODES, AUGMENT, graph="distance")[0]
    edges = {tuple(edge) for edge in np.argwhere(np.triu(weights, 1) > 0)}
    others = {tuple(edge) for edge in np.argwhere(np.triu(mirrored, 1) > 0)}
    assert len(edges) == 36
    assert len(edges - others) == 22
    correct = AUGMENT.model_copy(update={"mirror_graph": "correct", "mirror_pairs": "all"})
    np.testing.assert_allclose(mirrored_weights(weights[None], ELECTRODES, correct, graph="distance")[0], weights)


@pytest.mark.parametrize("pairs", ["all", "published"])
def test_distance_graph_stays_on_reflection_whichever_pairs_are_swapped(pairs: str) -> None:
    """Defect D4 without D5."""
    from training_files import ELECTRODES

    weights = distance_weights(ELECTRODES, kappa=0.9)[None]
    settings = AUGMENT.model_copy(update={"mirror_graph": "correct", "mirror_pairs": pairs})
    np.testing.assert_array_equal(mirrored_weights(weights, ELECTRODES, settings, graph="distance"), weights)
    moved = mirrored_weights(weights, ELECTRODES, settings, graph="correlation")[0]
    swapped = [ELECTRODES.index(name) for name in ("FP2", "F4")]
    assert moved[0, 2] == weights[0, swapped[0], swapped[1]]
    p3, p4, o1 = (ELECTRODES.index(name) for name in ("P3", "P4", "O2"))
    assert moved[p3, ELECTRODES.index("O1")] == weights[0, p4 if pairs == "all" else p3, o1]
