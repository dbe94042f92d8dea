"""How much there is to train on: clips of each split, estimated while Snakemake parses, before anything is indexed.

For a corpus on disk durations come from the first 256 bytes of each EDF and seizures from its annotation files, by the
corpus's reader; what is later repaired, skipped or cut into segments is not known yet. For a simulated corpus they
follow from its settings. Kept in results/<corpus>/extent.json as long as the manifests stay the same.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.corpora.records import WHOLE_RECORDING, Event, RecordingFiles
from pipeline.corpora.shards import SPLITS, read_manifest, recordings_of
from pipeline.findings import CorpusError, Findings, Rejected
from pipeline.plugins import load_plugin
from pipeline.settings.config import Config
from pipeline.settings.corpora import FoldSettings
from pipeline.settings.driven import DrivenSettings
from pipeline.settings.ieeg_simulation import IeegSimulationSettings
from pipeline.settings.simulation import SimulationSettings
from pipeline.store import write_json
from workflow.lib.corpus import Corpora

LENGTHS_S = (12, 60)
UNTYPED = {"seiz", "mysz"}  # no class of the 4-class scheme
POSITIVE_PER_EVENT = {12: 13_646 / 1_925, 60: 3_594 / 1_925}  # Tang et al. 2022, Table 5 and its code, train


@dataclass
class Extent:
    """Of one split; numbers by clip length in seconds, events by code."""

    recordings: float = 0
    hours: float = 0
    clips: dict[int, float] = field(default_factory=lambda: dict.fromkeys(LENGTHS_S, 0))
    positive: dict[int, float] = field(default_factory=lambda: dict.fromkeys(LENGTHS_S, 0))
    pairs: dict[int, float] = field(default_factory=lambda: dict.fromkeys(LENGTHS_S, 0))
    events: dict[str, float] = field(default_factory=dict)

    def add(self, duration_s: float, events: Iterable[Event]) -> None:
        """One more recording: its clips on the grid, those that meet a seizure, and those that have a next one."""
        whole = list(events)
        whole = [event for event in whole if event.channel == WHOLE_RECORDING] or whole
        self.recordings += 1
        self.hours += duration_s / 3600
        for length_s in LENGTHS_S:
            number = int(duration_s // length_s)
            met = {k for e in whole for k in range(int(e.onset_s // length_s), math.ceil(e.offset_s / length_s))}
            self.clips[length_s] += number
            self.positive[length_s] += len(met & set(range(number)))
            self.pairs[length_s] += max(0, number - 1)
        for code, number in Counter(event.code for event in whole).items():
            self.events[code] = self.events.get(code, 0) + number


Extents = dict[str, Extent]  # by split
T = TypeVar("T")


@dataclass
class Known(Generic[T]):
    """What `find` says of each corpus (`extents`, `soz_extent`), which is asked once."""

    find: Callable[[Config, Corpora, str], T]
    config: Config
    corpora: Corpora
    _kept: dict[str, T | None] = field(default_factory=dict)

    def of(self, corpus: str) -> T | None:
        """None for a corpus that is not in config.yaml, or whose manifests cannot be read."""
        if corpus not in self._kept:
            try:
                self._kept[corpus] = self.find(self.config, self.corpora, corpus)
            except (CorpusError, OSError, KeyError):
                self._kept[corpus] = None
        return self._kept[corpus]


def clips_of(part: Extent, task: str, length_s: int) -> float:
    """Clips of a split that a task has, before negatives are undersampled."""
    if task == "classification":
        return sum(number for code, number in part.events.items() if code not in UNTYPED)
    return (part.pairs if task == "pretraining" else part.clips)[length_s]


def extents(config: Config, corpora: Corpora, corpus: str) -> Extents:
    """Extent of each split of a corpus that is planned. Raises CorpusError or OSError where a manifest is not there."""
    settings = config.corpora[corpus]
    if settings.folds is not None:
        parts = extents(config, corpora, settings.folds.of)
        return _fold(parts, settings.folds, settings.splits.validation_share)
    if settings.root is None and settings.simulate is not None:
        return _simulated(settings.simulate)
    return _on_disk(config, corpora, corpus)


def _on_disk(config: Config, corpora: Corpora, corpus: str) -> Extents:
    folder = Path(config.results, corpus)
    files = [folder / "manifests" / f"{name}.tsv" for name in corpora.shards(corpus).of()]
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in files), digest_size=8).hexdigest()
    kept = folder / "extent.json"
    if kept.is_file() and (known := _read(kept, digest)) is not None:
        return known
    found = {split: Extent() for split in SPLITS}
    read_events = load_plugin("corpora", config.corpora[corpus].reader).read_events
    for one in (one for path in files for one in recordings_of(read_manifest(path))):
        root = Path(corpora.root(corpus))
        found[one.split].add(*_looked_at(root, one, read_events))
    write_json(kept, {"manifests": digest, **{split: asdict(extent) for split, extent in found.items()}})
    return found


def _read(kept: Path, digest: str) -> Extents | None:
    """What was estimated before, if it was for the same manifests."""
    try:
        content = json.loads(kept.read_text())
        if content["manifests"] != digest:
            return None
        return {split: _extent(content[split]) for split in SPLITS}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # written by another version, or damaged: made anew


def _extent(content: dict[str, Any]) -> Extent:
    by_length = {
        name: {int(length): number for length, number in content[name].items()}
        for name in ("clips", "positive", "pairs")
    }
    return Extent(content["recordings"], content["hours"], **by_length, events=content["events"])


def _looked_at(root: Path, files: RecordingFiles, read_events: Any) -> tuple[float, list[Event]]:
    """Duration and seizures; none where a file cannot be read (the stage `index` says why)."""
    try:
        duration_s, _ = header_of(root / files.edf)
        return duration_s, read_events(root, files, duration_s, Findings()) or []
    except (Rejected, CorpusError, OSError, ValueError):
        return 0.0, []


def header_of(path: Path) -> tuple[float, int]:
    """Seconds by an EDF header's number of data records and their duration, and its number of signals; unchecked.

    Raises ValueError for a header in which no such numbers stand, OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
    return max(0, int(fixed[236:244])) * float(fixed[244:252]), int(fixed[252:256])


