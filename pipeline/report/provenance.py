"""Where a page comes from: versions, and digests of settings, data and models. No path, no date, no name."""

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.report.inventory import Results
from pipeline.store import digest_file

PACKAGES = ("numpy", "scipy", "pandas", "torch", "zarr", "matplotlib")


def provenance(results: Results) -> list[tuple[str, str]]:
    """Pairs of name and value for the end of the page."""
    rows = [("Python", platform.python_version()), *versions()]
    rows.append(("Corpus", results.inventory.corpus))
    if len(results.segments):
        rows.append(("Data digest (samples of all segments)", _digest(sorted(results.segments["digest"].astype(str)))))
    for entry in results.inventory.runs:
        for seed, path in zip(entry.seeds, entry.cards, strict=False):
            name = f"Model {entry.run}, {entry.task}, {entry.length_s} s, seed {seed}"
            rows.append((name, model_line(results.cards[path])))
        for seed, path in zip(entry.seeds, entry.weights, strict=False):
            rows.append((f"Weights {entry.run}, {entry.task}, {entry.length_s} s, seed {seed}", digest_file(path)))
    settings = sorted(_digest(card["settings"]) for card in results.cards.values())
    if settings:
        rows.append(("Settings digest (all models)", _digest(settings)))
    return rows


def versions() -> list[tuple[str, str]]:
    """Installed versions of what computes."""
    rows = []
    for package in PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return rows


def model_line(card: dict[str, Any]) -> str:
    """Digests of a model card: its settings, the files that went into training, and the whole of it."""
    return f"settings {_digest(card['settings'])}, inputs {_digest(card['inputs'])}, card {_digest(card)}"


def _digest(content: Any) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
