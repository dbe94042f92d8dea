"""What a run of the workflow left behind, as the report needs it: the JSON inventory and the tables that it names."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.settings.base import Section, parse_section
from pipeline.signals.montages import are_derivations
from pipeline.store import read_json, read_table, read_tables

SPLITS = ("train", "validation", "test")


STARTS = {
    "ssl": "pre-trained",
    "scratch": "from scratch",
    "transfer": "from a detector",
    "imported": "imported weights",
}


class RunEntry(Section):
    """One run on one task and length; lists have one file a seed, in the order of `seeds`."""

    run: str
    task: str
    length_s: int
    seeds: list[int]
    graph: str
    init: str
    model: str = ""
    scheme: str = "four"
    features: str = "fft"
    source: str | None = None  # corpus that the first weights were learnt on; None: the corpus itself
    auxiliary: float = 0.0  # weight of the forecast in the loss
    top_neighbours: int | None = None  # the run's own, of its correlation graphs
    encoder: str | None = None  # name of the pre-trained encoder that it was started with
    detector: str | None = None  # card of the detector whose weights it was started with
    metrics: str
    curves: str | None = None
    histories: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()  # stores of learned graphs
    learned_tables: tuple[str, ...] = ()  # and their measures
    localisation: str | None = None
    summary: str | None = None

    @property
    def clips_key(self) -> str:
        """Key of `Inventory.clips`."""
        return f"{self.task}-{self.length_s}s"

    @property
    def start(self) -> str:
        """What the first weights were, in two words."""
        return STARTS[self.init]

    @property
    def in_paper(self) -> bool:
        """Whether the published scores of its task, graph and start are of this network: DCRNN on log amplitudes."""
        return (self.model, self.features) == ("dcrnn", "fft")


class PretrainingEntry(Section):
    """One encoder."""

    encoder: str
    length_s: int
    history: str
    card: str


class Inventory(Section):
    """All files of one corpus; paths are relative to the working directory."""

    corpus: str
    synthetic: bool
    recordings: list[str]
    seizures: list[str]
    segments: list[str]
    findings: list[str]
    splits: str | None = None
    outcomes: str | None = None  # of every EDF, as the QC page shows them
    runs: tuple[RunEntry, ...] = ()
    pretraining: tuple[PretrainingEntry, ...] = ()
    clips: dict[str, list[str]]
    signals: tuple[str, ...] = ()
    graphs: dict[str, str | list[str]]
    experiments: str | None = None
    trial: str | None = None


@dataclass
class Results:
    """The inventory with its small tables read; large arrays are read where they are drawn."""

    inventory: Inventory
    recordings: pd.DataFrame
    seizures: pd.DataFrame
    segments: pd.DataFrame
    findings: pd.DataFrame
    clips: dict[str, pd.DataFrame]
    splits: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """Whether the workflow simulated the corpus, or some EDF says of itself that it is synthetic."""
        recordings = self.recordings
        return self.inventory.synthetic or (len(recordings) > 0 and bool(recordings["synthetic"].any()))

    @property
    def node(self) -> str:
        """What a row of a map stands for: `electrode` or `derivation`, as the models' cards say."""
        derived = any(are_derivations(card.get("electrodes", ())) for card in self.cards.values())
        return "derivation" if derived else "electrode"


def read_results(path: Any) -> Results:
    """Read the inventory and its tables. Raises SettingsError if the inventory has a wrong key."""
    inventory = parse_section(Inventory, read_json(path), where=str(path))
    cards = [card for run in inventory.runs for card in run.cards] + [entry.card for entry in inventory.pretraining]
    return Results(
        inventory=inventory,
        recordings=_read(inventory.recordings),
        seizures=_read(inventory.seizures),
        segments=_read(inventory.segments),
        findings=_read(inventory.findings).drop_duplicates(),  # `index` and `ingest` both read the header
        clips={name: _read(paths) for name, paths in sorted(inventory.clips.items())},
        splits=read_table(inventory.splits) if inventory.splits else None,
        outcomes=read_table(inventory.outcomes) if inventory.outcomes else None,
        cards={card: read_json(card) for card in cards},
    )


def graph_paths(inventory: Inventory, graph: str, clips_key: str, *, top_neighbours: int | None = None) -> list[str]:
    """Files that hold the weights of `graph` for the clips named, the most fitting key first; empty: none given.

    `top_neighbours`: a run's own number of them (`correlation-fft-k18/…`); None: as config.yaml says for all.
    """
    own = [key for key in sorted(inventory.graphs) if key.startswith(graph)]
    keys = [key for key in own if (f"-k{top_neighbours}/" if top_neighbours else "-k") in key]
    keys = keys if top_neighbours else [key for key in own if key not in keys]
    best = [key for key in keys if clips_key in key] or [key for key in keys if key == graph]
    found = inventory.graphs[best[0]] if best else []
    return [found] if isinstance(found, str) else list(found)


def _read(paths: list[str]) -> pd.DataFrame:
    return read_tables(paths) if paths else pd.DataFrame()
