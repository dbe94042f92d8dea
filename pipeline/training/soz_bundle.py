"""A frozen bundle: all that predicting a new patient needs, in one folder that can be carried elsewhere (section 12).

`bundle.json` is written last: a folder without it is no bundle. `<name>.safetensors` and `<name>.json` are a model and
its card, one for each fold and seed. `MODEL_CARD.md` is for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.sealing import DamagedFile
from pipeline.settings.base import Count, Section, parse_section
from pipeline.settings.soz_made import Made
from pipeline.store import read_json, replacing, write_json
from pipeline.training.model_io import load_weights, save_weights
from pipeline.training.soz_card import USE, Trained, load_trained

BUNDLE, CARD = "bundle.json", "MODEL_CARD.md"
SIMULATED = "Trained on simulated recordings: what it answers says nothing of patients"


class UnfitBundle(ValueError):
    """Models that belong to no one bundle, or a folder that holds none."""


class Member(Section):
    """One model of a bundle."""

    name: str
    fold: int
    seed: int
    fold_hash: str
    model_hash: str
    threshold: float


class Bundle(Section):
    """The content of bundle.json."""

    use: str
    run: str
    synthetic: bool  # simulated recordings are among those that it was made from
    made: Made
    members: tuple[Member, ...]
    training_patients: tuple[str, ...]  # of all folds: who taught, stopped or calibrated any of the models
    fewest_channels: Count
    most_channels: Count


@dataclass(frozen=True)
class Origin:
    """What a bundle is told that no card knows."""

    run: str
    synthetic: bool
    made: Made


def freeze(models: Sequence[Path], folder: Path, origin: Origin) -> Bundle:
    """Write a bundle of these models, whose cards (card.json) lie beside them. Raises UnfitBundle."""
    if folder.exists() and any(folder.iterdir()):
        raise UnfitBundle(f"{folder} holds something already; name a new folder")
    cards = [read_json(path.with_name("card.json")) for path in models]
    if len({_kind(card) for card in cards}) != 1:
        raise UnfitBundle("these models were not trained alike; give the folds and seeds of one run")
    members = [_member(card) for card in cards]
    for path, card, member in zip(models, cards, members, strict=True):
        load_trained(path, card, torch.device("cpu"))
        save_weights(folder / f"{member.name}.safetensors", load_weights(path))
        write_json(folder / f"{member.name}.json", card)
    bundle = Bundle(
        use=USE,
        run=origin.run,
        synthetic=origin.synthetic,
        made=origin.made,
        members=tuple(members),
        training_patients=tuple(sorted({name for card in cards for own in card["teaching"].values() for name in own})),
        fewest_channels=min(card["channels"]["fewest"] for card in cards),
        most_channels=max(card["channels"]["most"] for card in cards),
    )
    with replacing(folder / CARD) as temporary:
        temporary.write_text(model_card(bundle, cards), encoding="utf-8")
    write_json(folder / BUNDLE, bundle.model_dump(mode="json"))
    return bundle


def _kind(card: dict[str, Any]) -> str:
    """What the models of one bundle share."""
    told = {name: value for name, value in card["settings"].items() if name not in ("fold", "seed", "device")}
    return str(sorted(told.items()))


def _member(card: dict[str, Any]) -> Member:
    told = {name: card[name] for name in ("fold", "seed", "fold_hash", "model_hash", "threshold")}
    return Member(name=f"fold{card['fold']}-seed{card['seed']}", **told)


def model_card(bundle: Bundle, cards: Sequence[dict[str, Any]]) -> str:
    """The bundle in words."""
    told, first = cards[0]["settings"], cards[0]
    training, made = ", ".join(bundle.training_patients), bundle.made
    lines = [
        f"# SOZ model: {bundle.run}, trained on {', '.join(bundle.made.corpora)}",
        "",
        bundle.use,
        "",
        *([f"**{SIMULATED}.**", ""] if bundle.synthetic else []),
        "What comes out is the probability that clinicians would mark a contact as seizure onset zone. It is no advice "
        "on where to operate, and says nothing of what no contact records.",
        "",
        f"- {len(cards)} models (folds and seeds), {first['parameters']} weights each; probabilities are averaged",
        f"- labels: {told['labels']}; conditions: {told['finetuning']['conditions']}",
        f"- clips of {made.clips.length_s} s at {made.reading.rate_hz} Hz, {made.tokens.wavelet} level "
        f"{made.tokens.level}, montage {made.tokens.montage}",
        f"- {bundle.fewest_channels} to {bundle.most_channels} channels a patient in training",
        f"- {len(bundle.training_patients)} training patients: {training}",
        "",
        "| model | fold hash | model hash | calibrator | threshold | inner AUPRC |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for card, member in zip(cards, bundle.members, strict=True):
        score = card["kept_epoch"]["inner_auprc"]
        shown = "undefined" if score is None else f"{score:.3f}"
        kind = card["calibrator"]["kind"]
        row = (member.name, member.fold_hash[:8], member.model_hash[:8], kind, f"{member.threshold:.3f}", shown)
        lines.append(f"| {' | '.join(row)} |")
    lines += [
        "",
        "The inner AUPRC chose the epoch: it is no estimate for new patients. Those stand on the cohort page.",
        "",
    ]
    return "\n".join(lines)


def open_bundle(folder: Path, device: torch.device) -> tuple[Bundle, list[Trained]]:
    """The bundle of a folder and its models. Raises UnfitBundle, DamagedFile."""
    if not (folder / BUNDLE).is_file():
        raise UnfitBundle(f"{folder}: no {BUNDLE}; make a bundle with python -m pipeline.stages.soz_bundle")
    bundle = parse_section(Bundle, read_json(folder / BUNDLE), where=f"{folder / BUNDLE}")
    models = []
    for member in bundle.members:
        path = folder / f"{member.name}.safetensors"
        card = read_json(path.with_suffix(".json"))
        if _member(card) != member:
            raise DamagedFile(path, f"its card is not the one that {BUNDLE} lists", sealed=False)
        models.append(load_trained(path, card, device))
    return bundle, models
