"""CHB-MIT trees, summaries and WFDB annotations; the number of the trap (formats.md) stands in the test's name."""

import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpora._wfdb import WfdbError, read_wfdb
from pipeline.corpora.chbmit import find, read_events
from pipeline.corpora.shards import deal
from pipeline.findings import CorpusError, Findings, Rejected
from pipeline.settings.corpora import SplitSettings

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real-eeg" / "headers_whitenoise"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder real-eeg is not beside the repository")
HOUR_S = 3600.0


def word(code, value=0):
    return (code << 10 | value).to_bytes(2, "little")


def wfdb(spans, rate_hz=256, note=True):
    """Bytes of an annotation file, written the slow way: every time as a SKIP."""
    text = f"## time resolution: {rate_hz}".encode()
    parts = [word(22) + word(63, len(text)) + text + b"\0" * (len(text) % 2)] if note else []
    last = 0
    for sample, code in [edge for a, b in spans for edge in ((round(a * rate_hz), 32), (round(b * rate_hz), 33))]:
        step = (sample - last) & 0xFFFFFFFF
        parts += [word(59), (step >> 16).to_bytes(2, "little"), (step & 0xFFFF).to_bytes(2, "little"), word(code)]
        last = sample
    return b"".join(parts) + b"\0\0"


def block(name, spans, spelling="Seizure {n} {edge} Time: {t} seconds", count=None):
    lines = [f"File Name: {name}", "File Start Time: 26:03:11", "File End Time: 7:3:11"]
    lines += [f"Number of Seizures in File: {len(spans) if count is None else count}"]
    for n, (start, stop) in enumerate(spans, start=1):
        lines += [spelling.format(n=n, edge="Start", t=start), spelling.format(n=n, edge="End", t=stop)]
    return "\n".join(lines) + "\n\n"


def write(root, path, content=b""):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def read(root, *, name="chb05_06", duration_s=HOUR_S, summary=None, binary=None, records=None, with_seizures=None):
    case = name[:5]
    write(root, f"{case}/{name}.edf")
    for path, content in {
        f"{case}/{case}-summary.txt": summary, f"{case}/{name}.edf.seizures": binary,
        "RECORDS": records, "RECORDS-WITH-SEIZURES": with_seizures,
    }.items():  # fmt: skip
        if content is not None:
            write(root, path, content)
    files = next(files for files in find(root, "auto") if files.edf.endswith(f"{name}.edf"))
    findings = Findings()
    events = read_events(root, files, duration_s, findings)
    return events, [finding.code for finding in findings]


def spans(events):
    return [(event.onset_s, event.offset_s) for event in events]


def test_names(tmp_path):
    for path in ("chb01/chb01_01.edf", "chb02/chb02_16.edf", "chb02/chb02_16+.edf", "chb17/chb17a_03.edf"):
        write(tmp_path, path)
    found = {files.edf: files for files in find(tmp_path, "1.0.0")}
    assert [files.patient for files in found.values()] == ["chb01", "chb02", "chb02", "chb17"]
    assert len({files.recording for files in found.values()}) == 4  # `+` is not lost
    assert found["chb17/chb17a_03.edf"].recording == "chb17a_03"
    assert [files.edf for files in find(tmp_path / "chb17", "auto")] == ["chb17a_03.edf"]  # one case alone


@pytest.mark.parametrize("path", ["chb01/chb02_01.edf", "chb01/a.edf", "chb01/more/chb01_01.edf", "chb01_01x.edf"])
def test_an_edf_that_fits_nowhere_is_an_error(tmp_path, path):
    write(tmp_path, path)
    with pytest.raises(CorpusError, match="reader: folder"):
        find(tmp_path, "auto")
    with pytest.raises(CorpusError, match="known are"):
        find(tmp_path, "v1")


