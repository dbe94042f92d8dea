"""Events survive being written and read, to the decimals of each format; an outside reader agrees (scoring.md, 5)."""

import json
import tempfile
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpora import bids
from pipeline.corpora._bids_tree import event_paths, sidecar
from pipeline.corpora._event_rules import SEIZURE_CODES, seizures, to_events
from pipeline.corpora._events_tsv import COLUMNS, write_events
from pipeline.corpora._szcore import EVENT_TYPE, HED, szcore_code
from pipeline.corpora._tusz_labels import read_label_file
from pipeline.corpora.records import Event, RecordingFiles
from pipeline.corpora.scalp.annotations import annotation_text
from pipeline.findings import Findings

outside = pytest.importorskip("epilepsy2bids.annotations", reason="epilepsy2bids is not installed")
DERIVATIONS = ("FP1-F7", "F7-T3", "T3-T5", "T5-O1")
CODES = sorted(SEIZURE_CODES)
FILES = RecordingFiles(
    recording="r", patient="p", session="", montage="", edf="sub-p/eeg/r_eeg.edf", annotations=("r_events.tsv",)
)


@st.composite
def timelines(draw, channel="TERM", decimals=2, codes=CODES):
    """Seizures of one channel in order of time, some touching, on a grid of the format's last decimal."""
    unit = 10**decimals
    steps = draw(st.lists(st.tuples(st.integers(0, 300 * unit), st.integers(1, 200 * unit)), max_size=6))
    events, time = [], 0
    for gap, length in steps:
        onset, time = time + gap, time + gap + length
        confidence = draw(st.integers(0, 100)) / 100 if decimals == 2 else 1.0
        code = draw(st.sampled_from(codes))
        events.append(
            Event(onset_s=onset / unit, offset_s=time / unit, code=code, channel=channel, confidence=confidence)
        )
    return events


