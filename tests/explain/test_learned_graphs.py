"""Learned graphs: measures against plain loops and known values, the store, what a tiny model joined."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from training_files import ELECTRODES, MEAN, STD, fit_settings, make_files

from pipeline.explain.graph_means import class_means, over_time
from pipeline.explain.graph_measures import NO_HUB, distance, head_disagreement, hub, off_diagonal, row_entropy
from pipeline.explain.graph_store import GraphBlock, GraphClips, reading_graphs, write_graphs
from pipeline.explain.learned_graphs import NoGraph, graph_blocks, measures
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.settings.training import FitSettings
from pipeline.store import digest_result
from pipeline.training.clip_data import ClipData, load_clips
from pipeline.training.model_io import build_model

N = len(ELECTRODES)
NAN = float("nan")


def sglc_options(**changes: Any) -> dict[str, Any]:
    plain = {
        "variant": "corrected", "adjacency": "learned", "units": 6, "layers": 2, "pretraining_layers": 2,
        "allow_depth_mismatch": False, "ggnn_steps": 2, "learner_units": 5, "heads": 3, "mixing": 0.3,
        "attention_dropout": 0.5, "sparsify": "topk", "keep_edges": 3, "edge_threshold": 0.3, "recurrence": "anchored",
        "support": "all", "decoder_tied": True, "regularisers": {"smooth": 0, "degree": 0, "sparsity": 0},
        "init": {"gate_bias": 0.0},
    }  # fmt: skip
    return plain | changes


# Measures


def entropy_by_loop(row: np.ndarray) -> float:
    """The definition, one entry at a time."""
    positive = [max(float(value), 0.0) for value in row]
    total = sum(positive)
    return -sum(value / total * math.log(value / total) for value in positive if value > 0)


def test_entropy_of_rows_is_that_of_the_definition():
    A = np.random.default_rng(0).normal(0.3, 0.4, (4, 2, 6, 6))
    A[..., 0] = np.abs(A[..., 0])  # something positive in each row
    expected = [[[entropy_by_loop(row) for row in graph] for graph in layer] for layer in A]
    np.testing.assert_allclose(row_entropy(A), expected, rtol=1e-12)


def test_entropy_of_known_graphs():
    np.testing.assert_allclose(row_entropy(np.full((N, N), 1 / N)), math.log(N))
    np.testing.assert_array_equal(row_entropy(np.eye(N)), 0.0)
    assert np.isnan(row_entropy(-np.ones((3, 3)))).all()  # nothing that could be a distribution
    assert np.isnan(row_entropy(np.full((3, 3), NAN))).all()


def test_distance_and_off_diagonal_are_sums_over_entries():
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(2, 5, 4, 4))
    pairs = [(i, j) for i in range(4) for j in range(4)]
    total = [math.sqrt(sum((x[p] - y[p]) ** 2 for p in pairs)) for x, y in zip(A, B, strict=True)]
    np.testing.assert_allclose(distance(A, B), total)
    others = [sum(x[i, j] for i, j in pairs if i != j) for x in A]
    np.testing.assert_allclose(off_diagonal(A), others)


def test_the_hub_is_the_column_that_is_listened_to_most_and_ties_go_to_the_first():
    A = np.full((4, 4), 0.25)
    assert hub(A) == 0
    A[:, 3] += 1e-7  # rounding of an even graph chooses nobody
    assert hub(A) == 0
    A[2] = [0.0, 0.0, 1.0, 0.0]  # of a receiver, not a sender: its row counts for column 2 once
    A[1] = [0.0, 0.0, 1.0, 0.0]
    assert hub(A) == 2
    assert hub(np.full((4, 4), NAN)) == NO_HUB


def test_heads_disagree_by_the_divergence_of_their_rows():
    rng = np.random.default_rng(2)
    heads = rng.dirichlet(np.ones(6), size=(3, 4, 6))  # graphs, heads, rows
    expected = []
    for graph in heads:
        rows = [
            entropy_by_loop(sum(head[i] for head in graph) / 4) - sum(entropy_by_loop(head[i]) for head in graph) / 4
            for i in range(6)
        ]
        expected.append(sum(rows) / 6)
    np.testing.assert_allclose(head_disagreement(heads), expected, rtol=1e-9)
    alike = np.broadcast_to(heads[0, :1], (4, 6, 6))
    assert head_disagreement(alike) == pytest.approx(0.0, abs=1e-12)
    alone = np.stack([np.roll(np.eye(6), shift, axis=1) for shift in range(4)])  # each listens to another channel
    assert head_disagreement(alone) == pytest.approx(math.log(4))


# The store


def made_block(c: int, *, layers: int = 2, t: int = 5, n: int = 4, seed: int = 0) -> GraphBlock:
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.ones(n), size=(c, layers, t, n)).astype(np.float32)
    lengths = rng.integers(2, t + 1, c)
    A[np.broadcast_to((np.arange(t) >= lengths[:, None])[:, None], A.shape[:3])] = NAN
    prior = rng.dirichlet(np.ones(n), size=(c, n)).astype(np.float32)
    return GraphBlock(A, prior, lengths, np.full(A.shape[:3], 0.1))


def made_clips(c: int, n: int = 4) -> GraphClips:
    label = np.arange(c) % 2
    names, patients = [f"c{k}" for k in range(c)], [f"p{k // 3}" for k in range(c)]
    return GraphClips(names, patients, label, 1 - label, ["CF", "GN"], list(ELECTRODES[:n]), 7, "corrected", "00ff")


def parts(block: GraphBlock, size: int) -> Iterator[GraphBlock]:
    for start in range(0, len(block.A), size):
        yield GraphBlock(*(value[start : start + size] for value in vars(block).values()))


def stored(path: Path, block: GraphBlock, *, batch: int = 3, precision: Any = "float16") -> Path:
    settings = LearnedGraphSettings(precision=precision, batch=batch)
    write_graphs(path, made_clips(len(block.A)), parts(block, batch), settings, shape=(2, 5))
    return path


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 5e-4), ("float32", 0.0)])
def test_a_store_gives_back_what_was_written_chunk_by_chunk(tmp_path, precision, tolerance):
    block, about = made_block(7), made_clips(7)
    with reading_graphs(stored(tmp_path / "a.zarr.zip", block, precision=precision)) as store:
        assert store.shape == (7, 2, 5, 4, 4)
        rows, read = zip(*store.blocks(), strict=True)
        assert [chunk.stop - chunk.start for chunk in rows] == [3, 3, 1]
        np.testing.assert_allclose(np.concatenate([one.A for one in read]), block.A, atol=tolerance)  # NaN equals NaN
        np.testing.assert_allclose(np.concatenate([one.prior for one in read]), block.prior, atol=tolerance)
        np.testing.assert_array_equal(np.concatenate([one.lengths for one in read]), block.lengths)
        for name in ("clips", "patients", "classes", "electrodes", "seed", "variant", "config_hash"):
            assert getattr(store.about, name) == getattr(about, name)
        np.testing.assert_array_equal(store.about.prediction, about.prediction)
        single = store.clip("c4")
        assert single is not None
        np.testing.assert_allclose(single.A[0], block.A[4], atol=tolerance)
        assert store.clip("c9") is None


def test_the_digest_knows_the_graphs_and_not_the_chunks(tmp_path):
    block = made_block(7)
    by_three, by_seven = stored(tmp_path / "a.zarr.zip", block), stored(tmp_path / "b.zarr.zip", block, batch=7)
    assert digest_result(by_three) == digest_result(by_seven)
    block.A[6, 1, 0, 0, 0] += 0.25
    assert digest_result(stored(tmp_path / "c.zarr.zip", block)) != digest_result(by_three)


def test_a_store_without_clips_reads_back_empty(tmp_path):
    with reading_graphs(stored(tmp_path / "a.zarr.zip", made_block(0))) as store:
        assert list(store.blocks()) == []
        assert class_means(store) == []


def test_class_means_are_those_of_a_plain_loop(tmp_path):
    block, about = made_block(7), made_clips(7)
    with reading_graphs(stored(tmp_path / "a.zarr.zip", block, precision="float32")) as store:
        means = class_means(store)
    assert [(mean.name, mean.n_clips, mean.n_patients) for mean in means] == [("CF", 4, 3), ("GN", 3, 2)]
    for number, mean in enumerate(means):
        own = [k for k in range(7) if about.label[k] == number]
        for layer in range(2):
            clips = [sum(block.A[k, layer, s] for s in range(block.lengths[k])) / block.lengths[k] for k in own]
            np.testing.assert_allclose(mean.A[layer], sum(clips) / len(own), rtol=1e-5)
        np.testing.assert_allclose(mean.prior, sum(block.prior[k] for k in own) / len(own), rtol=1e-5)


# What a model joined


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes ClipData of the test shard, whose clips last 3 to 5 s, for a model with the given options."""
    files = make_files(tmp_path_factory.mktemp("learned"), "classification")

    def made(**options: Any) -> tuple[Any, ClipData]:
        given = fit_settings("classification", "correlation", model="sglc", options=sglc_options(**options))
        settings = FitSettings.model_validate(given)
        job = files.job(slice(3, 4), "correlation")
        scaler = {"mean": MEAN, "std": STD}
        data = load_clips(**job | {"scaler": scaler}, settings=settings, device=torch.device("cpu"))
        torch.manual_seed(0)
        return build_model(settings, n_features=data.frames.shape[-1]), data

    return made


