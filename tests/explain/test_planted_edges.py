"""Learned edges against planted ones, on stores whose graphs are made to hold them, or not; controls of the corpus."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.corpora.driven import envelopes
from pipeline.corpora.driven.envelopes import planted_edges
from pipeline.corpora.driven.frames import planted_frames
from pipeline.explain.graph_store import GraphBlock, GraphClips, write_graphs
from pipeline.explain.planted_controls import (
    CONTROLS,
    PENALTY,
    Clips,
    band_power,
    by_group,
    control_rows,
    own_products,
)
from pipeline.explain.planted_edges import (
    OtherClips,
    PatientGraphs,
    SeedGraphs,
    edge_rows,
    mean_graphs,
    over_few_seeds,
    read_graphs,
    scored,
    summed,
)
from pipeline.metrics.edges import edge_auroc
from pipeline.metrics.intervals import interval
from pipeline.report.picture import tidy
from pipeline.report.planted_page import verdict
from pipeline.report.planted_pictures import edges_picture
from pipeline.report.tables import records
from pipeline.settings.driven import COUPLED_BEFORE_S
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.settings.planted import EdgeSettings
from tests.corpora.driven_corpus import SCALP, driven

SETTINGS = EdgeSettings(draws=100, confidence=0.95, seed=0)
MIXING = 0.3
PLANTED = planted_edges(driven(), SCALP)
CLASSES = list(PLANTED)
N = len(SCALP)


def store(path: Path, *, strength: float, clips: int = 48, seed: int = 0, classes: list[str] | None = None) -> Path:
    """Graphs of noise and, as strong as said, of the edges of the clip's class; NaN beyond its seconds."""
    rng, names = np.random.default_rng(seed), classes or CLASSES
    label = np.arange(clips) % len(names)
    own = np.stack([PLANTED[names[k]] for k in label])[:, None, None]
    A = (rng.random((clips, 2, 3, N, N)) + strength * own).astype(np.float32)
    lengths = np.full(clips, 3)
    lengths[0], A[0, :, 2] = 2, np.nan
    prior = np.broadcast_to(np.eye(N, dtype=np.float32), (clips, N, N))
    about = GraphClips(
        clips=[f"c{k}" for k in range(clips)], patients=[f"p{k // 8}" for k in range(clips)], label=label,
        prediction=label, classes=names, electrodes=list(SCALP), seed=seed, variant="corrected", config_hash="x",
    )  # fmt: skip
    block = GraphBlock(A, prior, lengths, np.full((clips, 2, 3), np.nan))
    how = LearnedGraphSettings(precision="float32", batch=clips)
    write_graphs(path, about, iter([block]), how, shape=(2, 3))
    return path


def read(path: Path, **options: Any) -> PatientGraphs:
    return read_graphs(store(path, **options), CLASSES, mixing=MIXING)


def rows_of(tmp_path: Path, strength: float) -> tuple[list[SeedGraphs], pd.DataFrame]:
    """Three seeds; their untrained graphs are noise."""
    seeds = [
        SeedGraphs(*(read(tmp_path / f"{name}{k}", strength=how, seed=2 * k + place)
                     for place, (name, how) in enumerate((("trained", strength), ("untrained", 0.0)))))
        for k in range(3)
    ]  # fmt: skip
    return seeds, edge_rows(seeds, PLANTED, SETTINGS)


def said(rows: pd.DataFrame) -> str:
    return verdict([tidy(row) for row in records(rows)])


def of_graphs(graphs: np.ndarray) -> PatientGraphs:
    """Graphs of two classes (k, i, j), or of four patients' two classes (p, k, i, j), a clip each."""
    whole = np.broadcast_to(graphs, (4, 2, N, N))
    return PatientGraphs([f"p{k}" for k in range(4)], CLASSES, np.array(whole), np.ones((4, 2)))


