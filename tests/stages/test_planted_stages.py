"""The planted graph from its EDFs to its page, as small as it goes: the stages one after the other, in one process."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.corpora import driven_scalp
from pipeline.explain.planted_edges import OtherClips
from pipeline.explain.planted_untrained import seed_graphs
from pipeline.settings.base import parse_section
from pipeline.settings.config import Config, parse_config
from pipeline.settings.driven import DrivenSettings
from pipeline.settings.overlay import overlaid
from pipeline.settings.training import FitSettings
from pipeline.store import read_json, read_table, reading_store, write_json
from pipeline.training.model_io import build_model, save_weights
from pipeline.training.sampling import TORCH, generator
from tests.stages.test_ingest_stages import stage
from workflow.lib import job_settings, planted

REPOSITORY = Path(__file__).resolve().parents[2]
TASK, LENGTH_S, CORPUS = "classification", 12, "planted"
SPLITS = ("train", "validation", "test")
CLASSES = ["CF", "GN", "AB", "CT"]


def configuration() -> Config:
    """config.yaml with the preset, two patients a split, and a network of one epoch."""
    values = [yaml.safe_load((REPOSITORY / name).read_text()) for name in
              ("config.yaml", "workflow/presets/planted-graph.yaml")]  # fmt: skip
    small = {"patients": dict.fromkeys(SPLITS, 2), "recordings_per_patient": 1, "events_per_class": 2}
    changes = {
        "corpora": {CORPUS: {"simulate": small}},
        "training": {TASK: {LENGTH_S: {"epochs": 1, "batch": 8}}},
        "planted_graph": {"fixed": ["sglc-uniform"], "seeds": [0], "draws": 20},
        "comparisons": {"draws": 20},
        "report": {"dpi": 40},
    }
    return parse_config(overlaid(overlaid(*values), changes))


def run(name: str, settings: dict[str, Any], **options: Any) -> None:
    answer = stage(name, json.loads(job_settings.as_text(settings)), **options)
    assert answer.returncode == 0, answer.stderr


def prepare(out: Path, config: Config, split: str) -> dict[str, Any]:
    """Simulate, index, ingest, cut and describe the recordings of one split."""
    made = config.corpora[CORPUS].simulate
    assert isinstance(made, DrivenSettings)
    root, manifest = out / "corpus", out / f"{split}-00.tsv"
    ids = [one.patient for one in driven_scalp.patients(made) if one.split == split]
    at: dict[str, Any] = {name: out / f"{split}-00.{name}.parquet" for name in
                          ("recordings", "seizures", "segments", "clips", "findings")}  # fmt: skip
    at |= {name: out / f"{split}-00.{name}.zarr.zip" for name in ("signals", "features", "graphs")}
    run("simulate", job_settings.simulate(config, CORPUS), root=root, truth=out / "truth", shard=split, patients=ids,
        manifest=manifest)  # fmt: skip
    read = {"recordings": at["recordings"], "seizures": at["seizures"], "root": root, "findings": at["findings"]}
    run("index", job_settings.index(config, CORPUS), manifest=manifest, **read)
    run("ingest", job_settings.ingest(config, CORPUS), signals=at["signals"], segments=at["segments"], **read)
    run("clips", job_settings.clips(config, TASK, LENGTH_S), segments=at["segments"], seizures=at["seizures"],
        clips=at["clips"], findings=out / "clips.findings.parquet")  # fmt: skip
    run("features", job_settings.features(config, "fft"), signals=at["signals"], segments=at["segments"],
        features=at["features"], clips=at["clips"])  # fmt: skip
    run("graph_correlation", job_settings.graph_correlation(config, ""), features=at["features"], clips=at["clips"],
        graphs=at["graphs"])  # fmt: skip
    return at


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both runs trained, predicted and compared; graphs of the learned one; the page."""
    out, config = tmp_path_factory.mktemp("planted"), configuration()
    planted.check(config)
    shards = {split: prepare(out, config, split) for split in SPLITS}
    scaler = out / "scaler.json"
    run("scaler", job_settings.scaler(config, TASK, LENGTH_S), scaler=scaler, features=[shards["train"]["features"]],
        clips=[shards["train"]["clips"]])  # fmt: skip

    def files(*splits: str) -> dict[str, Any]:
        names = ("features", "clips", "graphs")
        return {name: [shards[split][name] for split in splits] for name in names} | {"scaler": scaler}

    runs, learned = [], out / "learned_graphs.zarr.zip"
    for line in planted.plan(config):
        at = {name: out / f"{line.run}.{name}" for name in ("model", "card", "history", "predictions")}
        model = {name: at[name] for name in ("model", "card")}
        run("train", job_settings.train(config, line.run, TASK, LENGTH_S, 0), checkpoints=out / "checkpoints",
            history=at["history"], **model, **files("train", "validation"))  # fmt: skip
        run("predict", job_settings.predict(config, TASK, LENGTH_S), predictions=at["predictions"], **model,
            **files("test"))  # fmt: skip
        chosen = config.runs[line.run]
        runs.append({"run": line.run, "model": chosen.model, "graph": chosen.graph, "init": chosen.init,
                     "scheme": chosen.scheme, "share": 100, "length_s": LENGTH_S, "seeds": [0],
                     "cards": [str(at["card"])], "predictions": [str(at["predictions"])]})  # fmt: skip
        if line.graphs:
            run("learned_graphs", job_settings.learned_graphs(config), **model, **files("test"), store=learned,
                predictions=at["predictions"], table=out / "learned_graphs.parquet")  # fmt: skip
    run("check_splits", job_settings.check_splits(config, CORPUS), splits=out / "splits.parquet",
        segments=[shards[split]["segments"] for split in SPLITS],
        earlier=[shards[split]["findings"] for split in SPLITS],
        findings=out / "splits.findings.parquet")  # fmt: skip
    ablation = {"target": planted.ABLATION, "corpus": CORPUS, "synthetic": True, "seizures": [], "encoders": [],
                "recordings": [str(shards[split]["recordings"]) for split in SPLITS], "clips": [], "runs": runs,
                "splits": str(out / "splits.parquet"), "pairs": [[runs[0]["run"], runs[1]["run"]]]}  # fmt: skip
    write_json(out / "ablation.json", ablation)
    run(
        "graph_ablation",
        job_settings.graph_ablation(config, schemes=()),
        inventory=out / "ablation.json",
        out=out / "results",
    )
    edges: dict[str, Any] = {"learned": [str(learned)], "cards": runs[0]["cards"]} | {
        split: {name: [str(shards[split][name])] for name in ("features", "clips", "graphs")}
        for split in ("train", "test")
    }
    edges["test"]["scaler"] = str(scaler)
    write_json(out / "edges.json", edges)
    run("planted_graph", job_settings.planted_graph(config), inventory=out / "edges.json", out=out / "results",
        ablation=out / "results" / "graph_ablation.json")  # fmt: skip
    first = {name: Path(runs[0][f"{name}s"][0]) for name in ("card", "prediction")}
    return SimpleNamespace(out=out, config=config, shards=shards, card=first["card"], predictions=first["prediction"])


