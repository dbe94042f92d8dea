"""A folder of one's own: never called synthetic, wrong names told by their key, one preset that needs only a root."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.findings import CorpusError
from pipeline.report.caveats import REAL_LINE, SYNTHETIC_LINE
from pipeline.settings.config import Config, parse_config
from tests.signals.edf_builder import EdfFile, scalp_channels
from workflow.lib import job_settings, planning
from workflow.lib.corpus import Corpora
from workflow.lib.inventory import inventory
from workflow.lib.readers import load_reader

ROOT = Path(__file__).parents[2]
PRESET = ROOT / "workflow" / "presets" / "folder.yaml"


def config_with(corpora: dict, **more: object) -> Config:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    return parse_config({**values, **more, "corpora": {**values["corpora"], **corpora}})


def mine(root: object, **more: object) -> dict:
    return {"like": "synthetic", "reader": "folder", "version": "auto", "root": str(root), **more}


def write_edfs(root: Path, n_patients: int) -> Path:
    for number in range(n_patients):
        made = scalp_channels(np.random.default_rng(number), records=20)
        EdfFile(made).write(root / f"p{number}" / "a.edf")
        (root / f"p{number}" / "a_events.tsv").write_text("onset\tduration\teventType\n4\t9\tsz\n")
    return root


def test_a_folder_is_real_though_it_is_like_the_synthetic_corpus(tmp_path: Path) -> None:
    root = write_edfs(tmp_path / "edfs", 1)
    config = config_with({"hosp": mine(root, splits={"source": "hash"})}, corpus="hosp", results=str(tmp_path / "out"))
    assert config.corpora["hosp"].simulate is None
    assert not config.corpora["hosp"].simulated
    corpora = Corpora(config, main_process=True)
    assert "hosp" not in corpora.simulated()
    assert not job_settings.qc_page(config, "hosp")["synthetic"]
    assert not job_settings.score_segments(config)["synthetic"]
    assert not inventory(config, corpora, "hosp", [])["synthetic"]


def test_files_that_are_not_read_are_one_finding_without_names(tmp_path: Path) -> None:
    root = write_edfs(tmp_path / "edfs", 1)
    for name in ("Ann_Lee.bdf", "p0/b.edf.gz", "p0/c.edf.gz"):
        (root / name).write_bytes(b"")
    config = config_with({"hosp": mine(root, splits={"source": "hash"})}, corpus="hosp", results=str(tmp_path / "out"))
    Corpora(config, main_process=True).shards("hosp")
    (told,) = json.loads((tmp_path / "out/hosp/manifests/findings.json").read_text())
    assert (told["code"], told["action"], told["recording"]) == ("not_read", "skip", "")
    assert told["value"] == "1 .bdf, 2 .edf.gz"
    assert told["message"] == "only .edf is read; also there: 1 .bdf, 2 .edf.gz"


def test_a_folder_of_other_formats_says_what_is_there(tmp_path: Path) -> None:
    for name in ("a.bdf", "b.bdf"):
        (tmp_path / name).write_bytes(b"")
    corpora = Corpora(config_with({"hosp": mine(tmp_path)}, results=str(tmp_path / "out")), main_process=True)
    with pytest.raises(CorpusError, match=r"reader 'folder' knows; only .edf is read; also there: 2 .bdf"):
        corpora.shards("hosp")


def test_a_root_decides_even_where_both_are_given(tmp_path: Path) -> None:
    """`corpora={synthetic: {root: …}}`: Snakemake merges it into what has `simulate`."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values["corpora"]["synthetic"]["root"] = str(tmp_path)
    config = parse_config(values)
    assert config.corpora["synthetic"].simulate is not None
    assert not job_settings.qc_page(config, "synthetic")["synthetic"]
    assert "synthetic" not in Corpora(config, main_process=False).simulated()


