"""What jobs ask for: more for more input and with each attempt, never under what they use, and nothing reruns by it."""

import ast
import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_project import ROOT, TinyProject

from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib.budget import Estimator
from workflow.lib.corpus import Corpora
from workflow.lib.needs import (
    CORES_OF_A_GPU,
    GROWTH,
    LEAST_MB,
    LEAST_MIN,
    LEAST_TRAINING_MIN,
    MARGIN_MB,
    TABLE,
    Needs,
    read_needs,
)
from workflow.lib.soz import encoder_name

RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
SHARD = {"corpus": "tiny", "shard": "train-00"}
TRAINED = {"corpus": "tiny", "task": "detection", "len": "12", "run": "dist-scratch", "seed": "0"}


class Wildcards(dict[str, Any]):
    """As Snakemake's: by key and by attribute."""

    __getattr__ = dict.__getitem__


class Named(list[str]):
    """Input files as Snakemake gives them: some also by name."""

    def __init__(self, paths: list[str], **names: Any) -> None:
        super().__init__(paths)
        self.__dict__.update(names)


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


PROCESSES = pytest.mark.parametrize(
    ("rule", "task", "wildcards"),
    [
        ("train", "detection", TRAINED),
        ("pretrain", "pretraining", {"corpus": "tiny", "len": "12"}),
        ("record_split", "detection", {"corpus": "tiny"}),
    ],
)


def of_processes(folder: Path, rule: str, task: str, wildcards: dict[str, str], input: list[str]) -> dict[int, int]:
    """MiB by the number of processes of a training with device.memory_gb: 6."""
    asked = {}
    for number in (1, 3):
        sections = {"training": {task: {12: {"processes": number}}}, "device": {"memory_gb": 6}}
        asked[number] = needs(configured(folder / "results", **sections)).memory(rule)(Wildcards(wildcards), input, 1)
    return asked


@PROCESSES
def test_each_process_of_a_training_asks_for_its_own(
    tmp_path: Path, rule: str, task: str, wildcards: dict[str, str]
) -> None:
    """Every one loads all shards: frames that fit into its part of the limit, and all graphs, count so many times."""
    none = of_processes(tmp_path, rule, task, wildcards, [])
    assert none[3] > 2 * none[1]
    frames, graphs = sparse(tmp_path / "frames.zarr.zip", 1000), sparse(tmp_path / "graphs.zarr.zip", 500)
    for input in (Named([frames]), Named([graphs], graphs=[graphs])):
        some = of_processes(tmp_path, rule, task, wildcards, input)
        assert some[1] - none[1] > 1000
        assert some[3] - none[3] == pytest.approx(3 * (some[1] - none[1]), abs=400)  # numbers are rounded up to 100


@PROCESSES
def test_the_processes_of_a_training_share_the_limit_of_frames(
    tmp_path: Path, rule: str, task: str, wildcards: dict[str, str]
) -> None:
    none = of_processes(tmp_path, rule, task, wildcards, [])
    many = of_processes(tmp_path, rule, task, wildcards, [sparse(tmp_path / "frames.zarr.zip", 60_000)])
    assert many[3] - none[3] == pytest.approx(many[1] - none[1], abs=200)


def test_a_training_asks_for_the_time_that_the_dry_run_says(tmp_path: Path) -> None:
    wildcards = Wildcards(TRAINED)
    tiny = needs(configured(tmp_path / "results", device={"device": "cpu"}))
    long = {"training": {"detection": {12: {"epochs": 100_000}}}}
    more = needs(configured(tmp_path / "results", device={"device": "cpu"}, **long))
    shared = needs(configured(tmp_path / "results", **long))
    minutes = [made.minutes("train")(wildcards, [], 1) for made in (tiny, more, shared)]
    assert minutes[0] == LEAST_TRAINING_MIN
    assert minutes[1] > minutes[2] > minutes[0]  # a core takes longer than a GPU


def test_a_network_that_no_gpu_was_measured_with_takes_a_share_of_cores(tmp_path: Path) -> None:
    """A GPU's row counts for its own network; it takes nothing away from the others."""
    long = {"training": {"detection": {12: {"epochs": 100_000}}}}
    made, cores = (needs(configured(tmp_path / "results", **long)) for _ in range(2))
    alone = needs(configured(tmp_path / "results", device={"device": "cpu"}, **long)).minutes("train")
    times = cores._estimator.times
    row = next(row for row in times if (row["model"], row["task"], row["length_s"]) == ("lstm", "detection", 12))
    made._estimator = Estimator(made.config, made.corpora, [*times, row | {"device": "a GPU", "step_s": 1e3}])
    dcrnn, lstm = Wildcards(TRAINED), Wildcards(TRAINED | {"run": "lstm"})
    asked = [one.minutes("train")(dcrnn, [], 1) for one in (made, cores)]
    assert asked[0] == asked[1] == pytest.approx(alone(dcrnn, [], 1) / CORES_OF_A_GPU, abs=1)
    assert made.minutes("train")(lstm, [], 1) > 100 * cores.minutes("train")(lstm, [], 1)  # its own row


