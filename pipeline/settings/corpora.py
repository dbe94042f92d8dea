"""Where recordings come from, and how their patients are dealt into splits."""

from typing import Literal

from pipeline.settings.base import Count, Section, Seed, Share
from pipeline.settings.simulation import SimulationSettings

Split = Literal["train", "validation", "test"]


class SplitSettings(Section):
    """A patient's split is a function of the patient alone: official folder, stable hash, or a given file."""

    source: Literal["official", "hash", "file"]
    official: dict[str, Split]  # folder of the corpus -> our split, e.g. {"dev": "test"}
    validation_share: Share  # of the patients whose split would be `train`, the share held out by hash; 0: none
    test_share: Share  # only for source: hash
    file: str | None  # TSV with columns patient, split; only for source: file
    seed: Seed


class CorpusSettings(Section):
    """One corpus: a plug-in of pipeline/corpora/ that reads it, and its folder (or the simulator that makes it)."""

    reader: str
    version: str  # of the corpus layout, e.g. auto, v1, v2; the reader says which it knows
    pseudonyms: Literal["auto", "always", "never"]  # auto: where the reader takes names that may say anything
    pseudonym_key: str | None  # file with a secret; None: made at random in results/<corpus>/private/key
    root: str | None  # None: made by `simulate` below results/<corpus>/corpus
    splits: SplitSettings
    simulate: SimulationSettings | None


class IndexSettings(Section):
    """What the stage `index` uses."""

    corpus: str
    reader: str
    version: str


class IngestSettings(Section):
    """Into how many shards the patients of each split are dealt: 64 in all suit a corpus of thousands of files."""

    shards: dict[Split, Count]
