"""Label adapters (spec soz.md, section 9) and the columns of participants.tsv."""

import pytest

from pipeline.corpora.ieeg import adapter as module
from pipeline.corpora.ieeg.adapter import adapter_names, load_adapter
from pipeline.corpora.ieeg.participants import engel_class, patient_row
from pipeline.settings.base import SettingsError


def test_the_adapters_of_the_specification_are_there():
    assert set(adapter_names()) == {"ds003029", "ds003498", "ds003876", "ds004080", "ds004100", "ds005398", "swec"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        (
            "ds004100",
            {"soz": True, "resect,soz": True, "soz, resect": True, "n/a": False, "resect": False, "what": None},
        ),
        ("ds003876", {"yes": True, "n/a": False, "epz": None}),
        ("ds005398", {"1": True, "0": False, "n/a": None}),
    ],
)
def test_tokens_of_the_soz(name, cells):
    rule = load_adapter(name).soz
    assert {cell: rule.label(cell) for cell in cells} == cells


def test_na_is_negative_only_where_the_adapter_says_so():
    negative = {name: "n/a" in load_adapter(name).soz.negative for name in ("ds004100", "ds003876", "ds005398")}
    assert negative == {"ds004100": True, "ds003876": True, "ds005398": False}


def test_ds003029_is_refused_until_it_is_mapped():
    with pytest.raises(SettingsError, match=r"ds003029.*spreadsheet.*map"):
        load_adapter("ds003029")


@pytest.mark.parametrize("name", ["ds003498", "ds004080", "swec"])
def test_corpora_without_labels_say_none(name):
    assert load_adapter(name).soz is None


def test_shared_patients_are_named():
    assert load_adapter("ds003876").shared_patients["ds003029"] == ("pt1", "pt2", "pt3", "jh103", "jh105")


def test_an_unknown_adapter_names_those_that_there_are():
    with pytest.raises(SettingsError, match="ds004100"):
        load_adapter("ds999999")


@pytest.mark.parametrize("text", ["corpus: [", "- 1", "corpus: x\nsoz: {colum: y}", ""])
def test_a_broken_adapter_is_a_settings_error(tmp_path, monkeypatch, text):
    (tmp_path / "made.yaml").write_text(text)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(SettingsError, match=r"made\.yaml"):
        load_adapter("made")


@pytest.mark.parametrize(
    ("text", "engel"),
    [("1A", "1A"), ("IIb", "2B"), ("Engel III", "3"), ("IV", "4"), ("1.0", "1"), ("n/a", ""), ("5", ""), ("1E", "")],
)
def test_engel_classes(text, engel):
    assert engel_class(text) == engel


def test_the_outcome_is_the_engel_class_where_there_is_one():
    chosen = load_adapter("ds004100")
    row = patient_row("7", {"engel": "1B", "outcome": "F", "age": "n/a"}, chosen, implant="SEEG", frame="MNI")
    assert (row["engel"], row["outcome"], row["implant"]) == ("1B", "good", "SEEG")
    assert row["age"] != row["age"]  # NaN: unknown
    assert patient_row("7", {"outcome": "F"}, chosen, implant="", frame="")["outcome"] == "poor"
    assert patient_row("7", {}, chosen, implant="", frame="")["outcome"] == ""
    assert patient_row("pt1", {}, load_adapter("ds003876"), implant="", frame="")["shared_with"] == "ds003029"
