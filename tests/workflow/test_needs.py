"""What jobs ask for: more for more input and with each attempt, never under what they use, and nothing reruns by it."""

import ast
import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_project import ROOT, TinyProject

from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib.corpus import Corpora
from workflow.lib.needs import GROWTH, LEAST_MB, LEAST_MIN, LEAST_TRAINING_MIN, Needs, read_needs
from workflow.lib.soz import encoder_name

RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
SHARD = {"corpus": "tiny", "shard": "train-00"}
TRAINED = {"corpus": "tiny", "task": "detection", "len": "12", "run": "dist-scratch", "seed": "0"}


class Wildcards(dict[str, Any]):
    """As Snakemake's: by key and by attribute."""

    __getattr__ = dict.__getitem__


def configured(results: Path, **sections: Any) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    preset = yaml.safe_load((ROOT / "workflow/presets/tiny.yaml").read_text())
    return parse_config(overlaid(overlaid(values, preset), {"results": str(results), **sections}))


def needs(config: Config) -> Needs:
    return Needs(config, Corpora(config, main_process=False))


def sparse(path: Path, megabytes: float) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(int(megabytes * 2**20))
    return str(path)


def manifest(results: Path, megabytes: float) -> None:
    """The manifest of train-00: one EDF of that size, which need not be there."""
    path = results / "tiny/manifests/train-00.tsv"
    path.parent.mkdir(parents=True)
    head = "recording\tpatient\tsession\tsplit\tmontage\trole\tpath\tsize\tmtime_ns"
    path.write_text(f"{head}\nr\tp\ts\ttrain\t\tedf\tr.edf\t{int(megabytes * 2**20)}\t1\n")


def test_every_rule_has_a_line_and_every_line_a_rule() -> None:
    asked = set(re.findall(r'NEEDS\.(?:memory|minutes)\("(\w+)"\)', RULES))
    looped = {"sglc_table", "label_fraction", "graph_ablation"}  # of one rule in a loop, by the name of the target
    assert asked | looped == set(read_needs())
    assert RULES.count("NEEDS.memory(") == RULES.count("NEEDS.minutes(") == len(asked) + 1


@pytest.mark.parametrize("rule", sorted(read_needs()))
def test_each_attempt_asks_for_more_and_the_first_for_enough(rule: str, tmp_path: Path) -> None:
    """Whole numbers, also before any input is there: Snakemake adds them up over a group."""
    made = needs(config := configured(tmp_path / "results"))
    some = Wildcards(SHARD | TRAINED | {"encoder": "dcrnn-fft-distance", "fold": "0", "run": "dist-scratch"})
    if rule.startswith("soz_"):
        some |= {"corpus": "synthetic-ieeg", "run": "main", "pretrained": encoder_name(config, "main")}
    for ask, least in ((made.memory(rule), LEAST_MB), (made.minutes(rule), LEAST_MIN)):
        asked = [ask(some, [str(tmp_path / "missing")], attempt) for attempt in (1, 2, 3)]
        assert all(type(number) is int for number in asked)
        assert least <= asked[0] < asked[1] < asked[2] <= GROWTH**2 * asked[0] + 100


def test_a_shard_asks_by_its_edfs(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    manifest(small, 10)
    manifest(large, 4000)
    asked = [
        [getattr(needs(configured(results)), kind)("ingest")(Wildcards(SHARD), [], 1) for kind in ("memory", "minutes")]
        for results in (small, large)
    ]
    assert asked[0][0] < 800
    assert asked[1][0] > 4000  # one recording may be the whole shard
    assert asked[1][1] > asked[0][1] >= LEAST_MIN


def test_a_training_asks_for_its_frames_up_to_the_limit(tmp_path: Path) -> None:
    """Above device.memory_gb frames are streamed; of graphs each has supports, and so has its mirror image."""
    made = needs(configured(tmp_path / "results", device={"memory_gb": 2}))
    ask, wildcards = made.memory("train"), Wildcards(TRAINED)
    files = {mb: [sparse(tmp_path / f"{mb}.zarr.zip", mb)] for mb in (10, 1000, 2100, 60_000)}
    asked = {mb: ask(wildcards, paths, 1) for mb, paths in files.items()}
    assert asked[10] + 900 < asked[1000] < asked[2100] == asked[60_000]


@pytest.mark.parametrize(
    ("rule", "task", "wildcards"),
    [
        ("train", "detection", TRAINED),
        ("pretrain", "pretraining", {"corpus": "tiny", "len": "12"}),
        ("record_split", "detection", {"corpus": "tiny"}),
    ],
)
def test_each_process_of_a_training_asks_for_its_own(
    tmp_path: Path, rule: str, task: str, wildcards: dict[str, str]
) -> None:
    asked = []
    for number in (1, 3):
        made = needs(configured(tmp_path / "results", training={task: {12: {"processes": number}}}))
        asked.append(made.memory(rule)(Wildcards(wildcards), [], 1))
    assert asked[1] > 2 * asked[0]


def test_a_training_asks_for_the_time_that_the_dry_run_says(tmp_path: Path) -> None:
    wildcards = Wildcards(TRAINED)
    tiny = needs(configured(tmp_path / "results", device={"device": "cpu"}))
    long = {"training": {"detection": {12: {"epochs": 100_000}}}}
    more = needs(configured(tmp_path / "results", device={"device": "cpu"}, **long))
    shared = needs(configured(tmp_path / "results", **long))
    minutes = [made.minutes("train")(wildcards, [], 1) for made in (tiny, more, shared)]
    assert minutes[0] == LEAST_TRAINING_MIN
    assert minutes[1] > minutes[2] > minutes[0]  # a core takes longer than a GPU


@pytest.mark.slow
def test_no_job_of_tiny_asks_for_less_than_it_used(finished: TinyProject) -> None:
    rows = []
    for path in (finished.folder / "results/tiny/benchmarks").rglob("*.tsv"):
        with path.open(newline="") as file:
            rows += [row for row in csv.DictReader(file, delimiter="\t") if row.get("resources")]
    assert {"index", "ingest", "train", "pretrain", "occlude", "report"} <= {row["rule_name"] for row in rows}
    short = []
    for row in rows:
        asked = ast.literal_eval(row["resources"])
        used_mb = 0.0 if row["max_rss"] in ("-", "NA") else float(row["max_rss"])
        if asked["mem_mb"] < max(LEAST_MB, 1.2 * used_mb) or 60 * asked["runtime"] < float(row["s"]):
            short.append((row["rule_name"], asked["mem_mb"], used_mb, asked["runtime"], row["s"]))
    assert short == []


@pytest.mark.slow
def test_what_jobs_ask_for_reruns_nothing(finished: TinyProject) -> None:
    table = finished.folder / "workflow/resources/needs.csv"
    text = table.read_text()
    table.write_text(re.sub(r"^(\w+,\w+),\d+", r"\1,9999", text, flags=re.MULTILINE))
    try:
        said = finished.run("--dry-run", "--set-resources", "train:mem_mb=77", "index:runtime=7")
    finally:
        table.write_text(text)
    assert "Nothing to be done" in said
