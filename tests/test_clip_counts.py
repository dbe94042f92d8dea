"""Clip counts of a made-up corpus with known seizures, counted by hand (issue 4, acceptance 3), and by a slow oracle.

The rules are those of Tang et al. 2022, section 3.1 and Table 5, under both edge rules: half-open (the default)
and that of the published code. Touching windows, seizures closer than two seconds, shorter than one, clips cut at the
offset.
"""

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.clips import class_numbers, classes, cut_clips
from pipeline.findings import Findings
from pipeline.settings.clips import ClipCompat, ClipSettings

RATE = 200
RULES = ClipSettings(before_onset_s=2, forecast_s=12)
HALF_OPEN = ClipCompat(label_edge="half_open", clip_start_offset=False)
PUBLISHED = ClipCompat(label_edge="touching", clip_start_offset=True)
Events = list[tuple[float, float, str]]

CORPUS: dict[str, tuple[float, Events]] = {  # recording -> seconds, seizures
    "a": (130.0, [(12.0, 24.0, "gnsz")]),  # begins and ends on the edges of 12-s windows
    "b": (185.5, [(60.0, 70.0, "fnsz"), (71.0, 84.0, "cpsz"), (120.0, 120.4, "absz")]),  # one second apart; 0.4 s long
    "c": (64.0, [(0.5, 9.0, "tnsz"), (9.5, 9.9, "tcsz")]),  # at the start of the file; short and close behind
    "d": (47.9, []),
    "e": (120.0, [(59.999, 60.0, "spsz"), (96.0, 120.0, "mysz")]),  # a millisecond before an edge; to the last sample
}


def cut(
    corpus: dict[str, tuple[float, Events]], task: str, length_s: int, compat: ClipCompat
) -> tuple[pd.DataFrame, Findings]:
    segments = pd.DataFrame([
        {"recording": name, "patient": name, "session": "s1", "split": "train", "segment": "0", "start_s": 0.0,
         "duration_s": seconds, "n_samples": round(seconds * RATE), "rate_hz": float(RATE)}
        for name, (seconds, _) in corpus.items()
    ])  # fmt: skip
    columns = ["recording", "channel", "onset_s", "offset_s", "code", "confidence"]
    rows = [(name, "TERM", *event, 1.0) for name, (_, events) in corpus.items() for event in events]
    seizures = pd.DataFrame(rows, columns=columns).astype({"onset_s": float, "offset_s": float})
    findings = Findings()
    arguments: dict[str, Any] = {"task": task, "length_s": length_s, "settings": RULES, "compat": compat}
    return cut_clips(segments, seizures, findings=findings, **arguments), findings


# Counted by hand: per recording a b c d e


