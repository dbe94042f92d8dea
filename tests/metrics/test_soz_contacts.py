"""From clips to contacts against plain loops: conditions, seeds, missing conditions, intervals, ranks."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from soz_predictions import predictions

from pipeline.metrics.soz_contacts import contact_intervals, contact_scores, over_seeds, ranks

HOW = {"draws": 400, "confidence": 0.9, "seed": 3}


def cold(logits: np.ndarray) -> np.ndarray:
    assert logits.ndim == 1  # calibrators take vectors
    return expit(2 * logits)


def slow(table: pd.DataFrame, seed: int, patient: str, channel: str, condition: str) -> float:
    """Mean over clips, then over conditions, by loops."""
    means = []
    for wanted in ("ictal", "interictal") if condition == "both" else (condition,):
        logits = [
            row["logit"]
            for row in table.to_dict("records")
            if (row["seed"], row["patient"], row["channel"], row["condition"]) == (seed, patient, channel, wanted)
            and row["phase"] != "pre"
        ]
        if logits:
            means.append(sum(logits) / len(logits))
    return sum(means) / len(means)


def test_logits_are_means_over_clips_then_conditions_without_pre_ictal_clips() -> None:
    table = predictions(2, seeds=(0, 1), conditions={"P01": ("interictal",)})  # P01 lacks ictal, as HUP165 does
    models = {(fold, seed): cold for fold in (0, 1) for seed in (0, 1)}
    found = contact_scores(table.sample(frac=1, random_state=1), models)
    assert set(found.loc[found["patient"] == "P01", "condition"]) == {"interictal", "both"}
    for row in found.sample(40, random_state=0).to_dict("records"):
        expected = slow(table, *(row[name] for name in ("seed", "patient", "channel", "condition")))
        assert row["logit"] == pytest.approx(expected)
        assert row["p_raw"] == pytest.approx(expit(expected))
        assert row["p_cal"] == pytest.approx(expit(2 * expected))
    both = found[(found["patient"] == "P00") & (found["condition"] == "both")]
    assert set(both["n_clips"]) == {5}


def test_order_of_rows_changes_nothing_and_no_number_is_left_out() -> None:
    table = predictions(3)
    pd.testing.assert_frame_equal(contact_scores(table), contact_scores(table.sample(frac=1, random_state=5)))
    lost = table.assign(logit=table["logit"].where(table["channel"] != "A1"))
    assert "A1" not in set(contact_scores(lost)["channel"])


def test_means_over_seeds_and_their_deviation() -> None:
    found = contact_scores(predictions(2, seeds=(0, 1, 2)))
    mean = over_seeds(found).set_index(["patient", "channel", "condition"])
    own = found[(found["patient"] == "P01") & (found["channel"] == "A2") & (found["condition"] == "both")]
    row = mean.loc[("P01", "A2", "both")]
    assert row["p_cal"] == pytest.approx(own["p_cal"].mean())
    assert row["seed_sd"] == pytest.approx(own["p_cal"].std(ddof=1))
    assert over_seeds(contact_scores(predictions(2)))["seed_sd"].isna().all()


def test_ranks_go_by_p_cal_then_p_raw_then_name() -> None:
    p_cal, p_raw = pd.Series([0.5, 0.9, 0.5, 0.5]), pd.Series([0.2, 0.1, 0.3, 0.2])
    assert ranks(p_cal, p_raw, pd.Series(["B", "D", "C", "A"])).tolist() == [4, 1, 2, 3]


def test_intervals_are_those_of_a_slow_bootstrap_over_clips_and_seeds() -> None:
    table = predictions(1, seeds=(0, 1), random=2)
    found = contact_intervals(table, {(0, 0): cold, (0, 1): expit}, draws=4000, confidence=0.9, seed=0)
    rng, own = np.random.default_rng(7), table[(table["channel"] == "A3") & (table["phase"] != "pre")]
    stacks = [part.pivot(index="seed", columns="clip", values="logit").to_numpy()
              for _, part in own.groupby("condition")]  # fmt: skip
    samples = []
    for _ in range(4000):
        logits = np.mean([stack[:, rng.integers(0, stack.shape[1], stack.shape[1])].mean(axis=1) for stack in stacks],
                         axis=0)  # fmt: skip
        p = np.array([expit(2 * logits[0]), expit(logits[1])])
        samples.append(p[rng.integers(0, 2, 2)].mean())
    row = found.set_index("channel").loc["A3"]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(samples, [0.05, 0.95]), abs=0.01)
    assert (found["ci_low"] <= found["ci_high"]).all()


def test_a_patients_interval_knows_no_other_patient_and_repeats() -> None:
    table, models = predictions(4), {(0, 0): cold, (1, 0): cold}
    whole = contact_intervals(table, models, **HOW)  # type: ignore[arg-type]
    alone = contact_intervals(table[table["patient"] == "P02"], models, **HOW)  # type: ignore[arg-type]
    own = whole[whole["patient"] == "P02"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone)


def test_there_is_no_interval_from_one_clip_and_one_seed() -> None:
    table = predictions(1)
    single = table[table["clip"].isin([f"P00_{one}/0@0{one}" for one in ("ictal", "interictal")])]
    found = contact_intervals(single, {(0, 0): cold}, **HOW)  # type: ignore[arg-type]
    assert len(found) == single["channel"].nunique()
    assert found[["ci_low", "ci_high"]].isna().all(axis=None)


def test_a_contact_that_is_in_some_clips_alone_has_an_interval_of_these() -> None:
    table = predictions(1)
    first = table["clip"].str.endswith("@0interictal") | table["clip"].str.endswith("@1interictal")
    flat = table[~((table["channel"] == "A1") & first)]
    found = contact_intervals(flat, {(0, 0): cold}, **HOW).set_index("channel")  # type: ignore[arg-type]
    assert np.isfinite(found.loc["A1", ["ci_low", "ci_high"]].to_numpy(dtype=float)).all()
