"""Which files a job reads: the shards of a split, the frames, clips and graphs of a run."""

from dataclasses import dataclass
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry, RunSettings
from workflow.lib.corpus import Corpora
from workflow.lib.inventory import files_of, run_files
from workflow.lib.paths import Paths, encoder_of, grid_of


@dataclass(frozen=True)
class Inputs:
    """Builds lists of input paths from the configuration, the corpora's shards and the patterns of `Paths`."""

    config: Config
    corpora: Corpora
    paths: Paths

    def every(self, pattern: str, *splits: str, corpus: str, **fixed: Any) -> list[str]:
        """`pattern` for each shard of the given splits (all without one), other wildcards from `fixed`."""
        shards = self.corpora.shards(corpus).of(*splits)
        return [pattern.format(shard=name, corpus=corpus, **fixed) for name in shards]

    def graphs(self, corpus: str, run: RunSettings, task: str, length_s: int, *splits: str) -> list[str]:
        """One file for the distance graph, one per shard for the correlation graph."""
        if run.graph == "distance":
            return [self.paths.of("graphs/distance.zarr.zip").format(corpus=corpus)]
        pattern = self.paths.of(f"graphs/correlation-{run.features}/{task}-{length_s}s/{{shard}}.zarr.zip")
        return self.every(pattern, *splits, corpus=corpus)

    def of_model(self, corpus: str, run: RunSettings, task: str, length_s: int, *splits: str) -> dict[str, Any]:
        """Frames, clips, graphs and scaler of a task for the shards of the given splits: what a model reads."""
        grid = grid_of(task, length_s)
        scaler = self.paths.of("features/{kind}/{grid}/scalers/{task}-{len}s.json")
        fixed = {"kind": run.features, "grid": grid, "task": task, "len": length_s}
        return {
            "features": self.every(self.paths.frames, *splits, corpus=corpus, **fixed),
            "clips": self.every(self.paths.clips, *splits, corpus=corpus, **fixed),
            "graphs": self.graphs(corpus, run, task, length_s, *splits),
            "scaler": scaler.format(corpus=corpus, **fixed),
        }

    def of_run(self, wildcards: Any, *splits: str) -> dict[str, Any]:
        """`of_model` for the run, task and length that the wildcards name."""
        run = self.config.runs[wildcards.run]
        return self.of_model(wildcards.corpus, run, wildcards.task, int(wildcards.len), *splits)

    def of_training(self, wildcards: Any) -> dict[str, Any]:
        """Training and validation shards, and the pre-trained encoder where the run asks for one."""
        inputs, run = self.of_run(wildcards, "train", "validation"), self.config.runs[wildcards.run]
        if run.init == "ssl":
            folder = self.paths.pretraining.format(corpus=wildcards.corpus, len=wildcards.len, encoder=encoder_of(run))
            inputs["encoder"] = folder + "encoder.safetensors"
        return inputs

    def of_pretraining(self, wildcards: Any) -> dict[str, Any]:
        """Training and validation shards of the pre-training task."""
        run = encoder_run(wildcards.encoder)
        return self.of_model(wildcards.corpus, run, "pretraining", int(wildcards.len), "train", "validation")

    def of_splits(self, wildcards: Any) -> dict[str, Any]:
        """Segments and findings of every shard; for a corpus on disk also what the dealing of patients left out."""
        corpus = wildcards.corpus
        found = {
            "segments": self.every(self.paths.of("signals/{shard}.segments.parquet"), corpus=corpus),
            "earlier": [
                path
                for step in ("index", "signals")
                for path in self.every(self.paths.of(f"{step}/{{shard}}.findings.parquet"), corpus=corpus)
            ],
        }
        if corpus in self.corpora.simulated():
            return found
        return {**found, "dealing": self.paths.of("manifests/findings.json").format(corpus=corpus)}

    def of_qc(self, wildcards: Any) -> dict[str, Any]:
        """What was found, indexed and ingested: all that the QC page shows."""
        tables = {"manifests": "manifests/{shard}.tsv", "recordings": "index/{shard}.recordings.parquet"}
        tables["seizures"] = "index/{shard}.seizures.parquet"
        read = {name: self.every(self.paths.of(path), corpus=wildcards.corpus) for name, path in tables.items()}
        return {**read, **self.of_splits(wildcards)}

    def of_seeds(self, wildcards: Any, name: str) -> list[str]:
        """One file of a run for each of its seeds in the plan."""
        seeds = self.seeds(wildcards.corpus, wildcards.run, wildcards.task, int(wildcards.len))
        return [self.paths.run.format(**{**wildcards, "seed": seed}) + name for seed in seeds]

    def plan(self, corpus: str) -> list[PlanEntry]:
        """What is to be built for a corpus: the plan of config.yaml, or the trial's for a trial corpus."""
        return self.config.trial.plan if corpus in self.config.trial.corpora else self.config.plan

    def seeds(self, corpus: str, run: str, task: str, length_s: int) -> list[int]:
        """Seeds of a run: those of its line in the plan, else those of the paper."""
        planned = [e.seeds for e in self.plan(corpus) if (e.run, e.task, e.length_s) == (run, task, length_s)]
        return planned[0] if planned else self.config.paper.seeds_of(self.config.runs[run].model, task, length_s)

    def plan_outputs(self, corpus: str, plan: list[PlanEntry]) -> list[str]:
        """What a plan leaves behind for a corpus: models, metrics, maps, localisation."""
        return [path for entry in plan for path in files_of(run_files(self.config, corpus, entry))]


def encoder_run(encoder: str) -> RunSettings:
    """The choices that an encoder's name `<model>-<features>-<graph>` stands for."""
    model, features, graph = encoder.split("-")
    chosen = {"model": model, "features": features, "graph": graph}
    return RunSettings.model_validate(chosen | {"init": "scratch", "scheme": "four", "label_fraction": 1.0})
