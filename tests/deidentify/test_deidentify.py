"""The de-identified copy: samples byte for byte, nothing of a person, or nothing at all (faults.md, row 28)."""

import csv
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyedflib
import pytest

from pipeline.corpora import folder
from pipeline.deidentify import edf, tree
from pipeline.deidentify.edf import Removed, clean_lists, shifted
from pipeline.deidentify.words import is_allowed
from pipeline.findings import CorpusError, Findings, Rejected
from pipeline.signals.edf_annotations import annotations, stretches
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import digital
from tests.deidentify.copies import KEY, WORDS, copied
from tests.faults.canaries import IDENTITY, canaries_in, canary_file, write_canary_corpus
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels


def one_copy(source: Path, tmp_path: Path) -> Path:
    _, (out,) = copied(source, tmp_path / "out")
    return out


def field(path: Path, first: int, stop: int) -> str:
    return path.read_bytes()[first:stop].decode("latin-1").strip()


def test_row28_a_canary_corpus_comes_out_without_canaries(tmp_path):
    edfs = write_canary_corpus(tmp_path / "data")
    outcome, written = copied(tmp_path / "data", tmp_path / "out")
    assert canaries_in(tmp_path / "out") == {}
    assert len(written) == len(outcome.copied)
    rejected = [finding.recording for finding in outcome.findings if finding.severity == "error"]
    assert len(outcome.copied) + len(rejected) == len(edfs)
    assert {Path(name).stem for name in rejected} == {"canary_samples", "canary_version", "canary_header_bytes",
                                                      "canary_record_s"}  # fmt: skip
    left_out = {finding.recording for finding in outcome.findings if finding.code == "not_copied"}
    assert {Path(name).name for name in left_out} == {"canary_session.txt", "letter_canary.docx"}
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix not in ("", ".edf", ".tsv")]


def test_row28_samples_scales_and_onsets_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    source = canary_file(rng).write(tmp_path / "a" / "x.edf")
    out = one_copy(tmp_path / "a", tmp_path)
    was, now = read_header(source, Findings()), read_header(out, Findings())
    assert [s.label for s in now.signals] == [s.label for s in was.signals]
    for one, other in zip(was.signals, now.signals, strict=True):
        assert (one.physical_min, one.physical_max, one.digital_min, one.digital_max) == (
            other.physical_min, other.physical_max, other.digital_min, other.digital_max)  # fmt: skip
        if not one.is_annotation:
            assert np.array_equal(digital(was, one, 0, was.n_records), digital(now, other, 0, now.n_records))
    kept = [(a.onset_s, a.duration_s, a.text) for a in annotations(now) if a.text != "szs"]
    assert kept == [(3.0, None, "Photic on"), (4.0, 4.0, "sz_foc_ia")]


def test_row28_the_copy_is_an_edf_that_others_read(tmp_path):
    canary_file(np.random.default_rng(0)).write(tmp_path / "a" / "x.edf")
    with pyedflib.EdfReader(str(one_copy(tmp_path / "a", tmp_path))) as read:
        assert {read.getPatientCode(), read.getPatientName(), read.getAdmincode()} <= {"", "X"}
        assert read.filetype == pyedflib.FILETYPE_EDFPLUS
        assert [text for text in read.readAnnotations()[2] if text != "szs"] == ["Photic on", "sz_foc_ia"]
        assert read.getStartdatetime().date() == shifted(date(2009, 3, 17), tree.shift_of(KEY, "x"))


def test_row28_gaps_stay_where_they_are(tmp_path):
    onsets = [0, 1, 2, 10, 11, 12, 13, 14]
    lists = [f"+{100 + at}\x14\x14\0" + (f"+{100 + at}\x14Canary\x14\0" if at == 11 else "") for at in onsets]
    channels = [*scalp_channels(np.random.default_rng(0), records=8), annotation_channel(lists)]
    source = EdfFile(channels, reserved="EDF+D").write(tmp_path / "a" / "x.edf")
    out = one_copy(tmp_path / "a", tmp_path)
    spans = [stretches(read_header(path, Findings()), Findings()) for path in (source, out)]
    assert spans[0] == spans[1]
    assert len(spans[0]) == 2


