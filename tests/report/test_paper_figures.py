"""The nine figures of the paper: their numbers against plain counts made here, and what they show where nothing is."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from paper_inputs import (
    ELECTRODES,
    OFFSET_S,
    ONSET_S,
    RATE_HZ,
    SETTINGS,
    TEST,
    classified,
    clip_of,
    detected,
    make_corpus,
    ranked,
    with_maps,
    without_maps,
    write_run,
)

from pipeline.clips import classes
from pipeline.graphs.distance import distance_weights, pairwise_distances
from pipeline.metrics.roc import sensitivity_at
from pipeline.report.derivations import DERIVATIONS
from pipeline.report.inventory import Results, read_results
from pipeline.report.paper_figures import FIGURES
from pipeline.report.paper_figures_base import PaperFigure
from pipeline.report.paper_figures_examples import crop, read_mapped, seizure, view
from pipeline.stages.paper_figure import main
from pipeline.store import read_json, read_table, write_json

T3 = ELECTRODES.index("T3")
Make = Callable[..., Results]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("paper")
    return folder, make_corpus(folder)


@pytest.fixture
def results(corpus: tuple[Path, dict[str, Any]], tmp_path: Path) -> Make:
    """Results with the runs given, and keys of the inventory replaced."""

    def make(*runs: dict[str, Any], **changed: Any) -> Results:
        write_json(tmp_path / "inventory.json", {**corpus[1], "runs": list(runs), **changed})
        return read_results(tmp_path / "inventory.json")

    return make


def draw(name: str, results: Results) -> PaperFigure:
    return FIGURES[name](results, SETTINGS)


def maps_of(*recordings: str, seed: int = 5) -> dict[str, np.ndarray]:
    """Noise, and T3 far above it during the seizure."""
    rng = np.random.default_rng(seed)
    made = {clip_of(recording): rng.normal(size=(19, 60)) for recording in recordings}
    for drop in made.values():
        drop[T3, int(ONSET_S) - 60 : int(np.ceil(OFFSET_S)) - 60] += 12.0
    return made


SCORES = {"r2": 0.95, "r3": 0.5, "r4": 0.2, "r5": 0.97, "r6": 0.6}
P = {"r2": 0.9, "r3": 0.8, "r4": 0.7, "r5": 0.6, "r6": 0.55}


def detector(
    folder: Path, run: str, *recordings: str, scores: dict[str, float] = SCORES, **chosen: Any
) -> dict[str, Any]:
    """A detection run on 60-s clips with maps of the recordings named."""
    entry = write_run(folder, run, "detection", 60, [detected(P)], **chosen)
    return with_maps(folder, entry, maps_of(*recordings), **scores)


def corr_ssl(folder: Path, *recordings: str, **more: Any) -> dict[str, Any]:
    return detector(folder, "corr-ssl", *(recordings or TEST), graph="correlation", init="ssl", **more)


# --- figures 1, 8, 9


def test_figure08_has_the_published_edge_counts(results: Make) -> None:
    drawn = draw("figure08", results())
    distances = pairwise_distances(ELECTRODES)
    expected = dict(zip((0.7, 0.8, 0.9, 1.0, 1.1, 1.2), (22, 32, 36, 48, 62, 72), strict=True))
    assert dict(zip(drawn.table["kappa"], drawn.table["edges"], strict=True)) == expected
    for kappa, count in expected.items():  # and by hand
        assert sum(distances[i, j] <= kappa for i in range(19) for j in range(i)) == count
    assert "Edges equal the counts" in drawn.picture.caption


def test_the_graphs_of_derivations_are_drawn_without_a_comparison(results: Make) -> None:
    settings = SETTINGS.model_copy(update={"electrodes": DERIVATIONS})
    drawn = FIGURES["figure08"](results(), settings)
    distances = pairwise_distances(DERIVATIONS)
    counted = [sum(distances[i, j] <= kappa for i in range(18) for j in range(i)) for kappa in drawn.table["kappa"]]
    assert drawn.table["edges"].tolist() == counted
    assert "no count to compare" in drawn.picture.caption
    assert drawn.table["expected"].isna().all()


def test_figure09_falls_apart_at_the_printed_bandwidth_and_fits_at_the_other(results: Make) -> None:
    drawn = draw("figure09", results())
    printed, fitting = drawn.picture.numbers["panels"]
    assert 0 < printed["largest_off_diagonal"] < 3e-19
    assert printed["n_shown"] == 0
    assert fitting["bandwidth"] == pytest.approx(0.3671, abs=5e-5)
    weights, distances = distance_weights(ELECTRODES, kappa=0.9), pairwise_distances(ELECTRODES)
    rows = drawn.table[drawn.table["bandwidth"] > 0.1]
    assert len(rows) == 171
    for row in rows.itertuples():
        i, j = ELECTRODES.index(row._2), ELECTRODES.index(row.to)
        if distances[i, j] <= 0.9:
            assert row.weight / fitting["at_zero"] == pytest.approx(weights[i, j], rel=1e-5)


def test_figure01_shows_the_first_seizure_clip_and_the_mean_of_all_test_clips(results: Make) -> None:
    made = results()
    drawn = draw("figure01", made)
    numbers = drawn.picture.numbers
    assert numbers["clip"] == clip_of("r2", 12)
    assert numbers["clips"] == 5 * 4
    sizes = [part["n_edges"] for part in numbers["panels"].values()]
    assert sizes[:2] == [36, 19 * 3]
    first = drawn.table[drawn.table["panel"] == "b"]
    assert (first.groupby("from").size() == 3).all()
    without = draw("figure01", results(graphs={"distance": made.inventory.graphs["distance"]}))
    assert "only the distance graph" in without.picture.caption


# --- figures 2, 5


def test_sensitivity_equals_that_of_every_threshold_and_a_straight_line_between() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        positive = rng.random(30) < 0.4
        positive[:2] = True, False
        scores = np.round(rng.random(30) + 0.3 * positive, 1)  # ties
        rates = [((scores[~positive] >= t).mean(), (scores[positive] >= t).mean()) for t in [*scores, 9.0]]
        points = sorted(set(rates))
        for target in (0.0, 0.25, 0.5, 1.0):
            found = [y for x, y in points if x == target]
            for (x0, y0), (x1, y1) in pairwise(points):
                if x0 < target < x1:
                    found.append(y0 + (target - x0) / (x1 - x0) * (y1 - y0))
            assert sensitivity_at(positive, scores, false_positive_rate=target) == pytest.approx(max(found))
    assert np.isnan(sensitivity_at(np.ones(3, bool), np.arange(3.0), false_positive_rate=0.25))


def detection12(folder: Path, run: str, noise: list[float], **chosen: Any) -> dict[str, Any]:
    """Seeds of growing noise: AUROC falls."""
    rng = np.random.default_rng(2)
    positive = [k % 3 == 0 for k in range(60)]
    seeds = [
        ranked(positive, [0.5 * y + level * e for y, e in zip(positive, rng.random(60), strict=True)])
        for level in noise
    ]
    return write_run(folder, run, "detection", 12, seeds, **chosen)


def test_figure02_draws_the_median_run_of_each_model_beside_published(results: Make, tmp_path: Path) -> None:
    ssl = detection12(tmp_path, "corr-ssl", [2.0, 0.4, 0.9], graph="correlation", init="ssl")
    dense = detection12(tmp_path, "densecnn", [0.5, 1.5], graph="none", model="densecnn")
    names = classes("four")
    labels = [0] * 6 + [1] * 2 + [2, 3]
    best = write_run(
        tmp_path, "lstm", "classification", 12, [classified(labels, labels, names)], model="lstm", graph="none"
    )
    always_cf = classified(labels, [0] * 10, names)
    poor = write_run(tmp_path, "densecnn", "classification", 12, [always_cf], model="densecnn", graph="none")
    wrong = labels.copy()
    wrong[0] = 1
    seeds = [classified(labels, labels, names), classified(labels, wrong, names)]
    plain = write_run(tmp_path, "dist-scratch", "classification", 12, seeds)
    drawn = draw("figure02", results(ssl, dense, poor, best, plain))
    first, second = drawn.picture.numbers["roc"]
    assert (first["seed"], first["n_seeds"], first["published"]) == (2, 3, 0.817)
    table = read_table(ssl["predictions"][2])
    expected = sensitivity_at((table["label"] == 1).to_numpy(), table["p_seizure"].to_numpy(), false_positive_rate=0.25)
    assert first["sensitivity"] == pytest.approx(expected, abs=1e-6)
    assert (second["seed"], second["published"]) == (1, 0.728)  # of two, the lower AUROC
    baseline, scratch = drawn.picture.numbers["confusion"]
    assert baseline["label"] == "LSTM"
    assert baseline["published"] == {"AB": 0.91}
    assert scratch["published"] == {"AB": 0.93, "CT": 0.26}
    assert scratch["counts"][0] == [5.5, 0.5, 0, 0]
    assert scratch["shares"][0] == [pytest.approx(5.5 / 6, abs=1e-6), pytest.approx(0.5 / 6, abs=1e-6), 0, 0]
    assert len(drawn.table) == 2 * 2 + 2 * 16
    assert "seed 2 of 3 seeds, 60 test clips of 5 patients" in drawn.picture.caption


def test_figure02_says_why_where_detection_clips_hold_one_class(results: Make, tmp_path: Path) -> None:
    one = write_run(tmp_path, "dist-ssl", "detection", 12, [ranked([True] * 5, [0.9] * 5)], init="ssl")
    assert "one class only" in draw("figure02", results(one)).picture.caption


def test_figure05_restricts_to_focal_types_and_counts_other_answers(results: Make, tmp_path: Path) -> None:
    names = classes("eight")
    fn, sp, cp, gn = (names.index(name) for name in ("FN", "SP", "CP", "GN"))
    labels = [fn] * 4 + [cp] * 2 + [gn] * 3
    given = [fn, fn, sp, gn, cp, fn, gn, gn, fn]
    runs = [
        write_run(
            tmp_path, "dist-ssl-8", "classification", length, [classified(labels, given, names, length)],
            scheme="eight", init="ssl",
        )
        for length in (12, 60)
    ]  # fmt: skip
    four = write_run(tmp_path, "dist-ssl", "classification", 12, [classified([0], [0], classes("four"))], init="ssl")
    drawn = draw("figure05", results(*runs, four))
    found = drawn.picture.numbers["confusion"]
    assert [one["length_s"] for one in found] == [12, 60]
    assert found[0]["rows"] == ["FN", "SP", "CP"]
    assert found[0]["answers"] == ["FN", "SP", "CP", "other"]
    assert found[0]["counts"] == [[2, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]]
    assert found[0]["shares"] == [[0.5, 0.25, 0, 0.25], [None] * 4, [0.5, 0, 0.5, 0]]
    assert len(drawn.table) == 2 * 12
    none = write_run(tmp_path, "x-8", "classification", 12, [classified([gn], [gn], names)], scheme="eight")
    assert "No test clip has a seizure of type FN" in draw("figure05", results(none)).picture.caption


# --- figures 3, 6


def test_figure03_takes_the_middle_clip_and_averages_the_seconds_of_the_seizure(results: Make, tmp_path: Path) -> None:
    drawn = draw("figure03", results(corr_ssl(tmp_path)))
    focal, generalised = drawn.picture.numbers["examples"]
    assert focal["clip"] == clip_of("r3")  # localisation 0.5 between 0.2 and 0.95
    assert generalised["clip"] == clip_of("r6")  # of two, the lower
    assert focal["seizure_s"] == [10, 23]
    assert focal["shown_s"] == [8, 25]
    raw = maps_of(*TEST)[clip_of("r3")].astype("float32").astype(float)
    scaled = (raw - raw.min()) / (raw.max() - raw.min())
    for name, value in focal["mean"].items():
        assert value == pytest.approx(scaled[ELECTRODES.index(name), 10:23].mean(), abs=1e-5)
    assert focal["highest"][0] == "T3"
    assert len(focal["edges"]) == 57
    rows = drawn.table[drawn.table["group"] == "focal"]
    assert len(rows) == 19 * 17
    assert rows["in_seizure"].sum() == 19 * 13
    assert "rank 2 of 3 focal clips by localisation" in drawn.picture.caption


def test_figure06_shows_the_clips_of_figure03_or_says_that_it_is_another(results: Make, tmp_path: Path) -> None:
    reference = corr_ssl(tmp_path)
    dense = detector(tmp_path, "densecnn", "r3", "r5", model="densecnn", graph="none")
    made = draw("figure06", results(reference, dense)).picture
    focal, generalised = made.numbers["examples"]
    assert (focal["clip"], focal["why"]) == (clip_of("r3"), "the clip of figure 3")
    assert generalised["clip"] == clip_of("r5")
    assert "was not detected by this model" in generalised["why"]
    assert focal["edges"] == []
    only_focal = detector(tmp_path, "densecnn", "r3", model="densecnn", graph="none")
    assert (
        "No generalised clip was predicted correctly"
        in draw("figure06", results(reference, only_focal)).picture.caption
    )
    assert "No Dense-CNN" in draw("figure06", results(reference)).picture.caption


def test_a_flat_map_is_not_shown(results: Make, tmp_path: Path) -> None:
    entry = write_run(tmp_path, "corr-ssl", "detection", 60, [detected(P)], graph="correlation", init="ssl")
    flat = with_maps(tmp_path, entry, {clip_of("r2"): np.ones((19, 60))}, r2=float("nan"))
    assert "whose map is not flat (1 maps)" in draw("figure03", results(flat)).picture.caption


# --- figure 4


def test_figure04_counts_the_precisely_localised_beside_published(results: Make, tmp_path: Path) -> None:
    scratch = detector(tmp_path, "dist-scratch", *TEST, scores={**SCORES, "r3": 0.85})
    dense = detector(tmp_path, "densecnn", "r2", "r3", model="densecnn", graph="none", scores=dict.fromkeys(TEST, 0.1))
    drawn = draw("figure04", results(corr_ssl(tmp_path), scratch, dense))
    shares = {part["label"]: (part["histogram"]["focal"]["localisation"]["share_precise"], part["published"])
              for part in drawn.picture.numbers["models"]}  # fmt: skip
    assert shares["Corr-DCRNN with pre-training"] == (pytest.approx(1 / 3, abs=1e-6), 0.254)
    assert shares["Dist-DCRNN without pre-training"] == (pytest.approx(2 / 3, abs=1e-6), 0.063)
    assert shares["Dense-CNN"] == (0.0, 0.035)
    rows = drawn.table[(drawn.table["run"] == "corr-ssl") & (drawn.table["score"] == "localisation")]
    assert rows[rows["group"] == "focal"]["count"].tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    assert len(drawn.table) == 3 * 4 * 10
    (example,) = drawn.picture.numbers["examples"]
    assert example["clip"] == clip_of("r2")
    raw = maps_of(*TEST)[clip_of("r2")]
    scaled = (raw - raw.min()) / (raw.max() - raw.min())
    expected = {
        (name, t) for name in DERIVATIONS for t in range(60)
        if max(scaled[ELECTRODES.index(end), t] for end in name.split("-")) > 0.5
    }  # fmt: skip
    assert {(cell["derivation"], cell["second"]) for cell in example["marked"]} == expected
    assert len(expected) == 26  # F7-T3 and T3-T5 during thirteen seconds


def test_figure04_says_where_no_clip_is_localised_well(results: Make, tmp_path: Path) -> None:
    low = corr_ssl(tmp_path, scores=dict.fromkeys(TEST, 0.4))
    assert (
        "No focal clip has a localisation above 0.9; the best has 0.40"
        in draw("figure04", results(low)).picture.caption
    )
    only = corr_ssl(tmp_path, "r5")
    made = draw("figure04", results(only)).picture
    assert made.numbers["models"][0]["histogram"]["focal"]["localisation"]["share_precise"] is None


def test_figure04_shows_a_model_that_detected_nothing_beside_the_others(results: Make, tmp_path: Path) -> None:
    entry = write_run(tmp_path, "densecnn", "detection", 60, [detected(P)], model="densecnn", graph="none")
    nothing = without_maps(tmp_path, entry)
    made = draw("figure04", results(corr_ssl(tmp_path), nothing)).picture
    assert [part["histogram"]["focal"]["rows"] for part in made.numbers["models"]] == [3, 0]
    assert "Dense-CNN (1 seed): 0 focal clips" in made.caption
    assert "whose map is not flat (0 maps)" in draw("figure06", results(nothing)).picture.caption


# --- figure 7


def classifier(folder: Path, labels: list[int], predicted: list[int]) -> dict[str, Any]:
    table = classified(labels, predicted, classes("four"), 60)
    entry = write_run(folder, "corr-ssl", "classification", 60, [table], graph="correlation", init="ssl")
    rng = np.random.default_rng(4)
    right = table[table["label"] == table["predicted"]]["clip"]
    return with_maps(folder, entry, {clip: rng.normal(size=(19, 1)) for clip in right})


def test_figure07_shows_two_focal_clips_and_one_of_each_other_class(results: Make, tmp_path: Path) -> None:
    drawn = draw("figure07", results(classifier(tmp_path, [0, 0, 0, 1, 2], [0, 0, 0, 1, 0])))
    numbers = drawn.picture.numbers
    assert [example["class"] for example in numbers["examples"]] == ["CF", "CF", "GN"]
    assert numbers["absent"] == ["AB", "CT"]
    assert "No clip of AB, CT was classified correctly" in drawn.picture.caption
    for example in numbers["examples"]:
        values = example["values"]
        assert (min(values.values()), max(values.values())) == (0.0, 1.0)
        for name, value in example["derivations"].items():
            first, second = name.split("-")
            assert value == pytest.approx(values[first] - values[second], abs=2e-6)
    assert len(drawn.table) == 3 * (19 + 18)


def test_figure07_says_why_where_no_clip_was_classified_correctly(results: Make, tmp_path: Path) -> None:
    entry = classifier(tmp_path, [0, 1], [0, 0])
    flat = with_maps(tmp_path, entry, {clip_of("r2", 60, 68.0): np.zeros((19, 1))})
    assert "classified no test clip correctly, or its maps are flat" in draw("figure07", results(flat)).picture.caption


# --- all of them


@pytest.mark.parametrize("name", [f"figure{number:02}" for number in range(1, 8)])
def test_without_any_run_a_figure_says_why(name: str, results: Make) -> None:
    empty = results(recordings=[], seizures=[], segments=[], signals=[], graphs={}, clips={})
    made = draw(name, empty).picture
    assert made.png.startswith(b"\x89PNG")
    assert made.numbers["reason"]
    assert "n = 0" in made.caption


def everything(folder: Path) -> list[dict[str, Any]]:
    names = classes("eight")
    return [
        corr_ssl(folder), detector(folder, "densecnn", *TEST, model="densecnn", graph="none"),
        detection12(folder, "dist-ssl", [0.5], init="ssl"), classifier(folder, [0, 0, 1], [0, 0, 1]),
        write_run(folder, "dist-ssl", "classification", 12, [classified([0, 1], [0, 1], classes("four"))], init="ssl"),
        write_run(folder, "dist-ssl-8", "classification", 12, [classified([0], [0], names)], scheme="eight"),
    ]  # fmt: skip


def test_every_figure_states_n_has_alt_text_and_bears_the_mark(
    results: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked: list[str] = []
    made = results(*everything(tmp_path))
    for name in FIGURES:
        monkeypatch.setattr("pipeline.report.picture.mark_synthetic", lambda figure, name=name: marked.append(name))
        picture = draw(name, made).picture
        assert picture.name == name
        assert "reason" not in picture.numbers
        assert "n = " in picture.caption or "n: " in picture.caption
        assert len(picture.alt) > 20
        assert "NaN" not in json.dumps(picture.numbers)
    assert marked == [f"figure{number:02}" for number in range(1, 8)]  # 8 and 9: positions are no data


def test_a_figure_is_equal_when_drawn_again(results: Make, tmp_path: Path) -> None:
    made = results(corr_ssl(tmp_path))
    assert draw("figure03", made).picture == draw("figure03", made).picture


def test_the_stage_writes_picture_numbers_and_table(
    corpus: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "inventory.json", {**corpus[1], "runs": [corr_ssl(tmp_path)]})
    arguments = ["--settings", SETTINGS.model_dump_json(), "--inventory", str(tmp_path / "inventory.json")]
    out = tmp_path / "paper"
    monkeypatch.setattr("sys.argv", ["paper_figure", *arguments, "--figure", "figure03", "--out", str(out)])
    main()
    assert sorted(path.name for path in out.iterdir()) == [
        f"figure03.{kind}" for kind in ("csv", "json", "parquet", "png")
    ]
    stored = read_table(out / "figure03.parquet")
    assert len(pd.read_csv(out / "figure03.csv")) == len(stored) == 2 * 19 * 17
    assert read_json(out / "figure03.json")["numbers"]["examples"][0]["clip"] == clip_of("r3")


def test_traces_are_those_of_the_seconds_shown(results: Make, tmp_path: Path) -> None:
    made = results(corr_ssl(tmp_path))
    seen = view(made, read_mapped(made.inventory.runs[0]), clip_of("r3"), "")
    assert seen is not None
    assert seizure(seen) == (10, 23)
    part = crop(seen, 8, 25)
    assert part.length_s == 17
    assert part.first_s == 8
    np.testing.assert_array_equal(part.signal, seen.signal[:, 8 * RATE_HZ : 25 * RATE_HZ])
    assert part.spans[0].onset_s == ONSET_S - 60 - 8
    assert seizure(replace(seen, spans=[])) is None
