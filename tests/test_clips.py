"""Clip rules on constructed recordings: counts, edges and starts follow from the rules, second by second."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clips import COLUMNS, SEIZURE_CODES, class_numbers, classes, cut_clips, labelled_only, seizure_events
from pipeline.findings import Findings
from pipeline.settings.clips import ClipCompat, ClipSettings

RATE = 200
RULES = ClipSettings(before_onset_s=2, forecast_s=12)
HALF_OPEN = ClipCompat(label_edge="half_open", clip_start_offset=False)
PUBLISHED = ClipCompat(label_edge="touching", clip_start_offset=True)


def segments_of(*rows: tuple[str, float, float]) -> pd.DataFrame:
    """Segments table from (recording, start_s, duration_s); segments of one recording are numbered from 0."""
    table = pd.DataFrame(rows, columns=["recording", "start_s", "duration_s"])
    table["segment"] = table.groupby("recording").cumcount().astype(str)
    table["n_samples"] = np.rint(table["duration_s"] * RATE).astype(int)
    return table.assign(patient=table["recording"].str[:1], session="s1", split="train", rate_hz=float(RATE))


def seizures_of(*rows: tuple[str, str, float, float, str]) -> pd.DataFrame:
    """Seizures table from (recording, channel, onset_s, offset_s, code)."""
    table = pd.DataFrame(rows, columns=["recording", "channel", "onset_s", "offset_s", "code"])
    return table.astype({"onset_s": float, "offset_s": float}).assign(confidence=1.0)


def whole(*rows: tuple[str, float, float, str]) -> pd.DataFrame:
    """Seizures table of whole-recording events (recording, onset_s, offset_s, code)."""
    return seizures_of(*[(recording, "TERM", onset, offset, code) for recording, onset, offset, code in rows])


def cut(segments, seizures, task="detection", length_s=12, compat=HALF_OPEN):
    findings = Findings()
    clips = cut_clips(
        segments, seizures, task=task, length_s=length_s, settings=RULES, compat=compat, findings=findings
    )
    assert list(clips.columns) == COLUMNS
    assert clips["clip"].is_unique
    return clips, findings


def positives(clips):
    return clips.loc[clips["label"] == 1, "start_s"].tolist()


def test_last_short_clip_is_dropped_and_short_segments_are_reported():
    clips, findings = cut(segments_of(("a", 0, 61), ("b", 0, 11.995), ("c", 0, 12)), whole())
    assert clips.groupby("recording").size().to_dict() == {"a": 5, "c": 1}
    assert clips["start_s"].tolist() == [0, 12, 24, 36, 48, 0]
    assert [(row.code, row.recording) for row in findings] == [("no_whole_clip", "b")]


def test_window_wholly_inside_a_seizure_is_positive():
    """Known defect of another published code base (BIOT, issue 18): only windows with an edge inside were marked."""
    clips, _ = cut(segments_of(("a", 0, 120)), whole(("a", 10, 110, "fnsz")))
    assert (clips["label"] == 1).all()


def test_label_edge_touching_windows_count_only_as_published():
    table = segments_of(("a", 0, 60))
    events = whole(("a", 12.0, 24.0, "gnsz"))
    assert positives(cut(table, events)[0]) == [12]
    assert positives(cut(table, events, compat=PUBLISHED)[0]) == [0, 12, 24]


def test_touching_cuts_to_whole_samples():
    """24.0049 s is sample 4800 when cut, so the window from 24 s touches; 24.0051 s is sample 4801."""
    table = segments_of(("a", 0, 60))
    assert positives(cut(table, whole(("a", 13, 23.9999, "gnsz")), compat=PUBLISHED)[0]) == [12]
    assert positives(cut(table, whole(("a", 13, 24.0049, "gnsz")), compat=PUBLISHED)[0]) == [12, 24]
    assert positives(cut(table, whole(("a", 24.0049, 25, "gnsz")), compat=PUBLISHED)[0]) == [12, 24]
    assert positives(cut(table, whole(("a", 24.0051, 25, "gnsz")), compat=PUBLISHED)[0]) == [24]
    assert positives(cut(table, whole(("a", 23.9999, 24.0001, "gnsz")))[0]) == [12, 24]


def test_labels_of_one_recording_do_not_reach_another():
    clips, _ = cut(segments_of(("a", 0, 48), ("b", 0, 48), ("c", 0, 48)), whole(("b", 0, 48, "fnsz")))
    assert clips.groupby("recording")["label"].sum().to_dict() == {"a": 0, "b": 4, "c": 0}


def test_t17_nesz_is_never_positive():
    clips, _ = cut(segments_of(("a", 0, 60)), whole(("a", 5, 20, "nesz"), ("a", 30, 31, "bckg")))
    assert not clips["label"].any()
    assert "nesz" not in SEIZURE_CODES
    assert cut(segments_of(("a", 0, 60)), whole(("a", 5, 20, "nesz")), task="classification")[0].empty


def test_codes_and_focal_of_detection_clips():
    events = whole(("a", 1, 5, "fnsz"), ("a", 6, 14, "tcsz"), ("a", 30, 33, "seiz"))
    clips, _ = cut(segments_of(("a", 0, 48)), events)
    assert clips["codes"].tolist() == ["fnsz,tcsz", "tcsz", "seiz", ""]
    assert clips["focal"].tolist() == ["mixed", "generalised", "", ""]
    assert clips["code"].eq("").all()


def test_segments_have_their_own_grid():
    clips, _ = cut(segments_of(("a", 0, 30), ("a", 50.25, 26)), whole(("a", 62.25, 63, "absz")))
    assert clips["start_s"].tolist() == [0, 12, 50.25, 62.25]
    assert clips["frame"].tolist() == [0, 12, 0, 12]
    assert clips["item"].tolist() == ["a/0", "a/0", "a/1", "a/1"]
    assert positives(clips) == [62.25]


def test_pretraining_pairs_are_clips_less_recordings_with_a_clip():
    table = segments_of(("a", 0, 61), ("b", 0, 11), ("c", 0, 23.9), ("d", 0, 24), ("e", 0, 700))
    for length_s in (12, 60):
        clips, _ = cut(table, whole(), length_s=length_s)
        pairs, _ = cut(table, whole(), task="pretraining", length_s=length_s)
        assert len(pairs) == len(clips) - clips["recording"].nunique()
        assert (pairs["target_frame"] == pairs["frame"] + length_s).all()


def seconds_of(row, rate=RATE):
    return row["start_s"] * rate, row["start_s"] * rate + row["length_s"] * rate


def test_classification_starts_two_seconds_before_the_onset_and_keeps_whole_seconds():
    clips, _ = cut(segments_of(("a", 0, 100)), whole(("a", 30.5, 40.0, "cpsz")), task="classification")
    assert clips[["start_s", "length_s", "code", "focal", "frame", "label"]].values.tolist() == [
        [28.5, 11, "cpsz", "focal", 0, -1]  # 28.5 to 40: 11.5 s, of which 11 are whole
    ]
    assert clips["item"].tolist() == clips["clip"].tolist()


def test_clip_start_offset_at_the_start_of_a_file():
    events = whole(("a", 0.5, 20, "gnsz"))
    assert cut(segments_of(("a", 0, 60)), events, task="classification")[0]["start_s"].tolist() == [0.0]
    published, _ = cut(segments_of(("a", 0, 60)), events, task="classification", compat=PUBLISHED)
    assert published["start_s"].tolist() == [1 / RATE]


def test_seizures_closer_than_two_seconds_start_after_the_earlier_end():
    events = whole(("a", 20, 30, "gnsz"), ("a", 31, 50, "tcsz"), ("a", 50, 60, "absz"), ("a", 90, 95, "nesz"))
    clips, _ = cut(segments_of(("a", 0, 100)), events, task="classification")
    assert clips["start_s"].tolist() == [18.0, 30 + 1 / RATE, 50 + 1 / RATE]
    assert clips["length_s"].tolist() == [12, 12, 9]


def test_a_seizure_shorter_than_a_second_after_another_is_skipped_and_reported():
    """Alone it has the two seconds before its onset; close behind another it has not."""
    events = whole(("a", 20, 20.5, "gnsz"), ("a", 21, 21.4, "gnsz"))
    clips, findings = cut(segments_of(("a", 0, 100)), events, task="classification")
    assert clips["length_s"].tolist() == [2]
    assert [row.code for row in findings] == ["seizure_too_short"]
    assert findings.to_frame()["seconds_affected"].tolist() == pytest.approx([0.4])


def test_classification_clip_is_cut_at_the_offset_for_both_lengths():
    table, events = segments_of(("a", 0, 300)), whole(("a", 100, 130, "absz"), ("a", 200, 205, "tnsz"))
    short, _ = cut(table, events, task="classification", length_s=12)
    long, _ = cut(table, events, task="classification", length_s=60)
    assert short["length_s"].tolist() == [12, 7]
    assert long["length_s"].tolist() == [32, 7]
    assert short["code"].tolist() == long["code"].tolist() == ["absz", "tnsz"]


def test_classification_across_a_gap_stays_in_one_segment():
    """The onset's segment if there is one, else the first that follows; an event wholly in a gap gives no clip."""
    table = segments_of(("a", 0, 30), ("a", 50, 30))
    clips, _ = cut(table, whole(("a", 25, 60, "gnsz")), task="classification")
    assert clips[["item", "start_s", "length_s"]].values.tolist() == [["a/0@23.000+12", 23.0, 7]]
    clips, _ = cut(table, whole(("a", 40, 60, "gnsz")), task="classification")
    assert clips[["item", "start_s", "length_s"]].values.tolist() == [["a/1@50.000+12", 50.0, 10]]
    clips, findings = cut(table, whole(("a", 35, 45, "gnsz")), task="classification")
    assert clips.empty
    assert [row.code for row in findings] == ["seizure_too_short"]


