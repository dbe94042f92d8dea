"""What reruns after a change of the SOZ arm, and what does not: plans of Snakemake over files that are only touched.

Every file of the plan is made empty and marked as up to date (`--touch` keeps the params of its job), so that plans are
as after a finished run, and nothing is computed. Of a job without inputs (`simulate`) it keeps nothing: no rerun of it
is seen here; what such a job is told is in test_soz_plan.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tiny_project import Planned, TinyProject, copy_project

pytestmark = pytest.mark.slow

SCALP = "results/synthetic/detection-12s/dist-scratch/seed0/predictions.parquet"
SOZ_DATA = {"soz_index", "soz_ingest", "soz_clips", "soz_tokens"}
EVALUATED = {"soz_evaluate", "soz_connectivity", "soz_patient_page", "soz_cohort_page"}
BEFORE_TRAINING = {*SOZ_DATA, "soz_folds", "soz_pretrain"}


class SozProject(TinyProject):
    """A scratch copy with config.yaml as it is: the tiny intracranial corpus, two folds, one seed."""

    def plan_of(self, overlay: dict | None = None, *options: str) -> Planned:
        """The plan for the target soz and a scalp model, with an overlay."""
        path = self.folder / "soz-overlay.yaml"
        path.write_text(yaml.safe_dump(overlay or {}))
        return self.plan("soz", SCALP, *options, "--configfile", "config.yaml", path.name)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SozProject:
    made = SozProject(copy_project(tmp_path_factory.mktemp("soz-plan")).folder)
    assert {"soz_train", "soz_patient_page", "soz_cohort_page", "train"} <= made.plan_of().rules
    command = ("soz", SCALP, "--configfile", "config.yaml", "soz-overlay.yaml")
    outputs = re.findall(r"^(results/[^\t]+)\t[^\t]*\t\w+\t", made.run("--summary", *command), re.MULTILINE)
    assert len(outputs) > 100
    for name in outputs:
        path = made.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    made.run("--touch", *command)
    assert made.plan_of().rules == set()
    return made


@contextmanager
def edited(path: Path) -> Iterator[None]:
    """A module with one more statement, so that its digest moves."""
    text = path.read_text()
    path.write_text(text + "\nMOVED = 1\n")
    try:
        yield
    finally:
        path.write_text(text)


def test_fine_tuning_reruns_no_tokens_and_no_pre_training(project: SozProject) -> None:
    rules = project.plan_of({"soz": {"finetuning": {"patience": 3}}}).rules
    assert {"soz_train", "soz_predict", "soz_evaluate", "soz_attention", "soz_cohort_page"} <= rules
    assert not rules & BEFORE_TRAINING
    assert all(rule.startswith("soz") for rule in rules)


def test_pre_training_reruns_no_tokens(project: SozProject) -> None:
    rules = project.plan_of({"soz": {"pretraining": {"temperature": 0.2}}}).rules
    assert {"soz_pretrain", "soz_train"} <= rules
    assert not rules & (BEFORE_TRAINING - {"soz_pretrain"})


def test_tokens_rerun_no_signals_and_no_scalp_job(project: SozProject) -> None:
    planned = project.plan_of({"soz": {"tokens": {"montage": "recorded"}}})
    assert {"soz_tokens", "soz_train"} <= planned.rules
    assert not planned.rules & {"soz_index", "soz_ingest", "soz_clips", "soz_folds"}
    assert all(rule.startswith("soz") for rule in planned.rules)


def test_scalp_settings_rerun_no_soz_job(project: SozProject) -> None:
    rules = project.plan_of({"training": {"detection": {12: {"epochs": 2}}}, "clips": {"before_onset_s": 3}}).rules
    assert "train" in rules
    assert not [rule for rule in rules if rule.startswith("soz_")]


@pytest.mark.parametrize(
    ("module", "some", "none"),
    [
        ("models/dcrnn.py", {"train"}, {"soz_train", "soz_tokens"}),
        ("training/soz_fit.py", {"soz_pretrain", "soz_train"}, {"train", "soz_tokens", "soz_index"}),
        ("corpora/ieeg/tables.py", {"soz_index", "soz_train"}, {"train", "index", "ingest"}),
        ("settings/soz_runs.py", set(), {"train", "soz_train", "soz_tokens", "soz_index"}),
    ],
)
def test_code_reruns_what_runs_it(project: SozProject, module: str, some: set[str], none: set[str]) -> None:
    with edited(project.folder / "pipeline" / module):
        rules = project.plan_of().rules
    assert some <= rules
    assert not rules & none


def test_a_shard_does_not_touch_the_others(project: SozProject) -> None:
    shard = sorted((project.folder / "results/synthetic-ieeg/index").glob("*.contacts.parquet"))[0]
    planned = project.plan_of(None, "--forcerun", str(shard.relative_to(project.folder)))
    assert planned.counts["soz_tokens"] == planned.counts["soz_ingest"] == 1
    assert "train" not in planned.rules


@pytest.mark.parametrize(
    ("section", "exactly"),
    [
        ({"compared": []}, EVALUATED),
        ({"compared": ["no-attention"]}, EVALUATED),
        ({"evaluation": {"bootstrap": 500}}, EVALUATED),
        ({"evaluation": {"seed": 1}}, {"soz_baselines", *EVALUATED}),
        ({"attention": {"masks": 50}}, {"soz_attention", "soz_connectivity", "soz_patient_page", "soz_cohort_page"}),
        ({"ablations": ["frozen"], "runs": {"mine": {"calibration": "platt"}}}, set()),
        ({"runs": {"negatives": {"pretraining": {"epochs": 3}}}}, set()),
    ],
)
def test_a_setting_reruns_just_what_depends_on_it(project: SozProject, section: dict, exactly: set[str]) -> None:
    """Exact sets: a job too many fails as one too few does."""
    assert project.plan_of({"soz": section}).rules - {"soz"} == exactly


def test_a_run_that_is_put_above_the_others_reruns_nothing(project: SozProject) -> None:
    """Encoders are shared; whose they are must not depend on the order of soz.runs."""
    path = project.folder / "config.yaml"
    text = path.read_text()
    assert text.count("\n    main: {}\n") == 1
    path.write_text(text.replace("\n    main: {}\n", "\n    above: {calibration: platt}\n    main: {}\n"))
    try:
        assert project.plan_of().rules == set()
    finally:
        path.write_text(text)


def test_another_run_is_trained_and_nothing_before_it(project: SozProject) -> None:
    rules = project.plan_of({"soz": {"run": "frozen", "ablations": ["main"]}}).rules
    assert {"soz_train", "soz_evaluate", "soz_cohort_page"} <= rules
    assert not rules & BEFORE_TRAINING  # frozen starts from main's encoders
