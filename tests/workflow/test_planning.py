"""Runs and corpora: what cannot be built stops by name before any job; where weights, graphs and frames come from."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config, parse_config
from pipeline.settings.runs import RunSettings
from workflow.lib import job_settings, planning
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs
from workflow.lib.inventory import inventory
from workflow.lib.paths import Paths, encoder_of, encoder_run

ROOT = Path(__file__).parents[2]
RUN = {"model": "dcrnn", "features": "fft", "graph": "correlation", "init": "scratch", "scheme": "four"}
FOLD = {"folds": {"of": "synthetic", "fold": 1, "count": 3, "file": None}, "splits": {"validation_share": 0.2}}


class Wildcards(dict[str, Any]):
    """As Snakemake's: by key and by attribute."""

    __getattr__ = dict.__getitem__


def values(*, run: dict[str, Any] | None = None, corpora: dict[str, Any] | None = None) -> dict[str, Any]:
    """config.yaml with one more run, `mine`, and further corpora."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    if run is not None:
        content["runs"]["mine"] = RUN | {"label_fraction": 1.0} | run
    content["corpora"] |= corpora or {}
    return content


def config(**changes: Any) -> Config:
    made = parse_config(values(**changes))
    planning.check(made)
    return made


def inputs(made: Config) -> Inputs:
    return Inputs(made, Corpora(made, main_process=False), Paths(made.results))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"graph": "none"}, "graph: 'none' does not fit model dcrnn; .*there are distance, correlation"),
        ({"model": "lstm"}, "graph: 'correlation' does not fit model lstm; .*there is none"),
        ({"model": "lstm", "graph": "none", "init": "ssl"}, "init: ssl; but model lstm has no encoder"),
        ({"model": "lstm", "graph": "none", "auxiliary": 0.1}, "auxiliary: 0.1; but model lstm forecasts nothing"),
        ({"model": "dcrn"}, "model: 'dcrn' is not in models; did you mean 'dcrnn'"),
        ({"source": "synthetic-other"}, "source: 'synthetic-other' is for init: ssl or transfer; this run .* scratch"),
        ({"init": "ssl", "source": "sintetic"}, "source: 'sintetic' is not in corpora; did you mean 'synthetic'"),
        ({"init": "transfer"}, "source_run: init: transfer needs it"),
        ({"init": "transfer", "source_run": "corr-scrath"}, "source_run: .* did you mean 'corr-scratch'"),
        ({"init": "transfer", "source_run": "dist-scratch"}, "source_run: dist-scratch has graph and sizes"),
        ({"init": "transfer", "source_run": "corr-transfer"}, "source_run: corr-transfer has init: transfer itself"),
        ({"init": "transfer", "source_run": "corr-ssl-from"}, "source_run: corr-ssl-from has source: synthetic-oth"),
        ({"init": "transfer", "source_run": "corr-aux-1"}, "source_run: corr-aux-1 has auxiliary 1.0, this run 0.0"),
        ({"init": "imported"}, "weights: init: imported needs it"),
        ({"init": "imported", "weights": "no/encoder.safetensors"}, "weights: there is no file no/encoder.safetensors"),
        ({"overrides": {"top_neighbours": 2}, "graph": "distance"}, "overrides.top_neighbours: only the correlation"),
        ({"overrides": {"layers": 5}, "init": "ssl"}, "overrides.layers: 5, but the encoder .*pretraining_layers: 3"),
        ({"model": "densecnn", "graph": "none", "overrides": {"units": 8}}, "overrides.units: model densecnn has no"),
        ({"model": "densecnn", "graph": "none", "overrides": {"dropout": 0.1}}, "overrides.dropout: .* models.dense"),
        ({"model": "cnn_lstm", "graph": "none", "overrides": {"dropout": 0.1}}, "overrides.dropout: .*; it has none"),
        ({"features": "fft", "init": "ssl", "overrides": {"layers": 4}}, "overrides.layers: 4, but .*; raise that"),
    ],
)
def test_a_run_that_cannot_be_built_stops_with_key_and_remedy(run: dict[str, Any], message: str) -> None:
    with pytest.raises(planning.PlanError, match=f"runs.mine.{message}"):
        config(run=run)


def test_an_auxiliary_loss_goes_with_detection_alone() -> None:
    content = values(run={"auxiliary": 0.5})
    content["plan"][0] |= {"run": "mine", "task": "classification"}
    with pytest.raises(planning.PlanError, match=r"plan\[0\].task: mine has an auxiliary loss"):
        planning.check(parse_config(content))


def test_an_unknown_override_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"overrides\.unit: unknown key; did you mean 'units'"):
        config(run={"overrides": {"unit": 8}})


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        ({"folds": {"of": "sintetic"}}, "corpora.mine.like: 'sintetic' is not another corpus"),
        ({"folds": {"fold": 3}}, "corpora.mine.folds.fold: 3 of 3; folds are numbered from 0 to 2"),
        ({"folds": {"count": 1, "fold": 0}}, "corpora.mine.folds.count: 1; at least two"),
        ({"folds": {"file": "nowhere.tsv"}}, "corpora.mine.folds.file: there is no file nowhere.tsv"),
        ({"folds": {"of": "synthetic-fold-0"}}, "corpora.mine.folds.of: 'synthetic-fold-0' is no other corpus"),
        ({"splits": {"validation_share": 0.0}}, "corpora.mine.splits.validation_share: 0 leaves a fold without"),
        ({"compat": {"clip_start_offset": True}}, "corpora.mine.compat.clip_start_offset: a fold shares"),
        ({"compat": {"label_edg": "touching"}}, "corpora.mine.compat.label_edg: unknown key; .*'label_edge'"),
    ],
)
def test_a_corpus_that_cannot_be_built_stops(fold: dict[str, Any], message: str) -> None:
    corpus = FOLD | fold | {"folds": FOLD["folds"] | fold.get("folds", {})}
    with pytest.raises((planning.PlanError, SettingsError), match=message):
        config(corpora={"mine": corpus})


def test_the_switches_of_a_corpus_are_its_own() -> None:
    made = config(corpora={"mine": {"like": "synthetic", "compat": {"label_edge": "touching", "ssl_loss": "rmse"}}})
    assert made.of("synthetic") is made
    for name, edge, loss in (("synthetic", "half_open", "mae"), ("mine", "touching", "rmse")):
        own = made.of(name)
        assert job_settings.clips(own, "detection", 12)["compat"]["label_edge"] == edge
        assert job_settings.pretrain(own, "dcrnn-fft-distance", 12)["loop"]["loss"] == loss
        assert own.compat.clip_start_offset is made.compat.clip_start_offset
    assert made.of("mine").signals == made.signals


def test_the_published_length_brings_the_published_resampling() -> None:
    made = config()
    assert made.signals.resampling == "polyphase"
    assert made.of("synthetic-published").signals.resampling == "fft"
    published = made.of("synthetic-published").compat.model_dump()
    assert [name for name, value in made.compat.model_dump().items() if published[name] == value] == []


def test_a_detection_run_on_wavelet_packets_reads_their_frames_and_scaler() -> None:
    made = config()
    wpt, fft = (
        inputs(made).of_model(made.corpus, made.runs[name], "detection", 12, "train", "validation")
        for name in ("dist-wpt", "dist-scratch")
    )
    assert wpt["features"] == [path.replace("/features/fft/", "/features/wpt/") for path in fft["features"]]
    assert wpt["scaler"] == f"results/{made.corpus}/features/wpt/grid/scalers/detection-12s.json"
    assert wpt["features"] != fft["features"]
    assert {name: paths for name, paths in wpt.items() if name not in ("features", "scaler")} == {
        name: paths for name, paths in fft.items() if name not in ("features", "scaler")
    }
    trained = job_settings.train(made, "dist-wpt", "detection", 12, 0)["features"]
    assert trained == job_settings.features(made, "wpt")["features"] == made.features["wpt"]


def test_a_fold_reads_the_frames_of_its_corpus_and_has_the_rest_itself() -> None:
    made = config()
    asked = inputs(made)
    parent, fold = (made.corpus, "synthetic-fold-1")
    names = asked.corpora.shards(parent).of()
    assert asked.corpora.shards(fold).of() == [
        f"{split}-{i:02d}" for split in ("train", "validation", "test") for i in range(len(names))
    ]
    found = asked.of_model(fold, made.runs["corr-scratch-7"], "classification", 12, "train", "validation")
    shards = [f"results/{parent}/features/fft/classification-12s/{name}.zarr.zip" for name in names]
    assert found["features"] == shards * 2
    for role in ("clips", "graphs"):
        assert len(found[role]) == len(found["features"])
        assert all(path.startswith(f"results/{fold}/") for path in found[role])
    assert found["scaler"].startswith(f"results/{fold}/")
    assert asked.graphs(fold, made.runs["dist-scratch-7"], "classification", 12) == [
        f"results/{parent}/graphs/distance.zarr.zip"
    ]
    clip = asked.of_clips(Wildcards(corpus=fold, shard="test-05"))
    assert clip["segments"] == f"results/{parent}/signals/{names[5]}.segments.parquet"
    assert clip["folds"] == f"results/{fold}/folds.parquet"
    assert "folds" not in asked.of_clips(Wildcards(corpus=parent, shard="test-00"))
    told = inventory(made, asked.corpora, fold, [])
    assert told["recordings"] == [f"results/{parent}/index/{name}.recordings.parquet" for name in names]


def start_of(made: Config, run: str, **wildcards: Any) -> dict[str, Any]:
    given = {"corpus": "synthetic", "run": run, "task": "detection", "len": "12", "seed": "3"} | wildcards
    found = inputs(made).of_training(Wildcards(given))
    return {role: found[role] for role in ("encoder", "encoder_card", "detector") if role in found}


def test_weights_come_from_the_corpus_that_a_run_names() -> None:
    made = config()
    own, other = "results/synthetic", "results/synthetic-other"
    encoder = "pretraining-12s/dcrnn-fft-distance/encoder.safetensors"
    assert start_of(made, "dist-scratch") == {}
    assert start_of(made, "dist-ssl") == {"encoder": f"{own}/{encoder}"}
    assert start_of(made, "dist-ssl-from") == {"encoder": f"{other}/{encoder}"}
    detector = {"detector": f"{other}/detection-12s/dist-scratch/seed0/model.safetensors"}
    for task in ("detection", "classification"):
        assert start_of(made, "dist-transfer", task=task) == detector
    told = [job_settings.train(made, run, "detection", 12, 0).get("start") for run in ("dist-ssl", "dist-ssl-from")]
    assert told == [None, {"init": "ssl", "corpus": "synthetic-other", "run": None}]


def test_no_score_of_foreign_weights_without_the_proof_that_they_saw_no_test_patient() -> None:
    asked = inputs(config())
    wildcards = {"corpus": "synthetic", "task": "detection", "len": "12"}
    foreign = asked.of_evaluation(Wildcards(wildcards | {"run": "dist-transfer"}))
    assert foreign["source"] == "results/synthetic/sources/synthetic-other.json"
    assert "source" not in asked.of_evaluation(Wildcards(wildcards | {"run": "dist-ssl"}))


def test_weights_of_unknown_patients_do_not_come_through_a_third_run() -> None:
    """A proof is asked for the corpus that a run names; so the detector there may have learnt on no other corpus."""
    content = values(run={"graph": "distance", "init": "ssl", "source": "synthetic-fold-1"})
    content["runs"]["dist-transfer"]["source_run"] = "mine"
    with pytest.raises(planning.PlanError, match=r"runs.dist-transfer.source_run: mine has source: synthetic-fold-1"):
        planning.check(parse_config(content))


@pytest.mark.parametrize("run", ["dist-ssl-from", "corr-transfer"])
def test_weights_that_mean_something_else_at_their_source_are_refused(run: str) -> None:
    """Chebyshev terms are other features than powers: in the plan before any job, and wherever a training is asked."""
    content = values()
    line = content["plan"][0] | {"run": run}
    planning.check(parse_config(content | {"plan": [line]}))
    content["corpora"]["synthetic-other"]["compat"] = {"diffusion_recursion": "published"}
    planning.check(made := parse_config(content))  # the plan trains no such run
    message = f"runs.{run}.source: synthetic-other has compat.diffusion_recursion: published, synthetic powers"
    with pytest.raises(planning.PlanError, match=message):
        start_of(made, run)
    with pytest.raises(planning.PlanError, match=rf"plan\[0\].run: {message}"):
        planning.check(parse_config(content | {"plan": [line]}))
    trial = {"corpora": ["synthetic"], "plan": [line]}
    with pytest.raises(planning.PlanError, match=rf"trial.plan\[0\].run: {message}"):
        planning.check(parse_config(content | {"trial": trial}))


def test_switches_that_leave_the_meaning_of_weights_may_differ() -> None:
    content = values()
    content["corpora"]["synthetic-other"]["compat"] = {"label_edge": "touching", "time_scaler": "fft"}
    assert "encoder" in start_of(parse_config(content), "dist-ssl-from")
    content["runs"]["dist-ssl-from"]["features"] = "time"  # the scaler of raw samples
    with pytest.raises(planning.PlanError, match=r"compat.time_scaler: fft, synthetic own"):
        start_of(parse_config(content), "dist-ssl-from")


def test_deeper_detectors_than_the_encoder_are_refused_where_a_run_starts_from_it() -> None:
    content = values()
    content["models"]["dcrnn"]["layers"] = 5  # as the overlay of a search may say
    with pytest.raises(planning.PlanError) as told:
        planning.check(parse_config(content))
    assert "runs.dist-ssl.init: ssl, with models.dcrnn.layers: 5, but the encoder has" in str(told.value)
    assert "dist-scratch" not in str(told.value)
    content["models"]["dcrnn"]["pretraining_layers"] = 5
    planning.check(parse_config(content))


def test_an_imported_encoder_is_an_input(tmp_path: Path) -> None:
    path, card = tmp_path / "encoder.safetensors", tmp_path / "card.json"
    path.write_bytes(b"")
    with pytest.raises(planning.PlanError, match=f"runs.mine.weights: there is no file {card}"):
        config(run={"init": "imported", "weights": str(path)})
    card.write_text("{}")
    made = config(run={"init": "imported", "weights": str(path)})
    assert start_of(made, "mine") == {"encoder": str(path), "encoder_card": str(card)}


def test_what_a_run_overrides_reaches_the_fit_and_its_own_graphs() -> None:
    own = {"learning_rate": 3e-4, "dropout": 0.3, "layers": 3, "units": 32, "diffusion_steps": 3, "top_neighbours": 4}
    made = config(run={"overrides": own, "init": "ssl"})
    fit = job_settings.train(made, "mine", "classification", 12, 0)
    assert (fit["loop"]["learning_rate"], fit["loop"]["dropout"]) == (3e-4, 0.3)
    assert [fit["options"][name] for name in ("layers", "units", "diffusion_steps")] == [3, 32, 3]
    graphs = inputs(made).graphs("synthetic", made.runs["mine"], "classification", 12, "test")
    assert all(path.startswith("results/synthetic/graphs/correlation-fft-k4/classification-12s/") for path in graphs)
    assert job_settings.graph_correlation(made, "-k4")["graphs"].top_neighbours == 4
    assert job_settings.graph_correlation(made, "")["graphs"].top_neighbours == made.graphs.top_neighbours
    encoder = encoder_of(made.runs["mine"])
    assert encoder == "dcrnn-fft-correlation-k4-u32-d3"
    pretrained = job_settings.pretrain(made, encoder, 12)
    assert [pretrained["options"][name] for name in ("units", "diffusion_steps")] == [32, 3]
    assert pretrained["loop"]["learning_rate"] == made.training.pretraining[12].learning_rate


def test_the_name_of_an_encoder_says_all_that_it_depends_on() -> None:
    for graph in ("distance", "correlation"):
        for overrides in ({}, {"units": 16}, {"diffusion_steps": 3}, {"units": 8, "diffusion_steps": 4}):
            run = RunSettings.model_validate(RUN | {"graph": graph, "label_fraction": 1.0, "overrides": overrides})
            assert encoder_of(encoder_run(encoder_of(run))) == encoder_of(run)
            assert encoder_run(encoder_of(run)).overrides == run.overrides


def test_the_grid_has_each_run_where_it_differs_from_others() -> None:
    planned = {(line.run, line.task) for line in planning.grid_plan(config())}
    assert {("densecnn", "detection"), ("dist-scratch-8", "classification"), ("dist-aux-1", "detection")} <= planned
    assert (
        not {("dist-scratch-8", "detection"), ("dist-aux-1", "classification"), ("dist-transfer", "detection")}
        & planned
    )


@pytest.mark.parametrize(
    ("twin", "message"),
    [
        (None, "None is not in corpora"),
        ("synthetic-other", "synthetic-other is otherwise unlike synthetic"),
        ("synthetic", "synthetic has the same switches as synthetic"),
    ],
)
def test_the_twin_differs_in_nothing_but_switches(twin: str | None, message: str) -> None:
    content = values()
    content["paper"]["twin_corpus"] = twin
    with pytest.raises(planning.PlanError, match=f"paper.twin_corpus: .*{message}.*like: synthetic"):
        planning.twin_of(parse_config(content))
    assert planning.twin_of(config()) == "synthetic-published"


def test_a_published_twin_of_derivations_is_refused_where_it_is_asked_for() -> None:
    content = values()
    content["channels"]["montage"] = "bipolar"
    made = parse_config(content)
    planning.check(made)  # nothing of the twin is built yet
    with pytest.raises(planning.PlanError, match=r"compat.mirror_graph \(corpus synthetic-published\)"):
        planning.twin_of(made)


def test_folds_foreign_weights_and_the_twin_are_planned_by_snakemake(tmp_path: Path) -> None:
    """One dry run on the tiny corpus: which rules, on which corpus."""
    overlay = {
        "corpora": {
            "tiny-other": {"like": "tiny", "simulate": {"seed": 8}},
            "tiny-fold": {"folds": FOLD["folds"] | {"of": "tiny"}, "splits": FOLD["splits"]},
            "tiny-published": {"like": "tiny", "compat": {"label_edge": "touching"}},
        },
        "runs": {name: {"source": "tiny-other"} for name, run in values()["runs"].items() if run.get("source")},
        "paper": {"source_corpus": "tiny-other", "twin_corpus": "tiny-published", "fold_corpora": []},
        "compat_report": {"runs": ["corr-scratch"], "tasks": ["detection"], "lengths_s": [12]},
    }
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    results = tmp_path / "results"
    targets = [f"{results}/tiny-fold/classification-12s/dist-scratch-7/metrics.parquet",
               f"{results}/tiny/detection-12s/dist-transfer/metrics.parquet", "compat_report"]  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--printshellcmds", *targets, "--configfile",
         "workflow/presets/tiny.yaml", str(tmp_path / "overlay.yaml"), "--config", f"results={results}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-3000:]
    commands = [line for line in answer.stdout.splitlines() if "python -m pipeline.stages." in line]

    def of(stage: str, folder: str) -> list[str]:
        """Commands of a stage whose log, and so whose output, is of the corpus `folder`."""
        return [one for one in commands if f".{stage} " in one and f"--log {results}/{folder}/" in one]

    assert len(of("folds", "tiny-fold")) == len(of("check_source", "tiny")) == len(of("compat_report", "tiny")) == 1
    assert [len(of(stage, "tiny-fold")) for stage in ("simulate", "index", "ingest", "features", "train")] == [
        0
    ] * 4 + [1]
    assert len(of("clips", "tiny-fold")) == 3 * len(of("ingest", "tiny"))
    (copied,) = [one for one in of("train", "tiny") if "--detector" in one]
    assert f"--detector {results}/tiny-other/detection-12s/dist-scratch/seed0/model.safetensors" in copied
    for folder, edge in (("tiny", "half_open"), ("tiny-published", "touching")):
        assert of("clips", folder)
        assert all(f'"label_edge":"{edge}"' in one for one in of("clips", folder))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"runs": ["dist-sl"]}, "runs: 'dist-sl' is not in runs; did you mean 'dist-ssl'"),
        ({"runs": ["dist-transfer"]}, "runs: dist-transfer learns on synthetic-other"),
        ({"lengths_s": [13]}, "lengths_s: training.detection has no entry for 13 s"),
        ({"tasks": []}, "tasks: give at least one"),
        ({"runs": ["dist-ssl", "dist-ssl"]}, "runs: .* names a run twice"),
        ({"lengths_s": [12, 12]}, "lengths_s: .* names a length twice"),
    ],
)
def test_what_cannot_be_compared_stops(asked: dict[str, Any], message: str) -> None:
    content = values()
    content["compat_report"] |= asked
    with pytest.raises(planning.PlanError, match=f"compat_report.{message}"):
        planning.check(parse_config(content))
