"""What a dry run says of the disk and of SOZ hours: by hand, on made-up headers, beside a finished run (slow)."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_project import TinyProject

from pipeline.settings.config import Config, parse_config
from pipeline.settings.overlay import overlaid
from workflow.lib import disk
from workflow.lib.budget import SOZ_CONTACTS, Estimator, GpuJob
from workflow.lib.corpus import Corpora
from workflow.lib.disk import SMALL_BYTES, Disk, lines
from workflow.lib.extent import Extent
from workflow.lib.soz import encoder_name
from workflow.lib.soz_extent import SozExtent, soz_extent

ROOT = Path(__file__).parents[2]
BASE = {"corpus": "synthetic", "run": "dist-scratch", "task": "detection", "len": "12", "seed": "0", "kind": "fft"}


def configured(**sections: Any) -> Config:
    return parse_config(overlaid(yaml.safe_load((ROOT / "config.yaml").read_text()), sections))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Two hours to train on, in shards; 30 test clips of 12 s, 5 of them with a seizure; 3 typed seizures to test."""
    parts = {
        split: Extent(1, 2, {12: 30, 60: 6}, {12: 5, 60: 2}, {12: 20, 60: 5}, {"fnsz": 3, "seiz": 9})
        for split in ("train", "validation", "test")
    }
    monkeypatch.setattr(disk, "extents", lambda *arguments: parts)
    config = configured()
    return Disk(config, Corpora(config, main_process=False))


def test_stores_by_hand(known: Disk) -> None:
    shards = len(known.corpora.shards("synthetic").of("train"))
    train, shard_s = BASE | {"shard": "train-00"}, 7200 / shards
    assert shards > 1
    expected = {
        ("ingest", ()): shard_s * 19 * 200 * 4,
        ("features_grid", (("kind", "fft"),)): shard_s * 19 * 100 * 4,
        ("features_grid", (("kind", "time"),)): shard_s * 19 * 200 * 4,
        ("features_grid", (("kind", "wpt"),)): shard_s * 19 * 32 * 4,
        ("features_classification", ()): 3 / shards * 12 * 19 * 100 * 4,
        ("graph_correlation", ()): 30 / shards * 19 * 19 * 4,
        ("graph_correlation", (("task", "pretraining"),)): 20 / shards * 19 * 19 * 4,
        ("occlude", ()): 5 * 19 * 12 * 4,
        ("occlude", (("task", "classification"),)): 3 * 19 * 4,
        ("train", ()): 168_641 * 4,
    }
    for (rule, changes), size in expected.items():
        assert known.bytes_of(rule, train | dict(changes)) == pytest.approx(size), (rule, changes)
    assert known.bytes_of("evaluate", BASE) == 0


def test_kinds_add_up(known: Disk) -> None:
    jobs = [("ingest", BASE | {"shard": "test-00"}), ("train", BASE), ("evaluate", BASE), ("figure", {})]
    kinds = known.kinds(jobs)
    assert set(kinds) == {"signals", "models", "the rest"}
    assert sum(kinds.values()) == pytest.approx(sum(known.bytes_of(*job) for job in jobs) + 4 * SMALL_BYTES)
    assert kinds["models"] == known.bytes_of(*jobs[1]) > 0


def test_an_unknown_corpus_costs_only_small_files() -> None:
    config = configured()
    elsewhere = Disk(config, Corpora(config, main_process=False))
    assert elsewhere.bytes_of("ingest", {"corpus": "gone", "shard": "train-00"}) == 0


def test_lines_name_the_largest_first_and_say_where_there_is_too_little_room() -> None:
    kinds = {"the rest": 3e9, "signals": 49e9, "features": 79e9, "maps": 1e6}
    assert lines(kinds, 200e9) == ["Disk: 131 GB at most (features 79, signals 49, the rest 3.0); free there: 200 GB"]
    assert lines(kinds, 100e9)[0].endswith("free there: 100 GB: TOO LITTLE")
    assert lines({"signals": 5e6}, 1e9)[0].startswith("Disk: 5.0 MB at most")