def test_what_is_simulated_stays_synthetic() -> None:
    config = config_with({"again": {"like": "synthetic", "simulate": {"seed": 9}}})
    for name in ("synthetic", "again"):
        assert config.corpora[name].simulated
        assert job_settings.qc_page(config, name)["synthetic"]
        assert job_settings.qc_page(config, name)["names"] is None
    assert config.corpora["again"].simulate.seed == 9


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    own = mine("~/edfs", pseudonym_key="~/key", splits={"file": "~/splits.tsv"})
    corpus = config_with({"hosp": own}).corpora["hosp"]
    assert corpus.root == "/home/ann/edfs"
    assert corpus.pseudonym_key == "/home/ann/key"
    assert corpus.splits.file == "/home/ann/splits.tsv"
    segments = yaml.safe_load((ROOT / "config.yaml").read_text())["real_segments"] | {"root": "~/edfs"}
    assert config_with({}, real_segments=segments).real_segments.root == "/home/ann/edfs"


READERS = "bids, chbmit, folder, ieeg_bids, siena, tusz"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reader": "foldr"}, f"corpora.hosp.reader: 'foldr' is no reader; did you mean 'folder'? there are {READERS}"),
        ({"reader": "BIDS"}, f"corpora.hosp.reader: 'BIDS' is no reader; did you mean 'bids'? there are {READERS}"),
        ({"reader": "records"}, f"corpora.hosp.reader: 'records' is no reader; there are {READERS}"),
        ({"reader": "../x"}, f"corpora.hosp.reader: '../x' is no reader; there are {READERS}"),
        ({"version": "v2"}, "corpora.hosp.version: reader 'folder' has no version 'v2'; "
                            "there are auto, folders, stems, files"),
        ({"version": "stem"}, "corpora.hosp.version: reader 'folder' has no version 'stem'; "
                              "did you mean 'stems'? there are auto, folders, stems, files"),
        ({"reader": "bids", "version": "v2"}, "corpora.hosp.version: reader 'bids' has no version 'v2'; there is auto"),
        ({"reader": "tusz", "version": "v3"}, "corpora.hosp.version: reader 'tusz' has no version 'v3'; "
                                              "did you mean 'v2'? there are auto, v1, v2"),
    ],
)  # fmt: skip
def test_a_wrong_reader_or_version_is_told_by_its_key(changes: dict, message: str) -> None:
    config = config_with({"hosp": {**mine("/edfs"), **changes}})
    with pytest.raises(CorpusError) as told:
        load_reader("hosp", config.corpora["hosp"])
    assert str(told.value) == message
    with pytest.raises(planning.PlanError) as planned:
        planning.check(config)
    assert message in str(planned.value)


def test_every_reader_says_its_versions_and_its_names() -> None:
    for name in READERS.split(", "):
        config = config_with({"own": mine("/edfs", reader=name)})
        module = load_reader("own", config.corpora["own"])
        assert "auto" in module.VERSIONS
        assert module.FILE_NAMES in ("free", "coded", "needed")


def snakemake(tmp_path: Path, corpora: dict, *more: str) -> subprocess.CompletedProcess[str]:
    """The target qc with the preset `folder`, and what a person gives on the command line."""
    given = ["--config", f"results={tmp_path / 'results'}", f"corpora={json.dumps(corpora)}"]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "qc", *more, "--configfile", PRESET, *given],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip


def test_a_wrong_reader_is_told_without_lines_of_code(tmp_path: Path) -> None:
    answer = snakemake(tmp_path, {"folder": {"reader": "foldr", "root": str(tmp_path)}}, "--dry-run")
    assert answer.returncode != 0
    assert "corpora.folder.reader: 'foldr' is no reader; did you mean 'folder'?" in answer.stdout + answer.stderr
    for word in ("Traceback", "UnknownPlugin", "PlanError"):
        assert word not in answer.stderr + answer.stdout


@pytest.mark.slow
def test_the_preset_folder_needs_a_root_only(tmp_path: Path) -> None:
    root = write_edfs(tmp_path / "edfs", 3)
    answer = snakemake(tmp_path, {"folder": {"root": str(root)}})
    assert answer.returncode == 0, answer.stderr[-3000:]
    page = (tmp_path / "results/folder/qc/index.html").read_text()
    assert "3 EDFs were found: 3 used" in page
    assert "results/folder/private/names.tsv" in page
    assert REAL_LINE in page
    assert SYNTHETIC_LINE not in page
