"""Targets of the paper: which runs each needs on which corpus, what their inventories name, and that they plan."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.report.inventory import Inventory
from pipeline.report.paper_inventory import PaperInventory, keyed_runs
from pipeline.report.published import table_rows
from pipeline.settings.base import parse_section
from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from pipeline.settings.runs import PlanEntry
from workflow.lib import paper
from workflow.lib.corpus import Corpora
from workflow.lib.inventory import files_of
from workflow.lib.planning import PlanError

ROOT = Path(__file__).parents[2]
PRESETS = ("paper-demo", "tusz-v1.5.2", "tusz-v2")
SCORED = ("table02", "table03", "table04", "table06", "table08", "table09", "table10")


FOLDS = [f"paper-demo-fold-{number}" for number in range(3)]


def fold(**changed: Any) -> dict[str, Any]:
    """An overlay that changes the second fold."""
    return {"corpora": {FOLDS[1]: {"folds": changed}}}


def configured(*presets: str, **over: Any) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for preset in presets:
        values = overlaid(values, yaml.safe_load((ROOT / f"workflow/presets/{preset}.yaml").read_text()))
    return parse_config(overlaid(values, over))


@pytest.fixture(scope="module")
def demo() -> Config:
    return configured("paper-demo")


def names(lines: list[PlanEntry]) -> set[tuple[str, str, int]]:
    return {(line.run, line.task, line.length_s) for line in lines}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_published_score_of_this_system_has_its_run(preset: str) -> None:
    """A cell without a run: only those quoted from other studies, and without a source corpus all of table 8."""
    config = configured(preset)
    corpora = Corpora(config, main_process=False)
    corpora.known = {name: Corpora(configured("paper-demo"), False).shards("paper-demo") for name in config.corpora}
    for table in SCORED:
        inventory = parse_section(PaperInventory, as_json(paper.table_inventory(config, corpora, table)))
        known = {run.key for run in keyed_runs(inventory)}
        rows = table_rows(table)
        rows = rows[rows["model"].isin(["DCRNN", "LSTM", "CNN-LSTM", "Dense-CNN"])]
        columns = ["model", "pretraining", "graph", "task", "clip_s", "input_domain"]
        wanted = {tuple(row) for row in rows[columns].astype({"clip_s": int}).itertuples(index=False)}
        missing = wanted - known
        assert (missing == wanted) if table == "table08" and preset != "paper-demo" else not missing, table


def as_json(content: dict[str, Any]) -> dict[str, Any]:
    return dict(yaml.safe_load(yaml.safe_dump(content)))


def test_table_3_is_measured_on_the_folds_and_table_8_only_with_a_source(demo: Config) -> None:
    planned = paper.plan(demo, "table03")
    assert set(planned) == {"paper-demo", *demo.paper.fold_corpora}
    for fold in demo.paper.fold_corpora:
        assert names(planned[fold]) == {
            (f"{graph}-scratch-7", "classification", length) for graph in ("corr", "dist") for length in (12, 60)
        }
    assert len(paper.plan(demo, "table08")["paper-demo"]) == 16
    alone = configured("paper-demo", paper={"source_corpus": None, "fold_corpora": []})
    assert paper.plan(alone, "table08") == {"paper-demo": []}
    assert set(paper.plan(alone, "table03")) == {"paper-demo"}


def test_folds_of_another_corpus_do_not_count() -> None:
    config = configured("tiny")  # config.yaml names folds of `synthetic`
    assert config.paper.fold_corpora
    assert set(paper.plan(config, "paper")) == {"tiny"}


def test_the_paper_is_the_union_of_its_targets_with_every_map(demo: Config) -> None:
    whole = paper.plan(demo, "paper")
    mapped = set()
    for target in paper.TARGETS:
        for corpus, lines in paper.plan(demo, target).items():
            assert names(lines) <= names(whole[corpus])
            mapped |= {(line.run, line.task, line.length_s) for line in lines if line.maps}
    assert mapped == {(line.run, line.task, line.length_s) for line in whole["paper-demo"] if line.maps}
    assert {run for run, task, _ in mapped if task == "detection"} == {
        "corr-ssl", "dist-ssl", "corr-scratch", "dist-scratch", "densecnn",
    }  # fmt: skip


def test_every_run_with_an_auxiliary_loss_is_a_candidate_of_table_10() -> None:
    more = {"runs": {"dist-aux-10": {"model": "dcrnn", "features": "fft", "graph": "distance", "init": "scratch",
                                     "auxiliary": 10.0, "scheme": "four", "label_fraction": 1.0}}}  # fmt: skip
    lines = paper.plan(configured("paper-demo", **more), "table10")["paper-demo"]
    assert {line.run for line in lines} == {
        "corr-ssl", "dist-ssl", "dist-aux-01", "dist-aux-1", "corr-aux-01", "corr-aux-1", "dist-aux-10",
    }  # fmt: skip


def test_seeds_come_from_the_plan_then_from_the_first_rule_then_from_the_paper() -> None:
    rules = [{"model": "densecnn", "length_s": 60, "seeds": [3]}, {"length_s": 60, "seeds": [1, 2]}]
    lines = [{"run": "lstm", "task": "detection", "length_s": 60, "seeds": [7], "maps": False}]
    config = configured("paper-demo", plan=lines, paper={"seeds": [0, 1], "seeds_where": rules})
    found = {(line.run, line.task, line.length_s): line.seeds for line in paper.plan(config, "table02")["paper-demo"]}
    assert found["densecnn", "detection", 60] == [3]
    assert found["dist-ssl", "detection", 60] == [1, 2]
    assert found["dist-ssl", "detection", 12] == [0, 1]
    assert found["lstm", "detection", 60] == [7]


def test_the_published_protocol_is_what_the_preset_says() -> None:
    config = configured("tusz-v1.5.2")
    for task, epochs, rate in (("pretraining", 350, 5e-4), ("detection", 100, 1e-4), ("classification", 60, 3e-4)):
        for length in (12, 60):
            loop = getattr(config.training, task)[length]
            assert (loop.epochs, loop.learning_rate, loop.batch, loop.patience) == (epochs, rate, 40, 5)
            assert (loop.weight_decay, loop.clip_norm, loop.gate_bias) == (5e-4, 5.0, None)
            assert loop.dropout == (0.5 if task == "classification" else 0.0)
    assert config.paper.seeds == [0, 1, 2, 3, 4]
    assert config.signals.resampling == "fft"
    assert (config.compat.label_edge, config.compat.clip_start_offset) == ("touching", True)
    assert config.models["dcrnn"]["units"] == 64
    assert config.models["densecnn"]["width"] == 1.0
    splits = config.corpora["tusz"].splits
    assert (splits.source, splits.official["dev"], splits.validation_share) == ("official", "test", 0.1)
    quality = config.signals.quality  # nothing is left out for its signal
    assert (quality.flat_uv, quality.saturated_share, quality.mains_share, quality.white_noise) == (0, 1, 1, "keep")


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"paper": {"source_corpus": "elsewhere"}}, "paper.source_corpus: 'elsewhere' is not in corpora"),
        ({"paper": {"fold_corpora": ["paper-demo"]}}, "paper.fold_corpora: 'paper-demo' is no fold"),
        ({"paper": {"source_corpus": "synthetic"}}, "runs.corr-ssl-from.source: 'paper-demo-other' is not"),
        ({"paper": {"seeds": []}}, "paper.seeds: give at least one seed"),
        ({"paper": {"seeds": [0, 0]}}, "paper.seeds: [0, 0] names a seed twice"),
        ({"paper": {"seeds_where": [{"seeds": [0]}, {"seeds": []}]}}, "paper.seeds_where[1].seeds: give at least one"),
        ({"paper": {"seeds_where": [{"seeds": [1, 1]}]}}, "paper.seeds_where[0].seeds: [1, 1] names a seed twice"),
        ({"paper": {"lengths_s": []}}, "paper.lengths_s: give at least one length"),
        ({"paper": {"lengths_s": [12, 12]}}, "paper.lengths_s: [12, 12] names a length twice"),
        ({"paper": {"lengths_s": [12, 30]}}, "paper.lengths_s: there is no entry for 30 s in training.pretraining"),
        ({"runs": {"dist-aux-1": {"auxiliary": 0.1}}}, "runs.dist-aux-1.auxiliary: 0.1 on graph distance, as"),
        (fold(count=4), "paper-demo-fold-0 has folds.count: 3, paper-demo-fold-1 4"),
        (fold(file="folds.tsv"), "paper-demo-fold-0 has folds.file: None, paper-demo-fold-1 folds.tsv"),
        (fold(fold=0), "paper.fold_corpora: the folds of paper-demo are [0, 0, 2]; name each from 0 to 2 once"),
        ({"corpora": {FOLDS[2]: {"splits": {"seed": 7}}}}, "paper-demo-fold-0 has splits.seed: 0, paper-demo-fold-2 7"),
        ({"paper": {"fold_corpora": [*FOLDS, FOLDS[1]]}}, "paper.fold_corpora: paper-demo-fold-1 stands twice"),
        ({"paper": {"fold_corpora": FOLDS[:2]}}, "the folds of paper-demo are [0, 1]; name each from 0 to 2 once"),
    ],
)
def test_what_does_not_fit_is_named(over: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        paper.check(configured("paper-demo", **over))


@pytest.mark.parametrize("presets", [(), *((preset,) for preset in PRESETS), ("tiny",), ("trial",)])
def test_what_is_delivered_can_be_measured(presets: tuple[str, ...]) -> None:
    paper.check(configured(*presets))


def test_a_target_says_which_run_it_lacks(demo: Config) -> None:
    without = demo.model_copy(update={"runs": {name: run for name, run in demo.runs.items() if name != "lstm"}})
    with pytest.raises(PlanError, match="table02 needs the run 'lstm'"):
        paper.plan(without, "table02")


def test_inventories_are_typed_and_ask_for_no_more_than_they_show(demo: Config) -> None:
    corpora = Corpora(demo, main_process=False)
    for target in paper.FIGURES:
        content = paper.figure_inventory(demo, corpora, target)
        parse_section(Inventory, as_json(content))
        assert (files_of(content) == []) == (target in {"figure08", "figure09"})
        assert bool(content["signals"]) == (target in {"figure03", "figure04", "figure06", "figure07"})
    for target in paper.TABLES:
        content = paper.table_inventory(demo, corpora, target)
        parse_section(PaperInventory, as_json(content))
        assert not [path for path in files_of(content) if path.endswith(".zarr.zip") and "occlusion" not in path]
    counted = files_of(paper.table_inventory(demo, corpora, "table05"))
    assert {path.split("/")[-2] for path in counted if "/clips/" in path} == {
        f"{task}-{length}s" for task in ("detection", "pretraining", "classification") for length in (12, 60)
    }  # fmt: skip


def planned(*arguments: str) -> dict[str, int]:
    """Jobs of each rule in a dry run."""
    answer = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run", *arguments],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-3000:]
    table = re.search(r"^job\s+count\n[-\s]+\n(.*?)^total", answer.stdout, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^(\S+)\s+(\d+)$", table.group(1), re.MULTILINE) if table else []
    return {name: int(count) for name, count in rows}


def test_paper_demo_plans_every_table_and_figure(demo: Config, tmp_path: Path) -> None:
    jobs = planned("paper", "--configfile", "workflow/presets/paper-demo.yaml", "--config", f"results={tmp_path / 'r'}")
    assert (jobs["paper_table"], jobs["paper_figure"], jobs["scoreboard"]) == (10, 9, 1)
    whole = paper.plan(demo, "paper")
    models = sum(len(line.seeds) for lines in whole.values() for line in lines)
    detectors = 4  # at the source corpus, seed 0, which two runs of two clip lengths start from
    assert jobs["train"] == models + detectors
    assert jobs["predict"] == models
    assert jobs["evaluate"] == sum(map(len, whole.values()))
    assert jobs["pretrain"] == 8  # two graphs, two clip lengths, here and at the source
    assert (
        sorted(path.name for path in (tmp_path / "r/paper-demo/paper/inventories").glob("*.json"))[-1] == "table10.json"
    )


def test_a_target_plans_its_own_inventory_alone(tmp_path: Path) -> None:
    jobs = planned(
        "table01", "--configfile", "workflow/presets/paper-demo.yaml", "--config", f"results={tmp_path / 'r'}"
    )
    assert "train" not in jobs
    assert "clips" not in jobs
    assert [path.name for path in (tmp_path / "r/paper-demo/paper/inventories").iterdir()] == ["table01.json"]
