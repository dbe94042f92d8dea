"""Shards of a corpus, known while Snakemake parses.

A corpus on disk is scanned (names, sizes, times; no file is opened) and its manifests are rewritten only where they
changed; a simulated corpus has its patients from its settings, and its manifests from the rule `simulate`.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.corpora.shards import deal, manifest_rows, shard_of, write_manifest
from pipeline.findings import CorpusError
from pipeline.plugins import load_plugin
from pipeline.settings.config import Config
from pipeline.store import write_json


@dataclass(frozen=True)
class Shards:
    """Names of the shards of one corpus, and the patients in each (simulated corpora only)."""

    names: tuple[str, ...]
    patients: dict[str, tuple[str, ...]]

    def of(self, *splits: str) -> list[str]:
        """Shards of the given splits, in that order; all of them without an argument."""
        wanted = splits or ("train", "validation", "test")
        return [name for split in wanted for name in self.names if name.rsplit("-", 1)[0] == split]


@dataclass
class Corpora:
    """All corpora of config.yaml; each is scanned on first use, by the main process only."""

    config: Config
    main_process: bool
    known: dict[str, Shards] = field(default_factory=dict)

    def root(self, corpus: str) -> str:
        """Folder that holds the corpus."""
        return self.config.corpora[corpus].root or f"{self.config.results}/{corpus}/corpus"

    def simulated(self) -> list[str]:
        """Names of the corpora that `simulate` makes."""
        return [name for name, corpus in self.config.corpora.items() if corpus.root is None]

    def shards(self, corpus: str) -> Shards:
        """The corpus's shards; for a corpus on disk this scans the tree and updates its manifests."""
        if corpus not in self.config.corpora:
            raise CorpusError(f"corpus {corpus!r} is not in config.yaml; there are {', '.join(self.config.corpora)}")
        if corpus not in self.known:
            on_disk = self.config.corpora[corpus].root is not None
            self.known[corpus] = self._scan(corpus) if on_disk else self._simulated(corpus)
        return self.known[corpus]

    def _shards_per_split(self) -> dict[str, int]:
        return {str(split): number for split, number in self.config.ingest.shards.items()}

    def _simulated(self, corpus: str) -> Shards:
        settings = self.config.corpora[corpus].simulate
        if settings is None:
            raise CorpusError(f"corpora.{corpus}: give either root (a folder) or simulate (settings)")
        patients: dict[str, list[str]] = {}
        for patient in load_plugin("corpora", settings.generator).patients(settings):
            shard = shard_of(patient.patient, patient.split, self._shards_per_split())
            patients.setdefault(shard, []).append(patient.patient)
        return Shards(tuple(sorted(patients)), {name: tuple(sorted(ids)) for name, ids in patients.items()})

    def _scan(self, corpus: str) -> Shards:
        settings = self.config.corpora[corpus]
        root = Path(settings.root or "")
        if not root.is_dir():
            raise CorpusError(f"corpora.{corpus}.root: there is no folder {root}; set it to where the corpus lies")
        files = load_plugin("corpora", settings.reader).find(root, settings.version)
        if not files:
            raise CorpusError(f"corpora.{corpus}.root: {root} has no recording that reader {settings.reader!r} knows")
        dealt, findings = deal(files, settings.splits, self._shards_per_split(), corpus)
        if self.main_process:
            folder = Path(self.config.results, corpus, "manifests")
            folder.mkdir(parents=True, exist_ok=True)
            for name, recordings in dealt.items():
                write_manifest(folder / f"{name}.tsv", manifest_rows(root, recordings))
            write_if_changed(folder / "findings.json", [asdict(row) for row in findings])
            for stale in set(folder.glob("*.tsv")) - {folder / f"{name}.tsv" for name in dealt}:
                stale.unlink()
        return Shards(tuple(sorted(dealt)), {})


def write_if_changed(path: Path, content: object) -> None:
    """Write JSON unless the file already says the same, so that its time stamp only moves with its content."""
    if not path.exists() or json.loads(path.read_text()) != content:
        write_json(path, content)