def test_planted_edges_are_found(tmp_path):
    """Edges that are there give AUROC 1 in their direction; the reversed ones, other pairs, do not."""
    seeds, rows = rows_of(tmp_path, strength=5.0)
    found = rows.set_index(["class", "direction"])
    forward = found.xs("planted", level="direction")
    assert list(rows["class"].unique()) == [*CLASSES, "all", "any", "drivers"]
    assert (forward["auroc"] > 0.999).all()
    assert forward["difference"].to_numpy() == pytest.approx(forward["auroc"] - forward["untrained"])
    assert (found.xs("reversed", level="direction")["auroc"] < 0.8).all()
    assert found.loc[("any", "planted"), "n_edges"] == np.any(list(PLANTED.values()), axis=0).sum()
    assert found.loc[("all", "planted"), "n_clips"] == 48
    assert said(rows).count(": found: above 0.5, and above the same networks before training") == 2
    picture = edges_picture(rows, PLANTED, mean_graphs(seeds), SCALP, dpi=40)
    assert picture.png.startswith(b"\x89PNG")
    assert picture.numbers["rows"][0]["class"] == CLASSES[0]


def test_noise_finds_nothing(tmp_path):
    _, rows = rows_of(tmp_path, strength=0.0)
    assert rows["auroc"].between(0.2, 0.8).all()
    assert said(rows).count(": not found: ") == 2


def test_reversed_is_asked_only_where_it_is_another_question():
    """Two groups that take turns: exchanging driver and receiver leaves the pairs of any class as they are."""
    graphs = np.random.default_rng(0).random((1, 2, N, N))
    both = np.stack(list(PLANTED.values()))
    assert {name for name, direction in scored(graphs, both) if direction == "reversed"} == {"0", "1", "all"}
    one_way = np.stack([both[0], np.zeros_like(both[0])])
    assert ("any", "reversed") in scored(graphs, one_way)


def groups_of(graphs: np.ndarray) -> np.ndarray:
    """Graphs between groups (..., g, g) as graphs between their electrodes."""
    place = [next(k for k, one in enumerate(driven().groups.values()) if name in one.electrodes) for name in SCALP]
    return graphs[..., place, :][..., place]


def test_a_prior_that_joins_groups_and_a_uniform_learner_find_nothing(tmp_path):
    """Less the prior, such a graph has its weight on planted pairs, which join groups: that is no learning."""
    rng, clips = np.random.default_rng(3), 24
    prior = groups_of(np.eye(5)) * rng.uniform(0.5, 1, (clips, N, N))
    prior = (prior / prior.sum(-1, keepdims=True)).astype(np.float32)
    A = np.float32(MIXING) * prior + np.float32((1 - MIXING) / N)
    label = np.arange(clips) % 2
    about = GraphClips(
        clips=[f"c{k}" for k in range(clips)], patients=[f"p{k // 6}" for k in range(clips)], label=label,
        prediction=label, classes=CLASSES, electrodes=list(SCALP), seed=0, variant="corrected", config_hash="x",
    )  # fmt: skip
    block = GraphBlock(A[:, None, None], prior, np.full(clips, 1), np.full((clips, 1, 1), np.nan))
    union = np.any(list(PLANTED.values()), axis=0)
    assert edge_auroc((A - prior).mean(0).astype(float), union) > 0.55  # what such a score would have said
    trained = summed(about, [block], CLASSES, mixing=MIXING, where="x")
    untrained = [of_graphs(rng.random((2, N, N))) for _ in range(3)]
    rows = edge_rows([SeedGraphs(trained, replace(one, clips=trained.clips)) for one in untrained], PLANTED, SETTINGS)
    assert rows["auroc"].to_numpy() == pytest.approx(0.5)
    assert said(rows).count(": not found: ") == 2


def test_untrained_networks_that_score_high_find_nothing():
    """Seeds whose attention happened to begin on the planted pairs, and stayed there."""
    union = np.any(list(PLANTED.values()), axis=0)
    rng = np.random.default_rng(1)
    graphs = [of_graphs(union + 0.2 * rng.random((2, N, N))) for _ in range(3)]
    rows = edge_rows([SeedGraphs(one, one) for one in graphs], PLANTED, SETTINGS)
    row = rows.set_index(["class", "direction"]).loc[("any", "planted")]
    assert row["auroc"] == pytest.approx(1)
    assert "not found: above 0.5, but not above the same networks before training" in said(rows)


