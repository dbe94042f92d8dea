"""Learned edges against planted ones, on stores whose graphs are made to hold them, or not; controls of the corpus."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.corpora.driven.envelopes import planted_edges
from pipeline.corpora.driven.frames import planted_frames
from pipeline.explain.graph_store import GraphBlock, GraphClips, write_graphs
from pipeline.explain.planted_controls import CONTROLS, Clips, control_rows
from pipeline.explain.planted_edges import OtherClips, edge_rows, mean_graphs, read_graphs
from pipeline.report.picture import tidy
from pipeline.report.planted_page import verdict
from pipeline.report.planted_pictures import edges_picture
from pipeline.report.tables import records
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.settings.planted import EdgeSettings
from tests.corpora.driven_corpus import SCALP, driven

SETTINGS = EdgeSettings(draws=100, permutations=60, confidence=0.95, seed=0)
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


def rows_of(tmp_path: Path, strength: float):
    seeds = [read_graphs(store(tmp_path / f"{k}.zarr.zip", strength=strength, seed=k), CLASSES) for k in range(2)]
    return seeds, edge_rows(seeds, PLANTED, SETTINGS)


def test_planted_edges_are_found(tmp_path):
    """Edges that are there give AUROC 1 in their direction; the reversed ones, other pairs, do not."""
    seeds, rows = rows_of(tmp_path, strength=5.0)
    found = rows.set_index(["class", "direction"])
    assert list(rows["class"].unique()) == [*CLASSES, "all", "any", "drivers"]
    assert (found.xs("planted", level="direction")["auroc"] > 0.999).all()
    assert (found.xs("planted", level="direction")["p_permuted"] < 0.05).all()
    assert (found.xs("reversed", level="direction")["auroc"].drop(["any", "drivers"]) < 0.8).all()
    assert found.loc[("any", "planted"), "n_edges"] == np.any(list(PLANTED.values()), axis=0).sum()
    assert found.loc[("all", "planted"), "n_clips"] == 48
    assert "found better than by chance" in verdict([tidy(row) for row in records(rows)])
    picture = edges_picture(rows, PLANTED, mean_graphs(seeds), SCALP, dpi=40)
    assert picture.png.startswith(b"\x89PNG")
    assert picture.numbers["rows"][0]["class"] == CLASSES[0]


def test_noise_finds_nothing(tmp_path):
    _, rows = rows_of(tmp_path, strength=0.0)
    own = rows[rows["direction"] == "planted"]
    assert (own["p_permuted"] > 0.02).all()
    assert own["auroc"].between(0.2, 0.8).all()
    assert own["null_mean"].to_numpy() == pytest.approx(0.5, abs=0.05)


def test_seconds_beyond_a_clip_do_not_count(tmp_path):
    found = read_graphs(store(tmp_path / "a.zarr.zip", strength=1.0), CLASSES)
    assert np.isfinite(found.learned).all()
    assert found.clips.sum() == 48
    assert found.prior.sum() == 48 * N


def test_stores_of_other_clips_are_refused(tmp_path):
    one = read_graphs(store(tmp_path / "a.zarr.zip", strength=1.0), CLASSES)
    other = read_graphs(store(tmp_path / "b.zarr.zip", strength=1.0, clips=40), CLASSES)
    with pytest.raises(OtherClips, match="of other test clips"):
        edge_rows([one, other], PLANTED, SETTINGS)
    with pytest.raises(OtherClips, match=f"no test clip of class {CLASSES[-1]}"):
        read_graphs(store(tmp_path / "c.zarr.zip", strength=1.0, classes=CLASSES[:-1]), CLASSES)


def test_controls_say_that_only_the_lag_tells():
    settings = driven()
    splits = []
    for seed, n in ((1, 480), (2, 240)):
        x, y = planted_frames(settings, SCALP, clips=n, length_s=12, seed=seed)
        patients = np.array([f"p{k % 8}" for k in range(n)])
        splits.append(Clips(x, np.array(CLASSES)[y], patients))
    rows = control_rows(*splits, settings, SCALP, before_s=2.0, draws=50, confidence=0.95, seed=0)
    found = rows.set_index("control")["accuracy"]
    assert list(found.index) == list(CONTROLS)
    assert found["spectra"] == pytest.approx(1 / len(CLASSES), abs=0.1)
    assert found["zero_lag"] == pytest.approx(1 / len(CLASSES), abs=0.12)
    assert found["lagged"] > 0.9
