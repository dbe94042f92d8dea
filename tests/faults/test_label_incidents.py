"""Public incidents of labels and leakage (faults.md, section 4), each against its cure here."""

import numpy as np
import pandas as pd
import pytest

from pipeline.clips import SCHEMES, class_numbers, cut_clips
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import deal
from pipeline.findings import Findings
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.corpora import SplitSettings
from pipeline.stages.check_splits import leaks

RULES = ClipSettings(before_onset_s=2, forecast_s=12)
COMPAT = {edge: ClipCompat(label_edge=edge, clip_start_offset=False) for edge in ("half_open", "touching")}
TUSZ_TWICE = ("00001027", "00001981", "00004671", "00006546", "00009842")  # formats.md, T02


def clips_of(
    events, *, task="detection", length_s=12, edge="half_open", duration_s=120.0, recordings=("r",), findings=None
):
    segments = pd.DataFrame([
        {"recording": name, "segment": "000", "start_s": 0.0, "duration_s": duration_s,
         "n_samples": int(duration_s * 200), "patient": "p", "session": "", "split": "train", "rate_hz": 200.0}
        for name in recordings
    ])  # fmt: skip
    columns = ["recording", "channel", "onset_s", "offset_s", "code"]
    seizures = pd.DataFrame(
        [event if len(event) == 5 else ("r", "TERM", *event) for event in events], columns=columns
    ).astype({"onset_s": float, "offset_s": float})
    return cut_clips(segments, seizures, task=task, length_s=length_s, settings=RULES, compat=COMPAT[edge],
                     findings=Findings() if findings is None else findings)  # fmt: skip


@pytest.mark.parametrize("edge", ["half_open", "touching"])
@pytest.mark.parametrize("length_s", [12, 60])
def test_incident_biot_18_and_cbramod_29_a_window_wholly_inside_a_seizure_is_positive(edge, length_s):
    """Their code looked for an edge of the seizure within the window, so that its middle was background."""
    clips = clips_of([(1.0, 119.0, "fnsz")], length_s=length_s, edge=edge)
    assert clips["label"].tolist() == [1] * (120 // length_s)
    beyond = clips_of([(-50.0, 500.0, "fnsz")], length_s=length_s, edge=edge)
    assert beyond["label"].tolist() == [1] * (120 // length_s)


def test_incident_braindecode_922_overlapping_events_are_all_used():
    """Detection clips name every type. A classification clip never starts within an earlier seizure (published rule):

    an event that lies wholly in another gives none, which is a finding and no error.
    """
    events = [(20.0, 60.0, "fnsz"), (30.0, 50.0, "tcsz"), (30.0, 50.0, "absz")]
    detection = clips_of(events).set_index("start_s")
    assert detection.loc[36.0, "codes"] == "fnsz,absz,tcsz"
    assert detection["label"].tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    findings = Findings()
    classification = clips_of([*events, (55.0, 90.0, "gnsz")], task="classification", findings=findings)
    assert classification[["start_s", "code"]].values.tolist() == [[18.0, "fnsz"], [60.005, "gnsz"]]
    assert [finding.code for finding in findings] == ["seizure_too_short"] * 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_incident_braindecode_1165_class_numbers_do_not_depend_on_what_a_worker_sees(scheme):
    """Each recording cut and numbered alone, in any order, gets the numbers that all of them together get."""
    rng = np.random.default_rng(0)
    codes = ["fnsz", "gnsz", "absz", "tcsz", "tnsz", "cpsz", "spsz", "mysz", "cnsz"]
    recordings = [f"r{k}" for k in range(8)]
    events = [(name, "TERM", 20.0, 60.0, str(rng.choice(codes))) for name in recordings]
    together = clips_of(events, task="classification", recordings=tuple(recordings))
    numbers = pd.Series(class_numbers(together["code"], scheme), together["recording"].astype(str))
    for event in reversed(events):
        alone = clips_of([event], task="classification", recordings=(event[0],))
        assert class_numbers(alone["code"], scheme).tolist() == [numbers[event[0]]]


def recording(patient, official, number=0):
    name = f"{patient}_s{number:03d}_{official}"
    return RecordingFiles(recording=name, patient=patient, session=f"s{number:03d}", montage="", edf=f"{name}.edf",
                          official=official)  # fmt: skip


def splits(**changes):
    values = {"source": "official", "official": {"train": "train", "dev": "test"}, "validation_share": 0.2,
              "test_share": 0.0, "file": None, "seed": 0}  # fmt: skip
    return SplitSettings(**{**values, **changes})


def segments(rows):
    return pd.DataFrame(rows, columns=["recording", "segment", "patient", "split", "digest"])


def test_incident_tusz_T02_five_patients_on_both_official_sides():
    """They leave the test side, each with a finding that names it, and nobody else does."""
    found = [recording(p, side, n) for p in TUSZ_TWICE for n, side in enumerate(("train", "dev"))]
    found += [recording(f"1000{k:04d}", "dev") for k in range(20)]
    dealt, findings = deal(found, splits(), {"train": 4, "validation": 2, "test": 4}, "tusz")
    sides = {}
    for shard, files in dealt.items():
        for one in files:
            sides.setdefault(one.patient, set()).add(shard.rsplit("-", 1)[0])
    assert all(len(where) == 1 for where in sides.values())
    assert all(sides[patient] <= {"train", "validation"} for patient in TUSZ_TWICE)
    assert sum(where == {"test"} for where in sides.values()) == 20
    named = {finding.value for finding in findings if finding.code == "patient_in_two_splits"}
    assert set(TUSZ_TWICE) <= named | {p for f in findings for p in TUSZ_TWICE if p in f.message}


def test_incident_pyhealth_1159_a_patient_in_two_splits_stops_everything():
    rows = [("a", "000", "p1", "train", "d1"), ("b", "000", "p1", "test", "d2"), ("c", "000", "p2", "test", "d3")]
    (problem,) = leaks(segments(rows))
    assert "patient p1 is in test and train" in problem
    assert leaks(segments(rows[1:])) == []


def test_incident_moabb_222_and_1161_nothing_of_a_test_patient_reaches_a_split_that_is_fitted():
    """Sessions of one patient are never divided, however the splits are made, whoever else is there."""
    found = [recording(f"p{k}", "train", session) for k in range(60) for session in range(3)]
    chosen = splits(source="hash", official={}, test_share=0.3, validation_share=0.2)
    dealt, _ = deal(found, chosen, {"train": 3, "validation": 3, "test": 3}, "c")
    sides = [(one.patient, one.split) for files in dealt.values() for one in files]
    assert len(sides) == 180
    assert len({patient for patient, _ in sides}) == len(set(sides)) == 60
    assert {split for _, split in sides} == {"train", "validation", "test"}


def test_incident_T46_equal_samples_under_two_patients_stop_everything():
    rows = [("a", "000", "p1", "train", "same"), ("b", "000", "p2", "test", "same")]
    (problem,) = leaks(segments(rows))
    assert "a/000 (train) and b/000 (test)" in problem