def _simulated(settings: SimulationSettings | DrivenSettings | IeegSimulationSettings) -> Extents:
    """Expected numbers: seizures are drawn, and how many clips one meets is taken from the published corpus."""
    found = {split: Extent() for split in SPLITS}
    for kind, cohort in settings.cohort.items():
        drawn = settings.seizures.get(kind, [0])
        for split, patients in cohort.items():
            number, own = patients * settings.recordings_per_patient, found[split]
            for _ in range(number):
                own.add(60 * settings.minutes, ())
            own.events[kind] = own.events.get(kind, 0) + number * sum(drawn) / max(1, len(drawn))
    for own in found.values():
        for length_s in LENGTHS_S:
            own.positive[length_s] = min(own.clips[length_s], sum(own.events.values()) * POSITIVE_PER_EVENT[length_s])
    return found


def _fold(parts: Extents, folds: FoldSettings, validation_share: float) -> Extents:
    """Shares of the whole corpus, as if all patients were alike."""
    test = 1 / folds.count
    shares = {"train": (1 - test) * (1 - validation_share), "validation": (1 - test) * validation_share, "test": test}
    return {split: _scaled(list(parts.values()), share) for split, share in shares.items()}


def _scaled(parts: list[Extent], share: float) -> Extent:
    made = Extent(share * sum(part.recordings for part in parts), share * sum(part.hours for part in parts))
    for part in parts:
        for name in ("clips", "positive", "pairs", "events"):
            own: dict[Any, float] = getattr(made, name)
            for key, number in getattr(part, name).items():
                own[key] = own.get(key, 0) + share * number
    return made
