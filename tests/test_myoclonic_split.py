"""Table 9's split of the myoclonic events of one patient (compat.mysz_split), and what it leaves alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.clips import SCHEMES, cut_clips
from pipeline.features._frame_store import write_frames
from pipeline.findings import Findings
from pipeline.settings.clips import ClipCompat, ClipSettings
from pipeline.settings.config import parse_config
from pipeline.store import read_json, read_table, write_table
from workflow.lib import job_settings
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs
from workflow.lib.paths import Paths

ROOT = Path(__file__).parents[1]
RULES = ClipSettings(before_onset_s=2, forecast_s=12)
EVENTS = [  # recording, patient, split, onset_s, offset_s, code
    ("p1_r0", "p1", "train", 20, 33, "mysz"), ("p1_r0", "p1", "train", 60, 75, "mysz"),
    ("p1_r0", "p1", "train", 90, 99, "gnsz"), ("p2_r0", "p2", "validation", 20, 33, "mysz"),
    ("p2_r1", "p2", "validation", 5, 9, "mysz"), ("p2_r1", "p2", "validation", 30, 39, "mysz"),
    ("p3_r0", "p3", "validation", 20, 33, "mysz"), ("p4_r0", "p4", "test", 20, 33, "mysz"),
    ("p4_r0", "p4", "test", 50, 63, "mysz"), ("p5_r0", "p5", "train", 50, 63, "fnsz"),
    ("p5_r0", "p5", "train", 80, 93, "fnsz"),
]  # fmt: skip


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments and seizures."""
    events = pd.DataFrame(EVENTS, columns=["recording", "patient", "split", "onset_s", "offset_s", "code"])
    segments = events[["recording", "patient", "split"]].drop_duplicates(ignore_index=True).assign(
        session="s1", segment="0", start_s=0.0, duration_s=120.0, n_samples=24_000, rate_hz=200.0, labelled=True
    )  # fmt: skip
    seizures = events[["recording", "onset_s", "offset_s", "code"]].assign(channel="TERM", confidence=1.0)
    return segments, seizures.astype({"onset_s": float, "offset_s": float})


def cut(mysz_split: str, task: str = "classification") -> tuple[pd.DataFrame, Findings]:
    segments, seizures = tables()
    compat = ClipCompat.model_validate(
        {"label_edge": "half_open", "clip_start_offset": False, "mysz_split": mysz_split}
    )
    findings = Findings()
    clips = cut_clips(segments, seizures, task=task, length_s=12, settings=RULES, compat=compat, findings=findings)  # type: ignore[arg-type]
    return clips, findings


def splits_of(clips: pd.DataFrame) -> dict[str, set[str]]:
    return {str(patient): set(rows["split"]) for patient, rows in clips.groupby("patient")}


def test_mysz_split_published_and_correct() -> None:
    """By default every clip is in its patient's split; as published, a patient's myoclonic events go in turn."""
    correct, none = cut("patient")
    assert splits_of(correct) == {
        "p1": {"train"}, "p2": {"validation"}, "p3": {"validation"}, "p4": {"test"}, "p5": {"train"},
    }  # fmt: skip
    assert not [row for row in none if row.code == "clip_in_other_split"]
    published, findings = cut("published")
    mysz = published[published["code"] == "mysz"]
    assert mysz[["recording", "split"]].values.tolist() == [
        ["p1_r0", "train"], ["p1_r0", "validation"], ["p2_r0", "train"], ["p2_r1", "validation"], ["p2_r1", "train"],
        ["p3_r0", "validation"], ["p4_r0", "test"], ["p4_r0", "test"],
    ]  # fmt: skip
    moved = [row for row in findings if row.code == "clip_in_other_split"]
    assert [row.recording for row in moved] == ["p1_r0", "p2_r0", "p2_r1"]
    same = [name for name in correct.columns if name != "split"]
    pd.testing.assert_frame_equal(published[same], correct[same])


def test_no_patient_is_in_two_splits_by_clips_of_another_class() -> None:
    published, _ = cut("published")
    others = published[published["code"] != "mysz"]
    assert len(others) == 3
    assert all(len(splits) == 1 for splits in splits_of(others).values())
    assert not set(published.loc[published["split"] == "test", "patient"]) & set(
        published.loc[published["split"] != "test", "patient"]
    )


