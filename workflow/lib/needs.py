"""What a job asks for, memory and minutes: by the size of what it reads, more with each attempt (docs/workflow.md).

`workflow/resources/needs.csv` has a line a rule: resident memory and seconds of a job that reads next to nothing, and
what each further MiB adds, as measured (python -m benchmarks --only scale; benchmark files of a run). Asked is that
times a margin. Sizes are those of the EDFs of a shard, known before anything is made, so that jobs of one group can be
added up; or of the input files, or of the EDFs that an input lists. Trainings and maps (`time_by`: `steps`) take
`workflow/lib/budget.py`'s seconds: those that the dry run prints. Nothing here is a param: no result depends on it, and
no change of it reruns anything.
"""

import csv
import json
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
# score_segments, whatever memory_gb: traces and maps of all EDFs, 1.8 MiB a MiB; and drawing a recording, which is done
# whole, 20 MiB a MiB, with two drawn before that await the garbage collector. Measured on the CPU, one thread, of
# folders of 1 to 60 EDFs (19 electrodes at 256 Hz, 2 to 120 min each, 1 to 200 MiB together).
TRACES, DRAWN, DRAWN_AT_ONCE = 2, 20, 3
EDF_MB_PER_HOUR = {False: 40, True: 400}  # scalp: 20 to 30 signals of 250 Hz; intracranial: 100 of 512 Hz
RECORD_SPLIT_S = 12  # clips of the rule record_split, which trains a detector
ON_CORES = ("predict", "learned_graphs")  # ask for no GPU; hours for the largest networks, and they do not resume

READS = ("edf", "input", "frames", "tokens", "folder", "none")
TIME_BY = ("size", "steps")

Ask = Callable[[Any, Iterable[str], int], int]  # of wildcards, input, attempt


@dataclass(frozen=True)
class Need:
    """A line of the table.

    `reads`: `edf` (of the shard), `input`, `frames` or `tokens` (input of a model), `folder` (EDFs that an input
    lists), `none`. `time_by`: `size` of that, or `steps` of a network, which takes no seconds from the table.
    """

    reads: str
    base_mb: float
    mb_per_mb: float
    time_by: str
    base_s: float
    s_per_mb: float


@dataclass(frozen=True)
class Read:
    """MiB that a job reads; of these graphs, and the largest of the listed EDFs, as many as are drawn at once."""

    all_mb: float
    graphs_mb: float = 0.0
    largest_mb: float = 0.0


def read_needs(path: Path = TABLE) -> dict[str, Need]:
    """The table by rule. Raises ValueError for a word that it does not know, or seconds that would not be used."""
    with path.open(newline="") as file:
        return {row["rule"]: _need(row, path) for row in csv.DictReader(file)}


def _need(row: dict[str, str], path: Path) -> Need:
    for column, known in (("reads", READS), ("time_by", TIME_BY)):
        if (word := row.get(column)) not in known:
            raise ValueError(f"{path}: {row['rule']}: {column}: {word!r}; there are {', '.join(known)}")
    base_s, s_per_mb = float(row["base_s"]), float(row["s_per_mb"])
    if row["time_by"] == "steps" and (base_s or s_per_mb):
        raise ValueError(f"{path}: {row['rule']}: time_by: steps takes no seconds; set base_s and s_per_mb to 0")
    if row["time_by"] == "size" and base_s <= 0:
        raise ValueError(f"{path}: {row['rule']}: time_by: size needs base_s above 0; has {row['base_s']}")
    return Need(row["reads"], float(row["base_mb"]), float(row["mb_per_mb"]), row["time_by"], base_s, s_per_mb)


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
            processes, read = self._processes(rule, wildcards), self._read(need, wildcards, input)
            limit_mb = 1000 * self.config.device.memory_gb / processes  # of frames (pipeline/training/job.py)
            used = processes * (need.base_mb + need.mb_per_mb * _held_mb(need, read, limit_mb))
            return _rounded(max(LEAST_MB, SNAKEMAKE_MB + MARGIN_MB * used) * GROWTH ** (attempt - 1), STEP_MB)

        return megabytes

    def minutes(self, rule: str) -> Ask:
        """Minutes for a job of `rule`."""
        need = self.table[rule]

        def wall_minutes(wildcards: Any, input: Iterable[str], attempt: int) -> int:
            if need.time_by == "steps":
                known = self._model_s(rule, wildcards, on_gpu=self.config.device.device != "cpu")
                seconds, least = UNKNOWN_TRAINING_S if known is None else known, LEAST_TRAINING_MIN
            else:
                known = self._model_s(rule, wildcards, on_gpu=False) if rule in ON_CORES else None
                read_s = need.base_s + need.s_per_mb * self._read(need, wildcards, input).all_mb
                seconds, least = max(read_s, known or 0.0), LEAST_MIN
            return _rounded(max(least, MARGIN_S * seconds / 60) * GROWTH ** (attempt - 1), 1)

        return wall_minutes

    def _processes(self, rule: str, wildcards: Any) -> int:
        """Of a training that several share: each has a network, all graphs, all frames up to its part of the limit."""
        if rule not in ("pretrain", "train", "record_split"):
            return 1
        task = {"pretrain": "pretraining", "record_split": "detection"}.get(rule) or wildcards["task"]
        number: int = getattr(self.config.training, task)[int(wildcards.get("len", RECORD_SPLIT_S))].processes
        return number

    def _read(self, need: Need, wildcards: Any, input: Iterable[str]) -> Read:
        """What a job reads. Where an input is not there yet, the EDFs of its corpus stand for it."""
        corpus = wildcards.get("corpus", self.config.corpus)
        if need.reads == "none":
            return Read(0.0)
        if need.reads == "edf":
            return Read(self._edf_mb(corpus, wildcards["shard"]))
        try:
            if need.reads == "folder":
                sizes = sorted(_listed_mb(Path(getattr(input, "files", ""))))
                return Read(sum(sizes), largest_mb=sum(sizes[-DRAWN_AT_ONCE:]))
            return Read(_megabytes(input), _megabytes(getattr(input, "graphs", ())))
        except OSError:
            return Read(self._corpus_mb(corpus))

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
        choices = [(devices - cores, 1), (cores, CORES_OF_A_GPU)] if on_gpu else [(cores, 1)]
        for chosen, share in choices:  # cores also where a GPU was measured, but not with this network
            found = [seconds for device in chosen if (seconds := self._estimator.seconds(job, device)) is not None]
            if found:
                return max(found) / share
        return None


def _held_mb(need: Need, read: Read, limit_mb: float) -> float:
    """MiB in memory: frames up to a limit, graphs as supports of clips and of reflections; of a folder also traces.

    Of a folder frames are counted as the EDFs: 0.8 MiB a MiB of those of 19 electrodes at 256 Hz with `fft`, 1.6 with
    `time`; less where an EDF has more signals.
    """
    if need.reads == "frames":
        return min(read.all_mb - read.graphs_mb, limit_mb) + SUPPORTS * read.graphs_mb
    if need.reads == "folder":
        return min(read.all_mb, limit_mb) + TRACES * read.all_mb + DRAWN * read.largest_mb
    return read.all_mb


def _listed_mb(path: Path) -> list[float]:
    """MiB of the files in a list of (path, size, time) (workflow/rules/real_segments.smk)."""
    return [size / 2**20 for _, size, _ in json.loads(path.read_text())]


def _megabytes(paths: Iterable[str]) -> float:
    return sum(os.stat(path).st_size for path in ([paths] if isinstance(paths, str) else paths)) / 2**20


def _rounded(value: float, step: int) -> int:
    return step * math.ceil(value / step)