def written(events, duration_s, *, shortest_s=0.0, start=None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r_events.tsv"
        write_events(path, events, duration_s, shortest_s=shortest_s, start=start)
        text = path.read_text()
        findings = Findings()
        again = bids.read_events(folder, FILES, duration_s, findings)
        other = outside.Annotations.loadTsv(str(path))
    return text, again, other, findings


def same(one, other):
    keys = [[(e.channel, e.code) for e in events] for events in (one, other)]
    assert keys[0] == keys[1]
    for a, b in zip(one, other, strict=True):
        assert (a.onset_s, a.offset_s, a.confidence) == pytest.approx((b.onset_s, b.offset_s, b.confidence), abs=1e-9)


@given(timelines())
def test_events_survive_the_table_and_an_outside_reader_agrees(events):
    duration_s = 3600.0
    text, again, other, findings = written(events, duration_s)
    same(again, to_events_of(events))
    assert list(findings) == []
    assert other.getEvents() == [
        (pytest.approx(event.onset_s), pytest.approx(event.offset_s)) for event in in_order(events)
    ]
    assert all(row["recordingDuration"] == duration_s and row["eventType"] != "n/a" for row in other.events)
    assert len(other.events) == max(len(events), 1)
    assert text.splitlines()[0].split("\t") == list(COLUMNS)


def in_order(events):
    return sorted(events, key=lambda event: (event.onset_s, event.offset_s))


def to_events_of(events):
    return sorted(events, key=lambda event: (event.onset_s, event.code))


def test_seizures_that_touch_stay_two_whatever_the_sum_of_onset_and_duration_is():
    """0.1 + 0.2 is more than 0.3 in a computer: the first would overlap the second, and both become one."""
    edges = [0.1, 0.3, 0.6, 0.7, 1.1, 12.34, 18.01, 56.78, 57.05]
    events = [Event(onset_s=a, offset_s=b, code="fnsz") for a, b in pairwise(edges)]
    assert any(round(e.onset_s, 2) + round(e.offset_s - e.onset_s, 2) > e.offset_s for e in events)
    _, again, _, findings = written(events, 61.0)
    same(again, events)
    assert list(findings) == []


@given(
    st.lists(st.tuples(st.floats(0, 3500), st.floats(0.02, 90)), min_size=1, max_size=1),
    st.floats(3600, 3601),
)
def test_times_between_the_decimals_move_by_half_a_hundredth(spans, duration_s):
    ((onset_s, length_s),) = spans
    event = Event(onset_s=onset_s, offset_s=onset_s + length_s, code="cpsz")
    _, (again,), _, findings = written([event], duration_s)
    assert abs(again.onset_s - event.onset_s) < 0.00501
    assert abs(again.offset_s - event.offset_s) < 0.00501
    assert "annotation_outside" not in [finding.code for finding in findings]


@given(st.floats(0, 59.9), st.floats(0, 2), st.sampled_from([0.0, 1.0]))
def test_short_events_are_lengthened_where_asked_and_stay_inside(onset_s, length_s, shortest_s):
    """A scorer at 1 Hz cuts times down to seconds: 0.6 s would vanish (scoring.md, section 4)."""
    event = Event(onset_s=onset_s, offset_s=min(onset_s + length_s, 60.0), code="seiz")
    text, _, other, _ = written([event], 60.0, shortest_s=shortest_s)
    ((start_s, stop_s),) = other.getEvents()
    assert 0 <= start_s < stop_s <= 60.001
    if shortest_s:
        assert other.getMask(1).sum() >= 1
        assert stop_s - start_s >= 0.999
    assert float(text.splitlines()[1].split("\t")[1]) > 0


def test_no_seizure_is_one_row_of_background():
    """T41: the loader ends with an error on a table without rows."""
    text, again, other, findings = written([], 61.0)
    assert text.splitlines()[1:] == ["0.00\t61.00\tbckg\tn/a\tn/a\tn/a\t61.00"]
    assert (again, list(findings), other.getEvents()) == ([], [], [])
    assert other.getMask(256).sum() == 0


def test_channels_and_start_are_written():
    events = [
        Event(onset_s=10, offset_s=20, code="fnsz"),
        Event(onset_s=12, offset_s=15, code="fnsz", channel="T3-T5"),
        Event(onset_s=19, offset_s=20, code="fnsz", channel="F7-T3"),
        Event(onset_s=20, offset_s=30, code="fnsz", channel="FP1-F7"),
        Event(onset_s=12, offset_s=15, code="fnsz", channel="=cmd()"),
    ]
    text, again, other, _ = written(events, 61.0, start=datetime(2015, 1, 2, 3, 4, 5))
    assert text.splitlines()[1:] == ["10.00\t10.00\tsz_foc\t1.00\tF7-T3,T3-T5\t2015-01-02 03:04:05\t61.00"]
    assert [event.channel for event in again] == ["TERM", "F7-T3", "T3-T5"]
    assert other.events[0]["channels"] == ["F7-T3", "T3-T5"]
    assert other.events[0]["dateTime"] == datetime(2015, 1, 2, 3, 4, 5)


@given(st.data(), st.sampled_from(["csv", "lbl"]))
def test_events_of_derivations_survive_the_tusz_formats(data, extension):
    events = [event for name in DERIVATIONS for event in data.draw(timelines(channel=name, decimals=4))]
    again, findings = through_tusz(extension, events)
    same(again, sorted(events, key=lambda e: (e.onset_s, e.channel, e.code)))
    assert findings == []


@given(timelines(decimals=4, codes=["cpsz"]), st.sampled_from(["tse", "tse_bi", "csv_bi"]))
def test_whole_events_survive_the_tusz_formats(events, extension):
    """Events that touch become one in the writer, which unites over the derivations."""
    apart = [event for i, event in enumerate(events) if not i or event.onset_s > events[i - 1].offset_s]
    again, findings = through_tusz(extension, apart)
    code = "cpsz" if extension == "tse" else "seiz"
    expected = [Event(onset_s=e.onset_s, offset_s=e.offset_s, code=code) for e in apart]
    same(again, expected)
    assert findings == []


def through_tusz(extension, events):
    text = annotation_text(
        extension, events, stem="r", duration_s=4000.0, derivations=DERIVATIONS, reference="REF"
    )  # fmt: skip
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"r.{extension}"
        path.write_text(text)
        rows = read_label_file(path, findings).rows
    return to_events(seizures(rows, 4000.0, findings)), list(findings)


def test_every_code_has_an_event_type_and_comes_back():
    assert set(EVENT_TYPE) == SEIZURE_CODES | {"bckg"}
    assert [szcore_code(EVENT_TYPE[code]) for code in EVENT_TYPE] == list(EVENT_TYPE)
    assert set(EVENT_TYPE.values()) <= set(HED)


def test_our_sidecar_has_the_types_of_the_outside_one_and_all_their_tags():
    """Theirs has the tags of `sz_gen` and `sz_uo` under misspelt keys, so that those types get none."""
    theirs = json.loads((outside.BIDS_LOC / "events.json").read_text())["eventType"]
    ours = json.loads(json.dumps(sidecar()))["eventType"]
    tags = {name.rstrip(":"): tag for name, tag in theirs["HED"].items()}
    levels = {*outside.EVENT_TYPES}
    assert set(ours["HED"]) == set(ours["Levels"]) == set(tags) == levels
    assert ours["HED"] == tags
    assert {"sz_gen", "sz_uo"} <= set(ours["HED"])
    assert not any(name.endswith(":") for name in ours["HED"])
    assert list(sidecar()) == list(COLUMNS)


def test_a_pseudonym_does_not_say_sub_twice():
    found = event_paths([("r1", "sub-bcd", "", "r1.edf"), ("r2", "sub-x", "", "r2.edf"), ("r3", "x", "", "r3.edf")])
    folders = {recording: path.split("/")[0] for recording, path in found.items()}
    assert folders["r1"] == "sub-bcd"
    assert folders["r3"] == "sub-x"
    assert folders["r2"] not in ("sub-x", "sub-bcd"), "another patient"


def test_paths_are_bids_names_and_distinct():
    found = event_paths(
        [
            ("a", "p-1", "s001", "edf/a.edf"), ("b", "p1", "s001", "edf/b.edf"), ("c", "p1", "s001", "edf/c.edf"),
            ("d", "p1", "", "d.edf"), ("e", "x", "", "sub-07/ses-2/eeg/sub-07_ses-2_task-t_run-03_eeg.edf"),
        ]
    )  # fmt: skip
    assert found["b"] == "sub-p1/ses-s001/eeg/sub-p1_ses-s001_task-szMonitoring_run-00_events.tsv"
    assert found["c"].endswith("run-01_events.tsv")
    assert found["d"] == "sub-p1/ses-01/eeg/sub-p1_ses-01_task-szMonitoring_run-00_events.tsv"
    assert found["e"] == "sub-07/ses-2/eeg/sub-07_ses-2_task-t_run-03_events.tsv"
    assert max(Counter(found.values()).values()) == 1