def test_the_case_without_a_subject_entry_is_a_patient(tmp_path):
    """SUBJECT-INFO ends with chb23; nothing but its ids would be of use, and it is not opened."""
    write(tmp_path, "chb24/chb24_01.edf")
    write(tmp_path, "SUBJECT-INFO", "Case\tGender\tAge (years)\nchb01\tF\t11\n")
    (files,) = find(tmp_path, "auto")
    assert (files.patient, files.annotations) == ("chb24", ())


@pytest.mark.parametrize("spelling", ["Seizure {edge} Time: {t} seconds", "Seizure {n} {edge} Time:   {t} seconds",
                                      "Seizure{n}{edge} Time:{t}"])  # fmt: skip
def test_T33_both_spellings_and_irregular_blanks(tmp_path, spelling):
    text = block("chb05_01.edf", []) + block("chb05_06.edf", [(400, 520), (1200, 1230)], spelling)
    text += block("chb05_07.edf", [(1, 2)])
    events, codes = read(tmp_path, summary=text.replace("\n", "\r\n"))
    assert spans(events) == [(400, 520), (1200, 1230)]
    assert {event.code for event in events} == {"seiz"}
    assert codes == ["annotation_missing"]  # no .seizures: told, not silent


def test_a_count_of_five_thousand_digits_leaves_the_recording_out(tmp_path):
    """Python refuses to turn so many digits into a number."""
    text = block("chb05_06.edf", [(400, 500)], count="9" * 5000)
    with pytest.raises(Rejected):
        read(tmp_path, summary=text)


def test_T33_files_without_times_of_day(tmp_path):
    lines = [line for line in block("chb24_01.edf", [(480, 505)]).splitlines() if "File Start" not in line]
    text = "\n".join(line for line in lines if "File End" not in line)
    assert spans(read(tmp_path, name="chb24_01", summary=text)[0]) == [(480, 505)]


def test_T32_a_change_of_channels_does_not_disturb_the_summary(tmp_path):
    change = "Channels changed:\n*****\nChannel 1: F7\nChannel 2: -\n\n"
    text = block("chb05_01.edf", []) + change + block("chb05_06.edf", [(417, 532)]) + change
    assert spans(read(tmp_path, summary=text)[0]) == [(417, 532)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (block("chb05_06.edf", [(400, 520)], count=2), "says 2 seizures and has the times of 1"),
        (block("chb05_06.edf", [(400, 520)]).replace("1 End Time", "1 Start Time"), "do not alternate"),
        (block("chb05_06.edf", [(400, 520)]).replace("520", "unknown"), "line 6 gives no time in seconds"),
        ("File Name: chb05_06.edf\n", "no number of seizures"),
    ],
)
def test_a_summary_that_cannot_be_read_leaves_the_recording_out(tmp_path, text, said):
    with pytest.raises(Rejected, match=said) as caught:
        read(tmp_path, summary=text)
    assert caught.value.finding.code == "annotation_invalid"
    events, codes = read(tmp_path, summary=text, binary=wfdb([(400, 520)]))  # the other file has the times
    assert spans(events) == [(400, 520)]
    assert codes == ["annotation_invalid"]


TIMES = [
    "00:10:05",
    "10 minutes",
    "1,200 seconds",
    "400:00 seconds",
    "400 seconds ago",
    "4e2",
    "-400 seconds",
    "",
    "400.",
]


@pytest.mark.parametrize("written", TIMES)
@pytest.mark.parametrize("edge", ["Start", "End"])
def test_T33_a_time_that_is_no_number_of_seconds_is_not_read_in_part(tmp_path, written, edge):
    text = block("chb05_06.edf", [(400, 520)])
    t = {"Start": 400, "End": 520}[edge]
    with pytest.raises(Rejected, match="gives no time in seconds"):
        read(tmp_path, summary=text.replace(f"{edge} Time: {t} seconds", f"{edge} Time: {written}"))


