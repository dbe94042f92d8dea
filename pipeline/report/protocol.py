"""Where a measured cell's protocol differs from the published one: computed from cards and tables, never typed in.

Published: Tang et al. 2022, sections 3.1 and 3.2 and appendix; patience, weight decay, gradient norm from the code
published with it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from pipeline.settings.corpora import SplitSettings

SEEDS = 5
PRETRAINING_EPOCHS = 350
LOOPS: dict[str, dict[str, Any]] = {
    "detection": {"epochs": 100, "learning_rate": 1e-4, "dropout": 0.0},
    "classification": {"epochs": 60, "learning_rate": 3e-4, "dropout": 0.5},
    "pretraining": {"epochs": PRETRAINING_EPOCHS, "learning_rate": 5e-4, "dropout": 0.0},
}
ALL_LOOPS: dict[str, Any] = {"batch": 40, "weight_decay": 5e-4, "clip_norm": 5.0, "patience": 5}
SIZES: dict[str, dict[str, Any]] = {
    "dcrnn": {"units": 64, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": True},
    "lstm": {"units": 64, "layers": 2},
    "cnn_lstm": {"channels": 32, "embedding": 512, "units": 128, "layers": 2},
    "densecnn": {"width": 1.0, "dropout": 0.2},
}
FILES = {"train": (4599, 592), "test": (900, 45)}  # Table 1: EEG files and patients of TUSZ v1.5.2 as it was used
VALIDATION_SHARE = 0.1  # of the patients of the official train set

MEANING = {
    "S": "synthetic corpus: other data, the published value is context only",
    "C": "another corpus than TUSZ v1.5.2 as published (Table 1: 4,599 and 900 files)",
    "P": "other splits than official train (90 % and 10 % of its patients) and dev",
    "N": f"fewer than {SEEDS} seeds",
    "E": "other number of epochs",
    "W": "other size of the network",
    "L": "other learning rate",
    "O": "other settings of the training or of the clips",
    "F": "other folds than those of the cited study",
    "T": "another source corpus than the unpublished in-house set",
}


class Mark(NamedTuple):
    """One difference: its letter and what differs, with both values."""

    letter: str
    text: str


def corpus_marks(recordings: pd.DataFrame, splits: SplitSettings, *, synthetic: bool) -> list[Mark]:
    """Differences of the data: `recordings` has one row a file with `split` and `patient`."""
    found = [Mark("S", "synthetic corpus")] if synthetic else []
    counts = file_counts(recordings)
    if counts != FILES and not synthetic:
        shown = [f"{name} {files:,} files of {patients:,} patients" for name, (files, patients) in counts.items()]
        found.append(Mark("C", f"not TUSZ v1.5.2 as published: {', '.join(shown)}"))
    published = splits.source == "official" and splits.official.get("dev") == "test"
    if not published or splits.validation_share != VALIDATION_SHARE:
        share = f"{splits.validation_share:.0%} of the training patients held out for validation"
        found.append(Mark("P", f"splits: {splits.source}, {share}"))
    return found


def file_counts(recordings: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Files and patients of what the paper calls train (before validation patients are taken) and test."""
    if not len(recordings):
        return {"train": (0, 0), "test": (0, 0)}
    test = recordings["split"] == "test"
    parts = {"train": recordings[~test], "test": recordings[test]}
    return {name: (len(part), int(part["patient"].nunique())) for name, part in parts.items()}


def clip_marks(label_edge: str, *, clip_start_offset: bool) -> list[Mark]:
    """Differences of the rules that cut clips, which Table 5 counts."""
    pairs = (("label_edge", label_edge, "touching"), ("clip_start_offset", clip_start_offset, True))
    return [Mark("O", _differs(name, value, wanted)) for name, value, wanted in pairs if value != wanted]


def training_marks(cards: Sequence[dict[str, Any]], encoders: Sequence[dict[str, Any]] = ()) -> list[Mark]:
    """Differences of the training: `cards` one a seed, `encoders` of what they were started from."""
    found = [Mark("N", f"{len(cards)} of {SEEDS} seeds")] if len(cards) < SEEDS else []
    for card in [*cards[:1], *encoders]:
        task = card["task"]
        words = "" if task != "pretraining" else "pre-training: "
        found += [Mark(mark.letter, words + mark.text) for mark in _card_marks(card["settings"], task)]
    return list(dict.fromkeys(found))


def _card_marks(settings: dict[str, Any], task: str) -> list[Mark]:
    loop, model = settings["loop"], settings["model"]
    published = {**LOOPS[task], **ALL_LOOPS}
    if model == "densecnn":  # it has a dropout of its own, among its sizes
        published.pop("dropout")
    letters = {"epochs": "E", "learning_rate": "L"}
    found = [
        Mark(letters.get(name, "O"), _differs(name, loop[name], wanted))
        for name, wanted in published.items()
        if loop[name] != wanted
    ]
    options = settings["options"]
    found += [
        Mark("W", _differs(name, options[name], wanted))
        for name, wanted in SIZES.get(model, {}).items()
        if name in options and options[name] != wanted
    ]
    if settings.get("gate_bias"):
        found.append(Mark("O", _differs("gate_bias", settings["gate_bias"], 0)))
    fraction = settings["sampling"]["label_fraction"]
    return found + ([Mark("O", _differs("label_fraction", fraction, 1))] if fraction != 1 else [])


def _differs(name: str, value: Any, published: Any) -> str:
    return f"{name.replace('_', ' ')} {_shown(value)} (published {_shown(published)})"


def _shown(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else str(value)


def letters_of(marks: Sequence[Mark]) -> str:
    """The letters of marks, each once, in the order of MEANING."""
    present = {mark.letter for mark in marks}
    return "".join(letter for letter in MEANING if letter in present)


def words_of(marks: Sequence[Mark]) -> str:
    """The marks in words, for the files."""
    return "; ".join(f"{mark.letter} {mark.text}" for mark in marks)