def test_free_room_is_that_of_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    assert disk.free_bytes(tmp_path / "not" / "yet") == pytest.approx(disk.free_bytes(tmp_path), rel=0.1)


def ieeg_tree(root: Path) -> None:
    """Two patients of 10 and 20 contacts: a seizure of 200 s each, and 300 s between seizures of the first."""
    (root / "dataset_description.json").parent.mkdir(parents=True)
    (root / "dataset_description.json").write_text("{}")
    for patient, contacts, task, seconds in (
        ("A", 10, "ictal", 200),
        ("B", 20, "ictal", 200),
        ("A", 10, "interictal", 300),
    ):
        path = root / f"sub-{patient}" / "ieeg" / f"sub-{patient}_task-{task}_ieeg.edf"
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = f"{seconds:<8}{1:<8}{contacts:<4}"
        path.write_text("0".ljust(236) + numbers)


def test_extent_of_an_intracranial_corpus_is_read_from_headers(tmp_path: Path) -> None:
    ieeg_tree(tmp_path / "corpus")
    corpora = {"ieeg": {"like": "synthetic-ieeg", "root": str(tmp_path / "corpus"), "simulate": None}}
    config = configured(results=str(tmp_path / "results"), corpora=corpora, soz={"corpus": "ieeg"})
    found = soz_extent(config, Corpora(config, main_process=True), "ieeg")
    ictal, between = 2, config.soz.clips.max_interictal  # a clip and its baseline; 300 s hold eight
    copies = config.soz.clips.shifts
    assert found == SozExtent(
        patients=2, contacts=30, squares=500, contact_s=10 * 200 + 20 * 200 + 10 * 300, clips=2 * ictal + between,
        rows=30 * ictal + 10 * between, rows_copied=copies * (30 + 10 * between),
    )  # fmt: skip
    assert found.share(0.5) + found.share(0.5) == found


def test_hours_of_soz_trainings_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds, a fifth of the other half judged; only the default size was measured."""
    monkeypatch.setattr("workflow.lib.budget.soz_extent", lambda *arguments: SozExtent(rows=1000 * SOZ_CONTACTS))
    network = {"device": "bench", "model": "soz", "graph": "none", "features": "wpt", "length_s": 35, "clips": 1}
    rows = [
        network | {"task": task, "parameters": 1, "step_s": step_s, "forward_s": forward_s}
        for task, step_s, forward_s in (("pretraining", 2.0, 0.0), ("finetuning", 3.0, 0.5))
    ]
    config = configured()
    known = Estimator(config, Corpora(config, main_process=False), rows)
    named = {"corpus": config.soz.corpus, "fold": "0", "seed": "0"}
    encoder = named | {"pretrained": encoder_name(config, "main")}
    assert known.seconds(GpuJob("soz_pretrain", encoder), "bench") == pytest.approx(60 * 400 * 2.0)
    assert known.seconds(GpuJob("soz_train", named | {"run": "main"}), "bench") == pytest.approx(60 * (1200 + 50))
    assert known.seconds(GpuJob("soz_train", named | {"run": "large"}), "bench") is None
    assert known.seconds(GpuJob("soz_train", named | {"run": "main"}), "elsewhere") is None


@pytest.mark.slow
def test_a_finished_run_needs_what_was_said(finished: TinyProject) -> None:
    """Large stores and the whole within 30 % of what was said; small kinds are rounded there."""
    total, parts = re.search(
        r"^Disk: (\S+ .B) at most \((.*?)\)", finished.plan("--forceall").text, re.MULTILINE
    ).groups()
    unit = {"GB": 1e9, "MB": 1e6}[total.split()[1]]
    told = {part.rsplit(" ", 1)[0]: float(part.rsplit(" ", 1)[1]) * unit for part in parts.split(", ")}
    results = finished.folder / "results" / "tiny"
    for kind in ("signals", "features"):
        used = sum(path.stat().st_size for path in (results / kind).rglob("*.zarr.zip"))
        assert told[kind] / 1.3 < used < 1.3 * told[kind], kind
    everything = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    assert everything < 1.3 * float(total.split()[0]) * unit < 1.3 * 1.3 * everything