def test_every_clip_is_whole_and_of_a_planted_class(made: SimpleNamespace) -> None:
    clips = read_table(made.shards["test"]["clips"])
    assert clips["code"].value_counts().to_dict() == dict.fromkeys(("fnsz", "gnsz", "absz", "tcsz"), 4)
    assert (clips["length_s"] == LENGTH_S).all()
    findings = read_table(made.shards["test"]["findings"])
    assert findings[findings["severity"] == "error"].empty
    with reading_store(made.shards["test"]["features"]) as store:
        assert store["frames"].shape == (16 * LENGTH_S, 19, made.config.signals.rate_hz // 2)


def test_answers_and_page(made: SimpleNamespace) -> None:
    results = made.out / "results"
    table = read_table(results / "planted_graph.parquet")
    counts = table["question"].value_counts().to_dict()
    assert counts == {
        "weighted F1, learned less fixed": 1, "AUROC of planted edges": 7, "AUROC of reversed edges": 5,
        "AUROC of planted edges, trained less untrained": 7, "AUROC of reversed edges, trained less untrained": 5,
        "accuracy without a model": 4,
    }  # fmt: skip
    assert table["n_patients"].eq(2).all()
    assert table["value"].notna().all()
    lagged = table[table["about"] == "lagged"]["value"].iloc[0]
    assert lagged >= 0.5  # of sixteen clips; 0.88 of many, and 0.25 by chance
    page = (results / "index.html").read_text()
    assert "SYNTHETIC DATA: not even seizures are simulated here" in page
    assert "left drives right" in page
    numbers = read_json(results / "planted_graph.json")["numbers"]
    assert set(numbers["learned"]) == {"any class", *CLASSES}


def test_untrained_graphs_are_those_that_training_began_with(made: SimpleNamespace) -> None:
    """A model that was trained for no step: its graphs are those computed from the card alone."""
    card, edges = read_json(made.card), read_json(made.out / "edges.json")
    trained = made.out / "begun.safetensors"
    settings = parse_section(FitSettings, card["settings"], where="card")
    scaler = read_json(made.out / "scaler.json")
    zero = -float(scaler["mean"]) / float(scaler["std"])
    torch.manual_seed(int(generator(settings.seed, TORCH).integers(2**63)))
    save_weights(trained, build_model(settings, n_features=card["n_features"], zero=zero).state_dict())
    files = {name: [Path(path) for path in edges["test"][name]] for name in ("features", "clips", "graphs")}
    run("learned_graphs", job_settings.learned_graphs(made.config), model=trained, card=made.card,
        predictions=made.predictions, scaler=made.out / "scaler.json", store=made.out / "begun.zarr.zip",
        table=made.out / "begun.parquet", **files)  # fmt: skip
    how = {"device": made.config.device, "batch": 4}
    found = seed_graphs(made.out / "begun.zarr.zip", made.card, edges["test"], CLASSES, **how)
    assert found.untrained.learned == pytest.approx(found.trained.learned, abs=1e-5)
    assert found.untrained.clips.sum() == 16
    after = seed_graphs(made.out / "learned_graphs.zarr.zip", made.card, edges["test"], CLASSES, **how)
    assert not np.allclose(after.untrained.learned, after.trained.learned, atol=1e-3)


def test_a_model_that_did_not_start_from_scratch_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    card = read_json(made.card) | {"initial_weights": "the corpus's own pre-training"}
    write_json(tmp_path / "card.json", card)
    with pytest.raises(OtherClips, match=r"card.json: starts from the corpus's own pre-training; name a run with init"):
        seed_graphs(made.out / "learned_graphs.zarr.zip", tmp_path / "card.json", {}, CLASSES,
                    device=made.config.device, batch=4)  # fmt: skip


def test_another_corpus_is_refused(made: SimpleNamespace) -> None:
    other = made.config.model_copy(update={"corpus": "synthetic"})
    with pytest.raises(planted.PlanError, match="no graph is planted in synthetic; planted_graph needs"):
        planted.simulated(other)
