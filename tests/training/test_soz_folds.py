"""Folds of the SOZ arm: everybody is tested once, parts are disjoint, strata are spread, labels move nobody."""

import random
from collections import Counter

import pandas as pd
import pytest
from soz_files import FOLDS

from pipeline.findings import CorpusError
from pipeline.settings.soz import SozFolds
from pipeline.training.soz_folds import (
    Leak,
    check_disjoint,
    deal_folds,
    fold_hash,
    members,
    patient_table,
    summary,
    teachers,
)

HUP = {("SEEG", "good"): 24, ("SEEG", "poor"): 13, ("ECOG", "good"): 12, ("ECOG", "poor"): 8}  # 57 patients


def cohort(counts: dict[tuple[str, str], int] | None = None, *, corpus: str = "hup", first: int = 0) -> pd.DataFrame:
    strata = [stratum for stratum, n in (counts or HUP).items() for _ in range(n)]
    return pd.DataFrame(
        {
            "patient": [f"sub{first + k:03d}" for k in range(len(strata))],
            "corpus": corpus,
            "implant": [implant for implant, _ in strata],
            "outcome": [outcome for _, outcome in strata],
            "soz": True,
            "strict": [outcome == "good" for _, outcome in strata],
            "shared": False,
        }
    )


def settings(**changed: object) -> SozFolds:
    return SozFolds.model_validate(FOLDS | {"outer": 5, "inner_share": 0.2} | changed)


def test_everybody_is_tested_once_and_parts_are_disjoint() -> None:
    patients = cohort()
    table = deal_folds(patients, settings())
    tested = table[table["part"] == "test"]
    assert sorted(tested["patient"]) == sorted(patients["patient"])
    for _, own in table.groupby("fold"):
        assert sorted(own["patient"]) == sorted(patients["patient"])  # each once, so parts are disjoint
        assert round(0.2 * (own["part"] != "test").sum()) == (own["part"] == "inner").sum()


def test_strata_are_spread_over_folds_and_over_inner_parts() -> None:
    patients = cohort()
    table = deal_folds(patients, settings())
    for (implant, outcome), n in HUP.items():
        tested = table[(table["part"] == "test") & (table["implant"] == implant) & (table["outcome"] == outcome)]
        counts = [int((tested["fold"] == fold).sum()) for fold in range(5)]
        assert sum(counts) == n
        assert max(counts) - min(counts) <= 1
    sizes = table[table["part"] == "test"].groupby("fold").size()
    assert sizes.max() - sizes.min() <= 1
    inner = table[table["part"] == "inner"]
    assert all(own["implant"].nunique() == 2 and own["outcome"].nunique() == 2 for _, own in inner.groupby("fold"))


def test_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    patients = cohort()
    mixed = patients.sample(frac=1, random_state=random.Random(1).randint(0, 9))
    table = deal_folds(patients, settings())
    assert fold_hash(deal_folds(mixed, settings())) == fold_hash(table)
    assert fold_hash(deal_folds(patients, settings(seed=1))) != fold_hash(table)


def test_labels_of_a_tested_patient_move_nobody_in_its_fold() -> None:
    patients = cohort()
    table = deal_folds(patients, settings())
    name = members(table, 0)["test"][0]
    turned = patients.assign(soz=patients["soz"] & (patients["patient"] != name))
    other = deal_folds(turned, settings())
    assert members(other, 0) == members(table, 0)
    outer = [table[table["part"] == "test"], other[other["part"] == "test"]]
    assert fold_hash(outer[0]) == fold_hash(outer[1])  # nor does it move anybody's test


def test_patients_that_cannot_teach_are_dealt_and_counted_but_neither_teach_nor_stop() -> None:
    patients = cohort()
    mute = set(patients["patient"][::7])
    patients = patients.assign(soz=~patients["patient"].isin(mute))
    table = deal_folds(patients, settings())
    assert set(table.loc[table["part"] == "test", "patient"]) == set(patients["patient"])
    for fold in range(5):
        assert not mute & set(teachers(table, fold, "train", "soz"))
        assert not mute & set(members(table, fold)["inner"])
    assert summary(table, settings(), patients)["not_teaching"]["soz"] == sorted(mute)


def test_someone_stops_the_training_under_strict_labels_where_two_could() -> None:
    for seed in range(20):
        patients = cohort({("SEEG", "good"): 3, ("SEEG", "poor"): 5})
        table = deal_folds(patients, settings(outer=2, seed=seed))
        for fold in range(2):
            able = {part: teachers(table, fold, part, "strict") for part in ("train", "inner")}
            assert (len(able["inner"]) > 0) == (len(able["train"] + able["inner"]) > 1)
            assert len(members(table, fold)["inner"]) == 1


def test_one_patient_left_out() -> None:
    patients = cohort({("SEEG", "good"): 4, ("ECOG", "poor"): 3})
    table = deal_folds(patients, settings(scheme="patients"))
    tested = [members(table, fold)["test"] for fold in range(7)]
    assert tested == [[name] for name in sorted(patients["patient"])]
    assert all(len(members(table, fold)["train"]) + len(members(table, fold)["inner"]) == 6 for fold in range(7))


