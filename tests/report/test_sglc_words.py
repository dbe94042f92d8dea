"""What the pages of the learned graph say of their numbers: intervals, diamonds, classes of one patient."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.evaluation import Predicted, metrics_table
from pipeline.report.learned_chapter import in_words
from pipeline.report.sglc_cells import published_lists, published_rows
from pipeline.report.sglc_fractions import bounds
from pipeline.report.sglc_pictures import table_picture
from pipeline.report.sglc_tables import absent_patients, class_table, differing_lists, score_table
from pipeline.settings.evaluation import EvaluationSettings

CLASSES = ("CF", "GN", "AB", "CT")
SETTINGS = EvaluationSettings(bootstrap=400, confidence=0.95, seed=0, threshold_strict=False, calibration_bins=5)


def answered(seed: int, *, right: bool) -> Predicted:
    """Forty clips of twenty patients, all right or all wrong."""
    labels = np.arange(40) % 4
    predicted = labels if right else (labels + 1) % 4
    patients = np.array([f"p{k // 2}" for k in range(40)])
    return Predicted(seed, labels, np.eye(4)[predicted] * 0.9 + 0.025, predicted, patients)


def test_curves_have_bars_over_seeds_as_well() -> None:
    """Of two seeds of which one knows all and one nothing: the patients' interval of the mean is a point."""
    seeds = [answered(0, right=True), answered(1, right=False)]
    table = metrics_table(seeds, CLASSES, SETTINGS)
    row = table[(table["seed"] == -1) & (table["metric"] == "weighted_f1")].iloc[0]
    assert [row["value"], row["low"], row["high"]] == pytest.approx([0.5] * 3)
    assert bounds(seeds, CLASSES, "weighted_f1", SETTINGS) == (0.0, 1.0)  # cut off: stretched it would leave [0, 1]
    assert bounds(seeds[:1], CLASSES, "weighted_f1", SETTINGS) == pytest.approx((1.0, 1.0))


def listed_as(name: str, classes: int, **changes: Any) -> dict[str, Any]:
    printed = next((row for row in published_lists() if row["list"] == name), {"list": name})
    return printed | {"classes": classes, "absent": []} | changes


@pytest.mark.parametrize(
    ("changes", "drawn"), [({}, True), ({"clips": 520}, False), ({"patients": 33}, False), ({"of_class": []}, False)]
)
def test_a_diamond_stands_only_on_the_published_clips(changes: dict[str, Any], drawn: bool) -> None:
    """A list of one's own may bear the published name."""
    holds = listed_as("tang2022", 4, **changes)
    label = "Dist-DCRNN, with pre-training"
    row = {"list": "tang2022", "classes": 4, "run": "dist-ssl", "label": label, "metric": "weighted_f1", "class": "",
           "value": 0.6, "std": np.nan, "n_seeds": 1, "low": 0.5, "high": 0.7, "n_clips": 521, "n_patients": 34,
           "origin": "measured", "reason": "", "note": ""}  # fmt: skip
    frame = pd.concat([pd.DataFrame([row]), published_rows()], ignore_index=True)
    picture = table_picture(frame, [holds], synthetic=False, dpi=40)
    assert ("Open diamond" in picture.caption) == drawn
    assert ("are not drawn" in picture.caption) != drawn
    assert (f"{label} 0.746" in picture.alt) == drawn
    assert "nan" not in picture.alt
    assert "mean over 1 seed;" in picture.caption
    assert bool(differing_lists([holds])) != drawn


def test_a_list_without_clips_has_no_nan_in_words() -> None:
    holds = listed_as("empty", 4, clips=0, patients=0, majority_weighted_f1=None)
    row = {"list": "empty", "classes": 4, "run": "dist-ssl", "label": "Dist-DCRNN", "metric": "weighted_f1",
           "class": "", "value": np.nan, "low": np.nan, "high": np.nan, "n_seeds": 2, "origin": "measured"}  # fmt: skip
    frame = pd.concat([pd.DataFrame([row]), published_rows()], ignore_index=True)
    picture = table_picture(frame, [holds], synthetic=False, dpi=40)
    assert "nan" not in picture.alt + picture.caption


def test_no_interval_for_a_class_of_one_patient_and_reasons_are_told() -> None:
    holds = listed_as("rare", 4, of_class=[["CF", 8], ["CT", 1], ["AB", 2]], clips=11, patients=3)
    holds |= {"patients_of_class": {"CF": 2, "CT": 1, "AB": 2}}
    base: dict[str, Any] = {
        "classes": 4,
        "list": "rare",
        "run": "dist-ssl",
        "label": "Dist-DCRNN",
        "metric": "auroc",
        "std": 0.1,
    }
    scores: list[dict[str, Any]] = [
        base | {"class": "CF", "value": None, "low": None, "high": None, "reason": "the clips hold one class only"},
        base | {"class": "CT", "value": 0.0, "low": 0.0, "high": 0.0, "reason": ""},
        base | {"class": "AB", "value": 0.5, "low": 0.4, "high": 0.6, "reason": ""},
    ]
    table = class_table(4, "rare", "auroc", scores, [holds])
    (row,) = table.rows
    assert row[1] == "n/a"
    assert "[" not in row[2]
    assert "[0.40, 0.60]" in row[3].replace("\u00a0", " ")
    assert "n/a: the clips hold one class only" in table.caption
    assert "no interval: the clips of CT are of one patient" in table.caption
    assert "no clip of it" not in table.caption


def test_two_runs_of_one_label_have_a_row_each() -> None:
    holds = listed_as("all", 4, clips=8, patients=2, majority_weighted_f1=0.5)
    base: dict[str, Any] = {
        "classes": 4,
        "list": "all",
        "label": "SGLC",
        "class": "",
        "std": None,
        "low": None,
        "high": None,
    }
    base |= {"origin": "measured", "metric": "weighted_f1"}
    table = score_table(4, [base | {"run": "a", "value": 0.5}, base | {"run": "b", "value": 0.6}], [holds])
    assert [row[1] for row in table.rows] == ["0.500", "0.600"]


def test_patients_who_are_not_there_are_named() -> None:
    (words,) = absent_patients([listed_as("x", 4, absent=["0001027", "nobody"]), listed_as("y", 4)])
    assert words.startswith("List x: of the patients to leave out, 0001027, nobody are not among the test patients")


@pytest.mark.parametrize(
    ("entropy", "init", "words"),
    [
        (1.2, "ssl", ["SGLC with pre-training", "below the prior's own"]),
        (1.39, "scratch", ["SGLC without pre-training", "equal to the prior's own"]),
        (1.6, "imported", ["with imported pre-training", "above the prior's own"]),
        (1.6, "transfer", ["from a detector's weights", "above the prior's own"]),
    ],
)
def test_entropy_and_first_weights_are_told_as_they_are(entropy: float, init: str, words: list[str]) -> None:
    measured = pd.DataFrame(
        {"layer": [1, 2], "entropy_mean": entropy, "entropy_mean_share": 0.5, "entropy_prior": 1.39}
    )
    files = {"run": "sglc", "task": "classification", "length_s": 12, "init": init}
    text = in_words(SimpleNamespace(**files), {"settings": {"options": {}}}, measured)  # type: ignore[arg-type]
    assert all(part in text for part in words)
