"""What the documents name is there: links, stages and their options, presets, runs, columns, rules for a GPU."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.metrics.soz_evaluation import COMPARISONS, METRICS
from pipeline.stages.soz_ablations import COLUMNS as ABLATIONS
from pipeline.stages.soz_index import CONTACTS, PATIENTS
from pipeline.training.soz_baselines import BASELINES
from tests.workflow.test_floors import rules

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
ARM = (ROOT / "docs" / "soz.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Headings as GitHub links to them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_commands_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target
    for named in re.findall(r"(?<![\w/.])((?:envs|profiles|tests)/[\w./-]*\w)", text):
        assert (ROOT / named).exists(), named
    for preset in re.findall(r"workflow/presets/([a-z0-9.\-]+)\.yaml", text):
        assert (ROOT / "workflow" / "presets" / f"{preset}.yaml").is_file(), preset
    for module in re.findall(r"python -m ((?:pipeline|benchmarks|workflow)[a-z0-9_.]*)", text):
        file = ROOT / module.replace(".", "/")
        named = not module.endswith(".")  # `pipeline.stages.<rule>` names none
        assert not named or file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), module


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_options_of_stages_run_by_hand_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("`", "\n").replace("\\\n", " ")
    for stage, rest in re.findall(r"python -m pipeline\.stages\.(\w+)([^\n#]*)", text):
        source = (ROOT / "pipeline" / "stages" / f"{stage}.py").read_text(encoding="utf-8")
        wanted = re.findall(r"--([a-z][a-z-]*)", rest)
        loops = re.findall(r"for name in \(([^)]*)\)", source)  # options that a loop adds
        known = set(re.findall(r'"--([a-z-]+)"', source)) | set(re.findall(r'"([a-z-]+)"', " ".join(loops)))
        assert set(wanted) <= known | {"help", "log", "settings", "code"}, (stage, set(wanted) - known)


def test_every_module_of_the_arm_is_on_the_map() -> None:
    parts = MAP.split("### The SOZ arm")[1].split("### The clips table")[0]
    modules = [path for path in (ROOT / "pipeline").rglob("*.py") if re.match(r"_?soz(_|\.py)", path.name)]
    named = set(re.findall(r"`(_?soz[a-z_]*|wpt|contacts)`", parts))
    missing = {path.stem for path in modules if "stages" not in path.parts} - named
    assert missing == set()
    gone = {name for name in named if name.startswith(("soz", "_soz"))} - {path.stem for path in modules}
    assert gone == {"soz_tokens", "soz_folds"} & gone  # names of files, which are names of stages, too


@pytest.mark.parametrize("stage", sorted(path.stem for path in (ROOT / "pipeline/stages").glob("soz_*.py")))
def test_every_stage_of_the_arm_is_described(stage: str) -> None:
    assert f"`{stage}`" in ARM or f"pipeline.stages.{stage} " in ARM


@pytest.mark.parametrize("run", [run for run in CONFIG["soz"]["runs"] if run != "main"])
def test_every_run_is_described(run: str) -> None:
    table = ARM.split("## Runs and ablations")[1].split("\n## ")[0]
    assert f"`{run}`" in table


@pytest.mark.parametrize(
    ("columns", "section"),
    [(CONTACTS, "Index"), (PATIENTS, "Index"), (METRICS, "Files"), (COMPARISONS, "Files"), (ABLATIONS, "Files"),
     (BASELINES, "Baselines")],
)  # fmt: skip
def test_every_column_is_described(columns: list[str], section: str) -> None:
    text = ARM.split(f"### {section}\n")[1].split("\n#")[0]
    assert [name for name in columns if not re.search(rf"\b{name}\b", text)] == []


def test_rules_that_ask_for_a_gpu_are_listed() -> None:
    listed = (ROOT / "docs" / "workflow.md").read_text(encoding="utf-8").split("## GPU")[1].split("carry `gpu: 1`")[0]
    found = {name for name, text in rules().items() if re.search(r"\bgpu=.*\bGPU\b", text)}
    assert set(re.findall(r"`([a-z_]+)`", listed)) == found


def test_the_papers_are_cited() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    first = {one["authors"][0]["family-names"] for one in cited}
    assert {"Tang", "Hu", "Rodière"} <= first
