"""Where every result lies: the one place in which paths below results/ are built.

Each method returns a pattern with Snakemake wildcards; a call of `str.format` (or Snakemake) fills them. `grid` is
`grid` for detection and pre-training, which share the frames of whole recordings, or `classification-<len>s`.
"""

from dataclasses import dataclass

from pipeline.settings.runs import PlanEntry, RunSettings


@dataclass(frozen=True)
class Paths:
    """Patterns below `results`; `{corpus}`, `{shard}`, `{task}`, `{len}`, `{run}`, `{seed}` are wildcards."""

    results: str

    def of(self, pattern: str) -> str:
        """A pattern below results/<corpus>/."""
        return f"{self.results}/{{corpus}}/{pattern}"

    def log(self, name: str) -> str:
        """Log file of a job; `name` holds its wildcards."""
        return f"{self.results}/{{corpus}}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        """Benchmark file (seconds, memory) of a job."""
        return f"{self.results}/{{corpus}}/benchmarks/{name}.tsv"

    @property
    def frames(self) -> str:
        """Feature store of a shard."""
        return self.of("features/{kind}/{grid}/{shard}.zarr.zip")

    @property
    def clips(self) -> str:
        """Clips table of a shard."""
        return self.of("clips/{task}-{len}s/{shard}.parquet")

    @property
    def run(self) -> str:
        """Folder of one model."""
        return self.of("{task}-{len}s/{run}/seed{seed}/")

    @property
    def pretraining(self) -> str:
        """Folder of one pre-trained encoder."""
        return self.of("pretraining-{len}s/{encoder}/")

    @property
    def checkpoints(self) -> str:
        """Folder of the checkpoints for resuming: outside declared outputs, which Snakemake deletes on failure."""
        return f"{self.results}/.checkpoints"


def grid_of(task: str, length_s: int) -> str:
    """Name of the frame grid that a task's clips lie on."""
    return f"classification-{length_s}s" if task == "classification" else "grid"


def encoder_of(run: RunSettings) -> str:
    """Name of the pre-trained encoder that a run starts from; runs of equal features, graph and model share it."""
    return f"{run.model}-{run.features}-{run.graph}"


def run_folder(entry: PlanEntry) -> str:
    """Folder of a line of the plan below results/<corpus>/."""
    return f"{entry.task}-{entry.length_s}s/{entry.run}"
