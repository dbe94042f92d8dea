"""The chapter on learned graphs: there only where a run has them, its numbers computed, its words careful."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_inputs import LENGTH_S, LOCALISATION_SETTINGS, OCCLUSION, REPORT, make_results
from test_report_page import parsed

from pipeline.explain.graph_means import ClassMean
from pipeline.explain.graph_store import GraphBlock, GraphClips, reading_graphs, write_graphs
from pipeline.explain.learned_graphs import measures
from pipeline.explain.map_store import OcclusionMaps, write_maps
from pipeline.report.build import Built, build, write
from pipeline.report.caveats import LEARNED, caveats
from pipeline.report.inventory import read_results
from pipeline.report.learned_chapter import learned_chapters, summary_table
from pipeline.report.learned_clips import chosen_clips
from pipeline.report.learned_heads import arrows, class_picture, difference_picture
from pipeline.report.learned_time import quartiles
from pipeline.report.page import render
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.store import read_json, read_table, write_json, write_table
from tests.signals.edf_builder import ELECTRODES

N, HUB = len(ELECTRODES), ELECTRODES.index("T3")
OPTIONS = {"variant": "corrected", "adjacency": "learned", "heads": 8}


def graphs_of(count: int, *, seconds: int) -> GraphBlock:
    """Row-stochastic graphs in which every channel listens to T3 most."""
    rng = np.random.default_rng(3)
    A = rng.dirichlet(np.full(N, 0.3), size=(count, 2, seconds, N))
    A[..., HUB] += 0.5
    A /= A.sum(axis=-1, keepdims=True)
    prior = np.broadcast_to(np.eye(N) * 0.5 + 0.5 / N, (count, N, N))
    return GraphBlock(A.astype("float32"), prior.astype("float32"), np.full(count, seconds), rng.random(A.shape[:3]))


def add_learned(folder: Path, task: str, classes: list[str]) -> dict[str, Any]:
    """Write learned graphs of the test clips of a task; what its line of the inventory then holds."""
    predictions = read_table(folder / f"{task}-predictions.parquet")
    block = graphs_of(len(predictions), seconds=LENGTH_S)
    about = GraphClips(
        clips=predictions["clip"].tolist(), patients=predictions["patient"].tolist(),
        label=predictions["label"].to_numpy(), prediction=predictions["predicted"].to_numpy(), classes=classes,
        electrodes=ELECTRODES, seed=0, variant="corrected", config_hash="0",
    )  # fmt: skip
    store, table = folder / f"{task}-learned.zarr.zip", folder / f"{task}-learned.parquet"
    settings = LearnedGraphSettings(precision="float16", batch=len(predictions))
    write_graphs(store, about, iter([block]), settings, shape=(2, LENGTH_S))
    write_table(table, measures(block, predictions[["clip", "patient", "label", "predicted"]], ELECTRODES))
    card = read_json(folder / f"{task}-card.json")
    card |= {"settings": {"task": task, "options": OPTIONS}, "classes": classes}
    write_json(folder / f"{task}-card.json", card)
    return {"learned": [str(store)], "learned_tables": [str(table)]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built, str]:
    """A detection and a classification run with learned graphs and maps; folder, report, page."""
    folder = tmp_path_factory.mktemp("learned")
    inventory = read_json(make_results(folder))
    detection, classification = inventory["runs"]
    detection |= add_learned(folder, "detection", ["no seizure", "seizure"])
    classification |= add_learned(folder, "classification", ["CF", "GN", "AB", "CT"])
    clips = read_table(folder / "classification-predictions.parquet")["clip"].tolist()
    drop = np.random.default_rng(0).random((len(clips), N, 1)).astype("float32")
    maps = OcclusionMaps(drop, np.ones(len(clips), "float32"), clips, [0] * len(clips), ELECTRODES, 0)
    write_maps(folder / "whole.zarr.zip", maps)
    classification["maps"] = [str(folder / "whole.zarr.zip")]
    write_json(folder / "learned.json", inventory)
    built = build(
        read_results(folder / "learned.json"), REPORT, localisation=LOCALISATION_SETTINGS, occlusion=OCCLUSION
    )
    return folder, built, render(built.page, max_mb=9)


def words(html: str) -> str:
    return " ".join(" ".join(parsed(html).text).split())


def test_the_chapter_is_there_only_where_a_run_has_learned_graphs(made, tmp_path):
    assert "Learned graph (SGLC)" in words(made[2])
    assert "learned dependence, not effective connectivity" in words(made[2])
    plain = read_results(make_results(tmp_path))
    assert learned_chapters(plain, REPORT) == []
    assert LEARNED not in caveats(synthetic=True, occlusion=OCCLUSION)
    assert LEARNED in caveats(synthetic=True, occlusion=OCCLUSION, learned=True)


def test_each_run_has_its_pictures_with_numbers_as_json_and_csv(made, tmp_path):
    write(made[1], tmp_path, max_mb=9)
    for key in ("detection-60s-dist", "classification-60s-dist"):
        for part in ("mean", "difference", "entropy", "heads"):
            assert (tmp_path / "figures" / f"learned-{part}-{key}.png").stat().st_size > 5000
            assert read_json(tmp_path / "figures" / f"learned-{part}-{key}.json")["numbers"]
        for name in (f"learned-{key}", f"learned-mean-{key}", f"learned-entropy-{key}"):
            assert len(pd.read_csv(tmp_path / "tables" / f"{name}.csv"))
    clips = [picture.name for picture in made[1].pictures if picture.name.startswith("learned-clip-")]
    assert len(clips) == 2  # one case of each run: beside the traces of detection, in the chapter for classification
    assert len(pd.read_csv(tmp_path / "tables" / "learned-clips-classification-60s-dist.csv")) == 2 * N


def test_the_numbers_of_the_class_mean_are_those_of_the_store(made):
    folder, built, _ = made
    table = built.tables["learned-mean-detection-60s-dist"]
    with reading_graphs(folder / "detection-learned.zarr.zip") as store:
        block, about = next(store.blocks())[1], store.about
    one = table[(table["class"] == "seizure") & (table["layer"] == 2)].set_index(["receiver", "sender"])
    expected = block.A[about.label == 1, 1].mean(axis=(0, 1))
    assert one.loc[("FP1", "T3"), "A"] == pytest.approx(expected[ELECTRODES.index("FP1"), HUB], rel=1e-5)
    assert one.loc[("T3", "FP1"), "A"] == pytest.approx(expected[HUB, ELECTRODES.index("FP1")], rel=1e-5)
    assert one["n_clips"].iloc[0] == int((about.label == 1).sum())
    np.testing.assert_allclose(one["difference"], one["A"] - one["A_0"])


def test_the_hub_that_was_planted_is_named(made):
    summary = made[1].tables["learned-detection-60s-dist"]
    assert list(summary["hub"]) == ["T3", "T3"]
    assert (summary["share of seconds"] == 1.0).all()
    numbers = next(p.numbers for p in made[1].pictures if p.name == "learned-mean-detection-60s-dist")
    sums = np.array(numbers["classes"]["seizure"]["column_sums"])
    assert (sums.argmax(axis=1) == HUB).all()


def test_arrows_lead_from_the_sender_to_the_receiver():
    A = np.zeros((3, 3))
    A[0, 2] = 0.5  # channel 0 listens to channel 2
    assert arrows(A, ["a", "b", "c"]) == [{"from": "c", "to": "a", "weight": 0.5}]
    even = arrows(np.full((N, N), 1 / N), ELECTRODES)
    assert even == []  # equals stay together: an even graph shows no favourites
    three = np.zeros((N, N))
    three[:3, 5] = 0.2
    three[3:, 7] = 0.1
    assert len(arrows(three, ELECTRODES, most=2)) == 3  # the third is as strong as the second
    assert len(arrows(three, ELECTRODES, most=4)) == 3  # the fourth has too many equals
    mutual = arrows(np.array([[0.5, 0.5], [0.5, 0.5]]), ["a", "b"])
    assert [(one["from"], one["to"]) for one in mutual] == [("b", "a"), ("a", "b")]


def test_pictures_of_many_classes_and_of_an_even_graph_can_be_drawn_twice_alike():
    even = np.full((1, N, N), 1 / N)
    means = [ClassMean(f"class {k}", 1, 1, even, even[0]) for k in range(5)]
    picture, again = (class_picture("even", "Even", means, ELECTRODES, synthetic=True, dpi=20) for _ in range(2))
    assert picture.png == again.png
    assert len(picture.numbers["classes"]) == 5
    change = difference_picture("even", "Even", means[:1], ELECTRODES, synthetic=True, dpi=20)
    assert change.numbers["classes"]["class 0"][0]["norm"] == 0.0


def test_quartiles_are_over_clips_of_each_second_and_layer(made):
    table = read_table(made[0] / "detection-learned.parquet")
    found = quartiles(table, "entropy_mean").set_index(["layer", "t"])
    own = table.loc[(table["layer"] == 2) & (table["t"] == 7), "entropy_mean"]
    assert found.loc[(2, 7), "median"] == pytest.approx(np.median(own))
    assert found.loc[(2, 7), "low"] == pytest.approx(np.quantile(own, 0.25))
    assert found.loc[(2, 7), "clips"] == len(own)
    assert len(found) == 2 * LENGTH_S
    assert (
        (summary_table(table)["of log N"] * math.log(N))
        .round(6)
        .equals(summary_table(table)["row entropy (nats)"].round(6))
    )


def test_clips_are_chosen_by_rank_not_by_eye():
    predictions = pd.DataFrame({
        "clip": list("abcde"), "predicted": [0, 1, 0, 1, 0], "p_CF": [0.9, 0.1, 0.6, 0.3, 0.99],
        "p_GN": [0.1, 0.9, 0.4, 0.7, 0.01],
    })  # fmt: skip
    chosen = chosen_clips(predictions, ["a", "b", "c", "d"], ["CF", "GN"], 3)
    assert [clip for clip, _ in chosen] == ["a", "d", "c"]  # 0.9 (tie: by name), 0.7, 0.6; e has no map
    assert "Rank 1 of 4 clips" in chosen[0][1]
    assert chosen_clips(predictions, [], ["CF", "GN"], 3) == []
