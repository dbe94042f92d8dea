"""Records of provenance in a whole run: one a job, digests that fit along the graph, and no part in what reruns."""

import shutil
from pathlib import Path

import pytest
from tiny_project import TinyProject, copy_project

from pipeline.report.provenance_comparison import compared
from pipeline.report.provenance_table import in_order, read_records
from workflow.lib.code import code_modules

ROOT = Path(__file__).parents[2]


def test_no_code_digest_covers_what_only_writes_records() -> None:
    found = code_modules(ROOT, "train", "models.dcrnn")
    assert "pipeline.stages.command" in found
    assert [name for name in found if name.startswith("pipeline.provenance")] == []


def test_the_target_builds_nothing(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    told = project.run("provenance", "--configfile", "workflow/presets/tiny.yaml")
    assert "results/tiny: no record of provenance yet" in told
    assert [path for path in (tmp_path / "results").rglob("*") if path.suffix in {".parquet", ".edf"}] == []


@pytest.mark.slow
def test_every_job_has_a_record_whose_inputs_are_the_outputs_of_others(finished: TinyProject) -> None:
    results = finished.folder / "results"
    logs = {path.relative_to(results / "tiny" / "logs").with_suffix("") for path in results.rglob("logs/**/*.log")}
    records = read_records(results)
    assert {Path(record["job"]).relative_to("tiny") for record in records} == logs
    made = {row["name"]: row["digest"] for record in records for row in record["outputs"]}
    read = [(row["name"], row["digest"]) for record in records for row in record["inputs"]]
    assert len(made) > 100
    known = [(name, digest) for name, digest in read if digest]  # not of recordings whose headers alone were read
    assert [name for name, digest in known if name in made and made[name] != digest] == []
    unmade = {name.split("/")[1] for name, _ in read if name.startswith("tiny/") and name not in made}
    assert unmade <= {"manifests", "report-inventory.json"}  # written while Snakemake parses
    assert [name for name, _ in read if str(finished.folder) in name] == []
    assert records == in_order(records[::-1])


@pytest.mark.slow
def test_records_rerun_nothing_and_are_in_no_comparison_of_results(finished: TinyProject, tmp_path: Path) -> None:
    digests, records = finished.digests(), finished.folder / "results" / "tiny" / "provenance"
    told = finished.run("provenance")
    assert "as made" in told
    assert (records.parent / "provenance.tsv").exists()
    assert finished.digests() == digests
    shutil.move(records, tmp_path / "aside")
    try:
        assert finished.plan().rules == set()
        assert finished.digests() == digests
    finally:
        shutil.move(tmp_path / "aside", records)
    both = read_records(finished.folder / "results")
    assert compared(both, both).differences == []
