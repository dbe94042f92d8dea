"""Whether a run may start from an encoder that it did not train: what the card beside the weights says of them."""

from pathlib import Path
from typing import Any

from pipeline.settings.training import FitSettings
from pipeline.store import read_json


def differences(weights: Path, settings: FitSettings) -> list[str]:
    """What the weights depend on and the run has otherwise, one sentence each; shapes tell the rest.

    The scaler may differ: a run that is fine-tuned uses its own task's (dcrnn.md, section 5).
    """
    path = weights.with_name("card.json")
    if not path.is_file():
        return [f"there is no {path}, which says what the encoder was trained on; `import_weights` writes both"]
    card = read_json(path)
    told: dict[str, Any] = card if isinstance(card, dict) else {}
    own: dict[str, Any] = told.get("settings") or {}
    pairs: list[tuple[str, Any, Any, str]] = [
        ("clip length", told.get("length_s"), settings.length_s, "plan the run at that length alone"),
        ("graph", told.get("graph"), settings.graph, "name the encoder of this graph"),
        ("electrodes", told.get("electrodes"), list(settings.electrodes), "set channels.electrodes"),
        ("features", own.get("features", {}).get("kind"), settings.features.kind, "set the run's features"),
    ]
    if settings.graph == "correlation":  # with one support every recursion is the same
        theirs = own.get("options", {}).get("diffusion_recursion")
        remedy = "set it for the corpus (corpora.<corpus>.compat)"
        pairs.append(("compat.diffusion_recursion", theirs, settings.options.get("diffusion_recursion"), remedy))
    wrong = ((name, had, has, remedy) for name, had, has, remedy in pairs if had != has)
    return [f"{name}: {had!r} of the encoder, {has!r} of the run; {remedy}" for name, had, has, remedy in wrong]
