"""Where every result lies: the one place in which paths below results/ are built.

Each method returns a pattern with Snakemake wildcards; a call of `str.format` (or Snakemake) fills them. `grid` is
`grid` for detection and pre-training, which share the frames of whole recordings, or `classification-<len>s`.
"""

from dataclasses import dataclass

from pipeline.settings.runs import PlanEntry, RunSettings

ENCODER = "[a-z0-9_]+-[a-z0-9_]+-(distance|correlation)(-k[0-9]+)?(-u[0-9]+)?(-d[0-9]+)?"  # names of `encoder_of`
# What an overridden setting adds to an encoder's name; the paths of graphs have the first of them alone.
SUFFIXES = (("top_neighbours", "k"), ("units", "u"), ("diffusion_steps", "d"))


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
    def correlation(self) -> str:
        """Correlation graphs of a shard; `neighbours` is empty or, of a run that overrides their number, `-k4`."""
        return self.of("graphs/correlation-{kind}{neighbours}/{task}-{len}s/{shard}.zarr.zip")

    @property
    def folds(self) -> str:
        """Split of each patient of a corpus that is a fold of another."""
        return self.of("folds.parquet")

    @property
    def source(self) -> str:
        """Proof that weights learnt on the corpus `source` have seen no test patient of this one."""
        return self.of("sources/{source}.json")

    @property
    def scaler(self) -> str:
        """Mean and deviation of the training clips of a task."""
        return self.of("features/{kind}/{grid}/scalers/{task}-{len}s.json")

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


def neighbours_of(run: RunSettings) -> str:
    """What a run's own number of neighbours adds to the name of its correlation graphs: nothing, or `-k4`."""
    own = run.overrides.top_neighbours if run.graph == "correlation" else None
    return "" if own is None else f"-k{own}"


def encoder_of(run: RunSettings) -> str:
    """Name of the encoder that a run starts from; runs of equal model, features, graph and sizes share it."""
    chosen = run.overrides.of("units", "diffusion_steps")
    sizes = [f"-{letter}{chosen[name]}" for name, letter in SUFFIXES if name in chosen]
    return f"{run.model}-{run.features}-{run.graph}{neighbours_of(run)}{''.join(sizes)}"


def encoder_run(encoder: str) -> RunSettings:
    """The choices that the name of an encoder stands for: the inverse of `encoder_of`."""
    model, features, graph, *sizes = encoder.split("-")
    names = {letter: name for name, letter in SUFFIXES}
    chosen = {"model": model, "features": features, "graph": graph}
    overrides = {names[size[0]]: int(size[1:]) for size in sizes}
    fixed = {"init": "scratch", "scheme": "four", "label_fraction": 1.0}
    return RunSettings.model_validate(chosen | fixed | {"overrides": overrides})


def run_folder(entry: PlanEntry) -> str:
    """Folder of a line of the plan below results/<corpus>/."""
    return f"{entry.task}-{entry.length_s}s/{entry.run}"
