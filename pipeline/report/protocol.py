"""Where a measured cell's protocol differs from the published one: computed from cards and tables, never typed in.

What the cards do not hold, the rules of signals, clips and graphs, is compared in rule_marks.py.

Published: Tang et al. 2022, sections 3.1 and 3.2 and appendix; patience, weight decay, gradient norm from the code
published with it.
"""

from collections.abc import Mapping, Sequence
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
CHOSEN_BY = {  # what chooses the checkpoint and what is minimised; the loss of pre-training is a switch of `compat`
    "detection": {"checkpoint": "auroc", "loss": "bce"},
    "classification": {"checkpoint": "weighted_f1", "loss": "ce"},
    "pretraining": {"checkpoint": "loss"},
}
AUGMENT: dict[str, Any] = {"reflect_probability": 0.5, "scale_low": 0.8, "scale_high": 1.2}
FLOOR = {"floor_amplitude": 1e-8}
FORECAST_S = 12
AUXILIARY: dict[int, dict[str, Any]] = {12: {"seen_s": 6, "horizon_s": 6}, 60: {"seen_s": 30, "horizon_s": 6}}
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
    "O": "other settings of the training, or of the rules of signals, clips and graphs",
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


def training_marks(cards: Sequence[dict[str, Any]], before: Sequence[tuple[str, dict[str, Any]]] = ()) -> list[Mark]:
    """Differences of the training: `cards` one a seed; `before`: what the first weights were learnt by, with cards."""
    found = [Mark("N", f"{len(cards)} of {SEEDS} seeds")] if len(cards) < SEEDS else []
    for words, card in [*(("", card) for card in cards[:1]), *((f"{words}: ", card) for words, card in before)]:
        found += [Mark(mark.letter, words + mark.text) for mark in _card_marks(card["settings"], card["task"])]
    return list(dict.fromkeys(found))


def _card_marks(settings: dict[str, Any], task: str) -> list[Mark]:
    loop, model, options = settings["loop"], settings["model"], settings["options"]
    published = {**LOOPS[task], **ALL_LOOPS, **CHOSEN_BY[task]}
    if model == "densecnn":  # it has a dropout of its own, among its sizes
        published.pop("dropout")
    sizes = {name: wanted for name, wanted in SIZES.get(model, {}).items() if name in options}
    found = _compared(loop, published, {"epochs": "E", "learning_rate": "L"}) + _compared(options, sizes, default="W")
    if "init" in options:  # a model without gates of this kind has no such bias
        own = settings["gate_bias"]
        found += _compared({"gate_bias": options["init"]["gate_bias"] if own is None else own}, {"gate_bias": 0.0})
    found += _compared(settings["sampling"], {"label_fraction": 1.0, "balance": task == "detection"})
    found += _compared(settings["augment"], AUGMENT)
    if settings["features"]["kind"] == "fft":  # raw samples have no floor
        found += _compared(settings["features"], FLOOR)
    if task == "pretraining":
        found += _compared({"forecast_s": settings["horizon_s"]}, {"forecast_s": FORECAST_S})
    joint = settings.get("auxiliary") or {}
    return found + (_compared(joint, AUXILIARY.get(settings["length_s"], {})) if joint else [])


def _compared(
    values: dict[str, Any], published: dict[str, Any], letters: Mapping[str, str] | None = None, *, default: str = "O"
) -> list[Mark]:
    """A mark for each published value that another stands for."""
    return [
        Mark((letters or {}).get(name, default), differs(name, values[name], wanted))
        for name, wanted in published.items()
        if values[name] != wanted
    ]


def differs(name: str, value: Any, published: Any) -> str:
    """`top neighbours 4 (published 3)`."""
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
