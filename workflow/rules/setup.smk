# What every rule file needs: typed settings, paths, shards, and the two params of every rule (settings=, code=).
import sys
from pathlib import Path

from pipeline.settings.base import SettingsError
from pipeline.settings.config import parse_config
from workflow.lib import job_settings, planning
from workflow.lib.code import code_digest
from workflow.lib.corpus import Corpora, CorpusError, write_if_changed
from workflow.lib.inventory import files_of, inventory, inventory_path, run_files
from workflow.lib.paths import Paths, encoder_of, grid_of, run_folder

shell.executable("bash")
shell.prefix(f'export PATH="{Path(sys.executable).parent}:$PATH" PYTHONPATH="{workflow.basedir}"; set -euo pipefail; ')

try:
    CFG = parse_config(config)
    planning.check(CFG)
except (SettingsError, planning.PlanError) as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

PATHS = Paths(CFG.results)
CORPORA = Corpora(CFG, workflow.is_main_process)
ROOT = Path(str(workflow.basedir))
FRAMES = PATHS.of("features/{kind}/{grid}/{shard}.zarr.zip")
CLIPS = PATHS.of("clips/{task}-{len}s/{shard}.parquet")
RUN = PATHS.of("{task}-{len}s/{run}/seed{seed}/")
PRETRAINING = PATHS.of("pretraining-{len}s/{encoder}/")


wildcard_constraints:
    corpus="[A-Za-z0-9_.-]+",
    shard="(train|validation|test)-[0-9]+",
    task="detection|classification|pretraining",
    len="[0-9]+",
    run="[a-z0-9-]+",
    seed="[0-9]+",
    kind="[a-z0-9_]+",
    grid="grid|classification-[0-9]+s",
    encoder="[a-z0-9_]+-[a-z0-9_]+-(distance|correlation)",


def shards(corpus, *splits):
    """Names of a corpus's shards, in the order training, validation, test."""
    try:
        return CORPORA.shards(corpus).of(*splits)
    except (CorpusError, ValueError) as error:
        raise WorkflowError(str(error))


def every(pattern, *splits, **fixed):
    """The pattern for each shard of the given splits, other wildcards from `fixed`."""
    return [
        pattern.format(shard=name, **fixed) for name in shards(fixed["corpus"], *splits)
    ]


def settings(make, *names):
    """A params function: the settings that `make` gives for the wildcards called `names`."""

    def text(wildcards):
        values = [
            int(wildcards[name]) if name in ("len", "seed") else wildcards[name]
            for name in names
        ]
        return job_settings.as_text(make(*values))

    return text


def code(stage, *plugins):
    """A params function: digest of the stage's code and of the plug-ins, each a name or a function of the wildcards."""

    def digest(wildcards):
        return code_digest(
            ROOT,
            stage,
            *(name if isinstance(name, str) else name(wildcards) for name in plugins),
        )

    return digest


def reader(wildcards):
    return f"corpora.{CFG.corpora[wildcards.corpus].reader}"


def run_model(wildcards):
    return f"models.{CFG.runs[wildcards.run].model}"


def graph_files(corpus, graph, kind, task, length_s, *splits):
    """One file for the distance graph, one per shard for the correlation graph."""
    if graph == "distance":
        return [PATHS.of("graphs/distance.zarr.zip").format(corpus=corpus)]
    pattern = PATHS.of(
        f"graphs/correlation-{kind}/{task}-{length_s}s/{{shard}}.zarr.zip"
    ).replace("{corpus}", corpus)
    return [pattern.format(shard=name) for name in shards(corpus, *splits)]


def clip_inputs(corpus, task, length_s, kind, graph, *splits):
    """Frames, clips and graphs of a task for the shards of the given splits: what a model reads."""
    grid = grid_of(task, length_s)
    return {
        "features": every(FRAMES, *splits, corpus=corpus, kind=kind, grid=grid),
        "clips": every(CLIPS, *splits, corpus=corpus, task=task, len=length_s),
        "graphs": graph_files(corpus, graph, kind, task, length_s, *splits),
        "scaler": PATHS.of(
            f"features/{kind}/{grid}/scalers/{task}-{length_s}s.json"
        ).format(corpus=corpus),
    }


def run_inputs(wildcards, *splits):
    """`clip_inputs` of the run that the wildcards name."""
    chosen = CFG.runs[wildcards.run]
    return clip_inputs(
        wildcards.corpus,
        wildcards.task,
        int(wildcards.len),
        chosen.features,
        chosen.graph,
        *splits,
    )


def plan_of(corpus):
    """What is to be built for a corpus: the plan of config.yaml, or the trial's for a trial corpus."""
    return CFG.trial.plan if corpus in CFG.trial.corpora else CFG.plan


def seeds_of(corpus, run, task, length_s):
    """Seeds of a run: those of its line in the plan, else of the grid."""
    planned = [
        e.seeds
        for e in plan_of(corpus)
        if (e.run, e.task, e.length_s) == (run, task, length_s)
    ]
    return planned[0] if planned else CFG.grid_seeds


def plan_outputs(corpus, plan):
    """What a plan leaves behind for a corpus: metrics, maps, localisation."""
    wanted = [run_files(CFG, corpus, entry) for entry in plan]
    return [path for files in wanted for path in files_of(files)]
