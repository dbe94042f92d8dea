"""Issue 3, acceptance 2: sixty recordings, forty of them broken, each in another way: what becomes of every one."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.corpora.shards import deal, manifest_rows, write_manifest
from pipeline.corpora.tusz import find
from pipeline.findings import CODES, REMEDIES
from pipeline.report.outcomes import OUTCOMES
from pipeline.settings.corpora import SplitSettings
from pipeline.store import write_json
from tests.faults.broken_corpus import BROKEN, SOUND, Case, write_corpus
from tests.stages.test_ingest_stages import ingest_settings, stage
from tests.workflow.tiny_project import copy_project

ROOT = Path(__file__).parents[2]
PRESET = yaml.safe_load((ROOT / "workflow/presets/broken.yaml").read_text())
SPLITS = {"test_share": 0.0, "file": None, "seed": 0, **PRESET["corpora"]["broken"]["splits"]}


class Made:
    """The corpus on disk and the options of each stage that works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "corpus"
        self.cases: dict[str, Case] = write_corpus(self.root)
        dealt, findings = deal(find(self.root, "v2"), SplitSettings(**SPLITS), PRESET["ingest"]["shards"], "broken")
        self.shards = list(dealt)
        for shard, recordings in dealt.items():
            write_manifest(self.of(shard, "tsv"), manifest_rows(self.root, recordings))
        write_json(folder / "dealing.json", [vars(row) for row in findings])

    def of(self, shard: str, name: str) -> Path:
        return self.folder / f"{shard}.{name}"

    def every(self, *names: str) -> list[Path]:
        return [self.of(shard, name) for name in names for shard in self.shards]

    def index(self, shard: str, **options):
        tables = {name: self.of(shard, f"{name}.parquet") for name in ("recordings", "seizures")}
        paths = {"manifest": self.of(shard, "tsv"), "findings": self.of(shard, "index.parquet"), "root": self.root}
        settings = {"index": {"corpus": "broken", "reader": "tusz", "version": "v2"}}
        return stage("index", settings, **tables, **paths, **options)

    def ingest(self, shard: str, **signals):
        tables = {name: self.of(shard, f"{name}.parquet") for name in ("recordings", "seizures", "segments")}
        paths = {"signals": self.of(shard, "zarr.zip"), "findings": self.of(shard, "ingest.parquet"), "root": self.root}
        return stage("ingest", {**ingest_settings(**signals), "corpus": "broken"}, **tables, **paths)

    def check_splits(self, **options):
        paths = {"dealing": self.folder / "dealing.json", "findings": self.folder / "splits.findings.parquet"}
        lists = {
            "segments": self.every("segments.parquet"),
            "earlier": self.every("index.parquet", "ingest.parquet"),
        }
        return stage("check_splits", {"corpus": "broken"}, **lists, **paths, **options, splits=self.folder / "splits.p")

    def qc(self):
        shown = {"corpus": "broken", "synthetic": False, "names": None, "title": "Ictograph", "dpi": 60, "max_mb": 5}
        lists = {
            name: self.every(f"{name}{'.tsv' if name == 'manifests' else '.parquet'}")
            for name in ("recordings", "seizures", "segments")
        }
        earlier = self.every("index.parquet", "ingest.parquet")
        dealing = self.folder / "dealing.json"
        options = {"manifests": self.every("tsv"), "earlier": earlier, "dealing": dealing, "out": self.folder / "qc"}
        return stage("qc_page", shown, **lists, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = Made(tmp_path_factory.mktemp("broken"))
    for shard in made.shards:
        for done in (made.index(shard), made.ingest(shard)):
            assert done.returncode == 0, done.stderr
    done = made.check_splits()
    assert done.returncode == 0, done.stderr
    done = made.qc()
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def table(made):
    return pd.read_parquet(made.folder / "qc" / "recordings.parquet")


def test_twenty_are_sound_and_forty_are_broken_each_in_another_way(made):
    assert (len(SOUND), len(BROKEN)) == (20, 40)
    assert len({case.words for case in [*SOUND, *BROKEN]}) == 60
    assert len(list(made.root.rglob("*.edf"))) == 60
    assert set().union(*(case.codes for case in BROKEN)) <= set(CODES)


def test_each_recording_becomes_what_the_table_says(made, table):
    got = {
        row.recording: (row.outcome, frozenset(code for code in row.codes.split(", ") if code))
        for row in table.itertuples()
    }
    wanted = {recording: (case.outcome, case.codes) for recording, case in made.cases.items()}
    assert {name: (got[name], wanted[name]) for name in wanted if got.get(name) != wanted[name]} == {}
    assert got.keys() == wanted.keys()


def test_the_outcomes_add_up(table):
    counts = table["outcome"].value_counts().to_dict()
    assert counts == {"used": 20, "used with findings": 18, "skipped": 18, "rejected": 4}
    assert set(counts) == set(OUTCOMES)
    assert not table["recording"].duplicated().any()
    gone = table["outcome"].isin(["skipped", "rejected"])
    assert (table.loc[gone, "used_s"] == 0).all()
    assert (table.loc[gone, "reason"] != "").all()
    assert (table.loc[~gone, "used_s"] == 30).all()


def test_the_page_lists_every_recording_and_every_code(made, table):
    html = (made.folder / "qc" / "index.html").read_text()
    shown = set(re.findall(r'<th scope="row">([a-z]{8}_s\d{3}_t000)</th>', html))
    assert shown == set(table["recording"])
    for code in set().union(*(case.codes for case in BROKEN)):
        assert f"<summary>{code}: " in html
        assert REMEDIES[code].split(";")[0].replace("'", "&#39;") in html
    assert "60 EDFs were found: 20 used, 18 used with findings, 18 skipped, 4 rejected." in html
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_the_tables_beside_the_page_hold_the_same(made, table):
    findings = pd.read_csv(made.folder / "qc" / "findings.tsv", sep="\t", keep_default_na=False)
    assert len(findings) == len(pd.read_parquet(made.folder / "qc" / "findings.parquet"))
    assert not findings.duplicated().any()
    noted = {name for name, case in made.cases.items() if case.codes}
    assert set(findings["recording"]) == noted
    assert findings.loc[findings["code"] == "truncated", "seconds_affected"].tolist() == [470.0]
    recordings = pd.read_csv(made.folder / "qc" / "recordings.tsv", sep="\t")
    assert list(recordings["recording"]) == list(table["recording"])


@pytest.mark.parametrize("shard", ["train-00", "validation-00", "test-00"])
def test_strict_stops_the_index_at_the_first_and_says_what_helps(made, tmp_path, shard):
    rows = pd.read_parquet(made.of(shard, "index.parquet"))
    rows = rows[rows["action"] != "note"]
    outputs = {name: tmp_path / name for name in ("recordings", "seizures", "findings")}
    settings = {"index": {"corpus": "broken", "reader": "tusz", "version": "v2"}}
    manifest = made.of(shard, "tsv")
    done = stage("index", settings, manifest=manifest, root=made.root, **outputs, strict=[])
    if rows.empty:
        assert done.returncode == 0
        return
    first = rows.iloc[0]
    assert done.returncode == 1
    assert f"signals.strict: {first['recording']}: {first['code']}: " in done.stderr
    assert f"Remedy: {REMEDIES[first['code']]}" in done.stderr
    assert not any(path.exists() for path in outputs.values())


def test_strict_stops_ingest_at_the_first(made, tmp_path):
    findings = pd.read_parquet(made.of("train-00", "ingest.parquet"))
    first = findings.loc[findings["action"] != "note", "recording"].iloc[0]
    recordings, seizures = made.of("train-00", "recordings.parquet"), made.of("train-00", "seizures.parquet")
    outputs = {name: tmp_path / name for name in ("signals", "segments", "findings")}
    done = stage(
        "ingest", ingest_settings(strict=True), recordings=recordings, seizures=seizures, root=made.root, **outputs
    )
    assert done.returncode == 1
    assert f"signals.strict: {first}: " in done.stderr
    assert not any(path.exists() for path in outputs.values())


def test_strict_stops_at_a_recording_that_the_dealing_left_out(made):
    done = made.check_splits(strict=[])
    assert done.returncode == 1
    assert "signals.strict: cleanaaz_s002_t000: patient_in_two_splits: " in done.stderr


def test_a_corpus_without_a_usable_recording_says_why(made, tmp_path):
    """Only the twenty-two that are left out: the main reason, an example and the remedy stand in the error."""
    empty = []
    for shard in made.shards:
        segments = pd.read_parquet(made.of(shard, "segments.parquet"))
        segments.iloc[:0].to_parquet(tmp_path / f"{shard}.parquet")
        empty.append(tmp_path / f"{shard}.parquet")
    outputs = {"findings": tmp_path / "f.parquet", "splits": tmp_path / "s.parquet"}
    earlier = made.every("index.parquet", "ingest.parquet")
    done = stage("check_splits", {"corpus": "broken"}, segments=empty, earlier=earlier, **outputs)
    assert done.returncode == 1
    assert "corpus broken has no usable recording. Main reason, 7 of 21: header_invalid" in done.stderr
    assert REMEDIES["header_invalid"] in done.stderr
    assert not outputs["splits"].exists()


def test_every_code_has_a_remedy():
    assert set(REMEDIES) == set(CODES)


@pytest.mark.slow
def test_one_command_runs_it_and_strict_fails_naming_the_first(tmp_path):
    """What `make broken-corpus` runs, in a fresh copy of the project; then once more with signals.strict."""
    project = copy_project(tmp_path)
    preset = ("--configfile", "workflow/presets/broken.yaml")
    written = [sys.executable, "-m", "tests.faults.broken_corpus", "results/broken/corpus"]
    subprocess.run(written, cwd=tmp_path, env=project.environment(), check=True, capture_output=True)
    output = project.run("qc", *preset)
    assert "60 EDFs were found: 20 used, 18 used with findings, 18 skipped, 4 rejected." in output
    assert (tmp_path / "results/broken/qc/index.html").stat().st_size < 5e6
    command = project.command("qc", "--config", "signals={strict: true}", *preset)
    strict = subprocess.run(command, cwd=tmp_path, env=project.environment(), capture_output=True, text=True)
    assert strict.returncode == 1
    assert re.search(r"signals\.strict: faultaaz_s002_t000: header_invalid: .*Remedy: ", strict.stderr)
