"""A tiny SGLC from files to learned graphs, occlusion maps and localisation, by the command lines of the stages."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from training_files import ELECTRODES, GRAPHS, Files, fit_settings, make_files

from pipeline.explain.graph_store import reading_graphs
from pipeline.explain.map_store import read_maps
from pipeline.settings.evaluation import LocalisationSettings
from pipeline.stages import command, learned_graphs, localise, occlude, predict, train
from pipeline.store import digest_result, read_json, read_table, write_table

OPTIONS = {
    "variant": "corrected", "adjacency": "learned", "units": 6, "layers": 2, "pretraining_layers": 2,
    "allow_depth_mismatch": False, "ggnn_steps": 2, "learner_units": 5, "heads": 3, "mixing": 0.3,
    "attention_dropout": 0.5, "sparsify": "topk", "keep_edges": 3, "edge_threshold": 0.3, "recurrence": "anchored",
    "support": "all", "decoder_tied": True, "regularisers": {"smooth": 0, "degree": 0, "sparsity": 0},
    "init": {"gate_bias": 0.0},
}  # fmt: skip
DEVICE = fit_settings()["device"]
LOCALISATION = LocalisationSettings(
    threshold=0.5, precise=0.8, second_rule="any", edge_value="max", permutations=5, bootstrap=20, confidence=0.95,
    seed=0,
)  # fmt: skip
OCCLUSION = {"value": "mean", "batch": 50, "clips": "all"}


def call(monkeypatch: pytest.MonkeyPatch, stage: Any, settings: dict[str, Any], **options: Any) -> None:
    """Run a stage's `main` with the given options; lists become several values."""
    line = ["stage", "--settings", json.dumps(settings)]
    for name, value in options.items():
        line += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    monkeypatch.setattr(sys, "argv", line)
    stage.main()


