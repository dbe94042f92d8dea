"""Bytes that a plan writes, by kind: what a dry run prints beside its GPU hours.

Stores are not compressed (pipeline/store.py), so their bytes follow from `extent`: hours, nodes and rates of signals
and features, clips of graphs and maps. They are an upper bound: what is later rejected or cut away counts. Small files
(tables, logs, pages) go by a mean a job. While a shard is written it lies on the disk twice.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings.config import Config
from workflow.lib.corpus import Corpora
from workflow.lib.extent import Extent, Extents, Known, clips_of, extents
from workflow.lib.paths import encoder_run
from workflow.lib.soz import run_of_encoder
from workflow.lib.soz_extent import SozExtent, soz_extent
from workflow.lib.step_times import read

FLOAT, HALF = 4, 2  # bytes
EDF_BYTES_S = 13_000  # of a simulated scalp EDF, a second: measured on tiny (15 recordings of 3 minutes, 35 MB)
TOKEN_BYTES = (32 * 35 + 32 + 32) * FLOAT + 1  # of one contact and clip (pipeline/features/_soz_store.py)
ROW_BYTES, TABLE_ROW_BYTES, MEASURE_BYTES = 40, 10, 60  # of tokens' rows, of clips and predictions, of learned graphs
EDGE_BYTES = 51  # of an edge as GraphML and TSV, zipped: docs/soz.md, "What graphs cost"
PARAMETERS = 300_000  # of a model whose size was not measured
SOZ_PARAMETERS = 112_770  # of the default encoder; others go by its width and layers
SMALL_BYTES = 25_000  # log, benchmark, record and small tables of any job: measured on tiny
PICTURES = {
    "report": 2e6,
    "scoreboard": 4e6,
    "soz_cohort_page": 5e5,
    "soz_patient_page": 2e6,
}  # on tiny 1.9, 0.4, 1.4 MB
KINDS = {
    "simulate": "EDFs", "ingest": "signals", "soz_ingest": "signals", "features_grid": "features",
    "features_classification": "features", "soz_tokens": "features", "graph_correlation": "graphs",
    "learned_graphs": "learned graphs", "soz_attention": "attention", "soz_connectivity": "attention",
    "occlude": "maps", "pretrain": "models", "train": "models", "soz_pretrain": "models", "soz_train": "models",
}  # fmt: skip
REST = "the rest"
_KEY = ("model", "task", "graph", "features", "length_s")

Wildcards = Mapping[str, str]


@dataclass
class Disk:
    """Looks up what each job writes; each corpus is looked at once."""

    config: Config
    corpora: Corpora

    def __post_init__(self) -> None:
        self._extents = Known(extents, self.config, self.corpora)
        self._soz = Known(soz_extent, self.config, self.corpora)
        self._parameters = {tuple(row[name] for name in _KEY): row["parameters"] for row in read()}
        self._ways: dict[str, Callable[[Wildcards], float]] = {
            "simulate": self._edfs, "ingest": self._signals, "features_grid": self._frames,
            "features_classification": self._clip_frames, "graph_correlation": self._graphs, "clips": self._clips,
            "pretrain": self._model, "train": self._model, "predict": self._predictions, "occlude": self._maps,
            "learned_graphs": self._learned, "soz_ingest": self._soz_signals, "soz_tokens": self._tokens,
            "soz_pretrain": self._soz_model, "soz_train": self._soz_model, "soz_attention": self._attention,
            "soz_connectivity": self._edges,
        }  # fmt: skip

    def bytes_of(self, rule: str, wildcards: Wildcards) -> float:
        """Bytes of a job's stores or weights; none of other rules, and of a corpus that cannot be looked at."""
        intracranial = rule.startswith("soz_") or (rule == "simulate" and self._is_soz(wildcards["corpus"]))
        known = (self._soz if intracranial else self._extents).of(wildcards.get("corpus", ""))
        return self._ways[rule](wildcards) if rule in self._ways and known is not None else 0

    def kinds(self, jobs: Iterable[tuple[str, Wildcards]]) -> Counter[str]:
        """Bytes by kind (KINDS), of (rule, wildcards); what every job writes beside is the rest."""
        found: Counter[str] = Counter()
        for rule, wildcards in jobs:
            found[KINDS.get(rule, REST)] += self.bytes_of(rule, wildcards)  # type: ignore[assignment]
            found[REST] += SMALL_BYTES + PICTURES.get(rule, 0)  # type: ignore[assignment]
        return found

    def _is_soz(self, corpus: str) -> bool:
        return corpus in self.config.soz.corpora

    def _part(self, wildcards: Wildcards) -> tuple[Extent, float]:
        """Extent of the split that a shard is of, and the shard's share of it."""
        split = wildcards["shard"].rsplit("-", 1)[0]
        return self._all(wildcards)[split], 1 / len(self.corpora.shards(wildcards["corpus"]).of(split))

    def _all(self, wildcards: Wildcards) -> Extents:
        return self._extents.of(wildcards["corpus"]) or {}

    def _edfs(self, wildcards: Wildcards) -> float:
        if self._is_soz(wildcards["corpus"]):
            return self._soz_shard(wildcards).contact_s * self.config.soz.reading.rate_hz * HALF
        part, share = self._part(wildcards)
        return share * part.hours * 3600 * EDF_BYTES_S

    def _signals(self, wildcards: Wildcards) -> float:
        part, share = self._part(wildcards)
        return share * part.hours * 3600 * len(self.config.channels.nodes) * self.config.signals.rate_hz * FLOAT

    def _frames(self, wildcards: Wildcards) -> float:
        part, share = self._part(wildcards)
        return share * part.hours * 3600 * self._frame_bytes(wildcards["kind"])

    def _clip_frames(self, wildcards: Wildcards) -> float:
        part, share = self._part(wildcards)
        length_s = int(wildcards["len"])
        return share * clips_of(part, "classification", length_s) * length_s * self._frame_bytes(wildcards["kind"])

    def _frame_bytes(self, kind: str) -> float:
        """Of one second of all nodes (pipeline/features/)."""
        own, rate = self.config.features[kind], self.config.signals.rate_hz
        numbers = {"fft": rate // 2, "time": rate}.get(own.kind) or 1 << (own.level or 0)
        return len(self.config.channels.nodes) * numbers * FLOAT

    def _graphs(self, wildcards: Wildcards) -> float:
        return self._clip_number(wildcards) * len(self.config.channels.nodes) ** 2 * FLOAT

    def _clips(self, wildcards: Wildcards) -> float:
        return self._clip_number(wildcards) * TABLE_ROW_BYTES

    def _clip_number(self, wildcards: Wildcards) -> float:
        part, share = self._part(wildcards)
        return share * clips_of(part, wildcards["task"], int(wildcards["len"]))

    def _model(self, wildcards: Wildcards) -> float:
        length_s, task = int(wildcards["len"]), wildcards.get("task", "pretraining")
        run = encoder_run(wildcards["encoder"]) if "encoder" in wildcards else self.config.runs[wildcards["run"]]
        task = "detection" if task == "classification" else task
        key = (run.model, task, run.graph, run.features, length_s)
        return FLOAT * self._parameters.get(key, PARAMETERS)

    def _predictions(self, wildcards: Wildcards) -> float:
        seen = (self._all(wildcards)[split] for split in ("validation", "test"))
        return sum(clips_of(part, wildcards["task"], int(wildcards["len"])) for part in seen) * 3 * TABLE_ROW_BYTES

    def _maps(self, wildcards: Wildcards) -> float:
        test, task, length_s = self._all(wildcards)["test"], wildcards["task"], int(wildcards["len"])
        cells = len(self.config.channels.nodes) * FLOAT
        if task == "classification":
            return clips_of(test, task, length_s) * cells
        return test.positive[length_s] * cells * length_s

    def _learned(self, wildcards: Wildcards) -> float:
        """A graph of every test clip, layer and second, and a row of measures for each."""
        length_s, nodes = int(wildcards["len"]), len(self.config.channels.nodes)
        layers = int(self.config.models[self.config.runs[wildcards["run"]].model].get("layers", 2))
        number = HALF if self.config.learned_graphs.precision == "float16" else FLOAT
        clips = clips_of(self._all(wildcards)["test"], wildcards["task"], length_s)
        return clips * layers * length_s * (nodes**2 * number + MEASURE_BYTES)

    def _soz_shard(self, wildcards: Wildcards) -> SozExtent:
        corpus = wildcards["corpus"]
        return (self._soz.of(corpus) or SozExtent()).share(1 / len(self.corpora.shards(corpus).of()))

    def _soz_signals(self, wildcards: Wildcards) -> float:
        return self._soz_shard(wildcards).contact_s * self.config.soz.reading.rate_hz * FLOAT

    def _tokens(self, wildcards: Wildcards) -> float:
        own = self._soz_shard(wildcards)
        return (own.rows + own.rows_copied) * (TOKEN_BYTES + ROW_BYTES)

    def _soz_model(self, wildcards: Wildcards) -> float:
        trained = "run" in wildcards
        run = wildcards["run"] if trained else run_of_encoder(self.config, wildcards["pretrained"])
        model = self.config.soz.of(run).model
        return FLOAT * SOZ_PARAMETERS * (model.width / 64) ** 2 * max(1, model.layers) / 2

    def _attention(self, wildcards: Wildcards) -> float:
        """Graphs and their nulls (two of each layer and head) and the rollout, of the patients that a fold tests."""
        folds = self.config.soz.of(wildcards["run"]).folds
        tested = self._cohort().share(1 / folds.outer if folds.scheme == "grouped" else 1)
        number = HALF if self.config.soz.attention.precision == "float16" else FLOAT
        return tested.squares * (2 * self._heads(wildcards) + 1) * number * len(self.config.soz.attention.conditions)

    def _edges(self, wildcards: Wildcards) -> float:
        cohort = self._cohort()
        squares = cohort.squares / max(1.0, cohort.patients)
        return squares * self._heads(wildcards) * EDGE_BYTES * len(self.config.soz.attention.conditions)

    def _heads(self, wildcards: Wildcards) -> int:
        model = self.config.soz.of(wildcards["run"]).model
        return model.layers * model.heads

    def _cohort(self) -> SozExtent:
        return sum((self._soz.of(corpus) or SozExtent() for corpus in self.config.soz.corpora), SozExtent())


def report(dag: object, config: Config, corpora: Corpora) -> list[str]:
    """What a dry run prints about the disk; nothing where no job is planned."""
    jobs = [
        (job.rule.name, {name: str(value) for name, value in job.wildcards_dict.items()})
        for job in dag.needrun_jobs(exclude_finished=False)  # type: ignore[attr-defined]
        if job.output
    ]
    return lines(Disk(config, corpora).kinds(jobs), free_bytes(Path(config.results))) if jobs else []


def free_bytes(folder: Path) -> int:
    """Free bytes where a folder lies, or will lie."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.isdir(path))
    return shutil.disk_usage(there).free


def lines(kinds: Mapping[str, float], free: float) -> list[str]:
    """The sums in words, in GB, or in MB below one GB."""
    total = sum(kinds.values())
    unit, name = (1e9, "GB") if total >= 1e9 else (1e6, "MB")

    def said(number: float) -> str:
        return f"{number / unit:,.0f}" if number >= 9.5 * unit else f"{number / unit:.1f}"

    shown = sorted(kinds.items(), key=lambda pair: (pair[0] == REST, -pair[1]))
    parts = ", ".join(f"{kind} {said(number)}" for kind, number in shown if number >= 0.05 * unit)
    short = "" if free > total else ": TOO LITTLE"
    return [f"Disk: {said(total)} {name} at most ({parts}); free there: {free / 1e9:,.0f} GB{short}"]