def folder_of(path: Path, sizes_mb: list[float]) -> Named:
    """The input of score_segments: a list of EDFs of those sizes, which need not be there."""
    path.mkdir(parents=True)
    rows = [[f"/nowhere/{number}.edf", int(size * 2**20), 1] for number, size in enumerate(sizes_mb)]
    (path / "inputs.json").write_text(json.dumps(rows))
    return Named([str(path / "inputs.json")], files=str(path / "inputs.json"))


FOLDERS = {"small": [1.0], "many": [50.0] * 80, "large": [500.0] * 8}


def test_a_folder_asks_for_memory_by_its_edfs(tmp_path: Path) -> None:
    """They are no inputs of the rule, only listed in one: frames up to the limit, all traces, drawing the largest."""
    asked: dict[int, dict[str, int]] = {1: {}, 8: {}}
    for gigabytes, folders in asked.items():
        ask = needs(configured(tmp_path / "results", device={"memory_gb": gigabytes})).memory("score_segments")
        for name, sizes in FOLDERS.items():
            folders[name] = ask(Wildcards(), folder_of(tmp_path / f"{gigabytes}-{name}", sizes), 1)
    assert asked[8]["many"] > asked[8]["small"] + 3 * 4000
    assert asked[8]["large"] > asked[8]["many"] + 20 * 450
    assert asked[8]["many"] - asked[1]["many"] == pytest.approx(MARGIN_MB * 3000, abs=100)  # 4000 MiB of frames or 1000
    assert asked[8]["small"] == asked[1]["small"]


def test_a_folder_asks_for_time_by_its_edfs(tmp_path: Path) -> None:
    ask = needs(configured(tmp_path / "results", device={"memory_gb": 1})).minutes("score_segments")
    asked = {name: ask(Wildcards(), folder_of(tmp_path / name, sizes), 1) for name, sizes in FOLDERS.items()}
    assert asked["small"] == LEAST_MIN
    assert asked["many"] == asked["large"] > 3 * 4000 / 60  # no less for frames that memory does not hold


@pytest.mark.parametrize(
    ("sizes_mb", "took_mb"),
    [([66.8], 2065), ([11.1] * 6, 1276), ([11.1] * 18, 1614), ([1.1] * 60, 869), ([11.1], 787)],
)
def test_a_folder_asks_for_no_less_than_was_measured(tmp_path: Path, sizes_mb: list[float], took_mb: int) -> None:
    """MiB resident of score_segments (a DCRNN of 4 units, one thread): above the 546 of one EDF of 1.1 MiB.

    150 MiB of the difference are of pictures, however short, and the base's.
    """
    ask = needs(configured(tmp_path / "results")).memory("score_segments")
    asked = [ask(Wildcards(), folder_of(tmp_path / name, sizes), 1) for name, sizes in (("a", sizes_mb), ("b", [1.1]))]
    assert asked[0] - asked[1] >= took_mb - 546 - 150


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("train,frames,2700,1.2,epochs,0,0", "train: time_by: 'epochs'; there are size, steps"),
        ("train,frames,2700,1.2,steps,20,0", "train: time_by: steps takes no seconds"),
        ("index,edf,100,0,size,0,0.01", "index: time_by: size needs base_s above 0"),
        ("index,edfs,100,0,size,2,0.01", "index: reads: 'edfs'; there are edf, input"),
    ],
)
def test_a_table_of_needs_that_says_nothing_is_refused(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "needs.csv"
    path.write_text(f"{TABLE.read_text().splitlines()[0]}\n{row}\n")
    with pytest.raises(ValueError, match=re.escape(message)):
        read_needs(path)


def test_who_takes_the_time_of_steps_stands_in_the_table() -> None:
    by_steps = {rule for rule, need in read_needs().items() if need.time_by == "steps"}
    assert by_steps == {"pretrain", "train", "record_split", "occlude", "soz_pretrain", "soz_train"}


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