@pytest.mark.parametrize("unit", ["", "s", " s", " sec", " secs", " second", " seconds ", " seconds.", " sec. "])
def test_T33_seconds_by_any_name_and_with_decimals(tmp_path, unit):
    text = block("chb05_06.edf", [(400.5, 520)], "Seizure {edge} Time: {t}" + unit)
    assert spans(read(tmp_path, summary=text)[0]) == [(400.5, 520)]


@pytest.mark.parametrize("span", [(400, 400), (520, 400), (3600, 3600.5)])
@pytest.mark.parametrize("source", ["summary", "binary"])
def test_row13_a_stated_seizure_never_ends_as_no_seizure(tmp_path, span, source):
    """Zero or negative length, or just outside: the recording is left out, and not free of seizures."""
    made = {"summary": block("chb05_06.edf", [span]), "binary": wfdb([span])}
    with pytest.raises(Rejected) as caught:
        read(tmp_path, **{source: made[source]})
    assert caught.value.finding.code == "annotation_invalid"


@pytest.mark.parametrize("span", [(400, 400), (520, 400)])
def test_row13_a_seizure_that_ends_before_it_starts_is_dropped_beside_another(tmp_path, span):
    """As in every reader: row 13 drops a span whose edges cannot be, with a finding that names its line."""
    events, codes = read(tmp_path, summary=block("chb05_06.edf", [(5, 9), span]))
    assert spans(events) == [(5, 9)]
    assert codes == ["annotation_invalid", "annotation_missing"]


@pytest.mark.parametrize("line", ["Flie Name: chb05_07.edf", "File Name chb05_07.edf", "Filname: x", "chb05_07.edf"])
def test_a_misread_name_gives_its_seizures_to_no_other_file(tmp_path, line):
    text = block("chb05_06.edf", []) + block("chb05_07.edf", [(5, 9)]).replace("File Name: chb05_07.edf", line)
    assert read(tmp_path, summary=text) == ([], [])
    if "chb05_07" not in line:  # nothing names it: nobody knows
        assert read(tmp_path, name="chb05_07", summary=text) == (None, ["annotation_missing"])
    else:
        with pytest.raises(Rejected, match="line 6 names the file, and is no `File Name:`"):
            read(tmp_path, name="chb05_07", summary=text)


@pytest.mark.parametrize("line", ["Flie Name: chb05_06.edf", "Name = CHB05_06.EDF", ""])
def test_a_second_block_that_is_misread_leaves_the_file_out(tmp_path, line):
    """The name of the file itself under a lost key, or a number of seizures under no name at all."""
    text = block("chb05_06.edf", []) + block("x", [(5, 9)]).replace("File Name: x", line)
    with pytest.raises(Rejected):
        read(tmp_path, summary=text)


def test_filename_in_one_word_is_a_name(tmp_path):
    text = block("chb05_07.edf", []) + block("chb05_06.edf", [(5, 9)]).replace("File Name", "Filename")
    assert spans(read(tmp_path, summary=text)[0]) == [(5, 9)]


def renamed(text, old, new):
    return text.replace(f"File Name: {old}", new)


FIRST, SECOND = block("chb05_06.edf", [(5, 9)]), block("chb05_07.edf", [(20, 30)]).replace("26:03:11", "27:13:20")
LOST = ["File Name: chb05_06.edf", "chb05_07", "File: chb05_07"]  # the second name: mistyped, bare, under another key


@pytest.mark.parametrize("line", LOST)
@pytest.mark.parametrize("counts", [(1, 1), (0, 1), (1, 0)])
def test_two_files_under_one_name_leave_both_out(tmp_path, line, counts):
    """What stands second is another file's, and which is unknown: neither seizure is given to the first file."""
    parts = [made if count else block(name, []).replace("26:03:11", clock)
             for made, count, name, clock in [(FIRST, counts[0], "chb05_06.edf", "26:03:11"),
                                              (SECOND, counts[1], "chb05_07.edf", "27:13:20")]]  # fmt: skip
    text = parts[0] + renamed(parts[1], "chb05_07.edf", line)
    lists = {"records": "chb05/chb05_06.edf\nchb05/chb05_07.edf\n", "with_seizures": ""}
    with pytest.raises(Rejected, match="another start time for the same file name"):
        read(tmp_path / "a", summary=text)
    with pytest.raises(Rejected, match=r"seizures under 'chb05_06\.edf', which may be this file's"):
        read(tmp_path / "b", name="chb05_07", summary=text, **lists)
    binary = wfdb([(5, 9)])
    assert spans(read(tmp_path / "c", summary=text, binary=binary)[0]) == [(5, 9)]