def test_a_planned_fold_that_nobody_can_be_tested_in_stops_before_any_training() -> None:
    """One patient all of whose recordings were refused: the index has none, and the plan counts a fold."""
    patients = cohort({("SEEG", "good"): 5})
    names = patients["patient"].tolist()
    whole = deal_folds(patients, settings(scheme="patients"), listed=names)
    assert whole["fold"].nunique() == 5
    with pytest.raises(CorpusError, match=rf"patient {names[2]}: no recording .* move its folder away"):
        deal_folds(patients[patients["patient"] != names[2]], settings(scheme="patients"), listed=names)
    two = pd.concat([patients, cohort({("SEEG", "good"): 5}, corpus="nih", first=50)], ignore_index=True)
    assert deal_folds(two, settings(scheme="corpora"), listed=["hup", "nih"])["fold"].nunique() == 2
    with pytest.raises(CorpusError, match=r"corpus umc: .* take it out of soz.joined"):
        deal_folds(two, settings(scheme="corpora"), listed=["hup", "nih", "umc"])
    deal_folds(patients.iloc[1:], settings(outer=2), listed=[])  # grouped: nobody's fold is planned by name


def test_across_corpora_nobody_of_the_tested_corpus_teaches_and_shared_patients_are_not_tested() -> None:
    first = cohort({("SEEG", "good"): 4}, corpus="a")
    second = cohort({("ECOG", "good"): 4}, corpus="b", first=10)
    shared = cohort({("ECOG", "poor"): 1}, corpus="a,b", first=20)
    named = cohort({("SEEG", "poor"): 1}, corpus="b", first=30).assign(shared=True)  # under another name in a
    table = deal_folds(pd.concat([first, second, shared, named], ignore_index=True), settings(scheme="corpora"))
    assert members(table, 0)["test"] == list(first["patient"])
    assert set(table.loc[table["fold"] == 0, "corpus"]) == {"a", "b"}  # not the shared one: it was recorded in a, too
    assert members(table, 1)["test"] == list(second["patient"])
    assert "sub020" not in set(table["patient"])
    assert members(table, 1)["test"] == list(second["patient"])  # nor is the one that the adapter knows
    assert "sub030" in set(table.loc[table["fold"] == 0, "patient"])
    with pytest.raises(CorpusError, match=r"soz\.joined"):
        deal_folds(first, settings(scheme="corpora"))


def test_too_few_patients_are_an_error_with_a_remedy() -> None:
    with pytest.raises(CorpusError, match=r"3 patients for 5 folds; set soz\.folds\.outer lower"):
        deal_folds(cohort({("SEEG", "good"): 3}), settings())
    with pytest.raises(CorpusError, match="fold 0: 1 of 1 patients outside the test"):
        deal_folds(cohort({("SEEG", "good"): 2}), settings(outer=2))


def test_a_patient_in_two_parts_is_a_leak() -> None:
    table = deal_folds(cohort(), settings())
    twice = pd.concat([table, table[table["part"] == "test"].head(1).assign(part="train")])
    with pytest.raises(Leak, match="is in two parts"):
        check_disjoint(twice)
    with pytest.raises(Leak, match="has the part 'both'"):
        check_disjoint(table.assign(part="both"))
    with pytest.raises(CorpusError, match="there is no fold 9"):
        members(table, 9)


def test_who_teaches() -> None:
    """One class, no labels, only unused positives, positives that were not resected, or unknown resection."""
    cases = {
        "both": ([1, 0], [1, 0], [1, 1], "good", True, True),
        "poor": ([1, 0], [1, 0], [1, 1], "poor", True, False),
        "one class": ([0, 0], [1, 0], [1, 1], "good", False, False),
        "unlabelled": ([None, None], [1, 0], [1, 1], "good", False, False),
        "unused": ([1, 0], [1, 0], [0, 1], "good", False, False),
        "not resected": ([1, 0], [0, 0], [1, 1], "good", True, False),
        "unknown resection": ([1, 0], [None, None], [1, 1], "good", True, False),
    }
    contacts = pd.DataFrame(
        [
            {"patient": name, "channel": f"A{k}", "soz": soz[k], "resected": resected[k], "used": bool(used[k])}
            for name, (soz, resected, used, *_) in cases.items()
            for k in range(2)
        ]
    ).astype({"soz": "boolean", "resected": "boolean"})
    people = pd.DataFrame([{"patient": name, "implant": "SEEG", "outcome": case[3]} for name, case in cases.items()])
    people = people.assign(shared_with=["", "other", *[""] * 5])
    recordings = pd.DataFrame({"patient": list(cases), "corpus": "made-up"})
    found = patient_table(recordings, pd.concat([contacts, contacts]), people).set_index("patient")
    assert list(found.index[found["shared"]]) == ["poor"]
    assert {name: tuple(found.loc[name, ["soz", "strict"]]) for name in cases} == {
        name: case[4:] for name, case in cases.items()
    }


def test_summary_counts_parts_and_strata() -> None:
    patients = cohort()
    table = deal_folds(patients, settings())
    told = summary(table, settings(), patients)
    assert told["hash"] == fold_hash(table)
    for entry in told["folds"]:
        own = table[table["fold"] == entry["fold"]]
        assert entry["parts"] == dict(Counter(own["part"]))
        assert sum(entry["strata"].values()) == 57
        assert entry["teaching"]["strict"]["test"] == int(((own["part"] == "test") & own["strict"]).sum())
