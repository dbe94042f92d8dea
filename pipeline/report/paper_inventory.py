"""The JSON inventory behind a table of the paper: which file is which cell, and what the cells are called in print."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.report.inventory import Inventory, RunEntry
from pipeline.report.rule_marks import Rules
from pipeline.settings.base import Section, parse_section
from pipeline.settings.corpora import SplitSettings
from pipeline.store import read_json

PRINTED_MODELS = {"dcrnn": "DCRNN", "lstm": "LSTM", "cnn_lstm": "CNN-LSTM", "densecnn": "Dense-CNN"}
PRINTED_DOMAINS = {"fft": "frequency", "time": "time"}
N_CLASSES = {"four": 4, "seven": 7, "eight": 8}


class PaperInventory(Section):
    """Files of one table; `folds` maps a fold corpus to its runs."""

    table: str
    main: Inventory
    folds: dict[str, tuple[RunEntry, ...]]
    own_folds: bool  # whether a file says which patient is in which fold
    source: Inventory | None = None  # table 7: the other corpus
    source_corpus: str | None = None
    splits: SplitSettings  # of the main corpus
    rules: Rules  # of the main corpus
    source_rules: Rules | None = None  # of the source corpus


class CellKey(NamedTuple):
    """What names a model and its data in the paper's tables; as columns of pipeline/report/published/."""

    model: str
    pretraining: str
    graph: str
    task: str
    clip_s: int
    input_domain: str


@dataclass(frozen=True)
class Keyed:
    """A run of the inventory under the name of its cells; `corpus` is the main one or a fold."""

    key: CellKey
    entry: RunEntry
    corpus: str


def read_paper_inventory(path: Any) -> PaperInventory:
    """Read and check an inventory. Raises SettingsError naming the key that is wrong."""
    return parse_section(PaperInventory, read_json(path), where=str(path))


def key_of(entry: RunEntry) -> CellKey:
    """The name of a run's cells in the paper's tables."""
    start = {"scratch": "none", "ssl": "ssl", "transfer": "transfer"}.get(entry.init, entry.init)
    task = entry.task if entry.task == "detection" else f"classification_{N_CLASSES[entry.scheme]}"
    return CellKey(
        model=PRINTED_MODELS.get(entry.model, entry.model),
        pretraining="auxiliary" if entry.auxiliary else start,
        graph="" if entry.graph == "none" else entry.graph,
        task=task,
        clip_s=entry.length_s,
        input_domain=PRINTED_DOMAINS.get(entry.features, entry.features),
    )


def keyed_runs(inventory: PaperInventory) -> list[Keyed]:
    """Every run of the inventory, those of the main corpus first."""
    main = [Keyed(key_of(entry), entry, inventory.main.corpus) for entry in inventory.main.runs]
    folds = [Keyed(key_of(entry), entry, name) for name, runs in inventory.folds.items() for entry in runs]
    return main + folds