def test_one_name_twice_with_one_start_time_is_one_file(tmp_path):
    """Leading zeros aside; without a start time there is nothing to compare."""
    again = FIRST.replace("26:03:11", "26:3:11").replace("Time: 5", "Time: 20").replace("Time: 9", "Time: 30")
    assert spans(read(tmp_path, summary=FIRST + again)[0]) == [(5, 9), (20, 30)]
    bare = "\n".join(line for line in again.splitlines() if "File Start" not in line)
    assert spans(read(tmp_path, summary=FIRST + bare)[0]) == [(5, 9), (20, 30)]


NAMES = ["chb05_07", "chb05_07 .edf", "chb5_07.edf", "chb05_7.edf", "CHB05_07.EDF"]


@pytest.mark.parametrize("written", [*NAMES, "chb05_70.edf", "x.edf", "chb06_07.edf"])
def test_seizures_under_a_name_that_no_edf_bears_are_not_no_seizure(tmp_path, written):
    """RECORDS has the file and RECORDS-WITH-SEIZURES has not: that is not enough against a summary that may mean it."""
    text = FIRST + renamed(SECOND, "chb05_07.edf", f"File Name: {written}")
    lists = {"records": "chb05/chb05_06.edf\nchb05/chb05_07.edf\nchb05/chb05_08.edf\n", "with_seizures": ""}
    with pytest.raises(Rejected, match="which may be this file's"):
        read(tmp_path, name="chb05_07", summary=text, **lists)
    assert spans(read(tmp_path, summary=text, **lists)[0]) == [(5, 9)]
    if written in NAMES:  # plainly chb05_07's
        assert read(tmp_path, name="chb05_08", summary=text, **lists) == ([], [])
    else:
        with pytest.raises(Rejected, match="which may be this file's"):
            read(tmp_path, name="chb05_08", summary=text, **lists)


@pytest.mark.parametrize("written", ["chb05_06", "chb05_06 .edf", "chb5_6.edf"])
def test_further_seizures_under_a_misspelt_name_leave_the_file_out(tmp_path, written):
    text = FIRST + renamed(SECOND, "chb05_07.edf", f"File Name: {written}")
    with pytest.raises(Rejected, match="which may be this file's"):
        read(tmp_path, summary=text)
    assert spans(read(tmp_path, summary=text, binary=wfdb([(5, 9)]))[0]) == [(5, 9)]


def test_seizures_of_a_file_that_is_not_here_are_of_no_other(tmp_path):
    lists = {"records": "chb05/chb05_06.edf\nchb05/chb05_07.edf\nchb05/chb05_08.edf\n", "with_seizures": ""}
    assert read(tmp_path, name="chb05_08", summary=FIRST + SECOND, **lists) == ([], [])


@pytest.mark.parametrize("line", ["(sleep, 5 secs of artefact)", "A seizure from 5 to 9 s", "From 5 sec to 9 sec",
                                  "Siezure Start Time: 5 seconds"])  # fmt: skip
def test_a_seizure_line_in_other_words_is_not_passed_over(tmp_path, line):
    with pytest.raises(Rejected, match="line 5 gives no time"):
        read(tmp_path, summary=block("chb05_06.edf", []).rstrip() + f"\n{line}\n")


