"""A job on a node of a cluster parses the Snakefile again: it takes the shards that the main run found."""

from pathlib import Path

import yaml

from pipeline.settings.config import Config, parse_config
from workflow.lib.corpus import Corpora

ROOT = Path(__file__).parents[2]


def config_for(root: Path, results: Path) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    corpus = {"like": "synthetic", "reader": "folder", "version": "auto", "root": str(root), "simulate": None}
    values["corpora"]["mine"] = corpus | {"splits": {"source": "hash"}}
    return parse_config(values | {"corpus": "mine", "results": str(results)})


def test_a_job_knows_the_shards_without_walking_the_corpus(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / "edfs" / f"p{number}").mkdir(parents=True)
        (tmp_path / "edfs" / f"p{number}" / "a.edf").write_bytes(b"")
    config = config_for(tmp_path / "edfs", tmp_path / "results")
    found = Corpora(config, main_process=True).shards("mine")
    manifests = {path: path.read_bytes() for path in (tmp_path / "results/mine/manifests").iterdir()}
    for path in (tmp_path / "edfs").rglob("*.edf"):
        path.rename(path.with_suffix(".gone"))  # a walk would find nothing, and say so
    assert len(found.names) > 3
    assert Corpora(config, main_process=False).shards("mine") == found
    assert {path: path.read_bytes() for path in (tmp_path / "results/mine/manifests").iterdir()} == manifests


def test_a_job_whose_main_run_left_no_manifests_walks_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "edfs" / "p0").mkdir(parents=True)
    (tmp_path / "edfs" / "p0" / "a.edf").write_bytes(b"")
    config = config_for(tmp_path / "edfs", tmp_path / "results")
    assert len(Corpora(config, main_process=False).shards("mine").names) == 1
    assert not (tmp_path / "results").exists()