@pytest.mark.parametrize("task", ["detection", "pretraining"])
def test_only_classification_clips_are_parted(task: str) -> None:
    pd.testing.assert_frame_equal(cut("published", task)[0], cut("patient", task)[0])


def scaler_of(folder: Path, clips: pd.DataFrame, shards: list[str], **switch: str) -> subprocess.CompletedProcess[str]:
    """The stage `scaler` on one shard a split, whose frames are the clip's number."""
    numbers = {item: float(k) for k, item in enumerate(clips["item"])}
    segments, _ = tables()
    home = segments.drop_duplicates("patient").set_index("patient")["split"]
    paths: dict[str, list[str]] = {"features": [], "clips": []}
    for shard in shards:
        own = clips[clips["patient"].map(home) == shard]
        write_table(folder / f"{shard}.parquet", own)
        frames = [
            np.full((length, 2, 3), numbers[item], np.float32) for item, length in own[["item", "length_s"]].values
        ]
        write_frames(folder / f"{shard}.zarr.zip", list(own["item"]), [len(f) for f in frames], frames, shape=(2, 3))
        paths["features"].append(str(folder / f"{shard}.zarr.zip"))
        paths["clips"].append(str(folder / f"{shard}.parquet"))
    settings = json.dumps({"task": "classification", "length_s": 12, **switch})
    named = [part for name, files in paths.items() for part in (f"--{name}", *files)]
    command = [sys.executable, "-m", "pipeline.stages.scaler", "--settings", settings, *named]
    return subprocess.run([*command, "--scaler", str(folder / "scaler.json")], cwd=ROOT, capture_output=True, text=True)


def test_the_scaler_sees_the_training_clips_wherever_they_lie(tmp_path: Path) -> None:
    clips, _ = cut("published")
    refused = scaler_of(tmp_path, clips, ["train"])
    assert refused.returncode == 1
    assert "not of the training split" in refused.stderr
    made = scaler_of(tmp_path, clips, ["train", "validation"], mysz_split="published")
    assert made.returncode == 0, made.stderr
    train = clips["split"] == "train"
    seconds = clips["length_s"].to_numpy()[train]
    expected = (np.arange(len(clips))[train] * seconds).sum() / seconds.sum()
    scaler = read_json(tmp_path / "scaler.json")
    assert scaler["mean"] == pytest.approx(expected)
    assert scaler["n_clips"] == int(train.sum()) == 6
    foreign = scaler_of(tmp_path, clips, ["train", "test"], mysz_split="published")
    assert foreign.returncode == 1
    assert read_table(tmp_path / "test.parquet")["split"].eq("test").all()


@pytest.mark.parametrize("task", ["classification", "detection"])
@pytest.mark.parametrize("mysz_split", ["patient", "published"])
def test_shards_that_a_job_reads(task: str, mysz_split: str) -> None:
    """Where clips were parted, scaler and prediction read training and validation shards; else as ever."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["compat"]["mysz_split"] = mysz_split
    config = parse_config(values)
    inputs = Inputs(config, Corpora(config, False), Paths("results"))
    grid = "grid" if task == "detection" else "classification-12s"
    chosen = {"corpus": "synthetic", "task": task, "len": "12", "kind": "fft", "grid": grid}
    eight, four = (Job(run=run, **chosen) for run in ("dist-scratch-8", "dist-scratch"))
    jobs = {"scaler": inputs.of_scaler(eight), "predict": inputs.of_predicting(eight)}
    jobs["predict, no myoclonic class"] = inputs.of_predicting(four)
    found = {name: job["clips"] for name, job in jobs.items()}
    splits = {name: {Path(path).stem.split("-")[0] for path in paths} for name, paths in found.items()}
    parted = task == "classification" and mysz_split == "published"
    assert splits["scaler"] == ({"train", "validation"} if parted else {"train"})
    assert splits["predict"] == ({"train", "validation", "test"} if parted else {"validation", "test"})
    assert splits["predict, no myoclonic class"] == {"validation", "test"}
    assert ["mysz" in sum(classes.values(), ()) for classes in SCHEMES.values()] == [False, False, True]
    assert ("mysz_split" in job_settings.as_text(job_settings.scaler(config, task, 12))) is parted
    assert ("mysz_split" in job_settings.as_text(job_settings.clips(config, task, 12))) is parted


class Job(dict[str, str]):
    """Wildcards of a Snakemake job: read as attributes and as a mapping."""

    def __getattr__(self, name: str) -> str:
        return self[name]