@real
def test_T33_the_real_summaries(tmp_path):
    """chb05 has `Seizure Start Time`, chb08 `Seizure 1 Start Time`."""
    for case, name, expected in (("chb05", "chb05_06", (417, 532)), ("chb08", "chb08_05", (2856, 3046))):
        text = (REAL / f"{case}-summary.txt").read_bytes()
        assert spans(read(tmp_path / case, name=name, summary=text)[0]) == [expected]
    assert read(tmp_path / "chb08", name="chb08_03", summary=text) == ([], [])


@real
def test_T34_the_real_annotation():
    found = read_wfdb((REAL / "chb06_04.edf.seizures").read_bytes())
    assert found.rate_hz == 256
    assert found.spans_s() == [(327, 347), (6211, 6231)]


@given(
    st.lists(st.integers(1, 2**24), min_size=0, max_size=12).map(lambda steps: steps[: len(steps) // 2 * 2]),
    st.sampled_from([128, 256, 512]),
)
def test_T34_any_times_come_back(steps, rate_hz):
    edges = [sum(steps[: i + 1]) / rate_hz for i in range(len(steps))]
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    assert read_wfdb(wfdb(pairs, rate_hz)).spans_s() == pairs


def test_T34_short_times_and_no_note_of_the_resolution():
    """Under 1024 samples the time stands beside the code; without a note it is 256 per second."""
    assert read_wfdb(word(32, 512) + word(33, 256) + b"\0\0").spans_s() == [(2, 3)]
    assert read_wfdb(wfdb([(2, 3)], note=False)).spans_s() == [(2, 3)]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0", wfdb([(1, 2)])[:-2], wfdb([(1, 2)])[:-5], wfdb([(1, 2)])[:9], wfdb([(1, 2)]) + b"x\0",
        word(32, 5) + b"\0\0", word(33, 5) + b"\0\0", word(32, 5) + word(32, 5) + b"\0\0", wfdb([(-3, 2)]),
        word(63, 22) + b"## time resolution: 00" + b"\0\0",
    ],
)  # fmt: skip
def test_T34_bytes_are_read_strictly(content):
    with pytest.raises(WfdbError):
        read_wfdb(content).spans_s()


@given(st.binary(max_size=300))
def test_T34_any_bytes_give_spans_or_a_typed_error(content):
    try:
        found = read_wfdb(content).spans_s()
    except WfdbError:
        return
    assert all(0 <= edge < 2**31 * 100 for span in found for edge in span)


def test_two_sources_that_differ_by_over_a_second_are_told(tmp_path):
    events, codes = read(tmp_path, summary=block("chb05_06.edf", [(400, 520)]), binary=wfdb([(400.5, 520)]))
    assert (spans(events), codes) == ([(400.5, 520)], [])
    events, codes = read(tmp_path, summary=block("chb05_06.edf", [(400, 520)]), binary=wfdb([(402, 520)]))
    assert (spans(events), codes) == ([(402, 520)], ["annotation_disagrees"])


def test_free_of_seizures_only_where_something_says_so(tmp_path):
    assert read(tmp_path / "a") == (None, ["annotation_missing"])
    assert read(tmp_path / "b", summary=block("chb05_01.edf", [])) == (None, ["annotation_missing"])
    assert read(tmp_path / "c", summary=block("chb05_06.edf", [])) == ([], [])
    lists = {"records": "chb05/chb05_06.edf\n", "with_seizures": "chb01/chb01_03.edf\n"}
    assert read(tmp_path / "d", **lists) == ([], [])
    assert read(tmp_path / "e", records="chb05/chb05_01.edf\n", with_seizures="") == (None, ["annotation_missing"])


LISTED = {"records": "chb05/chb05_06.edf\n", "with_seizures": "chb05/chb05_06.edf\n"}


