"""Rows of annotation files that cannot be, or that overlap (faults.md, rows 13-15), in every format that has them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clips import cut_clips
from pipeline.corpora import folder, tusz
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import Findings, Rejected
from pipeline.settings.clips import ClipCompat, ClipSettings

DURATION_S = 200.0
FORMATS = ("tse", "csv", "tsv")
RULES = ClipSettings(before_onset_s=2, forecast_s=12)
HALF_OPEN = ClipCompat(label_edge="half_open", clip_start_offset=False)


def text_of(kind, rows):
    """Rows (start, stop, code) as a `.tse`, a `.csv` (one channel) or an events table, in the order given.

    Those of TUSZ end with a row of background: a `.tse` covers its recording, and a `.csv` is never without a row.
    """
    if kind == "tse":
        lines = [f"{a} {b} {code} 1.0000\n" for a, b, code in [*rows, (0.0, DURATION_S, "bckg")]]
        return "version = tse_v1.0.0\n\n" + "".join(lines)
    if kind == "csv":
        head = "# version = csv_v1.0.0\n#\nchannel,start_time,stop_time,label,confidence\n"
        return head + "".join(f"F7-T3,{a},{b},{code},1.0000\n" for a, b, code in [*rows, (0.0, DURATION_S, "bckg")])
    head = "onset\tduration\teventType\n"
    return head + "".join(f"{a}\t{float(b) - float(a)!r}\t{code}\n" for a, b, code in rows)


def read(tmp_path, kind, rows, *, duration_s=DURATION_S):
    """File-level events (onset, offset, code) of a recording annotated with `rows`, and the findings' codes."""
    (tmp_path / f"r.{kind}").write_text(text_of(kind, rows))
    reader = folder if kind == "tsv" else tusz
    files = RecordingFiles(recording="r", patient="p", session="", montage="", edf="r.edf", annotations=(f"r.{kind}",))
    findings = Findings()
    events = reader.read_events(tmp_path, files, duration_s, findings)
    whole = [(event.onset_s, event.offset_s, event.code) for event in events or [] if event.channel == "TERM"]
    return whole, [finding.code for finding in findings if finding.code != "duration_disagrees"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("row", "expected", "code"),
    [
        ((-3.0, 40.0, "fnsz"), (0.0, 40.0, "fnsz"), "annotation_clipped"),  # onset before the recording
        ((150.0, 203.0, "fnsz"), (150.0, 200.0, "fnsz"), "annotation_clipped"),  # past the end
        ((50.0, 50.0, "fnsz"), None, "annotation_invalid"),  # zero length
        ((60.0, 50.0, "fnsz"), None, "annotation_invalid"),  # end before start
        ((200.0, 200.5, "fnsz"), None, "annotation_outside"),
        ((-0.5, 0.0, "fnsz"), None, "annotation_outside"),
    ],
)
def test_row13_clipped_or_dropped_with_a_finding(tmp_path, kind, row, expected, code):
    kept = (100.0, 140.0, "gnsz")
    events, codes = read(tmp_path, kind, [row, kept])
    assert events == sorted([kept, *([expected] if expected else [])])
    assert codes == [code]


NO_NUMBERS = [("nan", "50.0"), ("50.0", "nan"), ("50.0", "inf"), ("-inf", "50.0"), ("x", "50.0")]


@pytest.mark.parametrize("kind", ["tse", "csv"])
@pytest.mark.parametrize("row", NO_NUMBERS)
def test_row13_times_that_are_no_numbers(tmp_path, kind, row):
    events, codes = read(tmp_path, kind, [(*row, "fnsz"), (100.0, 140.0, "gnsz")])
    assert events == [(100.0, 140.0, "gnsz")]
    assert codes == ["annotation_invalid"]


