"""Whether a run may start from an encoder that it did not train: what the card beside the weights says of them."""

from pathlib import Path
from typing import Any

from pipeline.settings.training import FitSettings
from pipeline.store import read_json

SEEN = (
    "published encoders have seen the official train: of TUSZ v1.5.2; with other splits (tusz-v2, folds, a hash) "
    "they may have seen patients who are tested here"
)


def differences(weights: Path, settings: FitSettings) -> list[str]:
    """What the weights depend on and the run has otherwise, one sentence each; shapes tell the rest.

    The scaler may differ: a run that is fine-tuned uses its own task's (dcrnn.md, section 5).
    """
    path = weights.with_name("card.json")
    if not path.is_file():
        return [f"there is no {path}, which says what the encoder was trained on; `import_weights` writes both"]
    card = read_json(path)
    if not isinstance(_of(card, "imported"), dict):  # what was trained here goes through the proof of check_source
        return [f"{path} is not of `import_weights`; for an encoder trained here use init: ssl with source: <corpus>"]
    pairs: list[tuple[str, Any, Any, str]] = [
        ("clip length", _of(card, "length_s"), settings.length_s, "plan the run at that length alone"),
        ("graph", _of(card, "graph"), settings.graph, "name the encoder of this graph"),
        ("electrodes", _of(card, "electrodes"), list(settings.electrodes), "set channels.electrodes"),
        ("features", _of(card, "settings", "features", "kind"), settings.features.kind, "set the run's features"),
    ]
    if settings.graph == "correlation":  # with one support every recursion is the same
        theirs = _of(card, "settings", "options", "diffusion_recursion")
        remedy = "set it for the corpus (corpora.<corpus>.compat)"
        pairs.append(("compat.diffusion_recursion", theirs, settings.options.get("diffusion_recursion"), remedy))
    wrong = ((name, had, has, remedy) for name, had, has, remedy in pairs if had != has)
    return [
        f"{name}: {_brief(had)} of the encoder, {_brief(has)} of the run; {remedy}" for name, had, has, remedy in wrong
    ]


def _of(card: object, *keys: str) -> Any:
    """What stands below these keys of JSON content; None where there is no such mapping or key."""
    for key in keys:
        card = card.get(key) if isinstance(card, dict) else None
    return card


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
