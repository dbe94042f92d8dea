"""The JSON inventory behind a target of the learned graph's experiments, and what the models' cards say of its runs."""

from pathlib import Path
from typing import Any

from pipeline.settings.base import Section, parse_section
from pipeline.store import read_json, read_tables

NAMES = {"sglc": "SGLC", "sglc_published": "SGLC, published variant", "sglc_prior": "SGLC, graph: prior",
         "sglc_uniform": "SGLC, graph: uniform", "sglc_random": "SGLC, graph: random"}  # fmt: skip
GRAPHS = {"distance": "Dist-", "correlation": "Corr-"}
STARTS = {"ssl": "with pre-training", "scratch": "without pre-training"}
N_CLASSES = {"four": 4, "eight": 8}
SHOWN = ("variant", "adjacency", "units", "layers", "pretraining_layers", "ggnn_steps", "diffusion_steps", "heads")
SHORT = 8  # characters of a digest that are shown
TRAINED = ("epochs", "learning_rate", "batch", "weight_decay", "dropout", "patience", "loss")


class SglcRun(Section):
    """One run; lists have one file a seed, in the order of `seeds`."""

    run: str
    model: str  # its section of config.yaml
    graph: str
    init: str
    scheme: str
    share: int  # per cent of the labels
    length_s: int
    seeds: list[int]
    cards: list[str]
    predictions: list[str]

    @property
    def label(self) -> str:
        """`SGLC, with pre-training`."""
        name = f"{GRAPHS[self.graph]}DCRNN" if self.model == "dcrnn" else NAMES.get(self.model, self.model)
        return f"{name}, {STARTS.get(self.init, self.init)}"

    @property
    def n_classes(self) -> int:
        """Of its scheme."""
        return N_CLASSES[self.scheme]


class Encoder(Section):
    """A pre-trained encoder that some of the runs start from."""

    encoder: str
    length_s: int
    history: str
    card: str


class SglcInventory(Section):
    """Files of one target."""

    target: str
    corpus: str
    synthetic: bool
    recordings: list[str]
    splits: str
    seizures: list[str]  # of the test recordings, where a list names clips
    runs: list[SglcRun]
    encoders: list[Encoder]
    clips: list[str]  # label_fraction: tables that the training clips are in
    pairs: list[tuple[str, str]]  # graph_ablation: runs that are compared

    def run(self, name: str) -> SglcRun:
        """The run of that name."""
        return next(run for run in self.runs if run.run == name)

    @property
    def is_synthetic(self) -> bool:
        """Whether the workflow made the corpus, or some EDF says of itself that it is synthetic."""
        recordings = read_tables(self.recordings)
        return self.synthetic or (len(recordings) > 0 and bool(recordings["synthetic"].any()))


def read_sglc_inventory(path: Path) -> SglcInventory:
    """Read and check an inventory. Raises SettingsError naming the key that is wrong."""
    return parse_section(SglcInventory, read_json(path), where=str(path))


def grid_of(inventory: SglcInventory) -> list[dict[str, Any]]:
    """What was trained, by the cards: one row a run, and one an encoder."""
    rows = [{"run": one.run, "seeds": len(one.seeds), "labels_pct": one.share} for one in inventory.runs]
    rows += [{"run": one.encoder, "seeds": 1, "labels_pct": None} for one in inventory.encoders]
    cards = [*(one.cards for one in inventory.runs), *([one.card] for one in inventory.encoders)]
    return [row | _trained([read_json(path) for path in own]) for row, own in zip(rows, cards, strict=True)]


def _trained(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Sizes, training and number of parameters of a run, from its seeds' cards: epochs are those of every seed."""
    card, settings = cards[0], cards[0]["settings"]
    epochs = ", ".join(str(one["epochs"]) for one in cards)
    options = {name: settings["options"][name] for name in SHOWN if name in settings["options"]}
    loop = {name: settings["loop"][name] for name in TRAINED if name in settings["loop"]}
    about = {name: card[name] for name in ("task", "length_s", "parameters")} | {"trained_epochs": epochs}
    about |= {"encoder": "".join(card["inputs"]["encoder"])[:SHORT] or None}
    return {**about, "label_unit": settings["sampling"].get("label_unit"), **options, **loop}
