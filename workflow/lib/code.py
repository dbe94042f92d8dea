"""Digest of the code behind a job: what must change for the job to run again, and nothing else.

The digest covers the syntax trees, without docstrings and comments, of a stage, of the plug-ins that the job's settings
name, and of every module of `pipeline/` that these import, transitively. Formatting and comments leave it as it is.
"""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "pipeline"
# What writes records about results, and nothing into them: pipeline/provenance*.py. A change there reruns nothing.
ABOUT_RESULTS = f"{PACKAGE}.provenance"


@functools.cache
def code_digest(root: Path, stage: str, *plugins: str) -> str:
    """Digest (hex, 16 characters) of `pipeline.stages.<stage>` and `plugins`, e.g. "corpora.tusz"."""
    wanted = [f"{PACKAGE}.stages.{stage}", *(f"{PACKAGE}.{name}" for name in plugins)]
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(_reachable(root, wanted)):
        digest.update(f"{name} {_module(root, name)[0]}\n".encode())
    return digest.hexdigest()


def code_modules(root: Path, stage: str, *plugins: str) -> set[str]:
    """Names of the modules that `code_digest` covers."""
    return _reachable(root, [f"{PACKAGE}.stages.{stage}", *(f"{PACKAGE}.{name}" for name in plugins)])


def _reachable(root: Path, wanted: list[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(wanted)
    for name in wanted:
        if _file(root, name) is None:
            raise FileNotFoundError(f"no module {name} below {root}")
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(_module(root, name)[1])
    return seen


@functools.cache
def _module(root: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """(digest of the module's tree, first-party modules that it imports)."""
    file = _file(root, name)
    assert file is not None
    tree = _without_docstrings(ast.parse(file.read_text(encoding="utf-8")))
    text = hashlib.blake2b(ast.unparse(tree).encode(), digest_size=16).hexdigest()
    is_package = file.name == "__init__.py"
    found = {part for target in _imports(tree, name, is_package) for part in _existing(root, target)}
    return text, tuple(sorted(found - {name}))


def _file(root: Path, name: str) -> Path | None:
    base = root.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(tree: ast.Module, name: str, is_package: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if is_package else name.split(".")[:-1]
            base = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _existing(root: Path, target: str) -> Iterator[str]:
    """The modules of the package that importing `target` executes: itself and its parent packages."""
    parts = target.split(".")
    if parts[0] != PACKAGE:
        return
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if _file(root, name) is not None and not name.startswith(ABOUT_RESULTS):
            yield name


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree
