"""The exported tree of event files: complete, read back by an outside reader, and clear about what it was given."""

import sys

import pandas as pd
import pytest

from pipeline.stages import export_events
from pipeline.stages.index import RECORDINGS, SEIZURES
from pipeline.store import write_table

outside = pytest.importorskip("epilepsy2bids.annotations", reason="epilepsy2bids is not installed")


def index(folder):
    """An index of two shards: two recordings of one session, one without seizure, one without labels."""
    rows = [("a_t000", "p1", "s001", "train", True), ("a_t001", "p1", "s001", "train", True),
            ("b_t000", "p2", "", "test", True), ("c_t000", "p2", "", "test", False)]  # fmt: skip
    for split in ("train", "test"):
        own = [row for row in rows if row[3] == split]
        table = pd.DataFrame(
            [
                {"corpus": "made", "recording": r, "patient": p, "session": s, "split": split, "montage": "",
                 "path": f"{r}.edf", "duration_s": 100.0, "rate_hz": 256.0, "n_signals": 19, "labels": ["FP1"],
                 "labelled": known, "synthetic": True}
                for r, p, s, _, known in own
            ],
            columns=list(RECORDINGS),
        )  # fmt: skip
        write_table(folder / f"{split}-00.recordings.parquet", table.astype(RECORDINGS))
    events = [("a_t000", "TERM", 10.0, 20.25, "cpsz"), ("a_t000", "F7-T3", 12.0, 20.25, "cpsz"),
              ("a_t000", "TERM", 50.0, 50.5, "gnsz"), ("a_t001", "FP1-F7", 1.0, 5.0, "fnsz")]  # fmt: skip
    for split, own in (("train", events), ("test", [])):
        table = pd.DataFrame([(*event, 1.0) for event in own], columns=list(SEIZURES)).astype(SEIZURES)
        write_table(folder / f"{split}-00.seizures.parquet", table)
    return folder


def export(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["export_events", *map(str, arguments)])
    export_events.main()


def spans(root):
    """What the outside reader finds, by file name."""
    return {
        path.name.removesuffix("_events.tsv"): outside.Annotations.loadTsv(str(path)).getEvents()
        for path in sorted(root.rglob("*_events.tsv"))
    }


def tree(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


P1, P2 = "sub-p1_ses-s001_task-szMonitoring_run-0", "sub-p2_ses-01_task-szMonitoring_run-0"


def test_the_annotated_events(tmp_path, monkeypatch):
    export(monkeypatch, "--index", index(tmp_path / "index"), "--out", tmp_path / "out")
    assert spans(tmp_path / "out") == {P1 + "0": [(10, 20.25), (50, 50.5)], P1 + "1": [(1, 5)], P2 + "0": []}
    text = next(tmp_path.rglob(f"{P1}0_events.tsv")).read_text()
    assert text.splitlines()[1] == "10.00\t10.25\tsz_foc_ia\t1.00\tF7-T3\tn/a\t100.00"
    listed = (tmp_path / "out/recordings.tsv").read_text().splitlines()
    assert listed[1] == f"sub-p1/ses-s001/eeg/{P1}0_events.tsv\ta_t000"
    assert len(listed) == 4  # the recording without labels has no reference: no file, not a row of background
    assert "SYNTHETIC" in (tmp_path / "out/dataset_description.json").read_text()
    assert not list((tmp_path / "out").rglob("*.part"))


def test_short_events_are_lengthened_where_asked(tmp_path, monkeypatch):
    export(monkeypatch, "--index", index(tmp_path / "index"), "--out", tmp_path / "out", "--shortest-s", 1)
    assert spans(tmp_path / "out")[P1 + "0"] == [(10, 20.25), (50, 51)]


def test_two_exports_are_equal_byte_for_byte(tmp_path, monkeypatch):
    for name in ("one", "two"):
        export(monkeypatch, "--index", index(tmp_path / "index"), "--out", tmp_path / name)
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == 7


def hypothesised(tmp_path, monkeypatch, text):
    table = tmp_path / "found.tsv"
    table.write_text(text)
    arguments = ("--index", index(tmp_path / "index"), "--out", tmp_path / "out", "--hypotheses", table)
    export(monkeypatch, *arguments, "--log", tmp_path / "log.txt")
    return spans(tmp_path / "out"), (tmp_path / "log.txt").read_text()


def test_hypotheses(tmp_path, monkeypatch):
    """Clipped to the recording, united, sorted; what nothing was said of is named (scoring.md, section 4)."""
    spans_s = [("a_t000", 90, 10.2), ("a_t000", -5, 10), ("a_t000", 40, 20), ("a_t000", 45, 5), ("c_t000", 1, 2),
               ("a_t000", 100, 20)]  # fmt: skip
    text = "".join(f"{recording}\t{onset}\t{length}\n" for recording, onset, length in spans_s)
    found, log = hypothesised(tmp_path, monkeypatch, "recording\tonset\tduration\n" + text)
    assert found == {P1 + "0": [(0, 5), (40, 60), (90, 100)], P1 + "1": [], P2 + "0": [], P2 + "1": [(1, 3)]}
    assert "a_t001: no line of found.tsv" in log
    assert log.count("clipped") == 3
    assert "united" in log


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recording\tonset\na_t000\t1\n", "no column duration"),
        ("recording\tonset\tduration\na_t000\t1\t2\nzzz\t1\t2\n", "line 3: no recording of the index"),
        ("recording\tonset\tduration\na_t000\tn/a\t2\n", "line 2: onset is no number"),
        ("recording\tonset\tduration\n\na_t000\t1\tinf\n", "line 3: duration is no number"),
        ("recording\tonset\tduration\na_t000\t9\t-2\n", "line 2: a duration of zero or less"),
        ("recording\tonset\tduration\teventType\na_t000\t1\t2\tSZ\n", "line 2: no event type .* nearest is 'sz'"),
        ("", "no column recording"),
    ],
)
def test_row30_a_hypothesis_that_cannot_be_read_names_its_line(tmp_path, monkeypatch, text, said):
    with pytest.raises(export_events.StageError, match=f"found.tsv.*{said}"):
        hypothesised(tmp_path, monkeypatch, text)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stated", ["100.9", "99.2"])
