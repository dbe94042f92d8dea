"""The Siena corpus: times by the clock, and its known slips; the number of the trap (formats.md) stands in the name."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpora.siena import find, read_events
from pipeline.findings import CorpusError, Findings, Rejected
from pipeline.signals.channels import electrode_of
from pipeline.signals.edf_header import read_header
from tests.signals.edf_builder import ELECTRODES

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real-eeg"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
HOUR_S = 3600
START = "Registration start time: 19.39.33\nRegistration end time:  20.22.58\n"
TEXT = "Seizure n 1\nFile name: {name}\n" + START + "Seizure start time: 19.58.36\nSeizure end time: 19.59.46\n\n"


def write(root, path, content=""):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))


def read(root, text, *, name="PN00-1.edf", duration_s=2605.0, others=()):
    patient = name.split("-")[0]
    for own in (name, *others):
        write(root, f"{patient}/{own}")
    write(root, f"{patient}/Seizures-list-{patient}.txt", text)
    files = next(files for files in find(root, "auto") if files.edf.endswith(f"/{name}"))
    findings = Findings()
    events = read_events(root, files, duration_s, findings)
    return None if events is None else [(event.onset_s, event.offset_s) for event in events], findings


def codes(findings):
    return [finding.code for finding in findings]


def refused(root, text, **options):
    with pytest.raises(Rejected) as caught:
        read(root, text, **options)
    return caught.value.finding


def clock(second, mark="."):
    second %= 86400
    return mark.join(f"{part:02d}" for part in (second // 3600, second // 60 % 60, second % 60))


def test_names(tmp_path):
    for name in ("PN00/PN00-1.edf", "PN10/PN10-4.5.6.edf", "PN12/PN12-1.2.edf"):
        write(tmp_path, name)
    write(tmp_path, "subject_info.csv", "patient_id\nPN00\n")
    found = find(tmp_path, "1.0.0")
    assert [(files.recording, files.patient) for files in found] == [
        ("PN00-1", "PN00"), ("PN10-4.5.6", "PN10"), ("PN12-1.2", "PN12"),
    ]  # fmt: skip
    assert found[0].annotations == ("subject_info.csv",)
    write(tmp_path, "PN01/PN00-9.edf")
    with pytest.raises(CorpusError, match="reader: folder"):
        find(tmp_path, "auto")
    with pytest.raises(CorpusError, match="known are"):
        find(tmp_path, "v1")


@pytest.mark.parametrize("mark", [".", ":"])
@pytest.mark.parametrize("colon", [":", " : ", ":  ", ":\t"])
def test_T37_marks_blanks_and_remarks(tmp_path, mark, colon):
    text = TEXT.format(name="PN00-1.edf ").replace(": ", colon).replace("n 1", "n 1 (in sleep):")
    text = text.replace(".39.", f"{mark}39{mark}").replace(".58.", f"{mark}58{mark}").replace("\n", "  \r\n")
    assert read(tmp_path, text)[0] == [(1143, 1213)]


@given(st.integers(0, 86399), st.integers(0, 20 * HOUR_S), st.integers(1, 1800))
def test_T37_any_clock_comes_back(tmp_path_factory, start, onset, length):
    """Also over midnight, between start and seizure or within the seizure."""
    text = (
        f"File name: PN00-1.edf\nRegistration start time: {clock(start)}\nRegistration end time: "
        f"{clock(start + 22 * HOUR_S)}\nSeizure start time: {clock(start + onset)}\n"
        f"Seizure end time:{clock(start + onset + length, ':')}\n"
    )
    events, findings = read(tmp_path_factory.getbasetemp() / "clock", text, duration_s=22.0 * HOUR_S)
    assert events == [(onset, onset + length)]
    assert codes(findings) == []


def test_T38_a_seizure_of_an_hour_leaves_the_recording_out(tmp_path):
    """PN00-3: 18.28.29 to 19.29.29, where 18.29.29 is meant. The file of the corpus, if it is there, says the same."""
    text = TEXT.format(name="PN00-3.edf").replace("19.59.46", "20.59.36")
    finding = refused(tmp_path, text, name="PN00-3.edf", duration_s=7200.0)
    assert (finding.code, finding.severity, finding.value) == ("seizure_implausible", "error", "3660 s")
    assert "Seizures-list-PN00.txt, line 5" in finding.message
    half_an_hour = text.replace("20.59.36", "20.28.36")
    assert read(tmp_path, half_an_hour, name="PN00-3.edf", duration_s=7200.0)[0] == [(1143, 2943)]  # kept


def test_T38_an_end_before_its_start_is_implausible_not_negative(tmp_path):
    finding = refused(tmp_path, TEXT.format(name="PN00-1.edf").replace("19.59.46", "19.57.46"))
    assert finding.code == "seizure_implausible"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("start time: 19.39.33", "start time:1 9.39.33"), ("19.58.36", "19.58"), ("19.58.36", "19.68.36"),
        ("19.59.46", "24.01.00"), ("19.59.46", ""), ("Seizure start time:", "Seizure start time"),
        ("Seizure end time: 19.59.46\n", ""), ("Seizure start time: 19.58.36\n", ""),
        (START, ""), ("19.59.46", "JOHN CANARY"),
    ],
)  # fmt: skip
def test_T38_a_malformed_time_names_file_line_and_remedy(tmp_path, good, bad):
    text = TEXT.format(name="PN10-7.8.9.edf")
    assert good in text
    finding = refused(tmp_path, text.replace(good, bad), name="PN10-7.8.9.edf")
    assert finding.code == "annotation_invalid"
    assert "PN10-7.8.9.edf: Seizures-list-PN10.txt" in finding.message
    assert "correct the list" in finding.message
    assert "line " in finding.message or good == START
    assert "CANARY" not in f"{finding.message}{finding.value}"


def test_T38_a_bad_line_of_one_file_leaves_the_others_alone(tmp_path):
    text = TEXT.format(name="PN00-1.edf") + TEXT.format(name="PN00-2.edf").replace("19.58.36", "19:5836")
    assert read(tmp_path, text)[0] == [(1143, 1213)]
    assert refused(tmp_path, text, name="PN00-2.edf").code == "annotation_invalid"


def test_T38_one_registration_serves_several_seizures(tmp_path):
    """PN01: one block, then titles with bare times. PN12: the file is named again without its registration."""
    text = "Seizure n 1-2\nFile name: PN01.edf\n" + START
    text += "\nSeizure n 1\nStart time: 19:58:36\nEnd time: 19:59:46\n"
    text += "\nSeizure n 2\nStart time: 20.10.00\nEnd time: 20.11.00\n"
    events, findings = read(tmp_path, text, name="PN01-1.edf")
    assert events == [(1143, 1213), (1827, 1887)]
    assert codes(findings) == ["annotation_repaired"]
    text = TEXT.format(name="PN12-1.2.edf") + "Seizure n 2\nFile name: PN12-1.2.edf\n"
    text += "Seizure start time: 20.10.00\nSeizure end time: 20.11.00\n"
    events, findings = read(tmp_path, text, name="PN12-1.2.edf")
    assert (events, codes(findings)) == ([(1143, 1213), (1827, 1887)], [])


@pytest.mark.parametrize("written", ["PNO0-1.edf", "PN00-1", "pn00-1.EDF", "PN00-.edf", "PN00.edf"])
def test_a_misspelt_name_is_matched_and_told(tmp_path, written):
    """The corpus has PNO6 (a letter) for PN06, PN11-.edf for PN11-1.edf, PN01.edf for PN01-1.edf."""
    events, findings = read(tmp_path, TEXT.format(name=written))
    assert (events, codes(findings)) == ([(1143, 1213)], ["annotation_repaired"])


def test_a_name_that_could_mean_two_files_means_none(tmp_path):
    events, findings = read(tmp_path, TEXT.format(name="PN00.edf"), others=["PN00-2.edf"])
    assert (events, codes(findings)) == (None, ["annotation_missing"])
    assert read(tmp_path, TEXT.format(name="PN00-2.edf"), others=["PN00-2.edf"])[0] is None  # another file's name


def test_a_file_that_the_list_does_not_name_has_no_labels(tmp_path):
    assert read(tmp_path, TEXT.format(name="PN00-7.edf"))[0] is None
    assert read(tmp_path, "Seizure n 1\nFile name: PN00-1.edf\n" + START)[0] is None  # never free of them by silence
    (tmp_path / "PN00/Seizures-list-PN00.txt").unlink()
    (files,) = find(tmp_path, "auto")
    findings = Findings()
    assert read_events(tmp_path, files, 2605.0, findings) is None
    assert codes(findings) == ["annotation_missing"]


def test_a_name_lost_between_two_blocks_does_not_give_its_seizure_to_another(tmp_path):
    text = TEXT.format(name="PN00-1.edf") + TEXT.format(name="PN00-2.edf").replace("File name: PN00-2.edf", "").replace(
        "19.39.33", "10.39.33"
    )
    assert refused(tmp_path, text).code == "annotation_invalid"


SECOND = TEXT.format(name="PN00-2.edf").replace("19.58", "20.10").replace("19.59", "20.11")
LOST_NAMES = ["Flie name: PN00-2.edf", "File name PN00-2.edf", "PN00-2.edf", "Fil name : PN00-2.EDF"]


@pytest.mark.parametrize("line", LOST_NAMES)
@pytest.mark.parametrize("registered", [True, False])
def test_a_misread_name_gives_its_seizures_to_no_other_file(tmp_path, line, registered):
    """Registrations are equal: only the name tells the two files apart."""
    second = SECOND.replace("File name: PN00-2.edf", line).replace("" if registered else START, "")
    text = TEXT.format(name="PN00-1.edf") + second
    assert read(tmp_path, text, others=["PN00-2.edf"])[0] == [(1143, 1213)]
    if not line.endswith("EDF"):
        assert refused(tmp_path, text, name="PN00-2.edf").code == "annotation_invalid"


@pytest.mark.parametrize("line", ["Flie name: PN00-1.edf", "File name PN00-1.edf", "Filename", "File name: ", ""])
def test_a_misread_name_of_the_same_file_or_of_none_leaves_it_out(tmp_path, line):
    """A second seizure of the file would else be its background."""
    text = TEXT.format(name="PN00-1.edf") + SECOND.replace("File name: PN00-2.edf", line)
    assert refused(tmp_path, text).code == "annotation_invalid"


@pytest.mark.parametrize("key", ["Seizure start time", "Start time"])
@pytest.mark.parametrize("first_title", ["before", "after"])
def test_T38_a_title_with_times_and_no_name_shares_the_registration_before_it(tmp_path, key, first_title):
    """By whatever key, and whether the first title stands before the name or after the registration."""
    second = SECOND.replace("File name: PN00-2.edf\n" + START, "")
    text = TEXT.format(name="PN00-1.edf") + second
    if first_title == "after":
        text = text.removeprefix("Seizure n 1\n").replace(START, START + "\nSeizure n 1\n", 1)
    if key == "Start time":
        text = text.replace("Seizure start", "Start").replace("Seizure end", "End")
    events, findings = read(tmp_path, text)
    assert (events, codes(findings)) == ([(1143, 1213), (1863, 1933)], [])


def test_a_title_with_a_registration_and_no_name_leaves_the_file_before_out(tmp_path):
    for lines in (START, START.splitlines()[0] + "\n", START.splitlines()[1] + "\n"):
        second = SECOND.replace("File name: PN00-2.edf\n" + START, lines)
        assert refused(tmp_path, TEXT.format(name="PN00-1.edf") + second).code == "annotation_invalid"
    untitled = SECOND.replace("File name: PN00-2.edf\n", "").replace("Seizure n 1\n", "")
    assert "registration without" in refused(tmp_path, TEXT.format(name="PN00-1.edf") + untitled).message


@pytest.mark.parametrize("name", ["PN00.edf", "pn00-1.edf", "PNOO-1.edf"])
def test_further_seizures_under_a_doubtful_name_leave_the_file_out(tmp_path, name):
    text = TEXT.format(name="PN00-1.edf") + SECOND.replace("PN00-2.edf", name)
    assert "may be this file's" in refused(tmp_path, text, others=["PN00-2.edf"]).message
    assert read(tmp_path, text.replace(name, "PN00-7.edf"))[0] == [(1143, 1213)]  # of a file that is not here


@pytest.mark.parametrize(
    "lines",
    [
        "Seizure start: 20.10.10\nSeizure end: 20.10.40\n", "Onset 20:10:10\nOffset 20:10:40\n",
        "Seizure onset: 20.1.10\n", "from 20.10.10 to 20.10.40\n",
    ],
)  # fmt: skip
def test_a_clock_under_no_known_key_leaves_the_recording_out(tmp_path, lines):
    text = TEXT.format(name="PN00-1.edf") + "Seizure n 2\n" + lines
    assert "no known key" in refused(tmp_path, text).message


def test_a_time_word_without_a_clock_leaves_the_recording_out(tmp_path):
    assert "no known key" in refused(tmp_path, TEXT.format(name="PN00-1.edf") + "Time of onset 1990 s\n").message


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("Total time of the recordings: 15 hours", True), ("Recording time 3 days", True), ("Seizures: 2", True),
        ("Total seizure time: 15 min", False), ("Start 19.58.36", False), ("Time of onset 19:58:36", False),
    ],
)  # fmt: skip
def test_a_preamble_with_a_time_that_is_no_seizures(tmp_path, line, fits):
    """Before the first title or name only a clock, or the word, speaks of a seizure; after it every time does."""
    text = TEXT.format(name="PN00-1.edf")
    if fits:
        assert read(tmp_path, f"PN00\n{line}\n\n{text}")[0] == [(1143, 1213)]
    else:
        assert "any file" in refused(tmp_path, f"PN00\n{line}\n\n{text}").message
    if "time" in line.lower():
        assert "no known key" in refused(tmp_path, f"Seizure n 1\n{line}\n\n{text}").message
        assert "no known key" in refused(tmp_path, f"{text}{line}\n").message


def test_row13_a_seizure_without_length_is_dropped_beside_another(tmp_path):
    second = SECOND.replace("PN00-2", "PN00-1").replace("20.11.46", "20.10.36")
    events, findings = read(tmp_path, TEXT.format(name="PN00-1.edf") + second)
    assert (events, codes(findings)) == ([(1143, 1213)], ["annotation_invalid"])


def test_times_before_the_first_name_leave_every_file_of_the_list_out(tmp_path):
    text = TEXT.format(name="PN00-9.edf").replace("File name: PN00-9.edf\n", "") + TEXT.format(name="PN00-1.edf")
    assert "any file" in refused(tmp_path, text, others=["PN00-2.edf"]).message
    assert refused(tmp_path, text, name="PN00-2.edf").code == "annotation_invalid"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8-sig", b""), ("utf-16", b""), ("utf-16-be", b"\xfe\xff"), ("utf-16-be", b""), ("utf-16-le", b""),
        ("latin-1", b""), ("latin-1", b"\xef\xbb\xbf"),
    ],
)  # fmt: skip
def test_a_byte_order_mark_hides_no_name(tmp_path, encoding, mark):
    text = TEXT.format(name="PN00-1.edf").replace("Seizure n 1\n", "") + SECOND + "Sommeil l\u00e9ger\n"
    assert read(tmp_path, mark + text.encode(encoding), others=["PN00-2.edf"])[0] == [(1143, 1213)]


@pytest.mark.parametrize("listed", ["seizures-list-PN00.txt", "Seizures-list-PN00.TXT", "SEIZURES-LIST-pn00.txt"])
def test_the_list_is_found_in_any_case(tmp_path, listed):
    write(tmp_path, "PN00/PN00-1.edf")
    write(tmp_path, f"PN00/{listed}", TEXT.format(name="PN00-1.edf"))
    (files,) = find(tmp_path, "auto")
    assert [event.onset_s for event in read_events(tmp_path, files, 2605.0, Findings())] == [1143]


def test_row13_the_only_seizure_without_length_leaves_the_recording_out(tmp_path):
    text = TEXT.format(name="PN00-1.edf").replace("19.59.46", "19.58.36")
    assert refused(tmp_path, text).code == "annotation_invalid"


def test_T39_the_data_may_be_longer_than_the_registration(tmp_path):
    """By 20 s in PN00-1, -2, -4, -5; the onsets still fit."""
    text = TEXT.format(name="PN00-1.edf")
    events, findings = read(tmp_path, text, duration_s=2625.0)
    assert (events, codes(findings)) == ([(1143, 1213)], ["duration_disagrees"])
    assert next(iter(findings)).severity == "warn"
    assert codes(read(tmp_path, text, duration_s=2605.5)[1]) == []


def test_times_of_day_do_not_reach_beyond_a_day(tmp_path):
    assert refused(tmp_path, TEXT.format(name="PN00-1.edf"), duration_s=90_000.0).code == "annotation_invalid"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("patient_id, age_years, gender\nPN00,55,Male\n", []),
        (" patient_id, age_years\n PN00 ,55\n", []),
        ("patient_id, age_years\nPN07,55\n", ["patient_unlisted"]),
        ("age_years\n55\n", ["patient_unlisted"]),
    ],
)
def test_T40_column_names_have_leading_blanks(tmp_path, content, expected):
    write(tmp_path, "subject_info.csv", content)
    assert codes(read(tmp_path, TEXT.format(name="PN00-1.edf"))[1]) == expected


@real
def test_T37_T38_T39_the_real_lists(tmp_path):
    """The same four seizures as in SOURCES.md; PN00-3 and its hour are refused."""
    text = (REAL / "headers_whitenoise/Seizures-list-PN00.txt").read_bytes()
    info = (REAL / "headers_whitenoise/subject_info.csv").read_bytes()
    write(tmp_path, "subject_info.csv", info)
    expected = {1: (2625, 1143, 1213), 2: (2302, 1220, 1274), 4: (2102, 1006, 1080), 5: (2143, 904, 971)}
    for number, (duration_s, onset_s, offset_s) in expected.items():
        events, findings = read(tmp_path, text, name=f"PN00-{number}.edf", duration_s=float(duration_s))
        assert (events, codes(findings)) == ([(onset_s, offset_s)], ["duration_disagrees"])  # 20 s longer
    assert refused(tmp_path, text, name="PN00-3.edf").code == "seizure_implausible"
    text = (REAL / "headers_whitenoise/Seizures-list-PN16.txt").read_bytes()
    for name, onset_s in (("PN16-1.edf", 7184), ("PN16-2.edf", 8574)):
        assert read(tmp_path, text, name=name, duration_s=9300.0)[0][0][0] == onset_s


@real
@pytest.mark.parametrize("name", ["PN00-5_sample", "PN16-1"])
def test_the_real_headers_have_the_19_electrodes(name):
    header = read_header(REAL / f"headers_whitenoise/{name}.edf", Findings())
    found = [electrode_of(signal.label) for signal in header.signals]
    assert [electrode for electrode in ELECTRODES if found.count(electrode) != 1] == []


WORDS = st.sampled_from(
    ["File name:", "PN00-1.edf", "Registration start time:", "Seizure start time:", "Seizure end time:", "time",
     "Start", "19.39.33", "1 9.39.33", ":", "99.99.99", " ", "Seizure n 1", "٣.٣.٣"]
)  # fmt: skip


@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=30), st.sampled_from(["\n", " ", "\r\n"]))
def test_any_list_gives_events_nothing_or_a_typed_error(tmp_path_factory, words, mark):
    text = mark.join(["File name: PN00-1.edf\n", *words]).encode("utf-8", "replace")
    try:
        events, findings = read(tmp_path_factory.getbasetemp() / "any", text)
    except Rejected:
        return
    assert events is not None or "annotation_missing" in codes(findings)
    assert all(0 <= start < stop <= 2605 for start, stop in events or [])


def test_a_line_of_a_megabyte_costs_no_time(tmp_path):
    begin = time.thread_time()
    for line in (b"Seizure" + b" " * 10**6, b"time " * 200_000, b"Registration start time" + b" " * 10**6):
        assert read(tmp_path, TEXT.format(name="PN00-1.edf").encode() + line)[0] == [(1143, 1213)]
    assert time.thread_time() - begin < 5
