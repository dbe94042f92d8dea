"""Dealing clips as a split by recording would: equal numbers, no tested clip learnt, only other recordings enter."""

import numpy as np
import pandas as pd
import pytest

from pipeline.explain.record_split import deal, record_split_answer, redealt
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.training import SamplingSettings
from pipeline.training.sampling import training_rows

SETTINGS = ExperimentSettings(permutations=1, bootstrap=200, confidence=0.95, seed=0)
RECORDINGS = {"train": 3, "validation": 2, "test": 3}


def clips_table(patients: dict[str, int], *, positive: float = 0.3, seed: int = 0) -> pd.DataFrame:
    """12 clips a recording; the patient test-0 has one recording only. Rows are shuffled."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "clip": f"{split}-{p}-r{r}@{k}", "patient": f"{split}-{p}", "session": f"s{r:03}", "split": split,
            "recording": f"{split}-{p}-r{r}", "label": int(rng.random() < positive),
        }
        for split, count in patients.items()
        for p in range(count)
        for r in range(1 if (split, p) == ("test", 0) else RECORDINGS[split])
        for k in range(12)
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=seed).reset_index(drop=True)


def sampling(*, balance: bool = True, label_fraction: float = 1.0) -> SamplingSettings:
    unit = "patient" if label_fraction < 1 else None
    return SamplingSettings(balance=balance, negative_seed="run", label_fraction=label_fraction, label_unit=unit)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("train_patients", [6, 1])  # 1: more clips could enter than there are to exchange
def test_only_other_recordings_of_tested_patients_enter_and_counts_stay(balance: bool, train_patients: int) -> None:
    clips = clips_table({"train": train_patients, "validation": 2, "test": 4})
    dealt = deal(clips, sampling=sampling(balance=balance), seed=3)
    by_name = clips.set_index("clip")
    patient, record, tested = (by_name.loc[names] for names in (dealt.patient, dealt.record, dealt.tested))
    assert not set(dealt.tested) & (set(dealt.record) | set(dealt.patient))
    assert set(tested["recording"]) == {"test-1-r2", "test-2-r2", "test-3-r2"}
    assert len(tested) == 36
    assert set(patient["split"]) == {"train"}
    entered = record[record["split"] != "train"]
    assert set(entered["recording"]) == {f"test-{p}-r{r}" for p in (1, 2, 3) for r in (0, 1)}
    assert len(set(dealt.record)) == len(dealt.record) == len(dealt.patient)
    assert record["label"].sum() == patient["label"].sum()
    assert set(record.index[record["split"] == "train"]) <= set(dealt.patient)


def test_the_patient_arm_is_what_training_takes_and_the_record_arm_is_taken_whole() -> None:
    clips = clips_table({"train": 5, "validation": 2, "test": 3})
    chosen = sampling(label_fraction=0.6)
    dealt = deal(clips, sampling=chosen, seed=1)
    train = clips[clips["split"] == "train"]
    rows = training_rows(train["patient"], train["label"].to_numpy(), settings=chosen, seed=1)
    assert dealt.patient == train["clip"].iloc[rows].tolist()
    table = redealt(clips, dealt.record)
    assert set(table["split"]) == {"train", "validation"}
    assert table.loc[table["split"] == "validation", "patient"].str.startswith("validation").all()
    learnt = table[table["split"] == "train"]
    again = training_rows(learnt["patient"], learnt["label"].to_numpy(), settings=sampling(), seed=1)
    assert learnt["clip"].iloc[again].tolist() == dealt.record


def test_dealing_follows_the_seed() -> None:
    clips = clips_table({"train": 5, "validation": 1, "test": 3})
    first, again, other = (deal(clips, sampling=sampling(), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.record != other.record
    assert first.tested == other.tested


def test_without_second_recordings_the_question_stays_open() -> None:
    clips = clips_table({"train": 2, "validation": 1, "test": 1})
    dealt = deal(clips, sampling=sampling(), seed=0)
    assert dealt.tested == []
    assert set(dealt.record) == set(dealt.patient)
    empty = pd.DataFrame({"clip": [], "patient": [], "label": [], "logit_patient": [], "logit_record": []})
    answer = record_split_answer([empty, empty], SETTINGS)
    assert (answer["answer"], answer["value"], answer["n_clips"]) == ("undecided", None, 0)


@pytest.mark.parametrize(("strength", "expected"), [(3.0, "yes"), (0.0, "no")])
def test_the_answer_is_the_difference_of_both_aurocs(strength: float, expected: str) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400)
    table = pd.DataFrame(
        {
            "clip": [f"c{k}" for k in range(400)],
            "patient": [f"p{k % 10}" for k in range(400)],
            "label": label,
            "logit_patient": 1.5 * label + rng.normal(size=400),
            "logit_record": strength * label + rng.normal(size=400),
        }
    )
    answer = record_split_answer([table, table.iloc[:0]], SETTINGS)
    pairs = {
        name: (table.loc[label == 1, name].to_numpy()[:, None] > table.loc[label == 0, name].to_numpy()).mean()
        for name in ("logit_patient", "logit_record")
    }
    assert answer["auroc_patient"] == pytest.approx(pairs["logit_patient"])
    assert answer["auroc_record"] == pytest.approx(pairs["logit_record"])
    assert answer["value"] == pytest.approx(pairs["logit_record"] - pairs["logit_patient"])
    assert answer["answer"] == expected
    assert answer["low"] < answer["value"] < answer["high"]
    assert answer["n_patients"] == 10