def test_type_of_an_untyped_event_is_that_of_most_derivation_seconds():
    rows = seizures_of(
        ("a", "TERM", 10, 40, "seiz"), ("a", "F7-T3", 10, 20, "fnsz"), ("a", "T3-T5", 12, 20, "cpsz"),
        ("a", "T5-O1", 15, 22, "cpsz"), ("a", "C3-CZ", 45, 90, "absz"), ("a", "C3-CZ", 30, 40, "nesz"),
        ("a", "TERM", 41, 44, "seiz"), ("b", "TERM", 10, 40, "seiz"), ("b", "F7-T3", 10, 20, "gnsz"),
        ("b", "F7-T3", 20, 30, "fnsz"), ("c", "TERM", 1, 9, "tcsz"), ("c", "F7-T3", 1, 9, "fnsz"),
    )  # fmt: skip
    assert seizure_events(rows)["code"].tolist() == ["cpsz", "seiz", "fnsz", "tcsz"]  # b: a tie, first in order


def test_schemes():
    codes = pd.Series(["fnsz", "spsz", "cpsz", "gnsz", "absz", "tnsz", "tcsz", "mysz", "seiz", "nesz", "cnsz", ""])
    assert classes("four") == ("CF", "GN", "AB", "CT")
    assert class_numbers(codes, "four").tolist() == [0, 0, 0, 1, 2, 3, 3, -1, -1, -1, -1, -1]
    published = pd.Series(["fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz", "tcsz", "mysz"])
    assert class_numbers(published, "eight").tolist() == list(range(8))
    assert class_numbers(published, "seven").tolist() == [*range(7), -1]
    assert class_numbers(published.astype("string"), "eight").tolist() == list(range(8))


