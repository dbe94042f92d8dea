"""Targets of the learned graph: their runs, seeds and files; what cannot be measured stops by name; that they plan."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.report.sglc_inventory import SglcInventory
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.config import Config, parse_config
from pipeline.settings.model_sglc import LEARNER_OPTIONS
from pipeline.settings.overlay import overlaid
from workflow.lib import job_settings, sglc
from workflow.lib.clip_lists import lists_of, wrong_lists
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs
from workflow.lib.inventory import files_of
from workflow.lib.paths import Paths
from workflow.lib.planning import PlanError

ROOT = Path(__file__).parents[2]
FIVE = ["00001027", "00001981", "00004671", "00006546", "00009842"]  # spec sglc.md, section 2


def configured(*presets: str, **over: Any) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for preset in presets:
        values = overlaid(values, yaml.safe_load((ROOT / f"workflow/presets/{preset}.yaml").read_text()))
    return parse_config(overlaid(values, over))


@pytest.fixture(scope="module")
def demo() -> Config:
    return configured("sglc-demo")


def inventory(config: Config, target: str) -> SglcInventory:
    content = sglc.inventory(config, Corpora(config, main_process=False), target)
    return parse_section(SglcInventory, content)


def test_table_has_both_variants_and_both_dcrnns_with_four_and_eight_classes(demo: Config) -> None:
    found = {(run.model, run.graph, run.init, run.n_classes) for run in inventory(demo, "sglc_table").runs}
    models = [("sglc", "correlation"), ("sglc_published", "correlation"), ("dcrnn", "correlation")]
    models += [("dcrnn", "distance")]
    assert found == {(*model, init, n) for model in models for init in ("ssl", "scratch") for n in (4, 8)}


def test_label_fraction_is_the_whole_grid(demo: Config) -> None:
    """Three models, pre-trained or not, at every share; all shares of a model start from one encoder."""
    for config, shares in ((demo, {25, 100}), (configured(), {25, 50, 75, 100})):
        found = inventory(config, "label_fraction")
        grid = {(run.model, run.graph, run.init, run.share) for run in found.runs}
        assert len(grid) == len(found.runs) == 6 * len(shares)
        assert {run.share for run in found.runs} == shares
        assert len(found.encoders) == 3
        assert found.clips


def test_ablation_compares_the_learned_graph_with_each_fixed_one(demo: Config) -> None:
    found = inventory(demo, "graph_ablation")
    assert found.pairs == [("sglc-scratch", f"sglc-{name}") for name in ("prior", "uniform", "random")]
    graphs = {run.run: demo.models[run.model]["adjacency"] for run in found.runs}
    assert sorted(graphs.values()) == ["learned", "prior", "random", "uniform"]
    settings = [job_settings.train(demo, run.run, "classification", 12, 0) for run in found.runs]
    for one in settings:
        kept = {name: value for name, value in one["options"].items() if name not in ("adjacency", *LEARNER_OPTIONS)}
        one["options"] = kept
    assert all(one == settings[0] for one in settings)


def told(run: str, **options: Any) -> str:
    """What the training of a run is told where models.sglc has other options."""
    return job_settings.as_text(job_settings.train(configured(models={"sglc": options}), run, "classification", 12, 0))


@pytest.mark.parametrize(
    ("option", "value", "rerun"),
    [
        ("keep_edges", 4, {"sglc-scratch"}),
        ("recurrence", "recurrent", {"sglc-scratch"}),
        ("support", "prior", {"sglc-scratch"}),
        ("edge_threshold", 0.2, {"sglc-published-scratch"}),
        ("heads", 4, {"sglc-scratch", "sglc-published-scratch"}),
        ("mixing", 0.5, {"sglc-scratch", "sglc-published-scratch"}),
        ("units", 32, {"sglc-scratch", "sglc-published-scratch", "sglc-prior", "sglc-uniform", "sglc-random"}),
    ],
)
def test_an_option_reruns_only_the_runs_that_read_it(option: str, value: Any, rerun: set[str]) -> None:
    runs = ("sglc-scratch", "sglc-published-scratch", "sglc-prior", "sglc-uniform", "sglc-random", "dist-scratch")
    assert {run for run in runs if told(run) != told(run, **{option: value})} == rerun


def test_a_threshold_is_read_where_edges_are_kept_by_it() -> None:
    assert told("sglc-scratch", sparsify="eps") != told("sglc-scratch", sparsify="eps", edge_threshold=0.2)
    assert told("sglc-scratch", sparsify="eps") == told("sglc-scratch", sparsify="eps", keep_edges=4)


def test_a_list_of_another_scheme_changes_nothing(tmp_path: Path) -> None:
    """Neither what the targets are told nor their inputs: of the ablation and the shares all runs have four classes."""
    (tmp_path / "list.txt").write_text("a.edf,0,0\n")
    lists = {"other": {"clips": str(tmp_path / "list.txt"), "schemes": ["eight"]}}
    plain, more = configured(), configured(evaluation={"test_lists": lists})
    for target, make, changed in (
        ("sglc_table", job_settings.sglc_table, True),
        ("label_fraction", job_settings.sglc_table, False),
        ("graph_ablation", job_settings.graph_ablation, False),
    ):
        texts = [job_settings.as_text(make(one, schemes=sglc.schemes_of(one, target))) for one in (plain, more)]
        found = inventory(more, target).seizures
        assert ("other" in texts[1], bool(sglc.list_files(more, target)), bool(found)) == (changed, changed, changed)
        if not changed:
            known = json.loads(texts[0])["lists"], json.loads(texts[1])["lists"]
            assert known == ({"four": {}}, {"four": {}})
            assert texts[0] == texts[1]
    assert not sglc.list_files(more, sglc.PAGE)


def test_seeds_are_those_of_the_section_for_every_target(demo: Config) -> None:
    for target in sglc.TARGETS:
        assert {tuple(run.seeds) for run in inventory(demo, target).runs} == {(0, 1)}
    assert set(configured().sglc.seeds) == set(range(5))
    planned = configured(sglc={"seeds": [3]}, plan=[])
    assert {tuple(run.seeds) for run in inventory(planned, "graph_ablation").runs} == {(3,)}


def test_only_what_is_asked_for_becomes_an_input(demo: Config) -> None:
    content = sglc.inventory(demo, Corpora(demo, main_process=False), "graph_ablation")
    kinds = {Path(path).name for path in files_of(content)}
    assert {name for name in kinds if "recordings" not in name} == {
        "card.json",
        "predictions.parquet",
        "splits.parquet",
    }


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"sglc": {"seeds": []}}, "sglc.seeds: give at least one seed"),
        ({"sglc": {"fractions": [25, 25]}}, "sglc.fractions: .* names a share twice"),
        ({"sglc": {"fractions": [8, 100]}}, "sglc.fractions: 8; a name that ends in -8"),
        ({"sglc": {"length_s": 13}}, "sglc.length_s: training.pretraining has no entry for 13 s"),
    ],
)
def test_a_section_that_cannot_be_measured_stops(over: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        sglc.check(configured(**over))


def test_a_run_that_is_not_there_or_has_another_share_stops_by_name() -> None:
    with pytest.raises(PlanError, match=r"label_fraction needs the run 'sglc-ssl-30', which is not in runs") as error:
        sglc.plan(configured(sglc={"fractions": [30]}), "label_fraction")
    added = re.findall(r"to add it: (runs: .*); or change sglc.fractions", str(error.value))
    runs = {name: run for line in added for name, run in yaml.safe_load(line)["runs"].items()}
    assert len(runs) == len(sglc.runs_of(configured(), "label_fraction")) / 4
    assert sglc.plan(configured(sglc={"fractions": [30]}, runs=runs), "label_fraction")  # the remedy is one
    with pytest.raises(PlanError, match=r"runs.dist-ssl-50.label_fraction: 0.6; its name says 0.5"):
        sglc.plan(configured(runs={"dist-ssl-50": {"label_fraction": 0.6}}), "label_fraction")


@pytest.mark.parametrize(
    ("target", "run", "key", "value", "message"),
    [
        ("graph_ablation", "sglc-scratch", "init", "ssl", "init: ssl; its name says scratch"),
        ("sglc_table", "sglc-ssl", "scheme", "eight", "scheme: eight; its name says four"),
        ("sglc_table", "dist-ssl-8", "scheme", "four", "scheme: four; its name says eight"),
        ("sglc_table", "dist-ssl", "graph", "correlation", "graph: correlation; its name says distance"),
        ("graph_ablation", "sglc-uniform", "model", "sglc",
         "model: sglc, whose adjacency: learned; its name says uniform"),
        ("sglc_table", "sglc-published-ssl", "model", "sglc",
         "model: sglc, whose variant: corrected; its name says published"),
    ],
)  # fmt: skip
def test_a_run_that_is_not_what_its_name_says_stops(target: str, run: str, key: str, value: str, message: str) -> None:
    assert sglc.plan(configured(), target)
    with pytest.raises(PlanError) as error:
        sglc.plan(configured(runs={run: {key: value}}), target)
    assert f"{target}: runs.{run}.{message}" in str(error.value).splitlines()


def test_the_published_variant_may_be_set_for_all() -> None:
    """The fixed graphs of the ablation stay with the corrected one, which alone has them."""
    config = configured(models={"sglc": {"variant": "published"}})
    assert config.models["sglc_prior"]["variant"] == "corrected"
    assert config.models["sglc"]["variant"] == "published"


def test_lists_hold_for_their_corpus_and_scheme(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.edf,0,0\n")
    lists = {"one": {"clips": str(tmp_path / "list.txt"), "schemes": ["four"]},
             "other": {"corpus": "synthetic-other", "without": ["a"]}}  # fmt: skip
    config = configured(evaluation={"test_lists": lists})
    assert list(lists_of(config, "synthetic", "classification", "four")) == ["one"]
    assert list(lists_of(config, "synthetic-other", "classification", "eight")) == ["other"]
    assert not lists_of(config, "synthetic", "classification", "eight")
    assert not lists_of(config, "synthetic", "detection", "four")
    inputs = Inputs(config, Corpora(config, main_process=False), Paths("results"))
    found = inputs.of_lists("synthetic", "classification", "four")
    assert found["lists"] == [str(tmp_path / "list.txt")]
    assert all(path.endswith("seizures.parquet") and "/test-" in path for path in found["seizures"])
    assert not list(wrong_lists(config))
    assert "lists" not in job_settings.evaluate(config, "sglc-ssl-8", "classification", 12)
    assert list(job_settings.evaluate(config, "sglc-ssl", "classification", 12)["lists"]) == ["one"]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"Tang": {"without": ["a"]}}, "Tang: a list is named in small letters"),
        ({"x": {"without": ["a"], "corpus": "tusz"}}, "x.corpus: 'tusz' is not in corpora"),
        ({"x": {"clips": "no/such/file.txt"}}, "x: there is no file no/such/file.txt"),
    ],
)
def test_a_list_that_cannot_be_read_stops_by_its_key(lists: dict[str, Any], message: str) -> None:
    (found,) = wrong_lists(configured(evaluation={"test_lists": lists}))
    assert found.startswith(f"evaluation.test_lists.{message}")


def test_an_empty_list_stops_before_any_job(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    (found,) = wrong_lists(configured(evaluation={"test_lists": {"x": {"patients": str(tmp_path / "list.txt")}}}))
    assert re.fullmatch(r"evaluation.test_lists.x: the file .*list.txt is empty; .*", found)
    with pytest.raises(SettingsError, match=r"test_lists.x.without: .*at least 1 item"):
        configured(evaluation={"test_lists": {"x": {"without": []}}})


def test_all_is_no_name_for_a_list() -> None:
    with pytest.raises(SettingsError, match="'all' is the name of the corpus's own test clips"):
        configured(evaluation={"test_lists": {"all": {"without": ["a"]}}})


def test_tusz_has_the_list_of_tang_by_its_rule() -> None:
    """By rule: without the patients who are in train as well. That of ASGPF, whose rule is unknown, needs a file."""
    config = configured("tusz-v1.5.2", "sglc-tusz")
    lists = config.evaluation.test_lists
    assert sorted(lists["tang2022"].without or []) == FIVE
    assert "asgpf285" not in lists
    assert list(lists_of(config, config.corpus, "classification", "four")) == ["tang2022"]
    assert not lists_of(config, "tusz-fold-0", "classification", "four")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["sglc-demo", "tiny"])
def test_targets_plan(preset: str, tmp_path: Path) -> None:
    """Under the demonstration, and under another corpus too; five runs share each of four encoders."""
    line = [sys.executable, "-m", "snakemake", "-n", *sglc.TARGETS, sglc.PAGE]
    line += ["--configfile", f"workflow/presets/{preset}.yaml", "--config", f"results={tmp_path}/results"]
    answer = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-3000:]
    counts = dict(re.findall(r"^(\S+)\s+(\d+)$", answer.stdout + answer.stderr, re.MULTILINE))
    assert {counts[name] for name in (*sglc.TARGETS, "sglc_page")} == {"1"}
    assert counts["pretrain"] == "4"
    assert counts["train"] == {"sglc-demo": "50", "tiny": str(5 * (16 + 18 + 3))}[preset]
