"""What the search of a de-identified copy finds, and what it must not take for a leak (faults.md, row 28)."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.deidentify import edf, tree
from pipeline.deidentify.edf import MONTHS, shifted
from pipeline.deidentify.search import Searches, dates_moved, leak_in, wanted_texts
from tests.deidentify.copies import KEY, WORDS, copied, small_edf
from tests.faults.canaries import write_canary_corpus
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels


def dates_of(day: date) -> dict[str, str]:
    """The fields of a header that say the day."""
    return {"date": day.strftime("%d.%m.%y"), "recording": f"Startdate {long_date(day)} A B C"}


def long_date(day: date) -> str:
    return f"{day.day:02d}-{MONTHS[day.month - 1]}-{day.year}"


def with_text(path: Path, text: str, day: date) -> Path:
    """An EDF+ of that day with one annotation."""
    channels = scalp_channels(np.random.default_rng(0), records=2, labels=["EEG C3-REF"])
    lists = [f"+0\x14\x14\0+0.5\x14{text}\x14\0", "+1\x14\x14\0"]
    return EdfFile([*channels, annotation_channel(lists)], reserved="EDF+C", fields=dates_of(day)).write(path)


def test_row28_the_search_agrees_with_a_slow_one():
    rng = np.random.default_rng(1)
    content = bytes(rng.integers(97, 101, 4000, dtype=np.uint8))
    for _ in range(200):
        start, length = rng.integers(0, 3900), rng.integers(4, 9)
        string = (
            content[start : start + length] if rng.random() < 0.5 else bytes(rng.integers(97, 102, length, np.uint8))
        )
        search = Searches({string}, frozenset()).texts
        assert (search.found_in(content.upper()) is not None) == (string in content)


def test_row28_words_of_the_field_are_no_leak():
    searches = Searches(wanted_texts(["onic", "Seizure", "EEG FP1-REF", "Smith", "Anna-Lena"], WORDS), WORDS).texts
    assert searches.found_in(b"tonic seizure") is None
    assert searches.found_in(b"x onic x") == b"onic"
    assert searches.found_in(b"xxSMITHxx") == b"smith"
    assert searches.found_in(b"lena") == b"lena"
    assert wanted_texts(["An EEG. (Smith)", "_eeg", "--"], WORDS) == {b"an eeg. (smith", b"smith"}


def test_row28_the_search_would_find_a_canary(tmp_path, monkeypatch):
    """Were a header copied as it is, nothing would be left of the output."""
    write_canary_corpus(tmp_path / "data")
    monkeypatch.setattr(edf, "_clean_cell", lambda raw, header, column, i: edf.cell(raw, header, column, i))
    with pytest.raises(tree.Leak, match="header"):
        copied(tmp_path / "data", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_row28_a_shifted_date_may_equal_the_date_of_another_file(tmp_path):
    """The day that patient a comes out with is the day that patient b was there."""
    day = date(2012, 5, 14)
    small_edf(tmp_path / "in" / "a" / "x.edf", **dates_of(day))
    small_edf(tmp_path / "in" / "b" / "y.edf", **dates_of(shifted(day, tree.shift_of(KEY, "a"))))
    outcome, written = copied(tmp_path / "in", tmp_path / "out")
    assert len(outcome.copied) == len(written) == 2


def test_row28_a_clinic_of_many_patients_and_days_comes_out(tmp_path):
    """160 recordings of 80 patients: shifted days of some are true days of others."""
    rng, days, moved = np.random.default_rng(2), set(), set()
    for number in range(80):
        for visit in range(2):
            day = date(2010, 1, 1) + timedelta(days=int(rng.integers(0, 2000)))
            small_edf(tmp_path / "in" / f"p{number:02d}" / f"v{visit}.edf", records=1, **dates_of(day))
            days.add(day)
            moved.add(shifted(day, tree.shift_of(KEY, f"p{number:02d}")))
    assert len(days & moved) > 3
    _, written = copied(tmp_path / "in", tmp_path / "out")
    assert len(written) == 160


@pytest.mark.parametrize("name", ["EEG 10.20.30", "10-20-30", "1.00", "3276.7"])
def test_row28_a_file_name_of_digits_may_equal_what_the_tool_computes(tmp_path, name):
    small_edf(tmp_path / "in" / f"{name}.edf", time="10.20.30")
    _, (out,) = copied(tmp_path / "in", tmp_path / "out")
    assert out.read_bytes()[176:184] == b"10.20.30"


def test_row28_numbers_in_a_report_may_equal_numbers_of_the_copy(tmp_path):
    file = small_edf(tmp_path / "in" / "x.edf", records=20)
    file.with_name("x_events.tsv").write_text("onset\tduration\teventType\tconfidence\n5\t10\tsz_foc_ia\t1\n")
    file.with_name("notes.txt").write_text("1.00 3276.7 -3276.7 -32767 5.00 10.00 20.00 00.00.00 256\n")
    copied(tmp_path / "in", tmp_path / "out")
    (table,) = (tmp_path / "out").rglob("*_events.tsv")
    assert "5.00\t10.00\tsz_foc_ia\t1.00" in table.read_text()


@pytest.mark.parametrize("field", ["_shifted_day", "_shifted_startdate"])
def test_row28_a_date_that_did_not_move_is_a_leak(tmp_path, monkeypatch, field):
    day = date(2012, 5, 14)
    kept = {"_shifted_day": day.strftime("%d.%m.%y"), "_shifted_startdate": long_date(day)}
    small_edf(tmp_path / "in" / "x.edf", **dates_of(day))
    monkeypatch.setattr(edf, field, lambda raw, shift_days: kept[field].encode())
    with pytest.raises(tree.Leak, match="start dates") as caught:
        copied(tmp_path / "in", tmp_path / "out")
    assert caught.value.text == b"14.05.12"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["14.05.12", "14-MAY-2012", "seen 14.05.12 again", "14-may-2012"])
def test_row28_the_day_of_a_file_in_a_text_is_a_leak(tmp_path, monkeypatch, text):
    """Were the text kept, the search would find the file's own day in it."""
    with_text(tmp_path / "in" / "x.edf", text, date(2012, 5, 14))
    copied(tmp_path / "in", tmp_path / "cleaned")
    monkeypatch.setattr(edf, "is_allowed", lambda text, words: True)
    with pytest.raises(tree.Leak, match="annotations"):
        copied(tmp_path / "in", tmp_path / "out")


