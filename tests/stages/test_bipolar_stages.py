"""From a simulated corpus to localisation with derivations as nodes; and one model on two kinds of recordings."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.corpora import folder
from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.corpora.simulated_scalp import patients
from pipeline.findings import Findings
from pipeline.settings.config import Config, parse_config
from pipeline.signals.channels import electrode_of
from pipeline.signals.edf_header import read_header
from pipeline.signals.edf_samples import digital
from pipeline.signals.montages import DOUBLE_BANANA, electrodes_of
from pipeline.store import read_json, read_table, reading_store
from tests.signals.edf_builder import Channel, EdfFile
from tests.stages.test_ingest_stages import stage
from workflow.lib import job_settings

REPOSITORY = Path(__file__).resolve().parents[2]
RUN, TASK, LENGTH_S = "dist-scratch", "detection", 12
SPLITS = ("train", "validation", "test")


def configuration(montage: str = "bipolar") -> Config:
    """config.yaml, with two short recordings a split and a small network for one epoch."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    values["channels"]["montage"] = montage
    values["corpora"]["synthetic"]["simulate"] |= {
        "seed": 3, "recordings_per_patient": 1, "minutes": 2, "cohort": {"CF": dict.fromkeys(SPLITS, 2)},
        "seizures": {"CF": [1]},
    }  # fmt: skip
    values["models"]["dcrnn"]["units"] = 8
    values["training"][TASK][LENGTH_S]["epochs"] = 1
    values["occlusion"]["clips"] = "all"
    values["localisation"] |= {"permutations": 5, "bootstrap": 20}
    return parse_config(values)


def job(name: str, settings: dict[str, Any], **options: Any) -> SimpleNamespace:
    """Run a stage as its rule does."""
    return stage(name, json.loads(job_settings.as_text(settings)), **options)


def run(name: str, settings: dict[str, Any], **options: Any) -> None:
    answer = job(name, settings, **options)
    assert answer.returncode == 0, answer.stderr


