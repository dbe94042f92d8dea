"""Where every result of the SOZ arm lies, and which files its jobs read; nothing else builds these paths.

All below results/<soz.corpus>/ but for what is made per shard, which lies below the corpus that the shard is of: the
patients of `soz.joined` take part, too. Folds are numbered from 0; the folder of a model is
soz/<run>/fold<j>/seed<k>/.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpora.shards import read_manifest
from pipeline.findings import CorpusError
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, SettingsError
from pipeline.settings.config import Config
from pipeline.settings.soz import SozFolds
from pipeline.settings.soz_data import SozTokens
from workflow.lib.corpus import Corpora
from workflow.lib.paths import Paths
from workflow.lib.planning import PlanError

ADAPTERS = Path(__file__).parents[2] / "pipeline" / "corpora" / "ieeg" / "adapters"
TOKENS = "wpt-[0-9a-f]{8}"  # wildcard {tokens}: names of `tokens_name`
ENCODER = "[0-9a-f]{8}"  # wildcard {pretrained}: names of `encoder_name`
DEALT = "(-[0-9a-f]{8})?"  # wildcard {dealt}: empty for soz.folds, else of a run that deals otherwise
PATIENT = "[A-Za-z0-9_.-]+"
BEFORE_TRAINING = ("tokens", "folds", "model", "pretraining")  # sections of a run that its encoders depend on
INDEX_TABLES = ("recordings", "contacts", "patients", "seizures", "findings")


def is_intracranial(config: Config, corpus: str) -> bool:
    """Whether a corpus is intracranial: its reader says so by `INTRACRANIAL`."""
    return _reads_contacts(config.corpora[corpus].reader)


@functools.cache  # asked for every job
def _reads_contacts(reader: str) -> bool:
    return bool(getattr(load_plugin("corpora", reader), "INTRACRANIAL", False))


def intracranial(config: Config) -> list[str]:
    """Names of the intracranial corpora of config.yaml."""
    return [name for name in config.corpora if is_intracranial(config, name)]


def adapter_digest(config: Config, corpus: str) -> str:
    """Digest of what the adapter of a corpus's labels says; it is no code, and its time stamp means nothing."""
    adapter = config.soz.reading_of(corpus).adapter
    return hashlib.blake2b((ADAPTERS / f"{adapter}.yaml").read_bytes(), digest_size=8).hexdigest()


def tokens_name(tokens: SozTokens) -> str:
    """Folder of the token stores that these settings make: `wpt-` and their digest."""
    return f"wpt-{_digest8(tokens)}"


def dealt_name(config: Config, folds: SozFolds) -> str:
    """What the folds of a run add to the name `folds`: nothing where they are dealt as soz.folds says.

    `labels` is about who teaches, not about who is tested: `soz` and `strict` have the same folds.
    """
    own, common = (_dealing(one) for one in (folds, config.soz.folds))
    return "" if own == common else f"-{_digest8(own)}"


def encoder_name(config: Config, run: str) -> str:
    """Name of the encoders that a run starts from: the digest of all that they depend on, so that runs share them."""
    chosen = config.soz.of(run)
    return _digest_of([getattr(chosen, name).model_dump(mode="json") for name in BEFORE_TRAINING])


def run_of_encoder(config: Config, encoder: str) -> str:
    """A run that starts from encoders of this name. Raises SettingsError where there is none."""
    for run in config.soz.runs:
        if encoder_name(config, run) == encoder:
            return run
    raise SettingsError(f"encoder {encoder}: no run of soz.runs is pre-trained so")


def compared_with(config: Config, run: str) -> list[str]:
    """The runs that stand beside a run among its baselines: soz.compared beside soz.run, none beside any other."""
    return list(config.soz.compared) if run == config.soz.run else []


def dealing_of(config: Config, dealt: str) -> SozFolds:
    """The folds of the first run whose `dealt_name` this is. Raises SettingsError where there is none."""
    for run in config.soz.runs:
        folds = config.soz.of(run).folds
        if dealt_name(config, folds) == dealt:
            return _dealing(folds)
    raise SettingsError(f"folds{dealt}: no run of soz.runs deals its patients so")