def test_row28_both_start_dates_move_alike_and_alike_for_a_patient(tmp_path):
    rng = np.random.default_rng(0)
    days = {"x": date(2009, 3, 17), "y": date(2009, 3, 20), "z": date(2012, 2, 29)}
    for name, day in days.items():
        fields = {**IDENTITY, "date": day.strftime("%d.%m.%y"), "recording": f"Startdate {day:%d-%b-%Y} A B C".upper()}
        fields["recording"] = fields["recording"].replace("STARTDATE", "Startdate")
        for patient in ("p1", "p2"):
            EdfFile(scalp_channels(rng, records=2), fields=fields).write(tmp_path / "in" / patient / f"{name}.edf")
    outcome, _ = copied(tmp_path / "in", tmp_path / "out")
    moved: dict[str, dict[str, date]] = {"p1": {}, "p2": {}}
    for row in outcome.copied:
        path = tmp_path / "out" / row.patient / f"{row.recording}_eeg.edf"
        short, long = field(path, 168, 176), field(path, 88, 168).split()[1]
        day = date(int(long[7:]), edf.MONTHS.index(long[3:6]) + 1, int(long[:2]))
        assert day.strftime("%d.%m.%y") == short
        moved[row.patient_was][Path(row.file).stem] = day
    for own in moved.values():
        assert {name: own[name] - own["x"] for name in days} == {name: days[name] - days["x"] for name in days}
        assert not set(own.values()) & set(days.values())
    assert moved["p1"] != moved["p2"]


@pytest.mark.parametrize("day", [date(1985, 1, 1), date(1985, 6, 1), date(2000, 2, 29), date(2084, 12, 31)])
def test_row28_a_shifted_date_can_be_written(day):
    for back in (-366, -3650):
        moved = shifted(day, back)
        assert date(1985, 1, 1) <= moved <= date(2084, 12, 31)
        assert ((moved - day).days - back) % 36525 == 0


@pytest.mark.parametrize("text", ["99.99.99", "17-MAR-0", "", "31.02.10"])
def test_row28_a_date_that_is_none_becomes_the_first_of_1985(tmp_path, text):
    fields = {**IDENTITY, "date": text, "recording": "Startdate 17-XXX-2009 Canary"}
    EdfFile(scalp_channels(np.random.default_rng(0), records=2), fields=fields).write(tmp_path / "a" / "x.edf")
    out = one_copy(tmp_path / "a", tmp_path)
    assert field(out, 168, 176) == "01.01.85"
    assert field(out, 88, 168) == "Startdate X X X X"


def test_row28_a_synthetic_file_stays_synthetic(tmp_path):
    fields = {"patient": "SYNTHETIC F X Nobody"}
    EdfFile(scalp_channels(np.random.default_rng(0), records=2), fields=fields).write(tmp_path / "a" / "x.edf")
    assert read_header(one_copy(tmp_path / "a", tmp_path), Findings()).synthetic


def test_row28_what_follows_the_last_whole_record_is_not_copied(tmp_path):
    source = EdfFile(scalp_channels(np.random.default_rng(0), records=4)).write(tmp_path / "a" / "x.edf")
    source.write_bytes(source.read_bytes() + b"Canary Smith" * 20)
    out = one_copy(tmp_path / "a", tmp_path)
    assert out.stat().st_size == 256 * 20 + 4 * 19 * 256 * 2
    assert read_header(out, Findings()).n_records == 4


