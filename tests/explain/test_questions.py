"""Answers from tables of scores with a known truth, over one and several corpora."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from pipeline.explain.answers import classification_answers, detection_answers, difference
from pipeline.explain.measured import mean_of, measured
from pipeline.explain.questions import COLUMNS, read_corpus
from pipeline.explain.single_channel import best_channel
from pipeline.explain.trial import localisation_answers, pooled_metrics
from pipeline.settings.experiments import ExperimentSettings

SETTINGS = ExperimentSettings(permutations=3, bootstrap=300, confidence=0.95, seed=0)


def detection_table(seed: int, *, strength: dict[str, float], patients: int = 8, clips: int = 40) -> pd.DataFrame:
    """Scores = strength x label + noise; permuted ones have half the strength; the channel none."""
    rng = np.random.default_rng(seed)
    n = patients * clips
    label = rng.integers(0, 2, n)
    line_length = rng.normal(size=n)
    parts = []
    for run, gain in strength.items():
        for model_seed in (0, 1):
            permuted = list(0.5 * gain * label[:, None] + rng.normal(size=(n, 3)))
            part = {
                "task": "detection",
                "run": run,
                "seed": model_seed,
                "clip": [f"c{k:04}" for k in range(n)],
                "patient": [f"p{k % patients}" for k in range(n)],
                "label": label,
                "predicted": 0,
                "logit": gain * label + rng.normal(size=n),
                "permuted": permuted,
                "line_length": line_length,
                "line_length_best": line_length,
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True).sample(frac=1, random_state=seed)[COLUMNS]


def by_question(answers) -> dict[str, dict]:
    return {answer["question"]: answer for answer in answers}


def test_answers_say_what_was_planted_and_agree_with_scikit_learn():
    table = detection_table(1, strength={"dist-ssl": 2.0, "dist-scratch": 2.0})
    found = by_question(detection_answers([read_corpus(table, "detection")], SETTINGS))
    detects = found["Does dist-ssl detect seizures, on a corpus that is not trivial?"]
    own = table[table["run"] == "dist-ssl"].groupby("seed")
    expected = np.mean([roc_auc_score(model["label"], model["logit"]) for _, model in own])
    assert detects["value"] == pytest.approx(expected, abs=1e-12)
    assert detects["answer"] == "yes"
    assert detects["n_patients"] == 8
    hurt = found["Does permuting the electrodes at test time hurt dist-ssl?"]
    permuted = [roc_auc_score(m["label"], np.stack(m["permuted"])[:, k]) for _, m in own for k in range(3)]
    assert hurt["value"] == pytest.approx(expected - np.mean(permuted), abs=1e-12)
    assert hurt["answer"] == "yes"
    assert hurt["low"] < hurt["value"] < hurt["high"]
    assert found["Does pre-training help?"]["answer"] == "undecided"
    assert found["Is dist-ssl better than the line length of the best single channel, chosen on validation clips?"][
        "answer"
    ] == "yes"  # fmt: skip


def test_harm_is_called_no():
    table = detection_table(2, strength={"dist-ssl": 0.5, "dist-scratch": 2.0})
    found = by_question(detection_answers([read_corpus(table, "detection")], SETTINGS))
    assert found["Does pre-training help?"]["answer"] == "no"
    assert found["Does dist-ssl detect seizures, on a corpus that is not trivial?"]["answer"] == "no"


def test_several_corpora_give_the_mean_and_a_narrower_interval():
    tables = [detection_table(seed, strength={"dist-ssl": 1.0}) for seed in (3, 4, 5)]
    corpora = [read_corpus(table, "detection") for table in tables]
    alone = [next(detection_answers([corpus], SETTINGS)) for corpus in corpora]
    together = next(detection_answers(corpora, SETTINGS))
    assert together["value"] == pytest.approx(np.mean([answer["value"] for answer in alone]), abs=1e-12)
    assert together["n_patients"] == 24  # patients of one name in two corpora are two patients
    widths = [answer["high"] - answer["low"] for answer in alone]
    assert together["high"] - together["low"] < max(widths)


def test_models_that_saw_other_clips_are_refused():
    table = detection_table(6, strength={"dist-ssl": 1.0, "dist-scratch": 1.0})
    lost = table.drop(table.index[(table["run"] == "dist-ssl") & (table["clip"] == "c0003")])
    with pytest.raises(ValueError, match="dist-ssl, seed 0"):
        read_corpus(lost, "detection")


def test_weighted_f1_is_held_against_the_majority_guess():
    rng = np.random.default_rng(0)
    label = rng.choice(4, p=[0.6, 0.2, 0.1, 0.1], size=200)
    predicted = np.where(rng.random(200) < 0.8, label, 0)
    table = pd.DataFrame(
        {
            "task": "classification",
            "run": "dist-ssl",
            "seed": 0,
            "clip": [f"c{k:03}" for k in range(200)],
            "patient": [f"p{k % 9}" for k in range(200)],
            "label": label,
            "predicted": predicted,
        }
    ).reindex(columns=COLUMNS)
    (answer,) = classification_answers([read_corpus(table, "classification")], SETTINGS)
    expected = f1_score(label, predicted, average="weighted") - f1_score(label, label * 0, average="weighted")
    assert answer["value"] == pytest.approx(expected)
    assert answer["answer"] == "yes"


def test_undefined_is_undecided():
    empty = measured(
        mean_of(np.empty(0)), np.empty(0, dtype=str), draws=10, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert difference("Is it?", empty, what="It")["answer"] == "undecided"
    one = measured(mean_of(np.ones(3)), np.array(["a"] * 3), draws=10, confidence=0.95, rng=np.random.default_rng(0))
    assert (one["value"], one["low"], one["n_patients"]) == (1.0, None, 1)
    assert difference("Is it?", one, what="It")["answer"] == "undecided"


def test_a_stratum_of_one_patient_gives_no_interval():
    patients, strata = np.array(["0:a", "0:a", "1:b", "1:b"]), np.array([0, 0, 1, 1])
    found = measured(
        mean_of(np.arange(4.0)), patients, strata=strata, draws=50, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert (found["value"], found["low"], found["high"]) == (1.5, None, None)


def test_the_best_channel_is_the_one_that_ranks_best():
    label = np.array([0, 0, 1, 1])
    values = np.array([[4.0, 1.0, 1.0], [3.0, 2.0, 4.0], [2.0, 3.0, 2.0], [1.0, 4.0, 3.0]])
    assert best_channel(values, label) == 1
    assert best_channel(values[:2], label[:2]) == 0


def test_localisation_over_corpora_uses_focal_clips_under_the_main_rule():
    def table(shift: float, length: int) -> pd.DataFrame:
        rng = np.random.default_rng(length)
        rows = [
            ("any", "masked", "focal", 0.5 + shift, 0.5),
            ("any", "masked", "generalised", 0.0, 0.5),
            ("majority", "masked", "focal", 0.0, 0.5),
        ]
        made = [
            {
                "run": "dist-scratch", "clip": f"r{k}/s0@0.000+{length}", "patient": f"p{k}", "rule": rule,
                "fz_pz": policy, "focal": focal, "localisation": value + 0.01 * rng.random(), "null_electrodes": null,
                "null_seconds": 0.9,
            }
            for k in range(6)
            for rule, policy, focal, value, null in rows
        ]  # fmt: skip
        return pd.DataFrame(made)

    beaten, seconds = localisation_answers([table(0.2, 60), table(0.3, 60)], SETTINGS)
    assert beaten["answer"] == "yes"
    assert beaten["value"] == pytest.approx(0.255, abs=0.006)
    assert (beaten["n_patients"], beaten["n_clips"]) == (12, 12)
    assert "60-s" in beaten["question"]
    assert seconds["answer"] == "no"
    apart, _ = localisation_answers([table(0.0, 60), table(0.4, 60)], SETTINGS)
    assert apart["high"] - apart["low"] < 0.02  # patients are redrawn within a corpus: its share of them is fixed


def test_metrics_are_averaged_over_corpora():
    head = {"run": "dist-ssl", "task": "detection", "length_s": 12, "metric": "auroc", "class": "", "list": "all"}
    other = head | {"list": "short", "seed": -1, "value": 0.1}  # another list of test clips
    mean, one = head | {"seed": -1}, head | {"seed": 0, "value": 0.0}
    tables = [pd.DataFrame([mean | {"value": v}, one, other]) for v in (0.8, 0.9)]
    (row,) = pooled_metrics(tables).to_dict("records")
    assert (row["value"], row["lowest"], row["highest"], row["n_corpora"]) == (pytest.approx(0.85), 0.8, 0.9, 2)
