"""Which files a job reads: the shards of a split, the frames, clips and graphs of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry, RunSettings
from workflow.lib.clip_lists import lists_of
from workflow.lib.corpus import Corpora
from workflow.lib.inventory import files_of, run_files
from workflow.lib.paths import Paths, encoder_of, encoder_run, grid_of, neighbours_of
from workflow.lib.planning import PlanError
from workflow.lib.run_checks import unlike_source

TRANSFERRED_SEED = 0  # of the detection models at the source, the one that runs with init: transfer start from


def parts_myoclonic(config: Config, task: str) -> bool:
    """Whether clips may be in another split than their patient, and so than their shard (compat.mysz_split)."""
    return task == "classification" and config.compat.mysz_split == "published"


Seeds = Callable[[str, str, str, int], list[int]]  # of a corpus, run, task, length


def compared_lines(config: Config, seeds: Seeds) -> list[dict[str, Any]]:
    """What `compat_report` trains both ways: each run on each task that it is meant for and each length."""
    asked = config.compat_report
    return [
        {"run": run, "task": task, "length_s": length, "scheme": config.runs[run].scheme,
         "seeds": seeds(config.corpus, run, task, length)}
        for run in asked.runs
        for task in asked.tasks
        if not (config.runs[run].auxiliary and task == "classification")
        for length in asked.lengths_s
    ]  # fmt: skip


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

    def shared(self, pattern: str, *splits: str, corpus: str, **fixed: Any) -> list[str]:
        """The same for files that a fold has in common with its corpus; parallel to `every`: one may stand twice."""
        home, shards = self.corpora.home(corpus), self.corpora.shards(corpus).of(*splits)
        return [pattern.format(shard=name, corpus=home, **fixed) for name in self.corpora.home_shards(corpus, shards)]

    def tables(self, pattern: str, *splits: str, corpus: str) -> list[str]:
        """`shared`, each file once: tables that are read as one."""
        return list(dict.fromkeys(self.shared(pattern, *splits, corpus=corpus)))

    def graphs(self, corpus: str, run: RunSettings, task: str, length_s: int, *splits: str) -> list[str]:
        """One file for the distance graph, one per shard for the correlation graph, none for a model without."""
        if run.graph == "none":
            return []
        if run.graph == "distance":
            return [self.paths.of("graphs/distance.zarr.zip").format(corpus=self.corpora.home(corpus))]
        fixed = {"kind": run.features, "neighbours": neighbours_of(run), "task": task, "len": length_s}
        return self.every(self.paths.correlation, *splits, corpus=corpus, **fixed)

    def of_model(self, corpus: str, run: RunSettings, task: str, length_s: int, *splits: str) -> dict[str, Any]:
        """Frames, clips, graphs and scaler of a task for the shards of the given splits: what a model reads."""
        grid = grid_of(task, length_s)
        fixed = {"kind": run.features, "grid": grid, "task": task, "len": length_s}
        return {
            "features": self.shared(self.paths.frames, *splits, corpus=corpus, **fixed),
            "clips": self.every(self.paths.clips, *splits, corpus=corpus, **fixed),
            "graphs": self.graphs(corpus, run, task, length_s, *splits),
            "scaler": self.paths.scaler.format(corpus=corpus, **fixed | {"kind": self.scaled_as(corpus, run)}),
        }

    def scaled_as(self, corpus: str, run: RunSettings) -> str:
        """The features whose scaler standardises a run: its own, but for raw samples under D17 the log amplitudes."""
        config = self.config.of(corpus)
        if config.features[run.features].kind != "time" or config.compat.time_scaler == "own":
            return run.features
        return next(name for name, features in config.features.items() if features.kind == "fft")

    def of_run(self, wildcards: Any, *splits: str) -> dict[str, Any]:
        """`of_model` for the run, task and length that the wildcards name."""
        run = self.config.runs[wildcards.run]
        return self.of_model(wildcards.corpus, run, wildcards.task, int(wildcards.len), *splits)

    def of_training(self, wildcards: Any) -> dict[str, Any]:
        """Training and validation shards, and the weights that the run starts from: an encoder or a detector.

        Raises PlanError where those weights mean something else on this corpus: any run may be asked for on any corpus.
        """
        if wrong := unlike_source(self.config, wildcards.run, wildcards.corpus):
            raise PlanError("\n".join(wrong))
        inputs, run = self.of_run(wildcards, "train", "validation"), self.config.runs[wildcards.run]
        source = run.source or wildcards.corpus
        if run.init == "ssl":
            folder = self.paths.pretraining.format(corpus=source, len=wildcards.len, encoder=encoder_of(run))
            inputs["encoder"] = folder + "encoder.safetensors"
        elif run.init == "imported":
            assert run.weights is not None
            inputs["encoder"] = run.weights
            inputs["encoder_card"] = str(Path(run.weights).with_name("card.json"))  # is read beside the weights
        elif run.init == "transfer":
            fixed = {"corpus": source, "task": "detection", "len": wildcards.len, "seed": TRANSFERRED_SEED}
            inputs["detector"] = self.paths.run.format(run=run.source_run, **fixed) + "model.safetensors"
        return inputs

    def of_scaler(self, wildcards: Any) -> dict[str, Any]:
        """Frames and clips of the training shards; of validation's too where a training clip may lie among them."""
        fixed = {name: wildcards[name] for name in ("corpus", "kind", "grid", "task", "len")}
        moved = parts_myoclonic(self.config.of(wildcards.corpus), wildcards.task)
        splits = ("train", "validation") if moved else ("train",)
        return {
            "features": self.shared(self.paths.frames, *splits, **fixed),
            "clips": self.every(self.paths.clips, *splits, **fixed),
        }

    def of_predicting(self, wildcards: Any) -> dict[str, Any]:
        """Validation and test shards; those of training too where a validation clip may lie among them.

        Only myoclonic events are moved, and only the scheme of eight classes has any (pipeline/clips.py, SCHEMES).
        """
        eight = self.config.runs[wildcards.run].scheme == "eight"
        moved = eight and parts_myoclonic(self.config.of(wildcards.corpus), wildcards.task)
        return self.of_run(wildcards, *(("train",) if moved else ()), "validation", "test")

    def of_correlation(self, wildcards: Any) -> dict[str, Any]:
        """Frames and clips of a shard; the training mean too where the correlation is of standardised features."""
        corpus, shard, grid = wildcards.corpus, wildcards.shard, grid_of(wildcards.task, wildcards.len)
        home = {"corpus": self.corpora.home(corpus), "shard": self.corpora.home_shard(corpus, shard)}
        inputs = {
            "features": self.paths.frames.format(kind=wildcards.kind, grid=grid, **home),
            "clips": self.paths.clips.format(**wildcards),
        }
        if self.config.graphs.correlation_input == "standardised":
            inputs["scaler"] = self.paths.scaler.format(grid=grid, **wildcards)
        return inputs

    def of_clips(self, wildcards: Any) -> dict[str, Any]:
        """Segments and seizures of a shard."""
        corpus = wildcards.corpus
        fixed = {"corpus": self.corpora.home(corpus), "shard": self.corpora.home_shard(corpus, wildcards.shard)}
        return {
            "segments": self.paths.of("signals/{shard}.segments.parquet").format(**fixed),
            "seizures": self.paths.of("index/{shard}.seizures.parquet").format(**fixed),
            **self._folds(corpus),
        }

    def _folds(self, corpus: str) -> dict[str, str]:
        """Of a fold: the table that gives each patient's split."""
        return {"folds": self.paths.folds.format(corpus=corpus)} if self.config.corpora[corpus].folds else {}

    def of_folds(self, wildcards: Any) -> dict[str, Any]:
        """The index of the corpus that is divided, and the user's list."""
        folds, corpus = self.config.corpora[wildcards.corpus].folds, wildcards.corpus
        given = {"list": folds.file} if folds and folds.file else {}
        return {
            "recordings": self.tables(self.paths.of("index/{shard}.recordings.parquet"), corpus=corpus),
            "seizures": self.tables(self.paths.of("index/{shard}.seizures.parquet"), corpus=corpus),
            **given,
        }

    def of_pretraining(self, wildcards: Any) -> dict[str, Any]:
        """Training and validation shards of the pre-training task."""
        run = encoder_run(wildcards.encoder)
        return self.of_model(wildcards.corpus, run, "pretraining", int(wildcards.len), "train", "validation")

    def of_splits(self, wildcards: Any) -> dict[str, Any]:
        """Segments and findings of every shard; for a corpus on disk also what the dealing of patients left out."""
        corpus = wildcards.corpus
        found: dict[str, Any] = {
            **self._folds(corpus),
            "segments": self.tables(self.paths.of("signals/{shard}.segments.parquet"), corpus=corpus),
            "earlier": [
                path
                for step in ("index", "signals")
                for path in self.tables(self.paths.of(f"{step}/{{shard}}.findings.parquet"), corpus=corpus)
            ],
        }
        home = self.corpora.home(corpus)
        if home in self.corpora.simulated():
            return found
        return {**found, "dealing": self.paths.of("manifests/findings.json").format(corpus=home)}

    def of_source(self, wildcards: Any) -> dict[str, Any]:
        """Segments and splits of the corpus where weights were learnt, and of the one where they are tested."""
        segments, splits = self.paths.of("signals/{shard}.segments.parquet"), self.paths.of("splits.parquet")
        roles = (("learnt", wildcards.source), ("tested", wildcards.corpus))
        found: dict[str, Any] = {name: self.tables(segments, corpus=corpus) for name, corpus in roles}
        return found | {f"{name}_splits": splits.format(corpus=corpus) for name, corpus in roles}

    def of_evaluation(self, wildcards: Any) -> dict[str, Any]:
        """Predictions and cards of every seed; the proof that splits, and a source of weights, do not leak."""
        source = self.config.runs[wildcards.run].source
        foreign = source is not None and source != wildcards.corpus
        proof = {"source": self.paths.source.format(corpus=wildcards.corpus, source=source)} if foreign else {}
        return {
            "predictions": self.of_seeds(wildcards, "predictions.parquet"),
            "cards": self.of_seeds(wildcards, "card.json"),
            "splits": self.paths.of("splits.parquet").format(corpus=wildcards.corpus),
            **self.of_lists(wildcards.corpus, wildcards.task, self.config.runs[wildcards.run].scheme),
            **proof,
        }

    def of_lists(self, corpus: str, task: str, scheme: str) -> dict[str, list[str]]:
        """Files of the lists of test clips, and the seizures that their markers count; empty where there are none."""
        lists = lists_of(self.config, corpus, task, scheme).values()
        indexed = self.paths.of("index/{shard}.seizures.parquet")
        return {
            "lists": [path for one in lists for path in one.files],
            "seizures": self.tables(indexed, "test", corpus=corpus) if any(one.clips for one in lists) else [],
        }

    def of_qc(self, wildcards: Any) -> dict[str, Any]:
        """What was found, indexed and ingested: all that the QC page shows."""
        tables = {"manifests": "manifests/{shard}.tsv", "recordings": "index/{shard}.recordings.parquet"}
        tables["seizures"] = "index/{shard}.seizures.parquet"
        read = {name: self.tables(self.paths.of(path), corpus=wildcards.corpus) for name, path in tables.items()}
        return {**read, **self.of_splits(wildcards)}

    def of_seeds(self, wildcards: Any, name: str) -> list[str]:
        """One file of a run for each of its seeds in the plan."""
        seeds = self.seeds(wildcards.corpus, wildcards.run, wildcards.task, int(wildcards.len))
        return [self.paths.run.format(**{**wildcards, "seed": seed}) + name for seed in seeds]

    def of_compat_report(self, corpus: str, twin: str) -> dict[str, list[str]]:
        """Predictions and cards of every line of `compat_report`, of the main corpus and of its twin; both proofs."""
        found: dict[str, list[str]] = {}
        for way, name in (("default", corpus), ("published", twin)):
            folders = [
                self.paths.run.format(corpus=name, run=line["run"], task=line["task"], len=line["length_s"], seed=seed)
                for line in compared_lines(self.config, self.seeds)
                for seed in line["seeds"]
            ]
            found[f"{way}_predictions"] = [folder + "predictions.parquet" for folder in folders]
            found[f"{way}_cards"] = [folder + "card.json" for folder in folders]
            found[f"{way}_splits"] = [self.paths.of("splits.parquet").format(corpus=name)]
        return found

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