def together(blocks: Iterator[GraphBlock]) -> GraphBlock:
    found = [vars(block) for block in blocks]
    return GraphBlock(*(np.concatenate([one[name] for one in found]) for name in found[0]))


def test_rows_sum_to_one_within_the_clip_and_are_nan_beyond_it(clips):
    model, data = clips()
    block = together(graph_blocks(model, data, np.arange(10), batch=10))
    assert set(block.lengths) == {3, 4, 5}
    inside = np.arange(5) < block.lengths[:, None]
    sums = block.A.sum(axis=-1).transpose(0, 2, 1, 3)  # (c, t, l, n)
    np.testing.assert_allclose(sums[inside], 1.0, atol=1e-5)
    assert np.isnan(sums[~inside]).all()
    np.testing.assert_allclose(block.prior.sum(axis=-1), 1.0, atol=1e-5)


def test_graphs_do_not_depend_on_the_batch_and_one_batch_is_held_at_a_time(clips):
    model, data = clips()
    rows = np.array([9, 2, 5, 0, 7, 3, 1])
    sizes = [len(block.A) for block in graph_blocks(model, data, rows, batch=3)]
    assert sizes == [3, 3, 1]
    for k, row in enumerate(rows):
        alone = next(graph_blocks(model, data, np.array([row]), batch=1))
        three = list(graph_blocks(model, data, rows, batch=3))[k // 3]
        length = int(alone.lengths[0])
        np.testing.assert_allclose(three.A[k % 3, :, :length], alone.A[0, :, :length], atol=1e-6)


def test_heads_of_the_published_variant_are_alike_and_those_of_the_corrected_are_not(clips):
    for variant, alike in (("published", True), ("corrected", False)):
        model, data = clips(variant=variant)
        block = together(graph_blocks(model, data, np.arange(6), batch=6))
        inside = np.broadcast_to((np.arange(5) < block.lengths[:, None])[:, None], block.disagreement.shape)
        assert np.isnan(block.disagreement[~inside]).all()
        largest = block.disagreement[inside].max()
        assert largest < 1e-7 if alike else largest > 1e-3


def test_heads_thinned_out_and_mixed_give_the_graph_that_the_model_used(clips):
    """The heads that are looked at afterwards are those of the pass itself."""
    model, data = clips(sparsify="eps", edge_threshold=0.0)
    batch = data.batch(np.arange(4))
    with torch.no_grad():
        A = model.eval().graphs(batch.x, batch.lengths, batch.supports)
        heads = model.head_graphs(batch.x, batch.lengths, batch.supports)
    expected = 0.3 * batch.supports[None, :, None, 0] + 0.7 * heads.mean(dim=3)
    inside = torch.isfinite(A)
    torch.testing.assert_close(A[inside], expected[inside], atol=1e-6, rtol=0)


def test_a_fixed_graph_is_exported_as_it_is_and_has_no_heads(clips):
    model, data = clips(adjacency="uniform")
    block = together(graph_blocks(model, data, np.arange(4), batch=4))
    inside = np.isfinite(block.A)
    np.testing.assert_allclose(block.A[inside], 1 / N, atol=1e-7)
    assert np.isnan(block.disagreement).all()
    table = measures(block, data.table.iloc[:4][["clip"]], list(ELECTRODES))
    np.testing.assert_allclose(table["entropy_mean_share"], 1.0, atol=1e-6)
    assert set(table["hub"]) == {ELECTRODES[0]}


def test_a_graph_that_is_no_number_names_its_clip(clips):
    _, data = clips()

    class Broken(torch.nn.Module):
        def graphs(self, x: torch.Tensor, lengths: torch.Tensor, supports: torch.Tensor) -> torch.Tensor:
            A = torch.full((2, len(x), x.shape[1], N, N), 1 / N)
            A[1, 2, 1, 4, 4] = torch.nan
            return A

    with pytest.raises(NoGraph, match=f"clip {data.table['clip'].iloc[3].replace('+', '.')}"):
        list(graph_blocks(Broken(), data, np.array([5, 1, 3]), batch=3))


def test_measures_have_a_row_for_each_valid_second(clips):
    model, data = clips()
    block = together(graph_blocks(model, data, np.arange(6), batch=6))
    own = data.table.iloc[:6][["clip", "patient"]]
    table = measures(block, own, list(ELECTRODES))
    assert len(table) == 2 * int(block.lengths.sum())
    assert not table.drop(columns="hub").isna().any().any()
    row = table[(table["clip"] == own["clip"].iloc[4]) & (table["layer"] == 2) & (table["t"] == 3)].iloc[0]
    A, prior = block.A[4, 1, 2], block.prior[4]
    entropies = [entropy_by_loop(line) for line in A]
    assert row["entropy_mean"] == pytest.approx(np.mean(entropies))
    assert row["entropy_max_share"] == pytest.approx(max(entropies) / math.log(N))
    assert row["distance_from_prior"] == pytest.approx(np.linalg.norm(A - prior))
    assert row["off_diagonal"] == pytest.approx(A.sum() - np.trace(A), rel=1e-6)
    assert row["hub"] == ELECTRODES[int(np.argmax(A.sum(axis=0)))]
    assert row["entropy_prior"] == pytest.approx(np.mean([entropy_by_loop(line) for line in prior]))
    assert isinstance(table, pd.DataFrame)
    np.testing.assert_allclose(over_time(block)[4, 1], block.A[4, 1, : block.lengths[4]].mean(axis=0), rtol=1e-5)
