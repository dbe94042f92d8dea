"""Which seconds an SOZ model sees: onsets, baselines, file edges, non-overlap (spec soz.md, section 2)."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features._soz_clips import TYPES, cut_soz_clips
from pipeline.findings import Findings
from pipeline.settings.soz_data import SozClips

CLIPS = SozClips(
    length_s=35, margin_s=0.5, before_onset_s=5, pre_ictal_gap_s=5, interictal_step_s=35, shifts=0, max_interictal=8,
    seed=0,
)  # fmt: skip
RATE_HZ = 512


def tables(task: str, segments: list[tuple[float, float]], seizures: list[tuple[float, float]] = ()):
    """One recording `r` of `p`: (start_s, duration_s) of its segments, (onset_s, offset_s) of its seizures."""
    recordings = pd.DataFrame([{"recording": "r", "patient": "p", "implant": "SEEG", "task": task}])
    parts = [
        {"recording": "r", "patient": "p", "segment": f"{i:03d}", "start_s": start, "n_samples": round(long * RATE_HZ),
         "rate_hz": float(RATE_HZ), "n_channels": 7}
        for i, (start, long) in enumerate(segments)
    ]  # fmt: skip
    events = [
        {"recording": "r", "channel": "TERM", "onset_s": on, "offset_s": off, "code": "seiz", "confidence": 1.0}
        for on, off in seizures
    ]
    columns = ["recording", "channel", "onset_s", "offset_s", "code", "confidence"]
    return recordings, pd.DataFrame(parts), pd.DataFrame(events, columns=columns)


def cut(task, segments, seizures=(), **changes):
    findings = Findings()
    made = cut_soz_clips(*tables(task, segments, list(seizures)), CLIPS.model_copy(update=changes), findings)
    assert list(made) == list(TYPES)
    assert made["clip"].is_unique
    return made, [(row.code, row.recording) for row in findings]


def places(clips: pd.DataFrame) -> dict[str, list[float]]:
    return clips.groupby("phase")["start_s"].apply(list).to_dict()


def test_an_ictal_recording_gives_the_onset_and_its_baseline():
    clips, findings = cut("ictal", [(0, 300)], [(120.0, 188.0)])
    assert places(clips) == {"ictal": [115.0], "pre": [75.0]}
    assert clips["condition"].tolist() == ["ictal", "ictal"]
    assert clips["seizure"].tolist() == [0, 0]
    assert clips["clip"].tolist() == ["r/000@75.000", "r/000@115.000"]
    assert clips["read_from_s"].tolist() == [74.5, 114.5]
    assert clips["read_s"].tolist() == [36.0, 36.0]
    assert not clips["edge_wrap"].any()
    assert clips[["implant", "patient", "n_channels"]].iloc[0].tolist() == ["SEEG", "p", 7]
    assert findings == []


@pytest.mark.parametrize(("duration", "short"), [(5, True), (34.9, True), (35, False), (1128, False)])
def test_seizures_shorter_than_a_clip_are_marked(duration, short):
    clips, _ = cut("ictal", [(0, 1500)], [(120.0, 120.0 + duration)])
    assert clips["short_seizure"].tolist() == [short, short]


@pytest.mark.parametrize(("onset", "start"), [(2.0, 0.0), (5.0, 0.0), (7.25, 2.25), (98.0, 65.0), (99.9, 65.0)])
def test_at_the_edge_of_a_file_the_clip_is_moved_and_has_the_onset_in_it(onset, start):
    clips, findings = cut("ictal", [(0, 100)], [(onset, onset + 50)])
    own = clips[clips["phase"] == "ictal"].iloc[0]
    assert own["start_s"] == start <= onset < own["start_s"] + 35
    assert own["edge_wrap"] == (start in (0.0, 65.0))
    assert own["read_s"] == (35.0 if own["edge_wrap"] else 36.0)
    assert ("pre_ictal_missing", "r") in findings or onset > 90


def test_a_baseline_with_a_seizure_in_it_is_none():
    clips, findings = cut("ictal", [(0, 400)], [(100.0, 110.0), (145.0, 160.0)])
    assert places(clips) == {"ictal": [95.0, 140.0], "pre": [55.0]}  # 100-135 s would begin with the first seizure
    assert findings == [("pre_ictal_missing", "r")]
    assert cut("ictal", [(0, 400)], [(100.0, 110.0), (165.0, 180.0)])[1] == []


def test_an_onset_in_a_gap_or_in_a_short_segment_gives_no_clip():
    for segments in ([(0, 50), (70, 100)], [(0, 50), (55, 20), (90, 100)]):
        clips, findings = cut("ictal", segments, [(60.0, 80.0)])
        assert clips.empty
        assert findings == [("seizure_not_cut", "r")]


def test_a_second_segment_keeps_the_clock_of_the_file():
    clips, _ = cut("ictal", [(0, 50), (70.5, 200)], [(150.0, 190.0)])
    assert places(clips) == {"ictal": [145.0], "pre": [105.0]}
    assert set(clips["segment"]) == {"001"}


def test_interictal_clips_fill_the_recording_without_overlap():
    clips, findings = cut("interictal", [(0, 300)])
    assert places(clips) == {"interictal": [0.5 + 35 * k for k in range(8)]}
    assert not clips["edge_wrap"].any()
    assert clips["seizure"].tolist() == [-1] * 8
    assert findings == []


def test_many_interictal_clips_are_thinned_evenly():
    clips, _ = cut("interictal", [(0, 3600)], max_interictal=5)
    steps = np.diff(clips["start_s"])
    assert len(clips) == 5
    assert steps.min() > 0.95 * steps.max()


def test_interictal_clips_keep_off_seizures_and_short_recordings_are_reported():
    clips, _ = cut("interictal", [(0, 142)], [(71.0, 75.0)])
    assert places(clips) == {"ictal": [66.0], "pre": [26.0], "interictal": [0.5, 35.5, 105.5]}
    assert cut("interictal", [(0, 34)])[1] == [("no_whole_clip", "r")]
    whole, _ = cut("interictal", [(0, 35)])
    assert whole["edge_wrap"].tolist() == [True]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["ictal", "interictal"]),
    st.floats(20, 400),
    st.lists(st.tuples(st.floats(0, 380), st.floats(1, 90)), max_size=3),
    st.integers(0, 3),
)
def test_whatever_the_recording_clips_keep_their_promises(task, duration, events, shifts):
    """Inside the segment, margins where promised, baselines and interictal clips free of seizures, copies near."""
    duration, seizures = round(duration), [(on, on + long) for on, long in events if on < round(duration)]
    clips, _ = cut(task, [(0, duration)], seizures, shifts=shifts)
    assert (clips["start_s"] >= 0).all()
    assert (clips["start_s"] + 35 <= duration).all()
    assert (clips["read_from_s"] >= 0).all()
    assert (clips["read_from_s"] + clips["read_s"] <= duration).all()
    assert (clips["read_s"] == np.where(clips["edge_wrap"], 35.0, 36.0)).all()
    np.testing.assert_array_equal(clips["start_s"] * RATE_HZ % 1, 0)
    for clip in clips[(clips["phase"] != "ictal") & (clips["shift"] == 0)].itertuples():
        assert all(off <= clip.start_s + 2 / RATE_HZ or on >= clip.start_s + 35 - 2 / RATE_HZ for on, off in seizures)
    first = clips[(clips["phase"] == "interictal") & (clips["shift"] == 0)]["start_s"].to_numpy()
    assert (np.diff(first) >= 35).all()
    whole = clips[clips["shift"] == 0].set_index("clip")["start_s"]
    for copy in clips[clips["shift"] > 0].itertuples():
        name, _, number = copy.clip.partition("#")
        assert int(number) == copy.shift
        assert 0 < abs(copy.start_s - whole[name]) < 1
        assert copy.phase != "pre"


def test_copies_follow_from_the_seed_and_the_clip_alone():
    one, _ = cut("interictal", [(0, 300)], shifts=2)
    again, _ = cut("interictal", [(0, 300)], shifts=2)
    other, _ = cut("interictal", [(0, 300)], shifts=2, seed=1)
    pd.testing.assert_frame_equal(one, again)
    assert len(one) == 24
    assert (one["start_s"] != other["start_s"]).sum() >= 15
    shifts = one["start_s"] - one.groupby(one["clip"].str.split("#").str[0])["start_s"].transform("first")
    assert len(set(shifts[one["shift"] > 0])) > 12  # not one shift for all