def prepare(out: Path, config: Config, index: dict[str, Any], root: Path, shard: str) -> dict[str, Path]:
    """Index, ingest, clips and features of one shard."""
    kinds = ("recordings", "seizures", "segments", "clips")
    at = {name: out / f"{shard}.{name}.parquet" for name in kinds}
    at |= {name: out / f"{shard}.{name}.zarr.zip" for name in ("signals", "features")}
    read = {"recordings": at["recordings"], "seizures": at["seizures"], "root": root}
    findings = out / f"{shard}.findings.parquet"
    run("index", index, manifest=out / f"{shard}.tsv", findings=findings, **read)
    run("ingest", job_settings.ingest(config, "synthetic"), findings=findings, signals=at["signals"],
        segments=at["segments"], **read)  # fmt: skip
    run("clips", job_settings.clips(config, TASK, LENGTH_S), segments=at["segments"], seizures=at["seizures"],
        clips=at["clips"], findings=out / f"{shard}.clips.findings.parquet")  # fmt: skip
    run("features", job_settings.features(config, "fft"), signals=at["signals"], segments=at["segments"],
        features=at["features"])  # fmt: skip
    return at | {"findings": findings}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Everything from the simulator to localisation, one shard a split."""
    out, config = tmp_path_factory.mktemp("bipolar"), configuration()
    root, simulate = out / "corpus", config.corpora["synthetic"].simulate
    assert simulate is not None
    shards = {}
    for split in SPLITS:
        ids = [one.patient for one in patients(simulate) if one.split == split]
        run("simulate", job_settings.simulate(config, "synthetic"), root=root, truth=out / "truth", shard=split,
            patients=ids, manifest=out / f"{split}.tsv")  # fmt: skip
        shards[split] = prepare(out, config, job_settings.index(config, "synthetic"), root, split)
    run("graph_distance", job_settings.graph_distance(config), graphs=out / "graph.zarr.zip")
    scaler = {"features": [shards["train"]["features"]], "clips": [shards["train"]["clips"]]}
    run("scaler", job_settings.scaler(config, TASK, LENGTH_S), scaler=out / "scaler.json", **scaler)
    model = {"model": out / "model.safetensors", "card": out / "card.json"}
    run("train", job_settings.train(config, RUN, TASK, LENGTH_S, 0), **model, history=out / "history.parquet",
        checkpoints=out / "checkpoints", **of_model(out, shards["train"], shards["validation"]))  # fmt: skip
    files = of_model(out, shards["test"])
    predicted = {"predictions": out / "predictions.parquet"}
    run("predict", job_settings.predict(config, TASK, LENGTH_S), **model, **files, **predicted)
    run("occlude", job_settings.occlude(config, RUN), maps=out / "maps.zarr.zip", **model, **files, **predicted)
    tables = {name: [shards["test"][name]] for name in ("clips", "seizures", "segments")}
    run("localise", job_settings.localise(config, RUN, TASK, LENGTH_S), maps=[out / "maps.zarr.zip"], **tables,
        predictions=[out / "predictions.parquet"], localisation=out / "localisation.parquet",
        summary=out / "summary.json")  # fmt: skip
    return SimpleNamespace(out=out, config=config, root=root, shards=shards, model=model)


def of_model(out: Path, *shards: dict[str, Path]) -> dict[str, Any]:
    """What a model reads."""
    files = {name: [shard[name] for shard in shards] for name in ("features", "clips")}
    return files | {"graphs": [out / "graph.zarr.zip"], "scaler": out / "scaler.json"}


def test_every_store_has_the_derivations_as_nodes(made: SimpleNamespace) -> None:
    nodes = list(DOUBLE_BANANA)
    with reading_store(made.shards["test"]["signals"]) as store:
        assert list(store.attrs["electrodes"]) == nodes
        assert {array.shape[0] for _, group in store.groups() for _, array in group.arrays()} == {18}
    with reading_store(made.out / "graph.zarr.zip") as store:
        assert list(store.attrs["electrodes"]) == nodes
        assert store["weights"].shape == (1, 18, 18)
    with reading_store(made.out / "maps.zarr.zip") as store:
        assert list(store.attrs["electrodes"]) == nodes
        assert store["drop"].shape[1:] == (18, LENGTH_S)
        assert np.abs(store["drop"][...]).max() > 0
    assert read_json(made.model["card"])["electrodes"] == nodes


def test_T22_localisation_is_over_derivations_that_can_be_annotated(made: SimpleNamespace) -> None:
    table = read_table(made.out / "localisation.parquet")
    assert set(zip(table["rule"], table["fz_pz"], strict=True)) == {("edges", "masked"), ("edges", "negative")}
    assert table["localisation"].between(0, 1).any()
    both = table.pivot(index="clip", columns="fz_pz", values=["n_annotated", "n_marked"])
    assert (both["n_annotated"]["masked"] == both["n_annotated"]["negative"]).all()
    assert (both["n_marked"]["masked"] <= both["n_marked"]["negative"]).all()


def bipolar_copy(source: Path, target: Path) -> None:
    """The recording as CHB-MIT would have it: differences of electrodes under the newer names, nothing else."""
    header = read_header(source, Findings())
    names = {electrode_of(signal.label): signal for signal in header.signals if signal.samples_per_record > 1}
    first = names["FP1"]
    gain = (first.physical_max - first.physical_min) / (first.digital_max - first.digital_min)
    newer = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
    channels = []
    for node in DOUBLE_BANANA:
        one, other = (digital(header, names[end], 0, header.n_records).astype(int) for end in electrodes_of(node))
        limit = 32767 * gain
        label = "-".join(newer.get(end, end) for end in electrodes_of(node))
        samples = np.clip(one - other, -32767, 32767).reshape(header.n_records, -1)
        channels.append(Channel(label, samples, pmin=f"{-limit:.6g}", pmax=f"{limit:.6g}"))
    EdfFile(channels).write(target)
    target.with_suffix(".tsv").write_text("onset\tduration\teventType\n0.00\t120.00\tbckg\n")  # else it has no clips


def test_a_model_of_referential_recordings_reads_bipolar_ones(made: SimpleNamespace, tmp_path: Path) -> None:
    """The same recordings with derivations only: equal signals to quantisation, and the same predictions."""
    root = tmp_path / "corpus"
    for place in sorted({str(path) for path in read_table(made.shards["test"]["recordings"])["path"]}):
        bipolar_copy(made.root / place, root / Path(place).name)
    write_manifest(tmp_path / "test.tsv", manifest_rows(root, folder.find(root, "stems")))
    index = {"index": {"corpus": "copy", "reader": "folder", "version": "stems"}}
    shard = prepare(tmp_path, made.config, index, root, "test")
    with reading_store(shard["signals"]) as copy, reading_store(made.shards["test"]["signals"]) as source:
        whole = {name.split("-")[-1]: group for name, group in source.groups()}
        assert len(whole) == len(dict(copy.groups())) == 2
        for name, group in copy.groups():
            np.testing.assert_allclose(group["000"][...], whole[name]["000"][...], atol=0.05)
    answer = tmp_path / "predictions.parquet"
    clips = read_table(shard["clips"])
    clips.assign(split="test").to_parquet(shard["clips"])
    run("predict", job_settings.predict(made.config, TASK, LENGTH_S), **made.model, **of_model(made.out, shard),
        predictions=answer)  # fmt: skip
    found = read_table(answer).sort_values(["recording", "start_s"])["logit_seizure"].to_numpy()
    known = read_table(made.out / "predictions.parquet").sort_values(["recording", "start_s"])
    np.testing.assert_allclose(found, known["logit_seizure"].to_numpy(), atol=5e-3)


def test_a_detector_of_derivations_is_not_asked_about_electrodes(made: SimpleNamespace, tmp_path: Path) -> None:
    inputs = {"root": made.root, "scaler": made.out / "scaler.json", "graphs": made.out / "graph.zarr.zip"}
    answer = job("score_segments", job_settings.score_segments(configuration("referential")), **made.model, **inputs,
                 out=tmp_path)  # fmt: skip
    assert answer.returncode == 1
    assert "a model of the 18 nodes FP1-F7" in answer.stderr
    assert "channels.montage: referential makes 19 nodes" in answer.stderr