def _dealing(folds: SozFolds) -> SozFolds:
    return folds.model_copy(update={"labels": "soz"})


def _digest8(section: Section) -> str:
    return _digest_of(section.model_dump(mode="json"))


def _digest_of(values: Any) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class SozPaths(Paths):
    """Patterns with {corpus}, {shard}, {tokens}, {dealt}, {pretrained}, {run}, {fold}, {seed}, {patient}."""

    def index(self, table: str) -> str:
        """A table of INDEX_TABLES of a shard."""
        return self.of(f"index/{{shard}}.{table}.parquet")

    @property
    def soz_clips(self) -> str:
        """Clips table of a shard."""
        return self.of("clips/soz/{shard}.parquet")

    @property
    def tokens(self) -> str:
        """Token store of a shard; its table of rows lies beside it."""
        return self.of("features/{tokens}/soz/{shard}.zarr.zip")

    @property
    def rows(self) -> str:
        """Rows of the token store of a shard."""
        return self.of("features/{tokens}/soz/{shard}.rows.parquet")

    @property
    def soz_folds(self) -> str:
        """Who is of which part of which fold."""
        return self.of("soz/folds{dealt}.parquet")

    @property
    def baselines(self) -> str:
        """Scores of the baselines, of one kind of tokens and one dealing of the patients."""
        return self.of("soz/baselines/{tokens}{dealt}.parquet")

    @property
    def soz(self) -> str:
        """Folder of a run."""
        return self.of("soz/{run}/")

    @property
    def encoder(self) -> str:
        """Folder of one pre-trained encoder."""
        return self.of("soz/encoders/{pretrained}/fold{fold}/seed{seed}/")

    @property
    def model(self) -> str:
        """Folder of one model of a run."""
        return self.of("soz/{run}/fold{fold}/seed{seed}/")


