"""The digest behind `code=`: moved by what a job executes, and by nothing else."""

from pathlib import Path

import pytest

from workflow.lib.code import code_digest, code_modules


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package with two stages, a shared module and two plug-ins."""
    files = {
        "pipeline/__init__.py": "",
        "pipeline/shared.py": '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n',
        "pipeline/models/__init__.py": "",
        "pipeline/models/one.py": "from pipeline.shared import f\n\n\ndef build():\n    return f(1)\n",
        "pipeline/models/two.py": "def build():\n    return 2\n",
        "pipeline/stages/__init__.py": "",
        "pipeline/stages/train.py": "from ..shared import f\nimport json\n",
        "pipeline/stages/occlude.py": "def g():\n    from pipeline.shared import f\n    return f\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def digest(root: Path, stage: str, *plugins: str) -> str:
    from workflow.lib import code

    code._module.cache_clear()
    code_digest.cache_clear()
    return code_digest(root, stage, *plugins)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_comments_docstrings_and_layout_change_nothing(project: Path) -> None:
    before = digest(project, "train", "models.one")
    edit(
        project / "pipeline/shared.py",
        '    """Doc."""\n    return x + 1',
        '    """Other."""\n\n    return (x + 1)  # why',
    )
    edit(project / "pipeline/shared.py", '"""Doc."""\n', '"""Another."""\n')
    assert digest(project, "train", "models.one") == before


def test_a_change_in_an_imported_module_changes_it_absolute_relative_and_inside_functions(project: Path) -> None:
    train, occlude = digest(project, "train"), digest(project, "occlude")
    edit(project / "pipeline/shared.py", "x + 1", "x + 2")
    assert digest(project, "train") != train
    assert digest(project, "occlude") != occlude


def test_only_the_plugins_that_are_named_count(project: Path) -> None:
    one, two = digest(project, "train", "models.one"), digest(project, "train", "models.two")
    edit(project / "pipeline/models/two.py", "return 2", "return 3")
    (project / "pipeline/models/three.py").write_text("def build():\n    return 3\n")
    assert digest(project, "train", "models.one") == one
    assert digest(project, "train", "models.two") != two


def test_a_stage_without_a_file_is_an_error(project: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        digest(project, "absent")


def test_the_real_stages_reach_what_they_run() -> None:
    root = Path(__file__).parents[2]
    assert "pipeline.explain.occlusion" in code_modules(root, "occlude")
    train = code_modules(root, "train", "models.dcrnn")
    assert "pipeline.training.loop" in train
    assert not any(name.startswith(("pipeline.explain", "pipeline.report", "pipeline.corpora")) for name in train)
    assert "pipeline.settings.config" not in train


def test_sections_of_one_experiment_rerun_no_job_of_another() -> None:
    """Keys of the planted corpus, of lists of test clips, of SGLC: a corpus that is read has none of them."""
    root = Path(__file__).parents[2]
    scalp = [("simulate", "corpora.simulated_scalp"), ("index", "corpora.tusz"), ("ingest",), ("clips",), ("folds",)]
    scalp += [("check_splits",), ("features",), ("train", "models.dcrnn"), ("predict", "models.dcrnn"), ("occlude",)]
    for stage, *plugins in scalp:
        found = {name.removeprefix("pipeline.settings.") for name in code_modules(root, stage, *plugins)}
        assert not found & {"driven", "corpus_section", "clip_lists", "model_sglc", "sglc", "planted"}, stage
    for stage in ("evaluate", "report", "scoreboard", "paper_table"):
        found = {name.removeprefix("pipeline.settings.") for name in code_modules(root, stage)}
        assert not found & {"driven", "corpus_section", "model_sglc", "sglc", "planted"}, stage
        assert ("clip_lists" in found) == (stage == "evaluate")
    assert "pipeline.settings.driven" in code_modules(root, "simulate", "corpora.driven_scalp")
