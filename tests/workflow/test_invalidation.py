"""What reruns after a change, and what does not: issue 2, acceptance 3 (a) to (j), on the preset tiny."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_project import TinyProject, copy_project

pytestmark = pytest.mark.slow

GATHERS = {
    "scaler",
    "check_splits",
    "qc_page",
    "pretrain",
    "train",
    "predict",
    "evaluate",
    "occlude",
    "localise",
    "record_split",
    "experiments",
    "report",
}
PER_SHARD = {"index", "ingest", "clips", "features_grid", "features_classification", "graph_correlation"}
LEARNS = {"scaler", "pretrain", "train"}


@pytest.fixture(scope="module")
def project(finished: TinyProject) -> TinyProject:
    """The finished tiny run; each test changes one thing, plans, and puts it back."""
    assert "Nothing to be done" in finished.run()
    return finished


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    text, times = path.read_text(), path.stat()
    assert old in text, f"{path} no longer holds {old!r}"
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def other_samples(path: Path) -> Iterator[None]:
    """Change one sample of an EDF (the same size, another content and time)."""
    content, times = path.read_bytes(), path.stat()
    changed = bytearray(content)
    changed[-50_000] ^= 1
    path.write_bytes(bytes(changed))
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def first_edf(project: TinyProject, split: str) -> Path:
    return sorted((project.corpus / "edf" / split).rglob("*.edf"))[0]


def shards_in(text: str) -> set[str]:

    return set(
        re.findall(r"\b(?:train|validation|test)-\d\d\b", "\n".join(li for li in text.split("\n") if "Job " in li))
    )


def test_a_one_training_file_changes_one_shard_and_what_gathers(project: TinyProject) -> None:
    with other_samples(first_edf(project, "train")):
        planned = project.plan()
    assert planned.rules == PER_SHARD | GATHERS
    assert planned.counts["index"] == planned.counts["ingest"] == planned.counts["features_grid"] == 1
    assert planned.counts["graph_correlation"] == 1
    assert len(shards_in(planned.text)) == 1


def test_b_a_test_file_changes_no_fit(project: TinyProject) -> None:
    with other_samples(first_edf(project, "eval")):
        planned = project.plan()
    assert {"index", "ingest", "check_splits", "predict", "evaluate", "report"} <= planned.rules
    assert planned.rules & LEARNS == set()


def test_c_a_new_patient_touches_one_shard(project: TinyProject) -> None:
    old = first_edf(project, "train").parents[2]
    new = old.parent / "zzzzzzzz"
    shutil.copytree(old, new)
    for path in sorted(new.rglob(f"{old.name}_*")):
        path.rename(path.with_name(path.name.replace(old.name, new.name)))
    try:
        planned = project.plan()
    finally:
        shutil.rmtree(new)
    assert planned.counts["index"] == planned.counts["ingest"] == planned.counts["features_grid"] == 1
    assert len(shards_in(planned.text)) == 1
    assert "Nothing to be done" in project.run("--dry-run")


def test_d_the_fine_tuning_rate_retrains_that_task_only(project: TinyProject) -> None:
    overlay = project.overlay({"training": {"classification": {12: {"learning_rate": 0.0123}}}})
    planned = project.plan(*overlay)
    assert planned.rules == {"train", "predict", "evaluate", "occlude", "report"}
    assert planned.counts["train"] == 1


def test_e_a_comment_or_docstring_reruns_nothing(project: TinyProject) -> None:
    for path in sorted((project.folder / "pipeline").rglob("*.py")):
        text = path.read_text()
        if text.strip():
            path.write_text("# a comment\n" + text.replace('"""\n', 'More words."""\n', 1) + "\n# the end\n")
    try:
        planned = project.run("--dry-run")
    finally:
        copy_project(project.folder)
    assert "Nothing to be done" in planned


def test_f_a_function_of_occlusion_reruns_occlusion_and_later(project: TinyProject) -> None:
    path = project.folder / "pipeline/explain/occlusion.py"
    with edited(path, "\nimport torch\n", "\nimport torch\n\nEXTRA = 1\n"):
        planned = project.plan()
    assert {"occlude", "localise", "report"} <= planned.rules <= {"occlude", "localise", "experiments", "report"}


def test_g_two_settings_that_swap_their_values_are_noticed(project: TinyProject) -> None:
    overlay = project.overlay({"training": {"detection": {12: {"learning_rate": 0.0005, "weight_decay": 0.002}}}})
    planned = project.plan(*overlay)
    assert {"train", "predict", "evaluate"} <= planned.rules
    assert "pretrain" not in planned.rules


def test_h_one_more_seed_is_that_seeds_jobs_only(project: TinyProject) -> None:
    plan = [
        {"run": "dist-ssl", "task": "detection", "length_s": 12, "seeds": [0], "maps": False},
        {"run": "dist-scratch", "task": "detection", "length_s": 12, "seeds": [0, 1], "maps": False},
        {"run": "corr-scratch", "task": "detection", "length_s": 60, "seeds": [0], "maps": True},
        {"run": "dist-scratch", "task": "classification", "length_s": 12, "seeds": [0], "maps": True},
    ]
    planned = project.plan(*project.overlay({"plan": plan}))
    assert planned.counts["train"] == planned.counts["predict"] == 1
    assert planned.counts["evaluate"] == 1
    assert planned.rules <= {"train", "predict", "evaluate", "experiments", "record_split", "report"}


def test_i_touching_every_file_reruns_nothing(project: TinyProject) -> None:
    for path in project.folder.rglob("*"):
        if path.is_file() and not {"results", ".snakemake", "corpus"} & set(path.relative_to(project.folder).parts):
            os.utime(path)
    assert "Nothing to be done" in project.run("--dry-run")


def test_j_a_new_plugin_or_an_option_elsewhere_reruns_nothing(project: TinyProject) -> None:
    added = [project.folder / "pipeline/models/newcomer.py", project.folder / "pipeline/corpora/newcorpus.py"]
    for path in added:
        path.write_text('"""A newcomer."""\n\nANSWER = 42\n')
    report = project.folder / "pipeline/settings/report.py"
    try:
        with edited(report, "    title: str\n", "    title: str\n    colour_of_the_day: str = 'blue'\n"):
            planned = project.plan()
    finally:
        for path in added:
            path.unlink()
    assert planned.rules <= {"report"}
    assert project.plan().rules == set()
