# ruff: noqa: F811 - fixtures of another module are imported by name
"""Captions and tables of the paper's figures: choice, null, interval, and what could not be drawn."""

from pathlib import Path

import numpy as np
import pytest

from tests.report.paper_inputs import TEST
from tests.report.test_paper_figures import (  # noqa: F401 - the fixtures too
    Make,
    classifier,
    corpus,
    corr_ssl,
    detection12,
    detector,
    draw,
    results,
)


def test_the_captions_state_the_rule_of_choice(results: Make, tmp_path: Path) -> None:
    dense = detector(tmp_path, "densecnn", "r2", "r5", model="densecnn", graph="none")
    both = results(corr_ssl(tmp_path), dense, classifier(tmp_path, [0, 0, 1, 2, 3], [0, 0, 1, 2, 3]))
    third, sixth, seventh = (draw(f"figure0{k}", both).picture.caption for k in (3, 6, 7))
    for caption in (third, sixth):
        assert "of each group the clip in the middle by localisation" in caption
    assert "where this model missed it" in sixth
    assert "where this model missed it" not in third
    assert "of each class the clip in the middle by its probability" in seventh


def test_figure04_states_the_null_and_that_each_model_has_clips_of_its_own(
    results: Make,
    tmp_path: Path,
) -> None:
    made = draw("figure04", results(corr_ssl(tmp_path)))
    assert "of each model those that it detected itself" in made.picture.caption
    assert "over a null of 0.20" in made.picture.caption
    localisation = made.table[made.table["score"] == "localisation"]
    assert localisation["null_mean"].to_list() == pytest.approx([0.2] * len(localisation))
    assert made.table.loc[made.table["score"] == "coverage", "null_mean"].isna().all()


def test_figure02_has_the_interval_of_the_auroc(results: Make, tmp_path: Path) -> None:
    made = draw("figure02", results(detection12(tmp_path, "dist-ssl", [0.4, 0.5], init="ssl")))
    row = made.table[made.table["predicted"] == "AUROC"].iloc[0]
    assert (row["low"], row["high"]) == (0.1, 0.9)
    assert 0.1 < row["measured"] <= 1.0
    assert np.isnan(row["count"])


def test_without_signals_the_figures_do_not_say_that_nothing_was_detected(
    results: Make,
    tmp_path: Path,
) -> None:
    found = results(corr_ssl(tmp_path), classifier(tmp_path, [0, 1], [0, 1]), signals=[])
    third, seventh = (draw(name, found).picture.caption for name in ("figure03", "figure07"))
    assert f"has {len(TEST)} maps, but the inventory names no signals" in third
    assert "has 2 maps, but the inventory names no signals" in seventh