def test_row28_dates_of_a_header_against_those_it_was_made_of(tmp_path):
    def header(short: str, long: str) -> bytes:
        return small_edf(tmp_path / "x.edf", date=short, recording=f"Startdate {long} X X X").read_bytes()[:256]

    was = header("14.05.12", "14-MAY-2012")
    assert dates_moved(was, header("04.05.12", "04-MAY-2012"), -10)
    assert not dates_moved(was, header("04.05.12", "05-MAY-2012"), -10)
    assert not dates_moved(was, header("05.05.12", "04-MAY-2012"), -10)
    assert not dates_moved(was, was, -10)
    assert dates_moved(header("03.01.85", "X"), header("24.12.84", "X"), -10)
    assert dates_moved(header("31.02.12", "X"), header("01.01.85", "X"), -10)
    assert not dates_moved(header("31.02.12", "X"), header("31.02.12", "X"), -10)


def test_row28_texts_of_digits_are_looked_for_in_texts_alone():
    searches = Searches(wanted_texts(["1951-05-02", "Visit 20.03.2009 10:20:30", "78215501"], WORDS), WORDS)
    for text in (b"1951-05-02", b"x 20.03.2009", b"10:20:30", b"no 78215501"):
        assert searches.texts.found_in(text), text
    for text in (b"1951-05-02", b"20.03.2009", b"78215501"):
        assert searches.samples.found_in(text) is None, text
    assert searches.samples.found_in(b"..VISIT 20.03.2009 10:20:30..") == b"visit 20.03.2009 10:20:30"


def test_row28_a_header_number_that_holds_a_text_is_a_leak(tmp_path, monkeypatch):
    source = small_edf(tmp_path / "in" / "x.edf", patient="Smith", time="Smith")
    copied(tmp_path / "in", tmp_path / "cleaned")
    original = edf.clean_header
    was = source.read_bytes()[176:184]
    monkeypatch.setattr(edf, "clean_header", lambda *of: (made := original(*of))[:176] + was + made[184:])
    with pytest.raises(tree.Leak, match="header"):
        copied(tmp_path / "in", tmp_path / "out")


def test_row28_names_and_tables_are_searched_but_for_what_is_computed(tmp_path):
    searches = Searches(wanted_texts(["Smith", "12.50"], WORDS), WORDS)
    path, own = tmp_path / "events.tsv", {"was": b"", "shift_days": -400}
    patient = KEY.patient("Smith")
    name = f"train/{patient}/{KEY.recording('Smith', 'x.edf')}_events.tsv"
    path.write_text("onset\tduration\teventType\n12.50\t3.00\tsz\n")
    assert leak_in(path, name, searches, **own) is None
    assert leak_in(path, name.replace("train", "smith"), searches, **own) == ("name", b"smith")
    path.write_text("onset\tduration\teventType\n12.50\t3.00\tSmith\n")
    assert leak_in(path, name, searches, **own) == ("table of events", b"smith")
    path.write_text("onset\tduration\teventType\n12.50\t3.00\tat 12.50\n")
    assert leak_in(path, name, searches, **own) == ("table of events", b"12.50")


def test_row28_letters_of_a_pseudonym_are_no_leak(tmp_path):
    """A folder that is called as a part of a pseudonym: found by chance, not taken over."""
    hidden = KEY.patient("p1").removeprefix("sub-")[2:7]
    small_edf(tmp_path / "in" / "p1" / f"{hidden}.edf")
    _, written = copied(tmp_path / "in", tmp_path / "out")
    assert hidden in written[0].as_posix()
