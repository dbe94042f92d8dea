"""Folds over patients: every patient is tested once, types are spread evenly, a user's list is read strictly."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.findings import CorpusError
from pipeline.folds import assignment, deal_folds, patient_codes, read_folds, with_splits

TYPES = ("fnsz", "gnsz", "absz", "tnsz")
Codes = dict[str, frozenset[str]]
COHORTS = st.lists(st.frozensets(st.sampled_from(TYPES), max_size=2), min_size=8, max_size=60).map(
    lambda kinds: {f"p{place:03d}": own for place, own in enumerate(kinds)}
)


def cohort(**numbers: int) -> Codes:
    """Patients of one type each, e.g. cohort(fnsz=24, absz=8)."""
    return {f"{code}{k:02d}": frozenset({code}) for code, number in numbers.items() for k in range(number)}


@settings(max_examples=50, deadline=None)
@given(codes=COHORTS, count=st.integers(2, 4), seed=st.integers(0, 5))
def test_each_patient_is_tested_once_and_folds_are_of_one_size(codes: Codes, count: int, seed: int) -> None:
    folds = deal_folds(codes, count=count, seed=seed)
    tables = [assignment(folds, codes, fold=k, validation_share=0.2, seed=seed) for k in range(count)]
    tested = [name for table in tables for name in table.loc[table["split"] == "test", "patient"]]
    assert sorted(tested) == sorted(codes)
    sizes = Counter(folds.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for table in tables:
        assert table["patient"].is_unique
        assert set(table["patient"]) == set(codes)
        assert set(table["split"]) == {"train", "validation", "test"}


def test_every_type_is_in_every_fold_as_evenly_as_can_be() -> None:
    codes = cohort(fnsz=24, gnsz=8, absz=8, tnsz=7)
    folds = deal_folds(codes, count=3, seed=0)
    for code, number in Counter(next(iter(own)) for own in codes.values()).items():
        sizes = Counter(fold for name, fold in folds.items() if name.startswith(code))
        assert sum(sizes.values()) == number
        assert max(sizes.values()) - min(sizes.values()) <= 1
    table = assignment(folds, codes, fold=1, validation_share=0.2, seed=0)
    of_split = table.groupby("split")["patient"].size()
    assert of_split["validation"] == round(0.2 * (len(codes) - of_split["test"]))
    kinds = table[table["split"] == "validation"]["patient"].str[:4].value_counts()
    assert kinds["fnsz"] == 3  # 16 of 31 others have it, and 6 validate
    assert set(kinds.index) >= {"fnsz", "gnsz"}


def test_a_patient_counts_for_the_rarest_of_its_types() -> None:
    """Two patients have a rare type beside a frequent one: they are never tested together in two folds."""
    codes = cohort(fnsz=20) | {"rare0": frozenset({"fnsz", "mysz"}), "rare1": frozenset({"fnsz", "mysz"})}
    for seed in range(5):
        folds = deal_folds(codes, count=2, seed=seed)
        assert folds["rare0"] != folds["rare1"]


def test_the_seed_deals_and_nothing_else_does() -> None:
    codes = cohort(fnsz=20, gnsz=10)
    shuffled = dict(reversed(codes.items()))
    assert deal_folds(codes, count=3, seed=0) == deal_folds(shuffled, count=3, seed=0)
    assert deal_folds(codes, count=3, seed=0) != deal_folds(codes, count=3, seed=1)


def test_types_come_from_the_index() -> None:
    recordings = pd.DataFrame({"recording": ["a0", "a1", "b0", "c0"], "patient": ["a", "a", "b", "c"]})
    rows = [("a0", "TERM", 1.0, 5.0, "fnsz"), ("a1", "TERM", 1.0, 5.0, "gnsz"), ("b0", "TERM", 2.0, 9.0, "seiz"),
            ("b0", "F7-T3", 2.0, 9.0, "tnsz"), ("c0", "TERM", 1.0, 5.0, "bckg")]  # fmt: skip
    seizures = pd.DataFrame(rows, columns=["recording", "channel", "onset_s", "offset_s", "code"])
    assert patient_codes(recordings, seizures) == {
        "a": frozenset({"fnsz", "gnsz"}), "b": frozenset({"tnsz"}), "c": frozenset(),
    }  # fmt: skip


def test_a_users_list_is_taken_as_it_is(tmp_path: Path) -> None:
    listed = tmp_path / "folds.tsv"
    listed.write_text("patient\tfold\nb\t1\na\t0\nc\tnone\n")
    folds = read_folds(listed, {"a", "b", "c"}, count=2)
    assert folds == {"a": 0, "b": 1}
    table = pd.DataFrame({"patient": ["c", "b", "a"], "split": "train", "recording": ["c0", "b0", "a0"]})
    splits = pd.DataFrame({"patient": ["a", "b"], "split": ["test", "train"]})
    assert with_splits(table, splits)[["patient", "split"]].to_numpy().tolist() == [["b", "train"], ["a", "test"]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("patient fold\n", "first line must be"),
        ("patient\tfold\na\t0\nb\t2\n", "row 3: patient 'b' has fold '2'; needs a number from 0 to 1, or none"),
        ("patient\tfold\na\t0\nb\n", "row 3: patient 'b' has fold ''"),
        ("patient\tfold\na\t0\na\t1\nb\t1\n", "row 3: patient 'a' stands twice"),
        ("patient\tfold\na\t0\nb\t1\nz\t1\n", "1 patients are not in the corpus; .*: z"),
        ("patient\tfold\na\t0\n", "1 patients are without a line; .*: b"),
    ],
)
def test_a_wrong_list_names_row_and_remedy(tmp_path: Path, lines: str, message: str) -> None:
    listed = tmp_path / "folds.tsv"
    listed.write_text(lines)
    with pytest.raises(CorpusError, match=f"{re.escape(str(listed))}.*{message}"):
        read_folds(listed, {"a", "b"}, count=2)


def test_too_few_patients_stop() -> None:
    codes = cohort(fnsz=2)
    with pytest.raises(CorpusError, match="no train patient"):
        assignment({"fnsz00": 0, "fnsz01": 1}, codes, fold=0, validation_share=0.5, seed=0)
