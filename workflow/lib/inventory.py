"""What the report is told: which file of which run lies where, as one JSON file that is rewritten only on change."""

from pathlib import Path
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry
from workflow.lib.corpus import Corpora
from workflow.lib.paths import encoder_of, neighbours_of, run_folder


def inventory(config: Config, corpora: Corpora, corpus: str, plan: list[PlanEntry]) -> dict[str, Any]:
    """Paths (relative to the working directory) of everything that the report of one corpus shows."""
    base, home = f"{config.results}/{corpus}", f"{config.results}/{corpora.home(corpus)}"
    every, test = corpora.shards(corpus).of(), corpora.shards(corpus).of("test")
    read = list(dict.fromkeys(corpora.home_shards(corpus, every)))
    tasks = sorted({(entry.task, entry.length_s) for entry in plan})
    return {
        "corpus": corpus,
        "synthetic": config.corpora[corpus].simulated,
        "recordings": [f"{home}/index/{name}.recordings.parquet" for name in read],
        "seizures": [f"{home}/index/{name}.seizures.parquet" for name in read],
        "segments": [f"{home}/signals/{name}.segments.parquet" for name in read],
        "findings": [
            *(f"{home}/index/{name}.findings.parquet" for name in read),
            *(f"{home}/signals/{name}.findings.parquet" for name in read),
            *(f"{base}/clips/{task}-{length}s/{name}.findings.parquet" for task, length in tasks for name in every),
            f"{base}/splits.findings.parquet",
        ],
        "splits": f"{base}/splits.parquet",
        "outcomes": f"{base}/qc/recordings.parquet",
        "clips": {
            f"{task}-{length}s": [f"{base}/clips/{task}-{length}s/{name}.parquet" for name in every]
            for task, length in tasks
        },
        "signals": [f"{home}/signals/{name}.zarr.zip" for name in corpora.home_shards(corpus, test)],
        "graphs": graphs(config, corpora, corpus, plan),
        "runs": [run_files(config, corpus, entry) for entry in plan],
        "pretraining": pretraining(config, corpus, plan),
        "experiments": f"{base}/experiments.json" if has_experiments(plan) else None,
        "trial": f"{config.results}/trial/trial.json" if config.trial.corpora and corpus == config.corpus else None,
    }


def run_files(config: Config, corpus: str, entry: PlanEntry) -> dict[str, Any]:
    """The files of one line of the plan."""
    folder = f"{config.results}/{corpus}/{run_folder(entry)}"
    seeds = [f"{folder}/seed{seed}" for seed in entry.seeds]
    located = entry.maps and entry.task == "detection"
    chosen = config.runs[entry.run]
    return {
        "run": entry.run,
        "task": entry.task,
        "length_s": entry.length_s,
        "seeds": list(entry.seeds),
        "model": config.plugin_of(chosen.model),
        "features": chosen.features,
        "graph": chosen.graph,
        "init": chosen.init,
        "top_neighbours": chosen.overrides.top_neighbours if chosen.graph == "correlation" else None,
        "metrics": f"{folder}/metrics.parquet",
        "curves": f"{folder}/curves.json",
        "histories": [f"{seed}/history.parquet" for seed in seeds],
        "cards": [f"{seed}/card.json" for seed in seeds],
        "predictions": [f"{seed}/predictions.parquet" for seed in seeds],
        "weights": [f"{seed}/model.safetensors" for seed in seeds],
        "maps": [f"{seed}/occlusion.zarr.zip" for seed in seeds] if entry.maps else [],
        "learned": [f"{seed}/learned_graphs.zarr.zip" for seed in seeds] if entry.graphs else [],
        "learned_tables": [f"{seed}/learned_graphs.parquet" for seed in seeds] if entry.graphs else [],
        "localisation": f"{folder}/localisation.parquet" if located else None,
        "summary": f"{folder}/localisation.json" if located else None,
    }


def pretraining(config: Config, corpus: str, plan: list[PlanEntry]) -> list[dict[str, Any]]:
    """The encoders that the plan's runs start from."""
    pre_trained = [(entry.length_s, config.runs[entry.run]) for entry in plan if config.runs[entry.run].init == "ssl"]
    wanted = sorted({(length, encoder_of(run), run.source or corpus) for length, run in pre_trained})
    return [
        {
            "encoder": encoder,
            "length_s": length,
            "history": f"{config.results}/{source}/pretraining-{length}s/{encoder}/history.parquet",
            "card": f"{config.results}/{source}/pretraining-{length}s/{encoder}/card.json",
        }
        for length, encoder, source in wanted
    ]


def graphs(config: Config, corpora: Corpora, corpus: str, plan: list[PlanEntry]) -> dict[str, Any]:
    """The graph files behind the runs that have maps."""
    base = f"{config.results}/{corpus}/graphs"
    found: dict[str, Any] = {"distance": f"{config.results}/{corpora.home(corpus)}/graphs/distance.zarr.zip"}
    for entry in plan:
        chosen = config.runs[entry.run]
        if entry.maps and chosen.graph == "correlation":
            name = f"correlation-{chosen.features}{neighbours_of(chosen)}/{entry.task}-{entry.length_s}s"
            found[name] = [f"{base}/{name}/{shard}.zarr.zip" for shard in corpora.shards(corpus).of("test")]
    return found


def has_experiments(plan: list[PlanEntry]) -> bool:
    """Whether the two runs that the experiments compare are planned: 12-s detection, pre-trained and from scratch."""
    planned = {entry.run for entry in plan if (entry.task, entry.length_s) == ("detection", 12)}
    return {"dist-ssl", "dist-scratch"} <= planned


def files_of(content: Any) -> list[str]:
    """Every path in an inventory, once, in order: the inputs of the rule `report`."""
    if isinstance(content, dict):
        inner = [path for value in content.values() for path in files_of(value)]
    elif isinstance(content, list):
        inner = [path for value in content for path in files_of(value)]
    else:
        inner = [content] if isinstance(content, str) and "/" in content else []
    return list(dict.fromkeys(inner))


def inventory_path(config: Config, corpus: str) -> Path:
    """Where the inventory of a corpus lies."""
    return Path(config.results, corpus, "report-inventory.json")
