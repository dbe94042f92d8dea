"""Published lists of test clips: which clips they name, what is wrong with them, and that scores of two never mix."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.clips import cut_clips
from pipeline.findings import Findings
from pipeline.metrics.clip_lists import ALL, NamedList, listed, named_lists, places_of
from pipeline.metrics.clip_metrics import Key, class_metrics
from pipeline.metrics.evaluation import Predicted, metrics_table, of_list
from pipeline.settings.base import SettingsError
from pipeline.settings.clip_lists import ClipList
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.stages.evaluate import listed_metrics

CLASSES = ("CF", "GN", "AB", "CT")
SETTINGS = EvaluationSettings(bootstrap=50, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=10)
# recording, onset_s, offset_s, code: two seizures that touch, one too short for a clip, one that is no seizure
EVENTS = [("a_s1_t0", 10, 40, "fnsz"), ("a_s1_t0", 40, 70, "gnsz"), ("a_s1_t0", 70.1, 70.9, "fnsz"),
          ("a_s1_t0", 90, 95, "nesz"), ("a_s1_t0", 100, 130, "tcsz"), ("b_s1_t0", 1, 30, "absz")]  # fmt: skip
# spec sglc.md, section 2: clips, patients, clips of each class, weighted F1 of always guessing the most frequent class
PUBLISHED = {"tang2022": (521, (297, 114, 49, 61), 0.414), "asgpf285": (285, (182, 54, 48, 1), 0.498)}


def events() -> pd.DataFrame:
    rows = [(name, "TERM", float(a), float(b), code, 1.0) for name, a, b, code in EVENTS]
    return pd.DataFrame(rows, columns=["recording", "channel", "onset_s", "offset_s", "code", "confidence"])


def clips(compat: dict[str, Any] | None = None) -> pd.DataFrame:
    """The test clips of two patients, cut as the stage `clips` cuts them."""
    segments = pd.DataFrame({
        "recording": ["a_s1_t0", "b_s1_t0"], "segment": ["s0", "s0"], "patient": ["a", "b"], "session": "s1",
        "split": "test", "start_s": 0.0, "duration_s": 200.0, "n_samples": 40_000, "rate_hz": 200.0,
    })  # fmt: skip
    edges = {"label_edge": "half_open", "clip_start_offset": False} | (compat or {})
    settings = ClipSettings(before_onset_s=2, forecast_s=12)
    return cut_clips(
        segments, events(), task="classification", length_s=12, settings=settings,
        compat=ClipCompat.model_validate(edges), findings=Findings(),
    )  # fmt: skip


def resolved(tmp_path: Path, text: str, **more: Any) -> np.ndarray[Any, Any]:
    path = tmp_path / "list.txt"
    path.write_text(text)
    chosen = ClipList.model_validate({"clips": str(path)} | more)
    *_, found = named_lists({"short": chosen}, clips(), patients={"a", "b"}, seizures=events())
    assert found.name == "short"
    assert found.clips is not None
    return found.clips


@pytest.mark.parametrize("compat", [{}, {"clip_start_offset": True, "label_edge": "touching"}])
def test_a_clip_bears_the_place_of_its_seizure_among_all_seizures_of_its_file(compat: dict[str, Any]) -> None:
    """The seizure without a clip counts (number 2 of its file), what is no seizure does not."""
    table = clips(compat)
    assert list(table["code"]) == ["fnsz", "gnsz", "tcsz", "absz"]
    assert places_of(table, events()) == [0, 1, 3, 0]


def test_markers_choose_their_clips(tmp_path: Path) -> None:
    found = resolved(tmp_path, "edf/a_s1_t0.edf,3,3\nb_s1_t0.edf,2,0\n", labels=list(CLASSES))
    assert [name.split("@")[0] for name in found] == ["a_s1_t0/s0", "b_s1_t0/s0"]
    assert found[0] == clips()["clip"].iloc[2]
    with_head = resolved(tmp_path, "file,label,seizure_index\na_s1_t0,0,0\n")
    assert list(with_head) == [clips()["clip"].iloc[0]]


def test_published_numbers_of_eight_classes_are_read_by_their_names(tmp_path: Path) -> None:
    """In the published eight-class lists generalised is 3 and tonic-clonic 6; here they are 1 and 6."""
    names = ["FN", "SP", "CP", "GN", "AB", "TN", "TC"]
    assert len(resolved(tmp_path, "a_s1_t0.edf,3,1\na_s1_t0.edf,6,3\n", labels=names)) == 2
    with pytest.raises(SettingsError, match=r"1 of 1 clips are of another type .*a_s1_t0, seizure 1: SP, here gnsz"):
        resolved(tmp_path, "a_s1_t0.edf,1,1\n", labels=names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a_s1_t0.edf,0,0\nc_s1_t0.edf,0,0\na_s1_t0.edf,0,7\n", "2 of 3 clips are no test clips .*first c_s1_t0, seiz"),
        ("a_s1_t0.edf,0,2\n", "1 of 1 clips are no test clips .*first a_s1_t0, seizure 2"),  # it gave no clip
        ("a_s1_t0.edf,0,0\na_s1_t0.edf,1,0\n", "a_s1_t0, seizure 0 stands twice"),
        ("a_s1_t0.edf,0\n", "line 1: 'a_s1_t0.edf,0' is not file,label,seizure_index"),
        ("\n", "names no clip"),
        ("a_s1_t0.edf,0,\u00b2\n", "line 1: .* is not file,label,seizure_index"),
        ("a_s1_t0.edf,9,0\n", "label 9 of a_s1_t0 has no name in labels"),
    ],
)
def test_a_list_that_does_not_fit_stops_with_the_count_and_the_first_name(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        resolved(tmp_path, text, labels=list(CLASSES))


def test_a_list_that_is_no_text_or_lacks_the_seizures_stops(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    lists = {"short": ClipList(clips=str(tmp_path / "list.txt"))}
    with pytest.raises(SettingsError, match="is no text in UTF-8"):
        named_lists(lists, clips(), patients=(), seizures=events())
    with pytest.raises(SettingsError, match="give --seizures"):
        named_lists(lists, clips(), patients=(), seizures=None)


def test_lists_of_patients(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("b\n\n")
    lists = {
        "kept": ClipList(patients=str(tmp_path / "kept.txt")),
        "dropped": ClipList(without=["a", "somebody who was left out already"]),
    }
    every, kept, dropped = named_lists(lists, clips(), patients={"a", "b"}, seizures=None)
    assert (every.name, every.clips) == (ALL, None)
    assert (kept.absent, dropped.absent) == ((), ("somebody who was left out already",))
    assert kept.clips is not None
    assert dropped.clips is not None
    assert list(kept.clips) == list(dropped.clips) == [clips()["clip"].iloc[3]]
    (tmp_path / "kept.txt").write_text("b\nz\n")
    with pytest.raises(SettingsError, match="1 of 2 patients are no test patients; first z"):
        named_lists(lists, clips(), patients={"a", "b"}, seizures=None)
    (tmp_path / "kept.txt").write_text("\n")
    with pytest.raises(SettingsError, match=r"test_lists.kept.patients: .*kept.txt: names no patient"):
        named_lists(lists, clips(), patients={"a", "b"}, seizures=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"clips": "a", "patients": "b"},
        {"patients": "b", "labels": ["CF"]},
        {"without": ["a"], "schemes": []},
        {"without": []},
    ],
)
def test_a_list_has_one_rule(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"give one of|only a list of clips|at least 1"):
        ClipList.model_validate(wrong)


def predicted(counts: tuple[int, ...]) -> Predicted:
    labels = np.repeat(np.arange(len(counts)), counts)
    p = np.full((len(labels), len(counts)), 1 / len(counts))
    names = np.array([f"c{k}" for k in range(len(labels))])
    return Predicted(0, labels, p, labels % 2, np.array([f"p{k % 7}" for k in range(len(labels))]), clips=names)


def test_each_list_is_scored_by_itself_and_its_rows_bear_its_name() -> None:
    """The metrics of a list are those of its clips alone, and no reader sees two lists in one column."""
    one = predicted((6, 5, 4, 3))
    other = NamedList("short", np.array([f"c{k}" for k in range(3, 9)]))
    table = listed_metrics([one], [NamedList(ALL, None), other], CLASSES, SETTINGS)
    assert list(dict.fromkeys(table["list"])) == [ALL, "short"]
    pd.testing.assert_frame_equal(of_list(table).drop(columns="list"), metrics_table([one], CLASSES, SETTINGS))
    alone = metrics_table([listed(one, other)], CLASSES, SETTINGS)
    pd.testing.assert_frame_equal(of_list(table, "short").drop(columns="list"), alone)
    assert set(of_list(table)["n_clips"]) == {18}
    assert set(of_list(table, "short")["n_clips"]) == {6}
    assert not table.duplicated(["list", "seed", "metric", "class"]).any()


def test_every_class_of_a_list_is_reported() -> None:
    """Each of K classes has its recall and AUROC, on a list without any clip of a class too: then with a reason."""
    one = predicted((6, 5, 4, 0))
    rows = listed_metrics([one], [NamedList(ALL, None)], CLASSES, SETTINGS)
    for metric in ("recall", "auroc"):
        found = rows[(rows["metric"] == metric) & (rows["seed"] == -1)].set_index("class")
        assert list(found.index) == list(CLASSES)
        assert found["value"].notna().tolist() == [True, True, True, False]
        assert found.loc["CT", "reason"]


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_counts_give_the_published_majority_guess(name: str) -> None:
    n_clips, counts, weighted_f1 = PUBLISHED[name]
    assert sum(counts) == n_clips
    matrix = np.zeros((1, 4, 4))
    matrix[0, :, 0] = counts  # always the first class
    scores = class_metrics(matrix, CLASSES)
    for key in ("majority_weighted_f1", "weighted_f1"):
        assert scores[Key(key, "")][0] == pytest.approx(weighted_f1, abs=5e-4)