@pytest.mark.parametrize(
    ("length_s", "compat", "clips", "positives"),
    [
        (12, HALF_OPEN, [10, 15, 5, 3, 10], {"a": [1], "b": [5, 6, 10], "c": [0], "e": [4, 8, 9]}),
        (12, PUBLISHED, [10, 15, 5, 3, 10], {"a": [0, 1, 2], "b": [4, 5, 6, 7, 9, 10], "c": [0], "e": [4, 5, 7, 8, 9]}),
        (60, HALF_OPEN, [2, 3, 1, 0, 2], {"a": [0], "b": [1, 2], "c": [0], "e": [0, 1]}),
        (60, PUBLISHED, [2, 3, 1, 0, 2], {"a": [0], "b": [0, 1, 2], "c": [0], "e": [0, 1]}),
    ],
)
def test_detection_counts(length_s: int, compat: ClipCompat, clips: list[int], positives: dict[str, list[int]]) -> None:
    table, findings = cut(CORPUS, "detection", length_s, compat)
    assert [int((table["recording"] == name).sum()) for name in CORPUS] == clips
    marked = table[table["label"] == 1]
    numbers = (marked["start_s"] // length_s).astype(int)
    assert {name: numbers[marked["recording"] == name].tolist() for name in positives} == positives
    assert (
        len(marked)
        == {(12, "half_open"): 8, (12, "touching"): 15, (60, "half_open"): 6, (60, "touching"): 7}[
            length_s, compat.label_edge
        ]
    )
    assert [row.recording for row in findings if row.code == "no_whole_clip"] == (["d"] if length_s == 60 else [])


@pytest.mark.parametrize(("length_s", "clips", "pairs"), [(12, 43, 38), (60, 8, 4)])
def test_pretraining_pairs_are_clips_less_recordings_with_one(length_s: int, clips: int, pairs: int) -> None:
    assert len(cut(CORPUS, "detection", length_s, HALF_OPEN)[0]) == clips
    assert len(cut(CORPUS, "pretraining", length_s, HALF_OPEN)[0]) == pairs


@pytest.mark.parametrize(
    ("length_s", "compat", "seconds"),
    [
        (12, HALF_OPEN, [12, 12, 12, 2, 9, 2, 12]),
        (12, PUBLISHED, [12, 12, 12, 2, 8, 2, 12]),  # recording c begins at sample 1: 1,799 samples are left
        (60, HALF_OPEN, [14, 12, 13, 2, 9, 2, 26]),
        (60, PUBLISHED, [14, 12, 13, 2, 8, 2, 26]),
    ],
)
def test_classification_counts(length_s: int, compat: ClipCompat, seconds: list[int]) -> None:
    table, findings = cut(CORPUS, "classification", length_s, compat)
    assert table["code"].tolist() == ["gnsz", "fnsz", "cpsz", "absz", "tnsz", "spsz", "mysz"]
    assert table["length_s"].tolist() == seconds
    first_sample = 1 if compat is PUBLISHED else 0
    samples = [2000, 11600, 14001, 23600, first_sample, 11599, 18800]  # 14,001: one after the end of the seizure before
    assert (table["start_s"] * RATE).round().astype(int).tolist() == samples
    assert [row.recording for row in findings if row.code == "seizure_too_short"] == ["c"]
    counts = Counter(classes("four")[k] for k in class_numbers(table["code"], "four") if k >= 0)
    assert counts == {"CF": 3, "GN": 1, "AB": 1, "CT": 1}
    assert (class_numbers(table["code"], "eight") >= 0).sum() == 7
    assert (class_numbers(table["code"], "seven") >= 0).sum() == 6


# One slow oracle per rule, written from the specification alone


def plain_half_open(start_s: int, length_s: int, onset_s: float, offset_s: float) -> bool:
    """Overlap of [start, end) and the seizure above zero, in exact fractions."""
    onset, offset = Fraction(str(onset_s)), Fraction(str(offset_s))
    return min(Fraction(start_s + length_s), offset) > max(Fraction(start_s), onset)


def plain_published(start_s: int, length_s: int, onset_s: float, offset_s: float) -> bool:
    """No seizure only if the clip ends before int(onset) or starts after int(offset), in samples."""
    return not ((start_s + length_s) * RATE < int(onset_s * RATE) or start_s * RATE > int(offset_s * RATE))


def plain_event_clips(events: Events, length_s: int, first_sample: int) -> list[tuple[int, int, str]]:
    """First sample, whole seconds and type of each event's clip, sample by sample."""
    found, last_taken = [], first_sample - 1
    for onset_s, offset_s, code in events:
        start, offset = int(RATE * (onset_s - 2)), int(RATE * offset_s)
        while start < 0 or start <= last_taken:
            start += 1
        whole = 0
        while whole < length_s and start + (whole + 1) * RATE <= offset:
            whole += 1
        last_taken = max(last_taken, offset)
        if whole:
            found.append((start, whole, code))
    return found


def random_corpus(seed: int) -> dict[str, tuple[float, Events]]:
    """Recordings whose seizures begin and end on edges, close to them, close to one another, or are very short."""
    rng = np.random.default_rng(seed)
    corpus: dict[str, tuple[float, Events]] = {}
    for number in range(12):
        seconds, time, events = float(rng.choice([11.9, 60.0, 61.5, 120.0, 300.25])), 0.0, []
        while True:
            gap, length = rng.choice([0.0, 0.3, 1.0, 1.999, 7.0, 31.0]), rng.choice([0.2, 0.999, 1.0, 5.0, 12.0, 70.0])
            onset = round(float(np.ceil((time + gap) / 12) * 12 if rng.random() < 0.4 else time + gap), 3)
            offset = round(float(onset + length), 3)
            if offset > seconds:
                break
            events.append((onset, offset, str(rng.choice(["fnsz", "gnsz", "absz", "tcsz"]))))
            time = offset
        corpus[f"r{number:02d}"] = (seconds, events)
    return corpus


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length_s", [12, 60])
@pytest.mark.parametrize("compat", [HALF_OPEN, PUBLISHED], ids=["half-open", "published"])
def test_counts_of_random_corpora_equal_the_slow_oracle(seed: int, length_s: int, compat: ClipCompat) -> None:
    corpus = random_corpus(seed) | (CORPUS if seed == 0 else {})
    meets = plain_published if compat is PUBLISHED else plain_half_open
    expected, events = [], []
    for name in sorted(corpus):
        seconds, seizures = corpus[name]
        for number in range(int(seconds) // length_s):
            start_s = number * length_s
            expected.append((name, start_s, int(any(meets(start_s, length_s, on, off) for on, off, _ in seizures))))
        own = plain_event_clips(seizures, length_s, 1 if compat is PUBLISHED else 0)
        events += [(name, *clip) for clip in own]
    table, _ = cut(corpus, "detection", length_s, compat)
    assert list(zip(table["recording"], table["start_s"].astype(int), table["label"], strict=True)) == expected
    table, _ = cut(corpus, "classification", length_s, compat)
    starts = (table["start_s"] * RATE).round().astype(int)
    assert list(zip(table["recording"], starts, table["length_s"], table["code"], strict=True)) == events
    assert sum(label for _, _, label in expected) > 3