class Trained:
    """A tiny SGLC detector and its files; `test`: what the rules give for the test shard."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.files: Files = make_files(folder / "in", "detection", clips_per_shard=12)
        self.model = {"model": folder / "model.safetensors", "card": folder / "card.json"}
        fit = fit_settings("detection", "correlation", model="sglc", options=OPTIONS, epochs=2)
        keep = {"history": folder / "history.parquet", "checkpoints": folder / "checkpoints"}
        call(patch, train, fit, **self.files.job(slice(0, 3), "correlation"), **self.model, **keep)
        self.predictions = folder / "predictions.parquet"
        shards = self.files.job(slice(2, 4), "correlation")
        settings = {"device": DEVICE, "batch": 7, "threshold_strict": False}
        call(patch, predict, settings, **shards, **self.model, predictions=self.predictions)
        self.test = self.files.job(slice(3, 4), "correlation") | self.model | {"predictions": self.predictions}

    def export(self, patch: pytest.MonkeyPatch, out: Path, **changes: Any) -> tuple[Path, Path]:
        settings = {"device": DEVICE, "learned_graphs": {"precision": "float16", "batch": 5}}
        store, table = out / "learned_graphs.zarr.zip", out / "learned_graphs.parquet"
        call(patch, learned_graphs, settings, **self.test | changes, store=store, table=table)
        return store, table

    def maps(self, patch: pytest.MonkeyPatch, out: Path, graph: str) -> Path:
        settings = {"device": DEVICE, "occlusion": OCCLUSION | {"graph": graph}}
        if graph == "recomputed":
            settings["graphs"] = GRAPHS.model_dump(mode="json")
        call(patch, occlude, settings, **self.test, maps=out)
        return out


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        return Trained(tmp_path_factory.mktemp("sglc"), patch)


def test_learned_graphs_of_every_test_clip_are_exported(trained, tmp_path, monkeypatch):
    store, table = trained.export(monkeypatch, tmp_path)
    predictions = read_table(trained.predictions)
    test = predictions[predictions["split"] == "test"]
    card = read_json(trained.model["card"])
    with reading_graphs(store) as found:
        about = found.about
        assert found.shape == (12, 2, 5, 19, 19)
        assert about.clips == test["clip"].tolist()
        assert about.patients == test["patient"].tolist()
        np.testing.assert_array_equal(about.label, test["label"])
        np.testing.assert_array_equal(about.prediction, test["predicted"])
        assert (about.electrodes, about.variant, about.seed) == (list(ELECTRODES), "corrected", card["seed"])
        assert about.classes == ["no seizure", "seizure"]
        blocks = [block for _, block in found.blocks()]
    assert [len(block.A) for block in blocks] == [5, 5, 2]
    A = np.concatenate([block.A for block in blocks])
    np.testing.assert_allclose(A.sum(axis=-1), 1.0, atol=5e-3)  # float16
    rows = read_table(table)
    assert len(rows) == 12 * 2 * 5
    one = rows[(rows["clip"] == about.clips[7]) & (rows["layer"] == 1) & (rows["t"] == 4)].iloc[0]
    assert one["off_diagonal"] == pytest.approx(A[7, 0, 3].sum() - np.trace(A[7, 0, 3]), abs=1e-2)
    assert one["patient"] == test["patient"].iloc[7]
    assert (rows["head_disagreement"] > 0).all()


def test_the_same_export_twice_has_the_same_digest(trained, tmp_path, monkeypatch):
    first = trained.export(monkeypatch, tmp_path / "a")
    second = trained.export(monkeypatch, tmp_path / "b")
    assert [digest_result(path) for path in first] == [digest_result(path) for path in second]


def test_what_cannot_be_exported_is_told(trained, tmp_path, monkeypatch):
    validation = trained.files.job(slice(2, 3), "correlation")
    with pytest.raises(command.StageError, match="is in none of the --clips tables"):
        trained.export(monkeypatch, tmp_path, **validation)
    plain = fit_settings("detection", "correlation", epochs=1)
    paths = {"model": tmp_path / "m.safetensors", "card": tmp_path / "m.json"}
    keep = {"history": tmp_path / "h.parquet", "checkpoints": tmp_path / "c"}
    call(monkeypatch, train, plain, **trained.files.job(slice(0, 3), "correlation"), **paths, **keep)
    with pytest.raises(command.StageError, match="model dcrnn learns no graph"):
        trained.export(monkeypatch, tmp_path, **paths)


def test_no_test_clip_gives_an_empty_store_and_table(trained, tmp_path, monkeypatch):
    predictions = read_table(trained.predictions)
    write_table(tmp_path / "none.parquet", predictions[predictions["split"] != "test"])
    store, table = trained.export(monkeypatch, tmp_path, predictions=tmp_path / "none.parquet")
    with reading_graphs(store) as found:
        assert found.shape[0] == 0
    rows = read_table(table)
    assert len(rows) == 0
    assert {"clip", "layer", "t", "entropy_mean", "hub", "head_disagreement"} <= set(rows.columns)


def test_occlusion_maps_hold_or_remake_the_prior(trained, tmp_path, monkeypatch):
    """`held`: A_0 of the clip stays, A_t follows what is hidden; `recomputed`: A_0 follows, too."""
    held = read_maps(trained.maps(monkeypatch, tmp_path / "held.zarr.zip", "held"))
    remade = read_maps(trained.maps(monkeypatch, tmp_path / "remade.zarr.zip", "recomputed"))
    predictions = read_table(trained.predictions)
    seizures = predictions[(predictions["split"] == "test") & (predictions["label"] == 1)]
    assert held.clips == remade.clips == seizures["clip"].tolist()
    assert held.drop.shape == remade.drop.shape == (len(seizures), 19, 5)
    np.testing.assert_allclose(held.logit, seizures["logit_seizure"], atol=1e-5)
    np.testing.assert_allclose(remade.logit, held.logit, atol=1e-5)
    assert np.abs(held.drop).max() > 1e-4
    assert np.abs(held.drop - remade.drop).max() > 1e-5


def test_localisation_scores_the_maps(trained, tmp_path, monkeypatch):
    maps = trained.maps(monkeypatch, tmp_path / "maps.zarr.zip", "held")
    clips = read_table(trained.files.clips[3])
    seizures = [
        {"recording": row.recording, "channel": channel, "onset_s": row.start_s + 1, "offset_s": row.start_s + 4,
         "code": "fnsz"}
        for row in clips[clips["label"] == 1].drop_duplicates("recording").itertuples()
        for channel in ("TERM", "F7-T3", "T3-T5")
    ]  # fmt: skip
    segments = clips[["recording", "segment"]].drop_duplicates()
    segments = segments.assign(derivations=[["F7-T3", "T3-T5", "T5-O1"]] * len(segments))
    tables = {"seizures": pd.DataFrame(seizures), "segments": segments, "clips": clips.assign(focal="focal")}
    for name, table in tables.items():
        write_table(tmp_path / f"{name}.parquet", table)
    settings = {
        "run": "sglc-ssl", "task": "detection", "length_s": 5, "localisation": LOCALISATION.model_dump(mode="json"),
    }  # fmt: skip
    out = {"localisation": tmp_path / "localisation.parquet", "summary": tmp_path / "localisation.json"}
    files = {name: tmp_path / f"{name}.parquet" for name in tables}
    call(monkeypatch, localise, settings, maps=maps, predictions=trained.predictions, **files, **out)
    scores = read_table(out["localisation"])
    scored = scores[scores["localisation"].notna()]
    assert len(scored) > 0
    assert scored["localisation"].between(0, 1).all()
    assert read_json(out["summary"])["n_clips"] == int((clips["label"] == 1).sum())
