"""Shards of a corpus, known while Snakemake parses.

A corpus on disk is scanned (names, sizes, times; no file is opened) and its manifests are rewritten only where they
changed; a simulated corpus has its patients from its settings, and its manifests from the rule `simulate`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType

from pipeline.corpora._pseudonyms import Pseudonyms, hidden_findings, link_files, load_key, made_key
from pipeline.corpora.records import RecordingFiles
from pipeline.corpora.shards import SPLITS, deal, manifest_rows, shard_of, write_manifest
from pipeline.findings import CorpusError, Finding
from pipeline.plugins import load_plugin
from pipeline.settings.config import Config
from pipeline.store import write_json
from workflow.lib.readers import hides_names, load_reader

Dealt = dict[str, list[RecordingFiles]]  # shard -> its recordings


@dataclass(frozen=True)
class Shards:
    """Names of the shards of one corpus, and the patients in each (simulated corpora only)."""

    names: tuple[str, ...]
    patients: dict[str, tuple[str, ...]]

    def of(self, *splits: str) -> list[str]:
        """Shards of the given splits, in that order; all of them without an argument."""
        wanted = splits or SPLITS
        return [name for split in wanted for name in self.names if name.rsplit("-", 1)[0] == split]


@dataclass
class Corpora:
    """All corpora of config.yaml; each is scanned on first use, on disk by the main process only."""

    config: Config
    main_process: bool
    known: dict[str, Shards] = field(default_factory=dict)

    def home(self, corpus: str) -> str:
        """The corpus whose index, signals, frames and distance graph are used: of a fold, the one that is divided."""
        folds = self.config.corpora[corpus].folds
        return folds.of if folds else corpus

    def home_shards(self, corpus: str, shards: list[str]) -> list[str]:
        """The shards of `home` that hold the recordings of `shards`: shard i of each split of a fold is its shard i."""
        if self.config.corpora[corpus].folds is None:
            return shards
        names = self.shards(self.home(corpus)).of()
        return [names[int(shard.rsplit("-", 1)[1])] for shard in shards]

    def home_shard(self, corpus: str, shard: str) -> str:
        """`home_shards` of one shard."""
        return self.home_shards(corpus, [shard])[0]

    def root(self, corpus: str) -> str:
        """Folder that holds the corpus, or links to its files under pseudonyms (docs/privacy.md)."""
        if hides_names(corpus, self.config.corpora[corpus]):
            return str(self._private(corpus) / "files")
        return self.config.corpora[corpus].root or f"{self.config.results}/{corpus}/corpus"

    def simulated(self) -> list[str]:
        """Names of the corpora that `simulate` makes; a fold has the recordings of another corpus."""
        return [name for name, corpus in self.config.corpora.items() if corpus.simulated and not corpus.folds]

    def folds(self) -> list[str]:
        """Names of the corpora that are folds of others."""
        return [name for name, corpus in self.config.corpora.items() if corpus.folds]

    @staticmethod
    def pattern(names: list[str]) -> str:
        """The constraint of a wildcard that is one of `names`."""
        return "|".join(map(re.escape, names)) or "none"

    def shards(self, corpus: str) -> Shards:
        """The corpus's shards; for a corpus on disk this scans the tree and updates its manifests."""
        if corpus not in self.config.corpora:
            raise CorpusError(f"corpus {corpus!r} is not in config.yaml; there are {', '.join(self.config.corpora)}")
        if corpus not in self.known:
            settings = self.config.corpora[corpus]
            find = self._fold if settings.folds else self._simulated if settings.simulated else self._scan
            self.known[corpus] = find(corpus)
        return self.known[corpus]

    def _fold(self, corpus: str) -> Shards:
        """As many shards of each split as the divided corpus has in all: each of these may hold patients of any."""
        count = len(self.shards(self.home(corpus)).names)
        width = max(2, len(str(count - 1)))
        return Shards(tuple(f"{split}-{i:0{width}d}" for split in SPLITS for i in range(count)), {})

    def _shards_per_split(self) -> dict[str, int]:
        return {str(split): number for split, number in self.config.ingest.shards.items()}

    def _simulated(self, corpus: str) -> Shards:
        settings = self.config.corpora[corpus].simulate
        assert settings is not None
        patients: dict[str, list[str]] = {}
        for patient in load_plugin("corpora", settings.generator).patients(settings):
            shard = shard_of(patient.patient, patient.split, self._shards_per_split())
            patients.setdefault(shard, []).append(patient.patient)
        return Shards(tuple(sorted(patients)), {name: tuple(sorted(ids)) for name, ids in patients.items()})

    def _scan(self, corpus: str) -> Shards:
        settings = self.config.corpora[corpus]
        if settings.root is None:
            key = f"corpora={{{corpus}: {{root: FOLDER}}}}"
            raise CorpusError(f"corpora.{corpus}: give either root, --config '{key}', or simulate (settings)")
        root = Path(settings.root)
        if not root.is_dir():
            raise CorpusError(f"corpora.{corpus}.root: there is no folder {root}; set it to where the corpus lies")
        if not self.main_process and (listed := self._listed(corpus)):
            return Shards(listed, {})
        reader = load_reader(corpus, settings)
        files, unread = reader.find(root, settings.version), passed_over(reader, root)
        if not files:
            head = f"corpora.{corpus}.root: {root} has no recording that reader {settings.reader!r} knows"
            remedy = "name the folder in which they lie as that reader expects them (docs/corpora.md)"
            raise CorpusError(f"{head}; {unread or remedy}")
        dealt, found = deal(files, settings.splits, self._shards_per_split(), corpus)
        if unread:
            found.add("not_read", unread, action="skip", value=unread.rpartition(": ")[2])
        findings = list(found)
        if hides_names(corpus, settings) and self.main_process:
            root, dealt, findings = self._hidden(corpus, root, dealt, files, found)
        if self.main_process:
            folder = Path(self.config.results, corpus, "manifests")
            folder.mkdir(parents=True, exist_ok=True)
            for name, recordings in dealt.items():
                write_manifest(folder / f"{name}.tsv", manifest_rows(root, recordings))
            write_if_changed(folder / "findings.json", [asdict(row) for row in findings])
            for stale in set(folder.glob("*.tsv")) - {folder / f"{name}.tsv" for name in dealt}:
                stale.unlink()
        return Shards(tuple(sorted(dealt)), {})

    def _listed(self, corpus: str) -> tuple[str, ...]:
        """Names of the shards as the main process found them: a job on a cluster does not walk the corpus again."""
        return tuple(sorted(path.stem for path in Path(self.config.results, corpus, "manifests").glob("*.tsv")))

    def _private(self, corpus: str) -> Path:
        return Path(self.config.results, corpus, "private")

    def _hidden(
        self, corpus: str, root: Path, dealt: Dealt, found: list[RecordingFiles], findings: Iterable[Finding]
    ) -> tuple[Path, Dealt, list[Finding]]:
        """The dealt recordings under pseudonyms, below a folder of links, and what was found told in them."""
        private, given = self._private(corpus), self.config.corpora[corpus].pseudonym_key
        names = Pseudonyms(load_key(given) if given else made_key(private / "key"))
        hidden = {files.recording: names.of(files) for files in found}
        link_files(root, private, found, list(hidden.values()))
        told = hidden_findings(findings, found, list(hidden.values()))
        renamed = {
            shard: sorted(
                (replace(hidden[one.recording], split=one.split) for one in own), key=lambda one: one.recording
            )
            for shard, own in dealt.items()
        }
        return private / "files", renamed, told


def passed_over(reader: ModuleType, root: Path) -> str:
    """How many files of formats that the reader does not read, by extension; counts alone: names may be private."""
    counts: dict[str, int] = reader.unread(root) if hasattr(reader, "unread") else {}
    told = ", ".join(f"{number} {extension}" for extension, number in counts.items())
    return f"only .edf is read; also there: {told}" if told else ""


def write_if_changed(path: Path, content: object) -> None:
    """Write JSON unless the file already says the same, so that its time stamp only moves with its content."""
    if not path.exists() or json.loads(path.read_text()) != content:
        write_json(path, content)
