"""Marks of the paper's tables: each setting that the paper states is compared, of cards and of rules."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.report.paper_inventory import read_paper_inventory
from pipeline.report.paper_tables import paper_table
from pipeline.report.protocol import training_marks
from pipeline.settings.overlay import overlaid
from pipeline.store import read_json, write_json
from tests.report.paper_table_inputs import EVALUATION, RULES, make_inventory, make_run

AUROC = {("auroc", ""): 0.8}


def marks_of(folder: Path, table: str, run: dict[str, Any], rules: dict[str, Any] | None = None) -> str:
    """The marks in words of the one cell that the run fills."""
    path = make_inventory(folder, table, [run], rules=overlaid(RULES, rules or {}))
    frame = paper_table(read_paper_inventory(path), EVALUATION)
    filled: pd.DataFrame = frame[frame["measured"].notna()]
    assert len(filled) == 1
    return str(filled["marks"].iloc[0])


@pytest.mark.parametrize(
    ("section", "changed", "words"),
    [
        ("augment", {"reflect_probability": 0.0}, "reflect probability 0 (published 0.5)"),
        ("augment", {"scale_low": 1.0}, "scale low 1 (published 0.8)"),
        ("sampling", {"balance": False}, "balance False (published True)"),
        ("loop", {"checkpoint": "loss"}, "checkpoint loss (published auroc)"),
        ("loop", {"loss": "ce"}, "loss ce (published bce)"),
        ("features", {"floor_amplitude": 1.0}, "floor amplitude 1 (published 1e-08)"),
        ("options", {"init": {"gate_bias": 2.0}}, "gate bias 2 (published 0)"),
    ],
)
def test_a_training_of_another_kind_is_marked(
    tmp_path: Path, section: str, changed: dict[str, Any], words: str
) -> None:
    card = read_json(make_run(tmp_path, "dist-scratch")["cards"][0])
    assert training_marks([card] * 5) == []
    card["settings"][section] = {**card["settings"][section], **changed}
    card["settings"]["gate_bias"] = None  # as options.init says
    assert [(mark.letter, mark.text) for mark in training_marks([card] * 5)] == [("O", words)]


def test_raw_samples_have_no_floor_and_the_auxiliary_seconds_are_compared(tmp_path: Path) -> None:
    card = read_json(make_run(tmp_path, "dist-time", features="time")["cards"][0])
    card["settings"]["features"]["floor_amplitude"] = 1.0
    card["settings"]["auxiliary"] = {"seen_s": 6, "horizon_s": 6, "weight": 1.0, "loss": "mae"}
    assert training_marks([card] * 5) == []
    card["settings"]["auxiliary"]["seen_s"] = 4
    assert [mark.text for mark in training_marks([card] * 5)] == ["seen s 4 (published 6)"]


@pytest.mark.parametrize(
    ("graph", "task", "rules", "words"),
    [
        ("distance", "detection", {"graphs": {"kappa": 0.7}}, "kappa 0.7 (published 0.9)"),
        ("correlation", "detection", {"graphs": {"top_neighbours": 2}}, "top neighbours 2 (published 3)"),
        ("correlation", "detection", {"graphs": {"correlation_input": "centred"}}, "correlation input centred"),
        ("distance", "detection", {"signals": {"resampling": "polyphase"}}, "resampling polyphase (published fft)"),
        ("distance", "detection", {"signals": {"quality": {"flat_uv": 0.1}}}, "flat uv 0.1 (published: none)"),
        ("distance", "detection", {"missing": "interpolate"}, "missing channels interpolate (published skip)"),
        ("distance", "detection", {"nodes": ["FP1-F7", "F7-T3"]}, "other nodes: 2, FP1-F7 first"),
        ("distance", "detection", {"label_edge": "half_open"}, "label edge half_open (published touching)"),
        ("distance", "classification", {"clip_start_offset": False}, "clip start offset False (published True)"),
        ("distance", "classification", {"clips": {"before_onset_s": 0}}, "before onset s 0 (published 2)"),
    ],
)  # fmt: skip
def test_other_rules_are_marked_on_the_scores(
    tmp_path: Path, graph: str, task: str, rules: dict[str, Any], words: str
) -> None:
    scores = AUROC if task == "detection" else {("weighted_f1", ""): 0.8}
    run = make_run(tmp_path, f"{graph[:4]}-scratch", graph=graph, task=task, scores=scores)
    assert marks_of(tmp_path, "table02", run).startswith("C ")  # the corpus of six files, and nothing else
    assert "O " not in marks_of(tmp_path, "table02", run)
    assert words in marks_of(tmp_path, "table02", run, rules)


def test_rules_that_do_not_concern_a_run_leave_no_mark(tmp_path: Path) -> None:
    rules = {"graphs": {"top_neighbours": 2}, "clip_start_offset": False, "mysz_split": "patient"}
    run = make_run(tmp_path, "dist-scratch", scores=AUROC)
    assert "O " not in marks_of(tmp_path, "table02", run, rules)
    own = make_run(tmp_path, "corr-scratch", graph="correlation", top_neighbours=4, scores=AUROC)
    assert "O top neighbours 4 (published 3)" in marks_of(tmp_path, "table02", own)
    eight = make_run(tmp_path, "lstm-8", model="lstm", graph="none", task="classification", scheme="eight",
                     scores={("weighted_f1", ""): 0.8})  # fmt: skip
    assert "myoclonic" in marks_of(tmp_path, "table09", eight, rules)
    assert "myoclonic" not in marks_of(tmp_path, "table09", eight)


def test_the_detector_that_a_run_was_copied_from_counts_too(tmp_path: Path) -> None:
    first = make_run(tmp_path / "other", "dist-scratch", loop={"epochs": 7, "learning_rate": 3e-3})
    run = make_run(tmp_path, "dist-transfer", init="transfer", source="other", detector=first["cards"][0], scores=AUROC)
    marks = marks_of(tmp_path, "table08", run)
    assert "E detector at the source: epochs 7 (published 100)" in marks
    assert "L detector at the source: learning rate 0.003 (published 0.0001)" in marks


def test_a_card_of_pre_training_is_compared_with_the_published_pre_training(tmp_path: Path) -> None:
    card = read_json(make_run(tmp_path, "dist-ssl", loop={"epochs": 350, "learning_rate": 5e-4})["cards"][0])
    card["task"] = "pretraining"
    card["settings"]["loop"] |= {"checkpoint": "loss", "loss": "mae"}
    card["settings"]["sampling"]["balance"] = False
    path = tmp_path / "encoder.json"
    write_json(path, card)
    assert training_marks([], [("pre-training", read_json(path))])[1:] == []
    card["settings"]["horizon_s"] = 6
    assert [mark.text for mark in training_marks([], [("pre-training", card)])][1:] == [
        "pre-training: forecast s 6 (published 12)"
    ]