@pytest.mark.parametrize(
    ("sources", "code"),
    [
        (LISTED, "annotation_missing"),
        ({**LISTED, "summary": block("chb05_06.edf", [])}, "annotation_disagrees"),
        ({"summary": block("chb05_06.edf", []), "binary": wfdb([(1, 20)])}, "annotation_disagrees"),
        ({"summary": block("chb05_06.edf", [(1, 20)]), "binary": wfdb([])}, "annotation_disagrees"),
        ({"summary": block("chb05_06.edf", []), "binary": b"\0"}, "annotation_disagrees"),
        ({"binary": b"\0"}, "annotation_invalid"),
        ({"summary": block("chb05_06.edf", [(3500, 3900)])}, "annotation_outside"),
    ],
)
def test_a_contradiction_leaves_the_recording_out(tmp_path, sources, code):
    with (
        pytest.raises(Rejected, match="chb05_06") if code != "annotation_outside" else pytest.raises(Rejected) as caught
    ):
        read(tmp_path, **sources)
    assert (caught.value.finding.code, caught.value.finding.severity) == (code, "error")


def test_a_seizure_that_the_list_does_not_have_is_told(tmp_path):
    lists = {"records": "chb05/chb05_06.edf\n", "with_seizures": ""}
    sources = {"summary": block("chb05_06.edf", [(1, 20)]), "binary": wfdb([(1, 20)])}
    assert read(tmp_path, **lists, **sources)[1] == ["annotation_disagrees"]


def test_T35_chb21_is_chb01(tmp_path):
    for path in ("chb01/chb01_01.edf", "chb21/chb21_01.edf", "chb02/chb02_01.edf"):
        write(tmp_path, path)
    found = {files.recording: files.patient for files in find(tmp_path, "auto")}
    assert found == {"chb01_01": "chb01", "chb21_01": "chb01", "chb02_01": "chb02"}


@pytest.mark.parametrize("seed", range(20))
def test_T45_the_patient_and_not_the_case_is_dealt_into_a_split(tmp_path, seed):
    """The alias table comes first: the girl of two cases is in one split and one shard, whatever the seed."""
    for case in range(1, 25):
        write(tmp_path, f"chb{case:02d}/chb{case:02d}_01.edf")
    found = find(tmp_path, "auto")
    assert len({files.patient for files in found}) == 23
    splits = SplitSettings(source="hash", official={}, validation_share=0.2, test_share=0.3, file=None, seed=seed)
    dealt, _ = deal(found, splits, {"train": 4, "validation": 4, "test": 4}, "chbmit")
    shards = {files.recording: shard for shard, own in dealt.items() for files in own}
    assert shards["chb21_01"] == shards["chb01_01"]
    assert len(shards) == 24


WORDS = st.sampled_from(
    ["File Name: chb05_06.edf", "Number of Seizures in File: 1", "Seizure Start Time: 5 seconds", "Seizure End Time: 9",
     "Seizure 1 End Time:", "Seizure", "Channels changed:", "File Name: x.edf", "9" * 400]
)  # fmt: skip


@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=20), st.binary(max_size=40) | st.none())
def test_any_files_give_events_nothing_or_a_typed_error(tmp_path_factory, lines, binary):
    root = tmp_path_factory.mktemp("any")
    try:
        events, codes = read(root, summary="\n".join(lines).encode("utf-8", "replace"), binary=binary)
    except Rejected:
        return
    assert events is not None or codes == ["annotation_missing"]
    assert all(0 <= start < stop <= HOUR_S for start, stop in spans(events or []))


def test_a_line_of_a_megabyte_costs_no_time(tmp_path):
    begin = time.thread_time()
    text = block("chb05_06.edf", [(400, 520)]) + "File Name: chb05_07.edf\n"
    for line in ("Seizure" + " " * 10**6, "Seizure" + "1" * 10**6, "Number of" + " " * 10**6):
        assert spans(read(tmp_path, summary=text + line)[0]) == [(400, 520)]
        with pytest.raises(Rejected) if line.startswith("Seizure") else nullcontext():
            read(tmp_path, summary=block("chb05_06.edf", [(400, 520)]) + line)
    assert time.thread_time() - begin < 5