def test_row28_events_come_along_as_times_and_types(tmp_path):
    file = EdfFile(scalp_channels(np.random.default_rng(0), records=30)).write(tmp_path / "a" / "x.edf")
    text = "onset\tduration\teventType\tnote\n5\t10\tsz_foc_ia\tCanary\n20\t3\tCanary\tx\n"
    file.with_name("x_events.tsv").write_text(text)
    outcome, _ = copied(tmp_path / "a", tmp_path / "out")
    (table,) = (tmp_path / "out").rglob("*_events.tsv")
    with open(table, newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t"))
    assert [(row["onset"], row["duration"], row["eventType"]) for row in rows] == [("5.00", "10.00", "sz_foc_ia")]
    (files,) = folder.find(tmp_path / "out", "auto")
    (event,) = folder.read_events(tmp_path / "out", files, 30.0, Findings())
    assert (event.onset_s, event.offset_s, event.code) == (5.0, 15.0, "cpsz")
    assert canaries_in(tmp_path / "out") == {}
    assert "unknown_label" in {finding.code for finding in outcome.findings}


def test_row28_a_channel_nearly_called_annotations_is_not_copied_as_samples(tmp_path):
    rng = np.random.default_rng(0)
    marks = annotation_channel(["+0\x14\x14\0+0\x14Smith, Anna\x14\0"] * 3)
    marks.label = "EDF annotations"
    EdfFile([*scalp_channels(rng, records=3), marks]).write(tmp_path / "a" / "x.edf")
    EdfFile(scalp_channels(rng, records=3)).write(tmp_path / "a" / "y.edf")
    outcome, written = copied(tmp_path / "a", tmp_path / "out")
    assert len(written) == 1
    assert [f.code for f in outcome.findings if f.severity == "error"] == ["header_invalid"]
    with pytest.raises(CorpusError, match="none of 1"):
        copied(tmp_path / "a" / "x.edf", tmp_path / "other")


def test_row28_one_file(tmp_path):
    EdfFile(scalp_channels(np.random.default_rng(0), records=2)).write(tmp_path / "a" / "x.edf")
    shutil.copy(tmp_path / "a" / "x.edf", tmp_path / "a" / "y.edf")
    outcome, written = copied(tmp_path / "a" / "x.edf", tmp_path / "out")
    assert [row.file for row in outcome.copied] == ["x.edf"]
    assert len(written) == 1


def test_row28_nothing_is_left_where_something_fails(tmp_path, monkeypatch):
    EdfFile(scalp_channels(np.random.default_rng(0), records=2)).write(tmp_path / "a" / "x.edf")

    def failing(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tree, "copy_edf", failing)
    with pytest.raises(OSError, match="No space"):
        copied(tmp_path / "a", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_row28_a_folder_in_use_is_not_touched(tmp_path):
    EdfFile(scalp_channels(np.random.default_rng(0), records=2)).write(tmp_path / "a" / "x.edf")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(CorpusError, match="new folder"):
        copied(tmp_path / "a", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Seizure onset", True), ("sz_foc_ia", True), ("FNSZ", True), ("seizure, left T3-C3", True),
        ("EKG artifact", True), ("", True), ("Smith", False), ("seizure Smith", False), ("seizure 1951", False),
        ("12 03 71", False), ("T3 Mueller", False), ("Seizure\tin bed", False), ("eyes open (Dr. Jones)", False),
    ],
)  # fmt: skip
def test_row28_texts_of_annotations(text, kept):
    assert is_allowed(text, WORDS) == kept


def test_row28_lists_keep_their_time_and_lose_their_texts():
    removed = Removed()
    content = b"+12.5\x14\x14Smith\x14Seizure\x14\0+13\x152\x14Anna\x14\0junk Smith\0+14\x14eyes open\x14\0\0\0"
    kept = clean_lists(content, WORDS, removed, keeps_time=True)
    assert kept == b"+12.5\x14\x14Seizure\x14\0+14\x14eyes open\x14\0"
    assert len(kept) <= len(content)
    assert removed.texts == ["Smith", "Anna", "junk Smith"]
    assert clean_lists(b"+1\x14Anna\x14\0", WORDS, removed, keeps_time=False) == b""


def test_row28_an_edf_that_ends_while_it_is_read_is_a_finding(tmp_path, monkeypatch):
    EdfFile(scalp_channels(np.random.default_rng(0), records=4)).write(tmp_path / "a" / "x.edf")
    EdfFile(scalp_channels(np.random.default_rng(0), records=4)).write(tmp_path / "a" / "y.edf")
    original = tree.copy_edf

    def cutting(source, target, **options):
        if source.name == "x.edf":
            raise Rejected(Findings().add("file_unreadable", "gone", severity="error", action="skip"))
        return original(source, target, **options)

    monkeypatch.setattr(tree, "copy_edf", cutting)
    outcome, written = copied(tmp_path / "a", tmp_path / "out")
    assert [row.file for row in outcome.copied] == ["y.edf"]
    assert len(written) == 1


def test_row28_a_tree_of_tusz_keeps_its_patients_splits_and_seizures(tmp_path):
    rng = np.random.default_rng(0)
    for split, patient in (("train", "aaaaaaaa"), ("train", "aaaaaaab"), ("eval", "aaaaaaac")):
        stem = tmp_path / "edf" / split / patient / "s001_2015" / "01_tcp_ar" / f"{patient}_s001_t000"
        EdfFile(scalp_channels(rng, records=20)).write(stem.with_suffix(".edf"))
        rows = "channel,start_time,stop_time,label,confidence\nF7-T3,2,7,cpsz,1\nT3-T5,3,8,cpsz,1\n"
        stem.with_suffix(".csv").write_text(f"# bname = {patient}\n{rows}")
    outcome, written = copied(tmp_path / "edf", tmp_path / "out", reader="tusz")
    assert len({row.patient for row in outcome.copied}) == len(written) == 3
    found = folder.find(tmp_path / "out", "auto")
    assert sorted(files.official for files in found) == ["eval", "train", "train"]
    for files in found:
        events = folder.read_events(tmp_path / "out", files, 20.0, Findings())
        assert [(e.onset_s, e.offset_s, e.code) for e in events if e.channel == "TERM"] == [(2.0, 8.0, "cpsz")]
        assert {e.channel for e in events} == {"TERM", "F7-T3", "T3-T5"}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"+5\x14\x14", b"+5\x14\x14"),
        (b"+5\x14", b"+5\x14"),
        (b"+5\x14Seizure", b"+5\x14Seizure"),
        (b"+5\x14Seizure\x14", b"+5\x14Seizure\x14"),
        (b"+5\x14\x14\0+6\x14eyes open\x14", b"+5\x14\x14\0+6\x14eyes open\x14"),
        (b"+5\x14Smith\x14", b""),  # never told when the record starts
        (b"+5\x14Smith", b""),
        (b"+5\x15x\x14CPS", b"+5\x14szs\x14"),
    ],
)
def test_row28_lists_without_an_end_take_no_more_room_than_they_had(content, kept):
    """A list without its last zero byte, or its last separator, would otherwise push all samples after it."""
    made = clean_lists(content, WORDS, Removed(), keeps_time=True)
    assert len(made) <= len(content)
    assert made.rstrip(b"\0") == kept


def test_row28_samples_stay_where_lists_fill_their_room(tmp_path):
    rng = np.random.default_rng(0)
    marks = annotation_channel(["+0\x14\x14", "+1\x14\x14", "+2\x14\x14"], size=2)
    source = EdfFile([marks, *scalp_channels(rng, records=3)], reserved="EDF+C").write(tmp_path / "a" / "x.edf")
    out = one_copy(tmp_path / "a", tmp_path)
    assert out.read_bytes()[256 * 21 :] == source.read_bytes()[256 * 21 :]
