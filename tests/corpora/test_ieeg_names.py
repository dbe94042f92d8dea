"""Names of intracranial contacts, and what is none (spec soz.md, section 8: name_parse, nonbrain_named)."""

import pytest

from pipeline.corpora.ieeg.names import canonical_key, nonbrain, parse_name, parse_names


@pytest.mark.parametrize(
    ("label", "name", "shaft", "contact"),
    [
        ("EEG LG 23-Ref", "LG23", "LG", 23),
        ("AMFG-A1", "AMFG-A1", "AMFG-A", 1),
        ("LC01", "LC01", "LC", 1),
        ("LAF14-1", "LAF14-1", "LAF14", 1),
        ("PIFG-1", "PIFG-1", "PIFG", 1),
        ("RAFa1", "RAFa1", "RAFa", 1),
        ("LA'3", "LA'3", "LA'", 3),
        ("LB0", "LB0", "LB", 0),
        ("POL TP 10", "TP10", "TP", 10),
        ("eeg lg 2-ref", "lg2", "lg", 2),
        ("Hé4", "Hé4", "Hé", 4),
    ],
)
def test_shaft_and_contact(label, name, shaft, contact):
    parsed = parse_name(label)
    assert (parsed.name, parsed.shaft, parsed.contact) == (name, shaft, contact)


@pytest.mark.parametrize(
    "label", ["FZ", "EEG EKG-Ref", "23", "LA1-LA2", "LA1-LB1", "", "LAMY", "LA1234", "-", "12-Ref"]
)
def test_a_name_that_cannot_be_taken_apart_has_no_shaft(label):
    parsed = parse_name(label)
    assert (parsed.shaft, parsed.contact) == ("", None)
    assert "unparsed" in parsed.styles


def test_spellings_of_one_name_have_one_key():
    spelt = ["LC1", "LC01", "lc1", "EEG LC 01-Ref", "LC-1", "POL LC1"]
    assert len({parse_name(label).key for label in spelt}) == 1
    assert parse_name("LC10").key != parse_name("LC1").key


def test_names_are_unique_within_a_patient():
    parsed = parse_names(["EEG LG 1-Ref", "LG1", "LG2"])
    assert len({one.name for one in parsed.values()}) == 3
    assert parsed["LG2"].name == "LG2"


def nonbrain_of(*labels):
    return nonbrain(parse_names(labels))


def test_scalp_and_auxiliary_channels_by_name():
    scalp = ("C3", "C4", "CZ", "F7", "FP1", "O1", "O2", "T5", "P3", "FZ")
    auxiliary = ("EKG1", "EKG2", "EEG EKG 01-Ref", "ECG2", "LOC", "ROC", "EEG RR-Ref", "EEG Rate-Ref", "EKG")
    brain = ("LA1", "DNET11", "LOC5a1", "RT3")
    assert nonbrain_of(*scalp, *auxiliary, *brain) == {*scalp, *auxiliary}


@pytest.mark.parametrize(
    "shaft",
    [
        [f"O{i}" for i in range(1, 9)],
        ["C3", "C4", "C5"],
        ["LOC1", "LOC2", "LOC3"],
        ["O01", "O02"],
        ["T1", "T3"],
        ["FP1", "FP6"],
    ],
)
def test_a_shaft_that_only_looks_like_scalp_is_kept(shaft):
    assert nonbrain_of(*shaft, "LA1") == set()


def test_canonical_order():
    sides = {"LA10": "L", "LA2": "L", "LA1-LA2": "L", "RA1": "R", "X1": ""}
    ranked = sorted(sides, key=lambda label: canonical_key(sides[label], parse_name(label)))
    assert ranked == ["LA2", "LA10", "LA1-LA2", "RA1", "X1"]