@pytest.mark.parametrize("line", ["x\t1\tsz", "1\tnan\tsz", "-inf\t5\tfnsz", "5\tn/a\tseizure", "5\t\tsz_foc"])
def test_row13_a_seizure_of_a_plain_folder_without_a_time_leaves_no_labels(tmp_path, line):
    """Row 13 drops spans that are bad; a seizure that is somewhere unknown would be labelled background."""
    (tmp_path / "r.tsv").write_text(f"onset\tduration\teventType\n{line}\n100\t40\tsz_gen\n")
    files = RecordingFiles(recording="r", patient="p", session="", montage="", edf="r.edf", annotations=("r.tsv",))
    findings = Findings()
    assert folder.read_events(tmp_path, files, 200.0, findings) is None
    assert [finding.code for finding in findings] == ["annotation_invalid", "annotation_missing"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("outside_s", "fits"), [(0.9, True), (2.0, True), (2.2, False), (150.0, False)])
def test_row13_more_than_a_twentieth_outside_is_another_recording(tmp_path, kind, outside_s, fits):
    """40 s annotated: 2 s outside are 4.8 %, 2.2 s are 5.2 %. Under a second nothing is concluded."""
    rows = [(160.0, 200.0 + outside_s, "fnsz")]
    if fits:
        assert read(tmp_path, kind, rows) == ([(160.0, 200.0, "fnsz")], ["annotation_clipped"])
        return
    with pytest.raises(Rejected) as caught:
        read(tmp_path, kind, rows)
    assert (caught.value.finding.code, caught.value.finding.severity) == ("annotation_outside", "error")


@pytest.mark.parametrize(("stated", "told"), [("200.90", False), ("199.10", False), ("201.10", True), ("61.00", True)])
def test_row13_durations_that_differ_by_more_than_a_second(tmp_path, stated, told):
    text = f"# duration = {stated} secs\nchannel,start_time,stop_time,label,confidence\nTERM,0.0,9.0,seiz,1.0\n"
    (tmp_path / "r.csv_bi").write_text(text)
    files = RecordingFiles(recording="r", patient="p", session="", montage="", edf="r.edf", annotations=("r.csv_bi",))
    findings = Findings()
    tusz.read_events(tmp_path, files, DURATION_S, findings)
    assert [finding.code for finding in findings] == (["duration_disagrees"] if told else [])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "rows",
    [
        [(10.0, 30.0, "fnsz"), (20.0, 50.0, "fnsz")],  # overlapping
        [(10.0, 50.0, "fnsz"), (20.0, 30.0, "fnsz")],  # nested
        [(40.0, 50.0, "fnsz"), (10.0, 42.0, "fnsz")],  # unsorted
        [(10.0, 50.0, "fnsz"), (10.0, 50.0, "fnsz")],  # twice
    ],
)
def test_row14_overlaps_of_one_type_are_one_seizure(tmp_path, kind, rows):
    events, codes = read(tmp_path, kind, rows)
    assert events == [(10.0, 50.0, "fnsz")]
    assert codes == ["annotation_overlap"]


@pytest.mark.parametrize("kind", FORMATS)
def test_row14_rows_that_touch(tmp_path, kind):
    """Two seizures where the format speaks of the whole recording; one where it speaks of channels (T16)."""
    events, codes = read(tmp_path, kind, [(30.0, 50.0, "fnsz"), (10.0, 30.0, "fnsz")])
    assert events == ([(10.0, 50.0, "fnsz")] if kind == "csv" else [(10.0, 30.0, "fnsz"), (30.0, 50.0, "fnsz")])
    assert codes == []


def test_row14_the_type_with_most_channel_seconds_names_overlapping_types(tmp_path):
    events, _ = read(tmp_path, "csv", [(10.0, 40.0, "fnsz"), (35.0, 80.0, "tcsz")])
    assert events == [(10.0, 80.0, "tcsz")]
    events, _ = read(tmp_path, "csv", [(10.0, 40.0, "tcsz"), (30.0, 60.0, "absz")])
    assert events == [(10.0, 60.0, "absz")]  # a tie goes by the alphabet


