"""How the patients of a corpus are dealt into splits, and what the stages on corpora use: no simulator's settings."""

import os
from typing import Annotated, Literal

from pydantic import AfterValidator

from pipeline.settings.base import Count, Number, Section, Seed, Share

Split = Literal["train", "validation", "test"]
PathText = Annotated[str, AfterValidator(os.path.expanduser)]  # `~` is the home folder: no shell has seen it


class SplitSettings(Section):
    """A patient's split is a function of the patient alone: official folder, stable hash, or a given file."""

    source: Literal["official", "hash", "file"]
    official: dict[str, Split]  # folder of the corpus -> our split, e.g. {"dev": "test"}
    validation_share: Share  # of the patients whose split would be `train`, the share held out by hash; 0: none
    test_share: Share  # only for source: hash
    file: PathText | None  # TSV with columns patient, split; only for source: file
    seed: Seed


class FoldSettings(Section):
    """A corpus that is one fold of a cross-validation over the patients of another corpus."""

    of: str  # the other corpus: its index, signals, frames and distance graph are used
    fold: Number  # from 0: the patients of this fold are the test set
    count: Count
    file: PathText | None  # TSV with columns patient, fold; None: dealt by hash, stratified by seizure types


class IndexSettings(Section):
    """What the stage `index` uses."""

    corpus: str
    reader: str
    version: str


class IngestSettings(Section):
    """Into how many shards the patients of each split are dealt: 64 in all suit a corpus of thousands of files."""

    shards: dict[Split, Count]
