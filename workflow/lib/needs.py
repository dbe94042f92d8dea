"""What a job asks for, memory and minutes: by the size of what it reads, more with each attempt (docs/workflow.md).

`workflow/resources/needs.csv` has a line a rule: resident memory and seconds of a job that reads next to nothing, and
what each further MiB adds, as measured (python -m benchmarks --only scale; benchmark files of a run). Asked is that
times a margin. Sizes are those of the EDFs of a shard, known before anything is made, so that jobs of one group can be
added up; or of the input files. Trainings take `workflow/lib/budget.py`'s seconds: those that the dry run prints.
Nothing here is a param: no result depends on it, and no change of it reruns anything.
"""

import csv
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.corpora.shards import read_manifest
from pipeline.findings import CorpusError
from pipeline.settings.config import Config
from workflow.lib.budget import Estimator, GpuJob
from workflow.lib.corpus import Corpora
from workflow.lib.extent import extents

TABLE = Path(__file__).parents[1] / "resources" / "needs.csv"
# SLURM counts a job's two Snakemakes with it, in a cgroup both: 187 MB of the batch step, 150 beside the stage (sacct).
LEAST_MB, SNAKEMAKE_MB = 300, 350
LEAST_MIN, LEAST_TRAINING_MIN = 10, 60
MARGIN_MB, MARGIN_S = 1.5, 3.0  # other allocators and libraries; slower nodes, network file systems
GROWTH = 1.5  # of both, with each attempt
STEP_MB = 100
CORES_OF_A_GPU = 10  # cores of step_times.csv that a GPU replaces at least, where none was measured: Tang et al. took
# 10 h to pre-train on a Titan RTX, one core here takes over 100
UNKNOWN_TRAINING_S = 4 * 3600  # of a training that nobody measured; what is stopped goes on from its checkpoint
SUPPORTS = 4  # two supports of each graph and of its mirror image (pipeline/training/clip_data.py)
EDF_MB_PER_HOUR = {False: 40, True: 400}  # scalp: 20 to 30 signals of 250 Hz; intracranial: 100 of 512 Hz
RECORD_SPLIT_S = 12  # clips of the rule record_split, which trains a detector
ON_CORES = ("predict", "learned_graphs")  # ask for no GPU; hours for the largest networks, and they do not resume

Ask = Callable[[Any, Iterable[str], int], int]  # of wildcards, input, attempt


@dataclass(frozen=True)
class Need:
    """A line of the table. `reads`: `edf` (of the shard), `input`, `frames` or `tokens` (input of a model), `none`."""

    reads: str
    base_mb: float
    mb_per_mb: float
    base_s: float
    s_per_mb: float


def read_needs(path: Path = TABLE) -> dict[str, Need]:
    """The table by rule."""
    with path.open(newline="") as file:
        return {row["rule"]: Need(row["reads"], *map(float, list(row.values())[2:])) for row in csv.DictReader(file)}