def positive_clips(events, *, task="detection", length_s=12, duration_s=DURATION_S, compat=HALF_OPEN):
    rate = 200
    segments = pd.DataFrame([{
        "recording": "r", "segment": "000", "start_s": 0.0, "duration_s": duration_s,
        "n_samples": int(duration_s * rate), "patient": "p", "session": "", "split": "train", "rate_hz": float(rate),
    }])  # fmt: skip
    columns = ["recording", "channel", "onset_s", "offset_s", "code"]
    seizures = pd.DataFrame([("r", "TERM", *event) for event in events], columns=columns)
    seizures = seizures.astype({"onset_s": float, "offset_s": float})
    return cut_clips(segments, seizures, task=task, length_s=length_s, settings=RULES, compat=compat,
                     findings=Findings())  # fmt: skip


QUARTERS = st.integers(-40, 840).map(lambda quarter: quarter / 4)


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    rows=st.lists(st.tuples(QUARTERS, QUARTERS, st.sampled_from(["fnsz", "gnsz", "absz", "nesz", "bckg"])), max_size=6),
    kind=st.sampled_from(FORMATS),
)
def test_row14_a_window_is_positive_where_any_seizure_overlaps_it(tmp_path, rows, kind):
    """Against counting quarters of seconds, whatever the rows' order, nesting, types and faults."""
    lengths = [
        (b - a, max(min(b, 200) - max(a, 0), 0)) for a, b, code in rows if code not in ("nesz", "bckg") and b > a
    ]
    total, outside = sum(whole for whole, _ in lengths), sum(whole - inside for whole, inside in lengths)
    if outside > 1 and outside > 0.05 * total:
        with pytest.raises(Rejected, match="outside the recording"):
            read(tmp_path, kind, rows)
        return
    stated = [(a, b) for a, b, code in rows if code not in ("nesz", "bckg")]
    if stated and kind != "tsv" and not any(inside for _, inside in lengths):
        with pytest.raises(Rejected, match="no time that can be right"):
            read(tmp_path, kind, rows)
        return
    events, _ = read(tmp_path, kind, rows)
    seizure = np.zeros(800, bool)
    for start, stop, code in rows:
        if code not in ("nesz", "bckg") and stop > start:
            seizure[max(int(4 * start), 0) : max(int(4 * stop), 0)] = True
    clips = positive_clips(events)
    expected = [seizure[4 * 12 * i : 4 * 12 * (i + 1)].any() for i in range(16)]
    assert clips["label"].tolist() == [int(label) for label in expected]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("row", "positives"),
    [
        ((30.0, 30.3, "fnsz"), [24.0]),  # under a second
        ((24.0, 36.0, "fnsz"), [24.0]),  # exactly one window
        ((23.9999, 24.0, "fnsz"), [12.0]), ((24.0, 24.0001, "fnsz"), [24.0]),
        ((0.0, 200.0, "fnsz"), [12.0 * i for i in range(16)]),  # the whole file
        ((12.0, 24.0001, "fnsz"), [12.0, 24.0]),
    ],
)  # fmt: skip
def test_row15_half_open_intervals(tmp_path, kind, row, positives):
    events, codes = read(tmp_path, kind, [row])
    assert codes == []
    (event,) = events
    assert event == (pytest.approx(row[0]), pytest.approx(row[1]), "fnsz")  # short ones are kept
    clips = positive_clips(events)
    assert clips.loc[clips["label"] == 1, "start_s"].tolist() == positives


def test_row15_a_seizure_over_the_whole_file_gives_one_classification_clip():
    clips = positive_clips([(0.0, 200.0, "tcsz")], task="classification")
    assert clips[["start_s", "length_s", "code"]].values.tolist() == [[0.0, 12, "tcsz"]]


def test_row15_a_short_seizure_keeps_its_clip_of_the_seconds_before_it():
    """0.3 s after 30 s: two seconds before the onset and nothing whole after it."""
    clips = positive_clips([(30.0, 30.3, "absz")], task="classification")
    assert clips[["start_s", "length_s", "code"]].values.tolist() == [[28.0, 2, "absz"]]