@pytest.mark.parametrize("n", [3, 5])
def test_noise_of_whole_groups_is_found_at_the_level(n):
    """Graphs that are constant within groups, as planted ones are: interval of few seeds, no permuted electrodes."""
    rng, repeats, union = np.random.default_rng(n), 400, np.stack(list(PLANTED.values()))
    graphs = groups_of(rng.normal(size=(2, n, repeats, 2, 5, 5))) + 0.3 * rng.normal(size=(2, n, repeats, 2, N, N))
    found = [[scored(graphs[which, seed], union) for seed in range(n)] for which in (0, 1)]
    wrong = {}
    for name in ("any", "all"):
        trained, before = (np.stack([one[name, "planted"] for one in seeds]) for seeds in found)
        for what, values in (("auroc", trained - 0.5), ("difference", trained - before)):
            low = [interval(over_few_seeds(np.repeat(values[:, [k]], 300, 1), SETTINGS, within=(-1, 1)), 0.95)[0]
                   for k in range(repeats)]  # fmt: skip
            wrong[name, what] = np.mean(np.array(low) > 0)
    assert max(wrong.values()) < 0.06  # 0.025 is the level of one side; two errors of 400 draws above it: 0.041


@pytest.mark.parametrize("values", [[0.99, 1.0, 0.93], [0.02, 0.0, 0.2]])
def test_intervals_stay_where_scores_are(values):
    """Seeds are stretched about their mean: without a limit the upper end of the first would lie above 1."""
    drawn = over_few_seeds(np.repeat(np.array(values)[:, None], 500, axis=1), SETTINGS, within=(0, 1))
    low, high = interval(drawn, 0.95)
    assert 0 <= low < np.mean(values) < high <= 1
    assert {0.0, 1.0} & {low, high}


def test_seconds_beyond_a_clip_do_not_count(tmp_path):
    found = read(tmp_path / "a.zarr.zip", strength=1.0)
    assert np.isfinite(found.learned).all()
    assert found.clips.sum() == 48


def test_stores_of_other_clips_are_refused(tmp_path):
    one, other = (read(tmp_path / f"{n}", strength=1.0, clips=n) for n in (48, 40))
    for seeds in ([SeedGraphs(one, one), SeedGraphs(other, other)], [SeedGraphs(one, other)]):
        with pytest.raises(OtherClips, match="of other test clips"):
            edge_rows(seeds, PLANTED, SETTINGS)
    with pytest.raises(OtherClips, match=f"no test clip of class {CLASSES[-1]}"):
        read(tmp_path / "c.zarr.zip", strength=1.0, classes=CLASSES[:-1])


def test_controls_say_that_only_the_lag_tells():
    settings = driven()
    splits = []
    for seed, n in ((1, 480), (2, 240)):
        x, y = planted_frames(settings, SCALP, clips=n, length_s=12, seed=seed)
        patients = np.array([f"p{k % 8}" for k in range(n)])
        splits.append(Clips(x, np.array(CLASSES)[y], patients))
    rows = control_rows(*splits, settings, SCALP, draws=50, confidence=0.95, seed=0)
    found = rows.set_index("control")["accuracy"]
    assert list(found.index) == list(CONTROLS)
    assert found["spectra"] == pytest.approx(1 / len(CLASSES), abs=0.1)
    assert found["zero_lag"] == pytest.approx(1 / len(CLASSES), abs=0.12)
    assert found["own"] == pytest.approx(1 / len(CLASSES), abs=0.1)
    assert found["lagged"] > 0.9


@pytest.mark.parametrize(("before_s", "tells"), [(COUPLED_BEFORE_S, False), (0.0, True)])
def test_no_clip_holds_the_second_at_which_receivers_begin_to_follow(before_s, tells, monkeypatch):
    """A receiver whose envelope breaks off within the clip betrays itself, without its driver."""
    monkeypatch.setattr(envelopes, "COUPLED_BEFORE_S", before_s)
    settings, sides = driven(), []
    for seed, n in ((21, 2400), (22, 1200)):
        x, y = planted_frames(settings, SCALP, clips=n, length_s=12, seed=seed)
        sides.append((own_products(by_group(band_power(x, settings), settings, SCALP)), y))
    accuracy = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY)).fit(*sides[0]).score(*sides[1])
    assert (accuracy > 0.53) == tells
    assert abs(accuracy - 0.5) < 0.043 or tells  # three standard errors
