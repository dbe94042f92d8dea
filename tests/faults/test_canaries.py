"""No canary of the input appears in any output, log or report (faults.md, row 28), at the level of the stages."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.corpora._pseudonyms import Pseudonyms
from pipeline.corpora.records import RecordingFiles
from pipeline.findings import CorpusError
from pipeline.settings.config import parse_config
from pipeline.store import read_tables
from tests.faults.canaries import canaries_in, write_canary_corpus
from tests.stages.test_ingest_stages import stage
from workflow.lib import job_settings
from workflow.lib.corpus import Corpora

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SPLITS = {"source": "hash", "official": {}, "validation_share": 0.0, "test_share": 0.0, "file": None, "seed": 0}


def configured(root: Path, results: Path, **corpus):
    own = {"reader": "folder", "version": "auto", "root": str(root), "simulate": None, "splits": SPLITS, **corpus}
    shards = {"shards": {"train": 1, "validation": 1, "test": 1}}
    corpora = {**CONFIG["corpora"], "mine": {**CONFIG["corpora"]["synthetic"], **own}}
    return parse_config({**CONFIG, "results": str(results), "corpora": corpora, "ingest": shards})


def processed(root: Path, results: Path, **corpus):
    """Scan, index, ingest, clips, splits, QC page, as the workflow calls them; the log of each stage lies in logs/."""
    config = configured(root, results, **corpus)
    corpora, base = Corpora(config, main_process=True), results / "mine"
    (shard,) = corpora.shards("mine").of()
    files = {name: base / f"{name}.parquet" for name in ("recordings", "seizures", "segments", "clips", "splits")}
    found = {name: base / f"{name}.findings.parquet" for name in ("index", "ingest", "clips", "splits")}
    manifest, dealing = base / "manifests" / f"{shard}.tsv", base / "manifests" / "findings.json"
    read = {"root": corpora.root("mine"), "recordings": files["recordings"], "seizures": files["seizures"]}

    def step(name: str, settings, **options):
        text = job_settings.as_text(settings)
        done = stage(name, json.loads(text), log=base / "logs" / f"{name}.log", **options)
        (base / "logs" / f"{name}.terminal").write_text(done.stderr)
        assert done.returncode == 0, done.stderr

    step("index", job_settings.index(config, "mine"), manifest=manifest, findings=found["index"], **read)
    store = base / "signals.zarr.zip"
    outputs = {"signals": store, "segments": files["segments"], "findings": found["ingest"]}
    step("ingest", job_settings.ingest(config, "mine"), **read, **outputs)
    cut = {"seizures": files["seizures"], "segments": files["segments"], "findings": found["clips"]}
    step("clips", job_settings.clips(config, "detection", 12), clips=files["clips"], **cut)
    splits = {"segments": [files["segments"]], "dealing": dealing, "findings": found["splits"]}
    step("check_splits", {"corpus": "mine"}, splits=files["splits"], **splits)
    tables = {name: [files[name]] for name in ("recordings", "seizures", "segments")}
    earlier = [found["index"], found["ingest"]]
    page = {"manifests": [manifest], "earlier": earlier, "dealing": dealing, "out": base / "qc"}
    step("qc_page", job_settings.qc_page(config, "mine"), **tables, **page)
    return base, read_tables([files["recordings"]]), read_tables(earlier)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    place = tmp_path_factory.mktemp("private")
    edfs = write_canary_corpus(place / "data")
    return place, edfs, *processed(place / "data", place / "results")


def test_row28_no_canary_in_results_logs_or_pages(results):
    _, edfs, base, recordings, findings = results
    assert len(recordings) >= 6
    assert len(edfs) == len(set(recordings["recording"]) | set(findings.query("severity == 'error'")["recording"]))
    told = {"bipolar_only", "not_eeg", "missing_electrode", "unit_unknown", "header_invalid", "annotation_invalid",
            "unknown_label", "truncated", "nrec_unknown"}  # fmt: skip
    assert told <= set(findings["code"])
    assert canaries_in(base, but=("private",)) == {}
    assert (base / "qc" / "index.html").stat().st_size > 5000


def test_row28_the_search_for_canaries_can_find_them(tmp_path):
    """The same corpus with names kept: they are in the manifest, in tables and on the page."""
    write_canary_corpus(tmp_path / "data")
    base, *_ = processed(tmp_path / "data", tmp_path / "results", pseudonyms="never")
    given_away = canaries_in(base)
    assert {"recordings.parquet", "qc/index.html", "manifests/train-00.tsv", "logs/ingest.log"} <= set(given_away)


def test_row28_the_owner_finds_the_file_again(results):
    place, edfs, base, recordings, _ = results
    with open(base / "private" / "names.tsv", newline="") as table:
        rows = {row["recording"]: row for row in csv.DictReader(table, delimiter="\t")}
    assert {place / "data" / row["file"] for row in rows.values()} == set(edfs)
    assert set(recordings["recording"]) <= set(rows)
    for name in ("", "names.tsv", "key", "files"):
        assert (base / "private" / name).stat().st_mode & 0o077 == 0, name


def test_row28_pseudonyms_are_stable_and_change_with_the_key(tmp_path):
    one, other = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)
    files = RecordingFiles(recording="a", patient="Ann", session="s001_2003_05_02", montage="", edf="Ann/x.EDF",
                           annotations=("Ann/x.csv_bi",))  # fmt: skip
    assert one.of(files) == one.of(files) != other.of(files)
    hidden = one.of(files)
    assert hidden.session == ""
    assert hidden.annotations[0].endswith("_0.csv_bi")
    assert one.patient("Ann") != one.patient("ann")
    names = {one.recording("p", f"{i}.edf") for i in range(5000)}
    assert len(names) == 5000


def test_row28_splits_and_shards_do_not_hang_on_the_key(tmp_path):
    write_canary_corpus(tmp_path / "data")
    dealt = []
    for number in range(2):
        config = configured(tmp_path / "data", tmp_path / f"results{number}", splits={**SPLITS, "test_share": 0.5})
        corpora = Corpora(config, main_process=True)
        corpora.shards("mine")
        names = tmp_path / f"results{number}" / "mine" / "private" / "names.tsv"
        with open(names, newline="") as table:
            was = {row["recording"]: row["file"] for row in csv.DictReader(table, delimiter="\t")}
        split = {}
        for path in (tmp_path / f"results{number}" / "mine" / "manifests").glob("*.tsv"):
            for line in path.read_text().splitlines()[1:]:
                split[was[line.split("\t")[0]]] = line.split("\t")[3]
        dealt.append(split)
    assert dealt[0] == dealt[1]


def test_row28_a_second_scan_changes_nothing(tmp_path):
    write_canary_corpus(tmp_path / "data")
    config = configured(tmp_path / "data", tmp_path / "results")

    def stamps():
        Corpora(config, main_process=True).shards("mine")
        base = tmp_path / "results" / "mine"
        return {path: path.lstat().st_mtime_ns for path in base.rglob("*") if not path.is_dir()}

    assert stamps() == stamps()


def test_row28_what_the_dealing_leaves_out_is_told_in_pseudonyms(tmp_path):
    write_canary_corpus(tmp_path / "data")
    listed = tmp_path / "splits.tsv"
    listed.write_text("patient\tsplit\ncanary_canary_unit\ttrain\n")
    config = configured(
        tmp_path / "data", tmp_path / "results", splits={**SPLITS, "source": "file", "file": str(listed)}
    )
    Corpora(config, main_process=True).shards("mine")
    found = (tmp_path / "results" / "mine" / "manifests" / "findings.json").read_text()
    assert "split_missing" in found
    assert "sub-" in found
    assert canaries_in(tmp_path / "results" / "mine", but=("private",)) == {}


@pytest.mark.slow
def test_row28_what_snakemake_leaves_behind(tmp_path):
    """The target qc: results, logs, benchmarks, the terminal and Snakemake's own log."""
    write_canary_corpus(tmp_path / "data")
    for name in ("Snakefile", "workflow", "pipeline", "profiles", "config.yaml"):
        (tmp_path / "project" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "project" / name).symlink_to(REPOSITORY / name)
    own = {"like": "synthetic", "reader": "folder", "version": "auto", "root": str(tmp_path / "data"),
           "simulate": None, "splits": SPLITS}  # fmt: skip
    overlay = {"corpus": "mine", "results": "results", "corpora": {"mine": own}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(overlay))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "1",
        "--configfile",
        str(tmp_path / "mine.yaml"),
        "--",
        "qc",
    ]
    done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, check=False)
    (tmp_path / "project" / "results" / "terminal.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert canaries_in(tmp_path / "project" / ".snakemake") == {}
    found = canaries_in(tmp_path / "project" / "results")
    assert set(found) == {"mine/private/names.tsv"}


def test_row28_a_reader_that_needs_the_names_says_so(tmp_path):
    config = configured(tmp_path, tmp_path / "results", reader="chbmit", pseudonyms="always")
    with pytest.raises(CorpusError, match="deidentify"):
        Corpora(config, main_process=True).root("mine")


def test_row28_a_short_key_is_refused(tmp_path):
    write_canary_corpus(tmp_path / "data")
    (tmp_path / "key").write_text("secret\n")
    config = configured(tmp_path / "data", tmp_path / "results", pseudonym_key=str(tmp_path / "key"))
    with pytest.raises(CorpusError, match="can be guessed"):
        Corpora(config, main_process=True).shards("mine")
