"""The house: imports go down the floors of docs/architecture.md, sub-packages are empty, rules keep to the pattern."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = {
    "settings": 1, "findings": 1, "locks": 1, "store": 1, "plugins": 1, "provenance": 1, "provenance_files": 1,
    "provenance_machine": 1, "fetching": 2, "signals": 2, "corpora": 3, "clips": 3,
    "leaks": 3, "folds": 3, "deidentify": 4, "features": 4, "graphs": 4, "models": 5, "metrics": 5, "training": 6,
    "explain": 7, "report": 8, "stages": 9,
}  # fmt: skip
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    mine = FLOORS.get(path.relative_to(ROOT / "pipeline").with_suffix("").parts[0], 0)
    theirs = [name for name in imported(path) if name.startswith("pipeline.")]
    assert [name for name in theirs if FLOORS.get(name.split(".")[1], 0) > mine] == []
    assert not [name for name in imported(path) if name.split(".")[0] in {"snakemake", "workflow"}]


def test_packages_are_empty() -> None:
    assert [path for path in MODULES if path.name == "__init__.py" and path.read_text().strip()] == []


def test_contents_page_and_rule_files_are_short() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60
    assert {path.name: n for path in RULES if (n := len(path.read_text().splitlines())) > 120} == {}


def rules() -> dict[str, str]:
    """Rule name -> its text."""
    found = {}
    for path in RULES:
        parts = re.split(r"^rule (\w+):\n", path.read_text(), flags=re.MULTILINE)
        found.update(zip(parts[1::2], parts[2::2], strict=True))
    return found


def test_exactly_the_rules_that_train_pretrain_or_occlude_carry_gpu() -> None:
    trained = {"pretrain", "train", "record_split", "occlude", "score_segments", "soz_pretrain", "soz_train"}
    assert {name for name, text in rules().items() if re.search(r"\bgpu=.*\bGPU\b", text)} == trained


def test_every_rule_has_message_log_benchmark_threads_resources_and_the_two_params() -> None:
    assert len(rules()) >= 15
    for name, text in rules().items():
        for part in (
            "message:",
            "output:",
            "log:",
            "benchmark:",
            "threads:",
            "mem_mb=",
            "runtime=",
            "settings=",
            "code=",
        ):
            assert part in text, f"rule {name} lacks {part}"
        assert not re.search(r"^\s+(script|run):", text, re.MULTILINE), name


def test_parsing_stays_light() -> None:
    """What Snakemake imports while parsing pulls in no torch, pandas, scipy or zarr: a cluster job parses again."""
    import subprocess
    import sys

    check = (
        "import sys; import workflow.lib.corpus, workflow.lib.inventory, workflow.lib.planning, workflow.lib.code;"
        "from pipeline.plugins import load_plugin;"
        "load_plugin('corpora', 'tusz'); load_plugin('corpora', 'simulated_scalp');"
        "print([m for m in ('torch', 'pandas', 'scipy', 'zarr', 'mne', 'numpy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