@dataclass
class SozInputs:
    """Lists of input files, from the configuration, the corpora's shards and the patterns of SozPaths."""

    config: Config
    corpora: Corpora
    paths: SozPaths

    def check(self, corpus: str) -> None:
        """Raise PlanError for results of another corpus than `soz.corpus`."""
        if corpus != (chosen := self.config.soz.corpus):
            raise PlanError(f"{corpus}: SOZ results are made of soz.corpus, which is {chosen!r}; set it (docs/soz.md)")

    def every(self, pattern: str, **fixed: Any) -> list[str]:
        """`pattern` for each shard of every corpus that takes part."""
        return [
            pattern.format(corpus=corpus, shard=shard, **fixed)
            for corpus in self.config.soz.corpora
            for shard in self.corpora.shards(corpus).of()
        ]

    def tables(self, *names: str) -> dict[str, list[str]]:
        """Index tables by name, of every shard."""
        return {name: self.every(self.paths.index(name)) for name in names}

    def tokens(self, run: str) -> dict[str, list[str]]:
        """Token stores and tables of rows of a run."""
        name = tokens_name(self.config.soz.of(run).tokens)
        return {
            "tokens": self.every(self.paths.tokens, tokens=name),
            "rows": self.every(self.paths.rows, tokens=name),
        }

    def folds_file(self, run: str) -> str:
        """The folds of a run."""
        dealt = dealt_name(self.config, self.config.soz.of(run).folds)
        return self.paths.soz_folds.format(corpus=self.config.soz.corpus, dealt=dealt)

    def patients(self) -> list[str]:
        """Names of the patients whose recordings were found: of a simulated corpus all, else those of the manifests."""
        return sorted({name for corpus in self.config.soz.corpora for name in self._patients(corpus)})

    def present(self, wildcards: Any) -> str:
        """Option of one shard's index, which says who of the listed participants is absent: all patients there are.

        The other shards of a simulated corpus may not be written yet when it runs.
        """
        first = self.corpora.shards(wildcards.corpus).of()[0]
        return "--present " + " ".join(sorted(self._patients(wildcards.corpus))) if wildcards.shard == first else ""

    def _patients(self, corpus: str) -> set[str]:
        shards = self.corpora.shards(corpus)
        if shards.patients:
            return {name for names in shards.patients.values() for name in names}
        manifests = (self.paths.of("manifests/{shard}.tsv").format(corpus=corpus, shard=name) for name in shards.names)
        return {row.patient for path in manifests for row in read_manifest(path)}

    def fold_numbers(self, run: str) -> range:
        """The folds of a run: as many as soz.folds.outer, as patients, or as corpora."""
        folds = self.config.soz.of(run).folds
        return range(folds.outer if folds.scheme == "grouped" else len(self._planned(folds.scheme)))

    def _planned(self, scheme: str) -> list[str]:
        """Whoever is tested in a fold of its own: each patient, or each corpus."""
        return {"patients": self.patients, "corpora": lambda: sorted(self.config.soz.corpora)}[scheme]()

    def listed(self, wildcards: Any) -> str:
        """Option of `soz_folds`: whose folds are planned, so that one without a usable recording stops it early."""
        scheme = dealing_of(self.config, wildcards.dealt).scheme
        return "" if scheme == "grouped" else "--listed " + " ".join(self._planned(scheme))

    def models(self, run: str, name: str) -> list[str]:
        """A file of each fold and seed of a run."""
        return [
            self.paths.model.format(corpus=self.config.soz.corpus, run=run, fold=fold, seed=seed) + name
            for fold in self.fold_numbers(run)
            for seed in self.config.soz.seeds
        ]

    def model_file(self, wildcards: Any, name: str) -> str:
        """A file of the model that the wildcards name."""
        return self.paths.model.format(**wildcards) + name

    def of_folding(self, wildcards: Any) -> dict[str, Any]:
        """Who there is, and whose labels teach."""
        self.check(wildcards.corpus)
        return self.tables("recordings", "contacts", "patients")

    def of_pretrain(self, wildcards: Any) -> dict[str, Any]:
        """What pre-training reads: the tokens and folds that the name of the encoder stands for."""
        self.check(wildcards.corpus)
        run = run_of_encoder(self.config, wildcards.pretrained)
        return {**self.tokens(run), "folds": self.folds_file(run)}

    def of_fit(self, wildcards: Any) -> dict[str, Any]:
        """What training and prediction read: tokens, rows, folds."""
        self.check(wildcards.corpus)
        return {**self.tokens(wildcards.run), "folds": self.folds_file(wildcards.run)}

    def of_train(self, wildcards: Any) -> dict[str, Any]:
        """The same, and the encoder where the run pre-trains."""
        found = self.of_fit(wildcards)
        if self.config.soz.of(wildcards.run).pretraining.enabled:
            named = {**wildcards, "pretrained": encoder_name(self.config, wildcards.run)}
            found["encoder"] = self.paths.encoder.format(**named) + "encoder.safetensors"
        return found

    def of_predict(self, wildcards: Any) -> dict[str, Any]:
        """Tokens, rows, folds and the model."""
        folder = self.paths.model.format(**wildcards)
        return {**self.of_fit(wildcards), "model": folder + "model.safetensors", "card": folder + "card.json"}

    def of_baselines(self, wildcards: Any) -> dict[str, Any]:
        """Tokens and folds that the name of the file stands for."""
        self.check(wildcards.corpus)
        fixed = {"tokens": wildcards.tokens}
        return {
            "tokens": self.every(self.paths.tokens, **fixed),
            "rows": self.every(self.paths.rows, **fixed),
            "folds": self.paths.soz_folds.format(corpus=wildcards.corpus, dealt=wildcards.dealt),
        }

    def of_evaluate(self, wildcards: Any) -> dict[str, Any]:
        """Predictions and cards of a run and of those that are compared, baselines on its folds, and its contacts."""
        self.check(wildcards.corpus)
        run = wildcards.run
        others = compared_with(self.config, run)
        return {
            "other_predictions": [path for name in others for path in self.models(name, "predictions.parquet")],
            "other_cards": [path for name in others for path in self.models(name, "card.json")],
            "predictions": self.models(run, "predictions.parquet"),
            "cards": self.models(run, "card.json"),
            "baselines": self.baselines_file(run),
            "folds": self.folds_file(run),
            "rows": self.tokens(run)["rows"],
            **self.tables("contacts", "patients", "recordings", "findings"),
        }

    def baselines_file(self, run: str) -> str:
        """The baselines on the tokens and folds of a run."""
        chosen = self.config.soz.of(run)
        named = {"tokens": tokens_name(chosen.tokens), "dealt": dealt_name(self.config, chosen.folds)}
        return self.paths.baselines.format(corpus=self.config.soz.corpus, **named)

    def of_ablations(self) -> dict[str, Any]:
        """Metrics and contacts of every run that is compared, `soz.run` first."""
        runs = [self.config.soz.run, *self.config.soz.ablations]
        folders = [self.paths.soz.format(corpus=self.config.soz.corpus, run=run) for run in runs]
        return {name: [f"{folder}{name}.parquet" for folder in folders] for name in ("metrics", "contacts")}

    def of_attention(self, wildcards: Any) -> dict[str, Any]:
        """What training and prediction read, and the signals that controls are computed from."""
        signals, clips = self.every(self.paths.of("signals/{shard}.zarr.zip")), self.every(self.paths.soz_clips)
        return {**self.of_train(wildcards), **self.of_predict(wildcards), "signals": signals, "clips": clips}

    def of_connectivity(self, wildcards: Any) -> dict[str, Any]:
        """Graphs of every fold and seed, the table of contacts, and whether anybody in it is simulated."""
        self.check(wildcards.corpus)
        folder = self.paths.soz.format(corpus=wildcards.corpus, run=wildcards.run)
        return {
            "attention": self.models(wildcards.run, "attention.zarr.zip"),
            "channels": folder + "channel_soz.tsv",
            "summary": folder + "cohort.json",
        }

    def of_patient_page(self, wildcards: Any) -> dict[str, Any]:
        """All that the page of a patient shows."""
        later = ("signals/{shard}.findings.parquet", "clips/soz/{shard}.findings.parquet")
        findings = [self.paths.index("findings"), *map(self.paths.of, later)]
        return {
            **self.of_connectivity(wildcards),
            **self.tokens(wildcards.run),
            **self.tables("contacts", "patients", "recordings", "seizures"),
            "findings": [path for pattern in findings for path in self.every(pattern)],
            "predictions": self.models(wildcards.run, "predictions.parquet"),
            "shafts": self.models(wildcards.run, "shafts.parquet"),
            "cards": self.models(wildcards.run, "card.json"),
        }

    def of_cohort_page(self, wildcards: Any) -> dict[str, Any]:
        """All that the page of the cohort shows, but for ablations: it shows those that are there."""
        self.check(wildcards.corpus)
        folder = self.paths.soz.format(corpus=wildcards.corpus, run=wildcards.run)
        named = {"metrics": "metrics.parquet", "comparisons": "comparisons.parquet", "summary": "cohort.json"}
        return {
            **{name: folder + file for name, file in (named | {"channels": "channel_soz.tsv"}).items()},
            **self.tables("patients", "recordings"),
            "folds": self.folds_file(wildcards.run),
            "measures": self.models(wildcards.run, "attention.parquet"),
            "faithfulness": self.models(wildcards.run, "faithfulness.parquet"),
        }

    def ablations_file(self) -> str:
        """Table of the target soz_ablations."""
        return self.paths.of("soz/ablations.tsv").format(corpus=self.config.soz.corpus)

    def ablations_digest(self) -> str:
        """Of the table if it is there: another one makes the page anew, and asking for the page makes no ablation."""
        path = Path(self.ablations_file())
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.is_file() else "none"

    def page_files(self, run: str) -> list[str]:
        """Everything of the target `soz`: the cohort page, a page and graphs of every patient, the derivative.

        Raises CorpusError for more folds than patients.
        """
        folder = self.paths.soz.format(corpus=self.config.soz.corpus, run=run)
        patients, folds = self.patients(), self.config.soz.of(run).folds
        if folds.scheme == "grouped" and folds.outer > len(patients):
            there = f"there are {len(patients)} patients, and each fold tests one at least; set it lower"
            raise CorpusError(f"soz.folds.outer: {folds.outer}, and {there}")
        return [
            *(folder + name for name in ("index.html", "channel_soz.tsv")),
            *(f"{folder}pages/{name}.html" for name in patients),
            *(f"{folder}connectivity/{name}.zip" for name in patients),
        ]