def test_types_outside_a_scheme_are_reported():
    _, findings = cut(segments_of(("a", 0, 60)), whole(("a", 10, 20, "mysz")), task="classification")
    assert [row.code for row in findings] == ["class_excluded"]
    assert "four, seven" in next(iter(findings)).message


def test_nothing_in_nothing_out():
    for task in ("detection", "pretraining", "classification"):
        clips, findings = cut(segments_of(), whole(), task=task)
        assert clips.empty
        assert len(findings) == 0


milliseconds = st.integers(0, 200_000).map(lambda value: value / 1000)
recordings = st.lists(st.tuples(st.sampled_from("abc"), milliseconds, milliseconds), max_size=12)


def label_by_loop(start_s, length_s, events, *, touching):
    """The rule as it is written, one clip against one event."""
    for onset_s, offset_s in events:
        if touching:
            low, high = int(start_s * RATE), int((start_s + length_s) * RATE)
            if not (high < int(onset_s * RATE) or low > int(offset_s * RATE)):
                return 1
        elif round(1e6 * min(offset_s, start_s + length_s)) > round(1e6 * max(onset_s, start_s)):
            return 1
    return 0


@settings(max_examples=60, deadline=None)
@given(recordings, st.sampled_from([12, 60]), st.booleans())
def test_labels_equal_the_plain_loop(rows, length_s, touching):
    events = [(name, min(a, b), max(a, b), "fnsz") for name, a, b in rows if a != b]
    table = segments_of(("a", 0, 180.0), ("b", 0, 61.5), ("c", 0, 130))
    clips, _ = cut(table, whole(*events), length_s=length_s, compat=PUBLISHED if touching else HALF_OPEN)
    expected = [
        label_by_loop(
            start, length_s, [(on, off) for name, on, off, _ in events if name == recording], touching=touching
        )
        for recording, start in zip(clips["recording"], clips["start_s"], strict=True)
    ]
    assert clips["label"].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(milliseconds, milliseconds), max_size=8), st.booleans())
def test_event_clips_equal_the_plain_loop(pairs, published):
    """start = max(previous end + 1, int(fs (onset - 2))), end = min(start + fs L, int(fs offset)), whole seconds."""
    events = sorted((min(a, b), max(a, b)) for a, b in pairs if a != b)
    compat = PUBLISHED if published else HALF_OPEN
    clips, findings = cut(
        segments_of(("a", 0, 200)), whole(*[("a", on, off, "gnsz") for on, off in events]), "classification", 12, compat
    )
    expected, latest_end = [], None
    for onset_s, offset_s in events:
        floor = (1 if published else 0) if latest_end is None else latest_end + 1
        start = max(floor, int(RATE * (onset_s - 2)))
        end = min(start + 12 * RATE, int(RATE * offset_s))
        latest_end = max(latest_end or 0, int(RATE * offset_s))
        if end - start >= RATE:
            expected.append((start / RATE, (end - start) // RATE))
    assert list(zip(clips["start_s"], clips["length_s"], strict=True)) == expected
    assert len(findings) == len(events) - len(expected)


def test_a_recording_without_annotations_is_no_negative() -> None:
    """Nothing says whether it holds a seizure: its seconds are not background (and a finding says so)."""
    segments = segments_of(("known", 0.0, 36.0), ("unknown", 0.0, 36.0)).assign(labelled=[True, False])
    findings = Findings()
    kept = labelled_only(segments, findings)
    assert list(kept["recording"]) == ["known"]
    assert [(row.code, row.recording, row.action) for row in findings] == [("annotation_missing", "unknown", "skip")]