def test_a_hypothesis_of_almost_the_length_is_aligned_and_told(tmp_path, monkeypatch, stated):
    text = f"recording\tonset\tduration\trecordingDuration\na_t000\t90\t10\t{stated}\n"
    found, log = hypothesised(tmp_path, monkeypatch, text)
    assert found[P1 + "0"] == [(90, 100)]
    assert f"found.tsv, line 2: recordingDuration {stated} s, the recording has 100.00 s; aligned" in log


@pytest.mark.parametrize("stated", ["101.1", "98.9", "3600"])
def test_a_hypothesis_of_another_length_names_its_line(tmp_path, monkeypatch, stated):
    head = "recording\tonset\tduration\trecordingDuration\na_t000\t1\t2\t100.00\na_t000\t5\t2\tn/a\n"
    with pytest.raises(export_events.StageError, match=f"found.tsv, line 4: recordingDuration {float(stated)} s"):
        hypothesised(tmp_path, monkeypatch, f"{head}a_t000\t9\t2\t{stated}\n")
    assert hypothesised(tmp_path, monkeypatch, head)[0][P1 + "0"] == [(1, 3), (5, 7)]


def test_hypotheses_of_several_types_that_overlap_are_one_event(tmp_path, monkeypatch):
    text = "recording\tonset\tduration\teventType\na_t000\t10\t50\tsz_foc\na_t000\t20\t20\tsz_gen\n"
    assert hypothesised(tmp_path, monkeypatch, text)[0][P1 + "0"] == [(10, 60)]


def test_a_folder_that_is_not_empty_or_has_no_index_stops(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(export_events.StageError, match="not empty"):
        export(monkeypatch, "--index", index(tmp_path / "index"), "--out", tmp_path / "out")
    with pytest.raises(export_events.StageError, match="build the corpus's index first"):
        export(monkeypatch, "--index", tmp_path / "nowhere", "--out", tmp_path / "new")
    with pytest.raises(export_events.StageError, match="--shortest-s nan"):
        export(monkeypatch, "--index", tmp_path / "index", "--out", tmp_path / "new", "--shortest-s", "nan")
    with pytest.raises(export_events.StageError, match=r"--hypotheses .*nofile.tsv: no such file; give a TSV"):
        export(monkeypatch, "--index", tmp_path / "index", "--out", tmp_path / "new", "--hypotheses", "nofile.tsv")
    with pytest.raises(export_events.StageError, match=r"notes.txt is a file or not empty; give a new folder"):
        export(monkeypatch, "--index", tmp_path / "index", "--out", tmp_path / "out/notes.txt")
