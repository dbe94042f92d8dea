"""Trainings share the GPU of a machine one at a time, unless the user says that there are more (issue 7, acceptance 4).

Snakemake schedules them for real, on a copy of the project in which the stages that train only sleep and write down
from when to when: the profile, the rules and the scheduler are what is tested. What they read is marked as made.
"""

import ast
import os
import re
import subprocess
import sys

import pytest
from tiny_project import ROOT, TinyProject, copy_project

from workflow.lib.code import code_modules

STUB = '''"""A training that only sleeps, and says from when to when. The first wait until TOGETHER run at once."""
import os, sys, time
from pathlib import Path

began, met = time.monotonic(), Path("met")
Path("running").mkdir(exist_ok=True)
own = Path("running", str(os.getpid()))
own.touch()
while not met.exists() and time.monotonic() < began + 60:
    if len(list(Path("running").iterdir())) >= int(os.environ["TOGETHER"]):
        met.touch()
    time.sleep(0.02)
time.sleep(0.6)
own.unlink()
with open("intervals.txt", "a") as file:
    print(Path(__file__).stem, began, time.monotonic(), file=file)
for option, value in zip(sys.argv, sys.argv[1:]):
    if option in ("--model", "--card", "--history", "--encoder"):
        Path(value).touch()
'''
STAGES = ("pretrain", "train", "soz_pretrain", "soz_train")
TARGETS = [
    "results/tiny/detection-12s/dist-ssl/seed0/model.safetensors",  # after its pre-training
    "results/tiny/detection-12s/dist-scratch/seed0/model.safetensors",
    *(f"results/synthetic-ieeg/soz/main/fold{fold}/seed0/model.safetensors" for fold in (0, 1)),  # after theirs
]
JOBS = 3 + 4
PRESET = ("--configfile", "workflow/presets/tiny.yaml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A project whose data are there; nothing is trained."""
    made = copy_project(tmp_path_factory.mktemp("gpu"))
    for stage in STAGES:
        (made.folder / "pipeline/stages" / f"{stage}.py").write_text(STUB)
    command = [sys.executable, "-m", "benchmarks.finished_state", *TARGETS, "--cores", "4", *PRESET]
    done = subprocess.run(command, cwd=made.folder, env=made.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return made


def intervals(project: TinyProject, *options: str, together: int) -> list[tuple[str, float, float]]:
    """(stage, start, end) of every training of one run of Snakemake on eight cores.

    The first wait for each other until so many are `together`, a minute at most: a busy machine starts them one by one.
    """
    noted = project.folder / "intervals.txt"
    for file in (noted, project.folder / "met"):
        file.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOGETHER", str(together))
        project.run(*TARGETS, "--cores", "8", "--forcerun", *STAGES, *options, *PRESET)
    rows = [line.split() for line in noted.read_text().splitlines()]
    return [(stage, float(start), float(end)) for stage, start, end in rows]


def most_at_once(rows: list[tuple[str, float, float]]) -> int:
    """The largest number of intervals that have a moment in common."""
    return max(sum(start <= begin < end for _, start, end in rows) for _, begin, _ in rows)


def test_under_plain_cores_no_training_runs_beside_another(project: TinyProject) -> None:
    """Scalp and SOZ trainings are ready at once, and there are eight cores."""
    rows = intervals(project, together=1)
    assert sorted({stage for stage, *_ in rows}) == sorted(STAGES)
    assert len(rows) == JOBS
    assert most_at_once(rows) == 1


def test_with_two_gpus_two_run_at_once_and_no_third(project: TinyProject) -> None:
    assert most_at_once(intervals(project, "--resources", "gpu=2", together=2)) == 2


def test_without_a_gpu_as_many_run_as_there_are_cores(project: TinyProject) -> None:
    """device.device: cpu asks for none; so the tests above fail where a rule forgets to ask."""
    assert most_at_once(intervals(project, "--config", "device={device: cpu}", together=3)) > 2


def test_the_profile_that_is_read_by_itself_says_that_there_is_one() -> None:
    assert "gpu: 1" in (ROOT / "profiles/default/config.yaml").read_text()
    assert "SNAKEMAKE_PROFILE" not in os.environ, "another default profile is set: these tests would test that one"


CHOOSERS = {  # stage whose rule asks for a GPU: the module that chooses it
    "pretrain": "pipeline.training.job",
    "train": "pipeline.training.job",
    "record_split": "pipeline.training.job",
    "soz_pretrain": "pipeline.training.soz_job",
    "soz_train": "pipeline.training.soz_job",
    "occlude": "pipeline.stages.occlude",
    "score_segments": "pipeline.stages.score_segments",
}


def stages_with_a_gpu() -> set[str]:
    found = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            if re.search(r"^ +gpu=", rule, flags=re.MULTILINE):
                found |= set(re.findall(r"-m pipeline\.stages\.(\w+)", rule))
    return found


def test_what_asks_for_a_gpu_keeps_it_from_other_jobs() -> None:
    """With `--resources gpu=4` each of four takes another one: what only looks for a free one would find the first."""
    assert stages_with_a_gpu() == set(CHOOSERS)
    for stage, module in CHOOSERS.items():
        assert module in code_modules(ROOT, stage)
        tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)
                 and isinstance(node.func, ast.Name) and node.func.id == "prepare_device"]  # fmt: skip
        assert calls, module
        for call in calls:
            assert "alone" in {word.arg for word in call.keywords}, f"{module}, line {call.lineno}"
