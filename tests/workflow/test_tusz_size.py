"""A corpus of TUSZ size: what is estimated before anything is read, and what a dry run of the paper says (slow)."""

import csv
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from made_up_tusz import HOURS, PATIENTS, RECORDINGS, RECORDINGS_IN_BOTH, Made, make_tree

from pipeline.settings.config import Config, parse_config
from workflow.lib.budget import Budget, Estimator, GpuJob, published_hours
from workflow.lib.corpus import Corpora
from workflow.lib.extent import Extent, extents
from workflow.lib.step_times import TABLE, read

ROOT = Path(__file__).parents[2]
SHARDS = {"train": 48, "validation": 6, "test": 10}
DEVICE = {"device": "bench", "clips": 10, "parameters": 1, "step_s": 2.0, "forward_s": 0.5}


def config_for(root: Path, results: Path) -> Config:
    """config.yaml with a corpus of the layout v1.5.2 on disk, split as the paper does."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    splits = {"official": {"train": "train", "dev": "test"}, "validation_share": 0.1}
    corpus = {"like": "synthetic", "version": "v1", "root": str(root), "simulate": None, "splits": splits}
    values["corpora"]["tusz"] = corpus
    return parse_config(values | {"corpus": "tusz", "results": str(results), "ingest": {"shards": SHARDS}})


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Made]]:
    root = tmp_path_factory.mktemp("made-up") / "tusz"
    with open(root.with_name("hole"), "wb") as hole:
        hole.truncate(100_000_000)
    if root.with_name("hole").stat().st_blocks * 512 > 1e6:
        pytest.skip("the file system has no sparse files")
    return root, make_tree(root)


def test_the_tree_has_the_published_size(tree: tuple[Path, list[Made]], tmp_path: Path) -> None:
    """Those patients who are on both sides stay in training, and what remains is what the paper counts."""
    root, made = tree
    assert len(list(root.rglob("*.edf"))) == len(made) == sum(RECORDINGS.values()) + RECORDINGS_IN_BOTH == 5612
    corpora = Corpora(config_for(root, tmp_path), main_process=True)
    assert len(corpora.shards("tusz").names) == 64
    rows = [
        line.split("\t")
        for path in (tmp_path / "tusz" / "manifests").glob("*.tsv")
        for line in path.read_text().splitlines()[1:]
    ]
    edfs = [row for row in rows if "edf" in row[5:6]]
    assert len(edfs) == 5499
    assert len({row[1] for row in edfs}) == sum(PATIENTS.values()) == 637
    assert Counter(row[3] for row in edfs)["test"] == RECORDINGS["dev"]


def test_extents_are_counted_as_the_clips_will_be(tree: tuple[Path, list[Made]], tmp_path: Path) -> None:
    """Clip by clip and event by event, against what was written into the tree."""
    root, made = tree
    found = extents(config := config_for(root, tmp_path), Corpora(config, main_process=True), "tusz")
    sides = {"train": [one for one in made if one.folder == "train"]}
    both = {one.patient for one in sides["train"]}
    sides["dev"] = [one for one in made if one.folder == "dev" and one.patient not in both]
    for folder, splits in (("train", ("train", "validation")), ("dev", ("test",))):
        parts, own = [found[split] for split in splits], sides[folder]
        assert sum(part.recordings for part in parts) == len(own)
        for length_s in (12, 60):
            grid = [(one, k * length_s) for one in own for k in range(one.duration_s // length_s)]
            positive = [
                start
                for one, start in grid
                if any(onset < start + length_s and offset > start for onset, offset, _ in one.events)
            ]
            assert sum(part.clips[length_s] for part in parts) == len(grid)
            assert sum(part.positive[length_s] for part in parts) == len(positive)
            assert sum(part.pairs[length_s] for part in parts) == len(grid) - len(own)  # dcrnn.md, section 1
        codes = Counter(code for one in own for _, _, code in one.events)
        assert {code: sum(part.events.get(code, 0) for part in parts) for code in codes} == codes
    assert sum(part.hours for part in found.values()) == pytest.approx(HOURS)


def test_extents_are_kept_until_a_manifest_changes(tmp_path: Path) -> None:
    made = make_tree(tmp_path / "tusz", share=0.02)
    config = config_for(tmp_path / "tusz", tmp_path)
    first = extents(config, corpora := Corpora(config, main_process=True), "tusz")
    assert extents(config, corpora, "tusz") == first
    kept = tmp_path / "tusz" / "extent.json"
    number = int(first["test"].recordings)
    assert 0 < number < len(made)
    kept.write_text(kept.read_text().replace(f'"recordings": {number}', '"recordings": 987'))
    assert extents(config, corpora, "tusz")["test"].recordings == 987  # read, not counted again
    manifest = next((tmp_path / "tusz" / "manifests").glob("test-*.tsv"))
    manifest.write_text(manifest.read_text() + "\n")
    for damage in (kept.read_text(), "{", "[]", '{"manifests": 3}'):
        kept.write_text(damage)
        assert extents(config, corpora, "tusz") == first


def times(**changes: object) -> dict[str, object]:
    network = {"model": "dcrnn", "task": "detection", "graph": "distance", "features": "fft", "length_s": 12}
    return DEVICE | network | changes


def estimator(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]]) -> Estimator:
    """100 training clips of which 20 have a seizure, 40 of validation, 30 of test, 5 of them with one; 12 s."""
    known = {
        "train": Extent(1, 1, {12: 100, 60: 1}, {12: 20, 60: 1}, {12: 90, 60: 1}, {"fnsz": 7, "mysz": 2, "seiz": 1}),
        "validation": Extent(1, 1, {12: 40, 60: 1}, {12: 4, 60: 1}, {12: 30, 60: 1}, {"gnsz": 3}),
        "test": Extent(1, 1, {12: 30, 60: 1}, {12: 5, 60: 1}, {12: 20, 60: 1}, {"absz": 4}),
    }
    monkeypatch.setattr("workflow.lib.budget.extents", lambda *arguments: known)
    config = parse_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    return Estimator(config, Corpora(config, main_process=False), rows)


def test_hours_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [times(), times(task="pretraining"), times(task="auxiliary"), times(task="occlusion", clips=1)]
    known = estimator(monkeypatch, rows)
    epochs = known.config.training
    base = {"corpus": "synthetic", "len": "12", "seed": "0", "run": "dist-scratch", "task": "detection"}
    jobs = [
        (GpuJob("train", base), epochs.detection[12].epochs * (40 * 2.0 + 40 * 0.5) / 10),  # negatives 1:1
        (GpuJob("train", base | {"task": "classification"}), epochs.classification[12].epochs * (7 * 2.0 + 1.5) / 10),
        (GpuJob("train", base | {"run": "dist-aux-1"}), epochs.detection[12].epochs * 10),
        (GpuJob("record_split", {"corpus": "synthetic"}), epochs.detection[12].epochs * 10),
        (
            GpuJob("pretrain", {"corpus": "synthetic", "len": "12", "encoder": "dcrnn-fft-distance"}),
            epochs.pretraining[12].epochs * (90 * 2.0 + 30 * 0.5) / 10,
        ),
        (GpuJob("predict", base), (40 + 30) * 0.5 / 10),
        (GpuJob("occlude", base), 5 * 2.0),
        (GpuJob("occlude", base | {"task": "classification"}), 4 * 2.0 / 12),
    ]
    for job, seconds in jobs:
        assert known.seconds(job, "bench") == pytest.approx(seconds), job
    correlation, longer = base | {"run": "corr-ssl"}, base | {"len": "60"}
    for unknown in (GpuJob("train", correlation), GpuJob("train", longer), GpuJob("score_segments", {})):
        assert known.seconds(unknown, "bench") is None
    made = known.budget([*(job for job, _ in jobs), GpuJob("score_segments", {})])
    assert made.jobs == {
        "train": 3, "record_split": 1, "pretrain": 1, "predict": 1, "occlude": 2, "score_segments": 1,
    }  # fmt: skip
    assert sum(made.hours["bench"].values()) == pytest.approx(sum(seconds for _, seconds in jobs) / 3600)
    assert made.left_out == {"score_segments": 1}
    assert made.published_hours == pytest.approx(20 / 60 * 2 + 3 / 60 + 10)


def test_lines_say_what_is_bound_and_what_is_left_out() -> None:
    budget = Budget(Counter(train=2, occlude=1), {"bench": Counter(train=1234)}, 40.4, 2, Counter(occlude=1))
    text = "\n".join(budget.lines())
    assert "GPU jobs: 3 (1 occlude, 2 train)" in text
    assert "1,234 h on bench, at most" in text
    assert "40 h on one NVIDIA Titan RTX" in text
    assert "no estimate: 1 occlude" in text


def test_published_times_are_the_appendix_s() -> None:
    assert published_hours() == pytest.approx({
        ("detection", 12): 20 / 60, ("detection", 60): 30 / 60, ("classification", 12): 3 / 60,
        ("classification", 60): 7 / 60, ("pretraining", 12): 10, ("pretraining", 60): 24,
    })  # fmt: skip


def test_every_network_of_the_paper_was_measured() -> None:
    """Each step time is a measured number; parameters are the published ones, so no row is of a reduced size."""
    rows = {(row["model"], row["task"], row["graph"], row["features"], row["length_s"]): row for row in read()}
    with TABLE.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(read())
    for length_s in (12, 60):
        for graph, count, ssl in (("distance", 168_641, 417_572), ("correlation", 280_769, 690_980)):
            assert rows["dcrnn", "detection", graph, "fft", length_s]["parameters"] == count
            assert rows["dcrnn", "pretraining", graph, "fft", length_s]["parameters"] == ssl
            for task, kind in (("detection", "time"), ("auxiliary", "fft"), ("occlusion", "fft")):
                assert ("dcrnn", task, graph, kind, length_s) in rows
        for model, count, ssl in (("sglc", 1_003_065, 2_012_500), ("sglc_published", 851_689, 2_035_840)):
            assert rows[model, "detection", "correlation", "fft", length_s]["parameters"] == count
            assert rows[model, "pretraining", "correlation", "fft", length_s]["parameters"] == ssl
        sizes = {"lstm": 536_641, "cnn_lstm": 5_976_033, "densecnn": {12: 10_926_763, 60: 17_055_403}[length_s]}
        for model, count in sizes.items():
            assert rows[model, "detection", "none", "fft", length_s]["parameters"] == count
    assert all(0 < row["step_s"] < math.inf for row in rows.values())


@pytest.mark.slow
def test_dry_run_of_the_paper_plans_every_job_and_says_the_hours(tree: tuple[Path, list[Made]], tmp_path: Path) -> None:
    """Acceptance 2 of issue 4, but for the seconds (benchmarks/planning.py)."""
    root, _ = tree
    preset = yaml.safe_load((ROOT / "workflow/presets/tusz-v1.5.2.yaml").read_text())
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(tmp_path / "results"), "corpora": {"tusz": {"root": str(root)}}}))
    command = [sys.executable, "-m", "snakemake", "-n", "paper", "--cores", "2", "--configfile"]
    done = subprocess.run(
        [*command, "workflow/presets/tusz-v1.5.2.yaml", str(overlay)], cwd=ROOT, capture_output=True, text=True
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-3000:]
    table = re.search(r"^job\s+count\n[-\s]+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
    counts = {name: int(number) for name, number in re.findall(r"^(\S+)\s+(\d+)$", table[1], re.MULTILINE)}
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    paper, corpora = config["paper"] | preset["paper"], config["corpora"] | preset["corpora"]
    source = paper["source_corpus"] not in (None, "tusz")
    folds = sum((corpora[name].get("folds") or {}).get("of") == "tusz" for name in paper["fold_corpora"])
    # runs x tasks x lengths: Table 2 (7 x 2 x 2), 4 (2 x 2 x 2), 9 (7 x 2), 10 (4 x 2), 8 (4 x 2 x 2), 3 (2 x 2 a fold)
    lines = 28 + 8 + 14 + 8 + 16 * source + 4 * folds
    assert counts["evaluate"] == lines
    assert counts["predict"] == 5 * lines  # five seeds
    assert counts["train"] == 5 * lines + 4 * source  # the source's detectors: 2 graphs x 2 lengths
    assert counts["pretrain"] == 4 + 4 * source
    assert counts["occlude"] >= 5 * 5  # Figure 4: five runs, five seeds
    said = re.search(r"^GPU jobs: (\d+) \((.*)\)$", text, re.MULTILINE)
    told = {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", said[2])}
    assert told == {name: counts[name] for name in ("train", "pretrain", "occlude")}
    assert int(said[1]) == sum(told.values())
    hours = [float(number.replace(",", "")) for number in re.findall(r"^  ([\d,]+) h on one ", text, re.MULTILINE)]
    assert len(hours) >= 2
    assert all(100 < number < 100_000 for number in hours)