@dataclass
class Needs:
    """Makes the resources functions of rules; corpora are looked at once, when the first job asks."""

    config: Config
    corpora: Corpora
    table: dict[str, Need] = field(default_factory=read_needs)

    def __post_init__(self) -> None:
        self._estimator = Estimator(self.config, self.corpora)
        self._listed: dict[tuple[str, str], float] = {}
        self._hours: dict[str, float] = {}

    def memory(self, rule: str) -> Ask:
        """MiB for a job of `rule`."""
        need = self.table[rule]

        def megabytes(wildcards: Any, input: Iterable[str], attempt: int) -> int:
            used = self._processes(rule, wildcards) * need.base_mb + need.mb_per_mb * self._size_mb(
                need, wildcards, input
            )
            return _rounded(max(LEAST_MB, SNAKEMAKE_MB + MARGIN_MB * used) * GROWTH ** (attempt - 1), STEP_MB)

        return megabytes

    def minutes(self, rule: str) -> Ask:
        """Minutes for a job of `rule`."""
        need, trains = self.table[rule], self.table[rule].base_s == 0

        def wall_minutes(wildcards: Any, input: Iterable[str], attempt: int) -> int:
            if trains:
                known = self._model_s(rule, wildcards, on_gpu=self.config.device.device != "cpu")
                seconds, least = UNKNOWN_TRAINING_S if known is None else known, LEAST_TRAINING_MIN
            else:
                known = self._model_s(rule, wildcards, on_gpu=False) if rule in ON_CORES else None
                read_s = need.base_s + need.s_per_mb * self._size_mb(need, wildcards, input)
                seconds, least = max(read_s, known or 0.0), LEAST_MIN
            return _rounded(max(least, MARGIN_S * seconds / 60) * GROWTH ** (attempt - 1), 1)

        return wall_minutes

    def _processes(self, rule: str, wildcards: Any) -> int:
        """Of a training that several share: each has a network and its steps; the frames are divided."""
        if rule not in ("pretrain", "train", "record_split"):
            return 1
        task = {"pretrain": "pretraining", "record_split": "detection"}.get(rule) or wildcards["task"]
        number: int = getattr(self.config.training, task)[int(wildcards.get("len", RECORD_SPLIT_S))].processes
        return number

    def _size_mb(self, need: Need, wildcards: Any, input: Iterable[str]) -> float:
        """MiB that a job reads. Where an input is not there yet, the EDFs of its corpus stand for it."""
        corpus = wildcards.get("corpus", self.config.corpus)
        if need.reads == "none":
            return 0.0
        if need.reads == "edf":
            return self._edf_mb(corpus, wildcards["shard"])
        try:
            size_mb = _megabytes(input)
        except OSError:
            return self._held_mb(need, self._corpus_mb(corpus), 0.0)
        return self._held_mb(need, size_mb, _megabytes(getattr(input, "graphs", ())))

    def _held_mb(self, need: Need, size_mb: float, graphs_mb: float) -> float:
        """What of the input is held in memory: frames up to a limit, graphs as supports of clips and reflections."""
        if need.reads != "frames":
            return size_mb
        return min(size_mb - graphs_mb, 1000 * self.config.device.memory_gb) + SUPPORTS * graphs_mb

    def _corpus_mb(self, corpus: str) -> float:
        home = self.corpora.home(corpus) if corpus in self.config.corpora else self.config.corpus
        return sum(self._edf_mb(home, shard) for shard in self.corpora.shards(home).names)

    def _edf_mb(self, corpus: str, shard: str) -> float:
        """MiB of a shard's EDFs: by its manifest, else by the hours of the corpus."""
        home, shard = self.corpora.home(corpus), self.corpora.home_shard(corpus, shard)
        if (home, shard) not in self._listed:
            manifest = Path(self.config.results, home, "manifests", f"{shard}.tsv")
            try:
                rows = read_manifest(manifest)
            except (CorpusError, OSError):
                return self._expected_mb(home)  # made by a job that has not run
            self._listed[home, shard] = sum(row.size for row in rows if row.role == "edf") / 2**20
        return self._listed[home, shard]

    def _expected_mb(self, corpus: str) -> float:
        if corpus not in self._hours:
            found = extents(self.config, self.corpora, corpus)
            self._hours[corpus] = sum(part.hours for part in found.values()) / len(self.corpora.shards(corpus).names)
        intracranial = corpus in self.config.soz.corpora
        return self._hours[corpus] * EDF_MB_PER_HOUR[intracranial]

    def _model_s(self, rule: str, wildcards: Any, *, on_gpu: bool) -> float | None:
        """Seconds of all steps: of the slowest device of that kind that was measured; None for an unknown network."""
        job = GpuJob(rule, dict(wildcards.items()))
        devices = {row["device"] for row in self._estimator.times}
        cores = {device for device in devices if device.startswith("one core")}
        chosen, share = (devices - cores, 1) if on_gpu and devices > cores else (cores, CORES_OF_A_GPU if on_gpu else 1)
        found = [seconds for device in chosen if (seconds := self._estimator.seconds(job, device)) is not None]
        return max(found) / share if found else None


def _megabytes(paths: Iterable[str]) -> float:
    return sum(os.stat(path).st_size for path in ([paths] if isinstance(paths, str) else paths)) / 2**20


def _rounded(value: float, step: int) -> int:
    return step * math.ceil(value / step)
