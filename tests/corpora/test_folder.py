"""A plain folder of EDFs: patients, events beside and inside, names that are safe."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.corpora.folder import find, read_events, unread
from pipeline.findings import CorpusError, Findings
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real-eeg"


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def patients(root, version="auto"):
    return {files.edf: files.patient for files in find(root, version)}


def test_patients(tmp_path):
    touch(tmp_path, "p1/a.edf", "p1/more/b.EDF", "sub-2_run-1.edf", "sub-2_run-2.edf", "notes.txt", ".hidden/x.edf")
    expected = {"p1/a.edf": "p1", "p1/more/b.EDF": "p1", "sub-2_run-1.edf": "sub-2", "sub-2_run-2.edf": "sub-2"}
    assert patients(tmp_path) == expected
    assert patients(tmp_path, "stems")["p1/a.edf"] == "a"
    assert len(set(patients(tmp_path, "files").values())) == 4
    with pytest.raises(CorpusError, match="folder for each patient"):
        find(tmp_path, "folders")
    with pytest.raises(CorpusError, match="known are"):
        find(tmp_path, "v1")


def test_split_folders(tmp_path):
    touch(tmp_path, "train/p1/a.edf", "test/p2/b.edf", "p3/c.edf")
    assert {files.patient: files.official for files in find(tmp_path, "auto")} == {
        "p1": "train",
        "p2": "test",
        "p3": "",
    }


def test_recording_names_are_safe_and_distinct(tmp_path):
    touch(tmp_path, "p 1/é a.edf", "p_1/_a.edf", "p+1/=cmd.edf", f"p/{'x' * 200}.edf")
    names = [files.recording for files in find(tmp_path, "auto")]
    assert len(set(names)) == 4
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") for name in names)
    assert all(len(name) < 130 for name in names)


def events_of(root, duration_s=100.0):
    (files,) = find(root, "auto")
    findings = Findings()
    return read_events(root, files, duration_s, findings), [finding.code for finding in findings]


@pytest.mark.parametrize("name", ["a_events.tsv", "a.tsv", "a.csv"])
@pytest.mark.parametrize("column", ["eventType", "trial_type"])
def test_events_beside_the_edf(tmp_path, name, column):
    """Seven-column BIDS, core BIDS, or the same with commas; BOM and CRLF occur (T44)."""
    touch(tmp_path, "p/a.edf")
    mark = "," if name.endswith("csv") else "\t"
    rows = [["onset", "duration", column, "confidence"], ["10.00", "20.00", "sz_foc_ia", "n/a"],
            ["0", "9", "bckg", "1"],
            ["40.0", "5", "whatever", "n/a"], ["x", "5", "bckg", "n/a"],
            ["50", "10", "tcsz", "0.5"]]  # fmt: skip
    (tmp_path / "p" / name).write_text("\ufeff" + "\r\n".join(mark.join(row) for row in rows) + "\r\n")
    events, codes = events_of(tmp_path)
    assert [(e.onset_s, e.offset_s, e.code, e.confidence) for e in events] == [
        (10, 30, "cpsz", 1.0),
        (50, 60, "tcsz", 0.5),
    ]
    assert codes == ["annotation_invalid", "unknown_label"]


def test_channels_of_events(tmp_path):
    touch(tmp_path, "p/sub-1_eeg.edf")
    text = "onset\tduration\teventType\tconfidence\tchannels\n1\t2\tsz\tn/a\tF7-T3,T3-C3\n"
    (tmp_path / "p/sub-1_events.tsv").write_text(text)
    assert [event.channel for event in events_of(tmp_path)[0]] == ["TERM", "F7-T3", "T3-C3"]


def test_tusz_csv_beside_a_plain_edf(tmp_path):
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a.csv").write_text(
        "# version = csv_v1.0.0\nchannel,start_time,stop_time,label,confidence\nTERM,1,5,seiz,1\n"
    )
    assert [event.code for event in events_of(tmp_path)[0]] == ["seiz"]


def test_a_table_without_the_columns_is_told(tmp_path):
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a.csv").write_text("start,stop\n1,2\n")
    assert events_of(tmp_path) == (None, ["annotation_invalid", "annotation_missing"])  # not free of seizures


def test_T41_a_header_without_rows_is_no_seizure_and_noted(tmp_path):
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a_events.tsv").write_text("onset\tduration\teventType\n")
    assert events_of(tmp_path) == ([], ["annotation_invalid"])


def test_a_confidence_that_is_no_number_counts_as_unknown(tmp_path):
    touch(tmp_path, "p/a.edf")
    rows = "".join(f"{10 * i}\t2\tsz\t{text}\n" for i, text in enumerate(["high", "nan", "7", "", "0.25"]))
    (tmp_path / "p/a_events.tsv").write_text("onset\tduration\teventType\tconfidence\n" + rows)
    assert [event.confidence for event in events_of(tmp_path)[0]] == [1, 1, 1, 1, 0.25]


def test_times_that_are_not_finite_are_told(tmp_path):
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a_events.tsv").write_text("onset\tduration\teventType\nnan\t2\tsz\n1\tinf\tsz\n3\t4\tsz\n")
    assert events_of(tmp_path) == (None, ["annotation_invalid", "annotation_invalid", "annotation_missing"])


ZERO = ("", "\x150")  # no duration told, and one of zero


@pytest.mark.parametrize(("text", "code"), [("sz_foc_ia", "cpsz"), ("Seizure", "seiz"), ("fnsz", "fnsz")])
def test_events_inside(tmp_path, text, code):
    made = scalp_channels(np.random.default_rng(0), records=4)
    lists = [f"+{i}\x14\x14\0" for i in range(4)]
    lists[1] += f"+1.5\x152\x14{text}\x14\0+2\x14no duration\x14\0"
    EdfFile([*made, annotation_channel(lists)], reserved="EDF+C").write(tmp_path / "p" / "a.edf")
    events, codes = events_of(tmp_path, 4.0)
    assert [(event.onset_s, event.offset_s, event.code) for event in events] == [(1.5, 3.5, code)]
    assert codes == ["unknown_label"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        *((text, "") for text in ("seizure", "fnsz")),
        *((text, length) for text in ("Seizure onset", "seizure 3", "Sz3", "SZ begins", "ictal") for length in ZERO),
    ],
)
@pytest.mark.parametrize("beside", ["+0\x154\x14bckg\x14\0", "+0.5\x151\x14seizure\x14\0"])
def test_a_seizure_inside_without_a_duration_leaves_no_labels(tmp_path, text, beside, length):
    """Its seconds would else be background."""
    lists = [f"+{i}\x14\x14\0" for i in range(4)]
    lists[1] += f"{beside}+2{length}\x14{text}\x14\0"
    made = scalp_channels(np.random.default_rng(0), records=4)
    EdfFile([*made, annotation_channel(lists)], reserved="EDF+C").write(tmp_path / "p" / "a.edf")
    (files,) = find(tmp_path, "auto")
    findings = Findings()
    assert read_events(tmp_path, files, 4.0, findings) is None
    assert [finding.code for finding in findings] == ["annotation_invalid", "annotation_missing"]
    assert "at 2 s" in next(iter(findings)).message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "onset\tduration\ttrial_type\n10\t50\tictal\n"),
        ("a.tsv", "onset\tduration\ttrial_type\nx\t50\tictal\n"),
        ("a.tsv", "onset\tduration\ttrial_type\n10\t0\tsz\n0\t9\tbckg\n"),
        ("a.csv", "channel,start_time,stop_time,label,confidence\nTERM,10,20,ictal,1\n"),
        ("a.csv", "channel,start_time,stop_time,label,confidence\n"),
        ("a.csv", "# version = csv_v1.0.0\n# duration = 100.00 secs\nchannel,start_time,stop_time,label\n"),
        ("a.tsv", "onset\tduration\ttrial_type\n10\t50\tbckg\n70\t9\tn/a\n"),
        ("a.csv", "onset;duration;trial_type\n10,5;9;sz\n20;9;bckg\n"),  # a decimal comma, or a thousand
        ("a.csv", "channel,start_time,stop_time,label,confidence\nTERM,ten,20,seiz,1\nTERM,50,60,seiz,1\n"),
    ],
)
def test_a_table_that_leaves_seizures_open_leaves_no_labels(tmp_path, name, text):
    """Unknown types alone, a row that cannot be read, a seizure without length: none of it says `no seizure`."""
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p" / name).write_text(text)
    events, codes = events_of(tmp_path)
    assert events is None
    assert codes[-1] == "annotation_missing"


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ("14\t3\tSeizure focal", False),
        ("8\t2,5s\tsz", False),
        ("x\t3\tSeizure 1", False),
        ("x\t3\t", False),
        ("14\t3\tsz2", False),
        ("14\t3\tSZ onset", False),
        ("14\t3\tperiictal", False),  # holds the seizure
        ("14\t3\tn/a", False),  # a time, and no type
        ("14\t3\t", False),
        ("14\t3\tGTCS", False),
        ("14\t3\tpostictal", True),
        ("14\t3\tpost-ictal slowing", True),
        ("14\t3\tpre_ictal", True),
        ("x\t3\tbckg", True),
        ("14\t3\teyes open", True),
        ("14\t3\tnesz", True),
        ("14\t3\tinterictal", True),
        ("14\t3\tinter-ictal spike", True),
        ("14\t3\tszem", True),  # Hungarian: eye
    ],
)
def test_a_row_that_may_be_a_seizure_is_not_background(tmp_path, row, known):
    """Beside a seizure that can be read; a plain remark does not cost the labels."""
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a_events.tsv").write_text(f"onset\tduration\teventType\n2\t3\tsz\n{row}\n")
    events, codes = events_of(tmp_path)
    assert events is None or [(event.onset_s, event.offset_s) for event in events] == [(2, 5)]
    assert (events is not None) == known
    assert ("annotation_missing" in codes) != known


def test_a_seizure_of_unknown_type_names_its_line_once_and_no_channel(tmp_path):
    touch(tmp_path, "p/a.edf")
    rows = "2\t3\tsz\tn/a\n8\t3\tSeizure of Ann Lee\tF7-T3,LEE\n"
    (tmp_path / "p/a.tsv").write_text(f"onset\tduration\teventType\tchannels\n{rows}")
    (files,) = find(tmp_path, "auto")
    findings = Findings()
    assert read_events(tmp_path, files, 100.0, findings) is None
    told, _ = findings.to_rows()
    assert told["code"] == "unknown_label"
    assert told["message"].startswith("a.tsv, line 3: label text of 18 characters")
    assert not any("lee" in str(cell).lower() for row in findings.to_rows() for cell in row.values())


def inside(folder, texts):
    """An EDF+ with annotations (stamp and text), one a record; what is read, and the messages."""
    added = [f"+{text}\x14\0" for text in texts] + [""] * 4
    lists = [f"+{i}\x14\x14\0{added[i]}" for i in range(4)]
    made = scalp_channels(np.random.default_rng(0), records=4)
    EdfFile([*made, annotation_channel(lists)], reserved="EDF+C").write(folder / "p" / "a.edf")
    (files,) = find(folder, "auto")
    findings = Findings()
    return read_events(folder, files, 4.0, findings), " | ".join(finding.message for finding in findings)


def test_annotations_inside_are_counted_and_never_told(tmp_path):
    none = "none is a known seizure type with a duration; write a <stem>_events.tsv"
    events, told = inside(tmp_path, ["1\x14Ann Lee awake", "2\x151\x14eyes open", "3\x151\x14Attack of Ann Lee"])
    assert events is None
    assert f"3 annotations inside, {none}" in told
    assert "Lee" not in told
    events, told = inside(tmp_path, ["1\x14Seizure onset", "3\x14Seizure offset", "3\x14awake"])
    assert events is None
    assert "3 annotations inside, of them without a duration, and maybe a seizure: 2; write a <stem>_events.tsv" in told


def test_a_seizure_inside_under_another_name_is_not_background(tmp_path):
    events, told = inside(tmp_path, ["1\x151\x14seizure", "2\x151\x14Seizure 2"])
    assert events is None
    assert "a.edf at 2 s: label text of 9 characters is not in the list and may be a seizure" in told
    assert "a.edf: unknown types of event that may be seizures: 1; used without labels" in told
    events, _ = inside(tmp_path, ["1\x151\x14seizure", "2\x151\x14eyes open"])
    assert [(event.onset_s, event.offset_s) for event in events] == [(1, 2)]


def test_files_of_other_formats_are_counted(tmp_path):
    touch(tmp_path, "p/a.edf", "p/b.edf.gz", "p/c.EDF.GZ", "d.BDF", "q/e.rec", "p/a.tsv", "p/notes.txt", ".x/f.bdf",
          "g.mff/signal1.bin", "edf.gz", "report.pdf")  # fmt: skip
    assert unread(tmp_path) == {".bdf": 1, ".edf.gz": 2, ".mff": 1, ".rec": 1}
    assert len(find(tmp_path, "auto")) == 1


def test_row14_types_that_overlap_are_one_seizure(tmp_path):
    touch(tmp_path, "p/a.edf")
    (tmp_path / "p/a.tsv").write_text("onset\tduration\teventType\n10\t50\tfnsz\n20\t20\tgnsz\n")
    events, codes = events_of(tmp_path)
    assert [(event.onset_s, event.offset_s, event.code) for event in events] == [(10, 60, "fnsz")]
    assert codes == ["annotation_overlap"]


def test_no_events_at_all(tmp_path):
    EdfFile(scalp_channels(np.random.default_rng(0), records=4)).write(tmp_path / "p" / "a.edf")
    assert events_of(tmp_path, 4.0) == (None, ["annotation_missing"])


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
def test_the_real_seizure_times():
    found = {files.edf: files for files in find(REAL, "auto")}
    assert len(found) == 33
    times = {"1": (1143, 1213), "2": (1220, 1274), "4": (1006, 1080), "5": (904, 971)}
    for number, expected in times.items():
        files = found[f"siena_f8_64hz/PN00-{number}_F8_64Hz.edf"]
        (event,) = read_events(REAL, files, 3000.0, Findings())
        assert (event.onset_s, event.offset_s, event.code) == (*expected, "cpsz")


def test_a_tusz_table_under_the_name_of_another_is_read_as_what_it_is(tmp_path):
    touch(tmp_path, "a.edf")
    text = "channel,start_time,stop_time,label,confidence\nTERM,12.5,40.25,seiz,1.0\n"
    (tmp_path / "a_events.tsv").write_text(text)
    events, codes = events_of(tmp_path)
    assert [(event.onset_s, event.offset_s) for event in events] == [(12.5, 40.25)]
    assert codes == []


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("mark", ["\t", ",", ";"])
@pytest.mark.parametrize("head", ["onset duration eventType", "Onset Duration EventType", "ONSET DURATION Trial_Type"])
@pytest.mark.parametrize("code", ["sz_foc", "SZ_FOC", "Sz_Foc", "fnsz", "FNSZ"])
def test_a_table_in_any_case_and_by_its_separator(tmp_path, name, mark, head, code):
    touch(tmp_path, "a.edf")
    text = f"{head}\n10.5 20 {code}\n50 5 BCKG\n".replace(" ", mark)
    (tmp_path / name).write_text(text)
    events, codes = events_of(tmp_path)
    assert [(event.onset_s, event.offset_s, event.code) for event in events] == [(10.5, 30.5, "fnsz")]
    assert codes == []


def test_a_column_in_two_spellings_is_taken_as_written(tmp_path):
    touch(tmp_path, "a.edf")
    (tmp_path / "a.csv").write_text("onset,Onset,duration,eventType\n10,7,20,sz\n")
    assert [(event.onset_s, event.offset_s) for event in events_of(tmp_path)[0]] == [(10, 30)]


SPAN = "0.5\x151\x14seizure"


def test_row13_a_seizure_inside_without_length_is_dropped_beside_another(tmp_path):
    """As in a table: both of its edges are told, and are wrong. The only seizure leaves no labels."""
    events, told = inside(tmp_path / "a", [SPAN, "2\x150\x14seizure"])
    assert [event.onset_s for event in events] == [0.5]
    assert told == "a.edf at 2 s: 2.0000-2.0000 s has no length; dropped"
    events, _ = inside(tmp_path / "b", ["0\x154\x14bckg", "2\x150\x14seizure"])
    assert events is None


@pytest.mark.parametrize("length", ["\x15-1", "\x151,5", "\x15", "\x15one"])
@pytest.mark.parametrize("beside", [SPAN, "0\x154\x14bckg"])
def test_a_seizure_inside_with_a_duration_that_is_no_number_leaves_no_labels(tmp_path, length, beside):
    events, told = inside(tmp_path, [beside, f"2{length}\x14seizure"])
    assert events is None
    assert "a seizure at 2 s without a duration" in told


def test_texts_without_a_duration_are_counted(tmp_path):
    events, told = inside(tmp_path, [SPAN, "2\x14Ann Lee awake", "2.5\x150\x14eyes open"])
    assert [event.onset_s for event in events] == [0.5]
    assert told == "a.edf: 2 texts without a duration that are no known type, nor of a seizure; not read"
