"""What each job is told: one JSON string of just the settings that its stage uses.

Snakemake compares params as a set of values, so the whole is one string with sorted keys: two settings that swap their
values are noticed, and a setting that a stage does not use never reruns it. `config` is the configuration of the job's
corpus (`Config.of`): a corpus may have switches of `compat` of its own.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.settings.base import Section
from pipeline.settings.config import Config
from pipeline.settings.named_models import model_settings
from pipeline.settings.runs import LOOP_OVERRIDES, MODEL_OVERRIDES, RunSettings
from pipeline.settings.search import TRIAL
from workflow.lib.clip_lists import lists_of
from workflow.lib.inputs import Seeds, compared_lines, parts_myoclonic
from workflow.lib.paths import encoder_run
from workflow.lib.readers import hides_names


def as_text(settings: dict[str, Any]) -> str:
    """JSON with sorted keys; sections become mappings."""
    return json.dumps(settings, sort_keys=True, default=_plain, separators=(",", ":"))


def _plain(value: object) -> Any:
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    raise TypeError(f"{value!r} does not belong in a job's settings")


def simulate(config: Config, corpus: str) -> dict[str, Any]:
    return {"simulate": config.corpora[corpus].simulate}


def index(config: Config, corpus: str) -> dict[str, Any]:
    chosen = config.corpora[corpus]
    return {"index": {"corpus": corpus, "reader": chosen.reader, "version": chosen.version}}


def ingest(config: Config, corpus: str) -> dict[str, Any]:
    compat = {name: getattr(config.compat, name) for name in ("zero_unreadable", "resample_length")}
    return {"corpus": corpus, "channels": config.channels, "signals": config.signals, "compat": compat}


def qc_page(config: Config, corpus: str) -> dict[str, Any]:
    shown = {name: getattr(config.report, name) for name in ("title", "dpi", "max_mb")}
    chosen = config.corpora[corpus]
    names = f"{Path(config.results).name}/{corpus}/private/names.tsv" if hides_names(corpus, chosen) else None
    return {"corpus": corpus, "synthetic": chosen.simulated, "names": names, **shown}


def clips(config: Config, task: str, length_s: int) -> dict[str, Any]:
    compat = {name: getattr(config.compat, name) for name in ("label_edge", "clip_start_offset")}
    compat |= _myoclonic(config, task)
    return {"task": task, "length_s": length_s, "clips": config.clips, "compat": compat}


def _myoclonic(config: Config, task: str) -> dict[str, str]:
    """The switch, where it moves clips to another split: other jobs are not told."""
    return {"mysz_split": config.compat.mysz_split} if parts_myoclonic(config, task) else {}


def folds(config: Config, corpus: str) -> dict[str, Any]:
    chosen, splits = config.corpora[corpus].folds, config.corpora[corpus].splits
    assert chosen is not None
    share = {"validation_share": splits.validation_share, "seed": splits.seed}
    return {"fold": chosen.fold, "count": chosen.count, **share}


def features(config: Config, kind: str) -> dict[str, Any]:
    return {"features": config.features[kind], "rate_hz": config.signals.rate_hz}


def graph_distance(config: Config) -> dict[str, Any]:
    return {"graphs": config.graphs, "electrodes": config.channels.nodes}


def check_splits(config: Config, corpus: str) -> dict[str, Any]:
    return {"corpus": corpus}


def check_source(config: Config, corpus: str, source: str) -> dict[str, Any]:
    return {"corpus": corpus, "source": source}


def graph_correlation(config: Config, neighbours: str) -> dict[str, Any]:
    """`neighbours`: empty, or `-k4` where a run overrides their number (workflow/lib/paths.py)."""
    own = {"top_neighbours": int(neighbours.removeprefix("-k"))} if neighbours else {}
    return {"graphs": config.graphs.model_copy(update=own)}


def scaler(config: Config, task: str, length_s: int) -> dict[str, Any]:
    return {"task": task, "length_s": length_s, **_myoclonic(config, task)}


def pretrain(config: Config, encoder: str, length_s: int) -> dict[str, Any]:
    return _fit(config, encoder_run(encoder), "pretraining", length_s, config.training.pretraining_seed)


def train(config: Config, run: str, task: str, length_s: int, seed: int) -> dict[str, Any]:
    chosen = config.runs[run]
    return _fit(config, chosen, task, length_s, seed) | _start(chosen) | _auxiliary(config, chosen, length_s)


def _auxiliary(config: Config, run: RunSettings, length_s: int) -> dict[str, Any]:
    """The forecast that is trained beside detection, if any; none leaves the settings of other runs as they were."""
    if not run.auxiliary:
        return {}
    task = config.training.auxiliary[length_s].model_dump(mode="json")
    return {"auxiliary": task | {"weight": run.auxiliary, "loss": config.compat.ssl_loss}}


def _start(run: RunSettings) -> dict[str, Any]:
    """Where the first weights were learnt, if neither at random nor by the corpus's own pre-training."""
    if run.init == "scratch" or (run.init == "ssl" and run.source is None):
        return {}
    return {"start": {"init": run.init, "corpus": run.source, "run": run.source_run}}


def model_options(config: Config, run: RunSettings) -> dict[str, Any]:
    """The section of the run's model, what the run overrides of it, and the switches of `compat` that concern it.

    Less what a model with these options does not read (`unread` of its settings): a change of that reruns nothing.
    """
    plugin = model_settings(config.plugin_of(run.model))
    switches = sorted(plugin.ModelSettings.model_fields.keys() - plugin.ModelConfig.model_fields.keys())
    own = {name: getattr(config.compat, name) for name in switches}
    options = config.models[run.model] | run.overrides.of(*MODEL_OVERRIDES) | own
    unread = plugin.unread(options) if hasattr(plugin, "unread") else ()
    return {name: value for name, value in options.items() if name not in unread}


def _fit(config: Config, run: RunSettings, task: str, length_s: int, seed: int) -> dict[str, Any]:
    compat = config.compat
    loop = getattr(config.training, task)[length_s].model_dump(mode="json") | run.overrides.of(*LOOP_OVERRIDES)
    gate_bias = loop.pop("gate_bias")
    if loop.get("loss") != "focal":  # what another loss does not use reruns nothing
        loop.pop("focal_gamma", None)
    if task == "pretraining":
        loop["loss"] = compat.ssl_loss
    return {
        "model": config.plugin_of(run.model),
        "options": model_options(config, run),
        "features": config.features[run.features],
        "graph": run.graph,
        "task": task,
        "length_s": length_s,
        "horizon_s": config.clips.forecast_s,
        "scheme": run.scheme,
        "seed": seed,
        "gate_bias": gate_bias,
        "electrodes": config.channels.nodes,
        "loop": loop | {"early_stopping": compat.early_stopping},
        "augment": config.augment.model_dump(mode="json")
        | {name: getattr(compat, name) for name in ("mirror_pairs", "mirror_graph", "scale_zero_bins")},
        "sampling": {
            "balance": task == "detection",
            "negative_seed": compat.negative_seed,
            "label_fraction": run.label_fraction,
            **(config.sampling.model_dump() if run.label_fraction < 1 else {}),
        },
        "device": config.device,
    }


def predict(config: Config, task: str, length_s: int) -> dict[str, Any]:
    return {
        "device": config.device,
        "batch": getattr(config.training, task)[length_s].batch_evaluation,
        "threshold_strict": config.compat.threshold_strict,
    }


def evaluate(config: Config, run: str, task: str, length_s: int, corpus: str | None = None) -> dict[str, Any]:
    lists = lists_of(config, corpus or config.corpus, task, config.runs[run].scheme)
    return {
        "run": run,
        "task": task,
        "length_s": length_s,
        "scheme": config.runs[run].scheme,
        "evaluation": _evaluation(config),
        **({"lists": lists} if lists else {}),  # none leaves the settings of other corpora as they were
    }


def _evaluation(config: Config) -> dict[str, Any]:
    return _intervals(config) | {"threshold_strict": config.compat.threshold_strict}


def _intervals(config: Config) -> dict[str, Any]:
    """The section without its lists, which concern the scores of single runs alone."""
    return config.evaluation.model_dump(mode="json", exclude={"test_lists"})


def occlude(config: Config, run: str) -> dict[str, Any]:
    own = config.runs[run].overrides.of("top_neighbours")
    graphs = {"graphs": config.graphs.model_copy(update=own)} if config.occlusion.graph == "recomputed" else {}
    return {"device": config.device, "occlusion": config.occlusion, **graphs}


def learned_graphs(config: Config) -> dict[str, Any]:
    return {"device": config.device, "learned_graphs": config.learned_graphs}


def localise(config: Config, run: str, task: str, length_s: int) -> dict[str, Any]:
    return {"run": run, "task": task, "length_s": length_s, "localisation": config.localisation}


def experiments(config: Config) -> dict[str, Any]:
    return {"device": config.device, "experiments": config.experiments}


def record_split(config: Config, run: str, seed: int) -> dict[str, Any]:
    return {"fit": train(config, run, "detection", 12, seed), "experiments": config.experiments}


def trial_summary(config: Config) -> dict[str, Any]:
    return {"experiments": config.experiments}


def report(config: Config) -> dict[str, Any]:
    return {"report": config.report, "localisation": config.localisation, "occlusion": config.occlusion}


def paper_table(config: Config) -> dict[str, Any]:
    return {"evaluation": _evaluation(config)}


def paper_figure(config: Config) -> dict[str, Any]:
    shown = {"report": config.report, "localisation": config.localisation, "occlusion": config.occlusion}
    return {**shown, "graphs": config.graphs, "electrodes": config.channels.nodes}


def scoreboard(config: Config) -> dict[str, Any]:
    page = {"title": config.report.title, "max_mb": config.paper.max_mb}
    return {"page": page, "occlusion": config.occlusion, "compat": config.compat}


def compare(config: Config) -> dict[str, Any]:
    chosen = {name: getattr(config.comparisons, name) for name in ("draws", "confidence", "seed")}
    return {"comparisons": chosen | {"threshold_strict": config.compat.threshold_strict}}


def sglc_table(config: Config, *, schemes: Sequence[str]) -> dict[str, Any]:
    """What sglc_table and label_fraction are told; `schemes`: those of the target's runs."""
    return {"evaluation": _evaluation(config), **_pictured(config, schemes)}


def graph_ablation(config: Config, *, schemes: Sequence[str]) -> dict[str, Any]:
    return {**compare(config), **_pictured(config, schemes)}


def _pictured(config: Config, schemes: Sequence[str]) -> dict[str, Any]:
    """Lists of test clips of the main corpus, by scheme, and the resolution of pictures."""
    lists = {name: lists_of(config, config.corpus, "classification", name) for name in schemes}
    return {"lists": lists, "dpi": config.report.dpi}


def planted_graph(config: Config) -> dict[str, Any]:
    """How the main corpus was made, and how the edges that were learned on it are compared with it."""
    planted = config.planted_graph
    return {
        "simulate": config.corpora[config.corpus].simulate,
        "edges": {name: getattr(planted, name) for name in ("draws", "confidence", "seed")},
        "device": config.device,
        "batch": config.learned_graphs.batch,
        "length_s": planted.length_s,
        "electrodes": config.channels.nodes,
        "title": config.report.title,
        "dpi": config.report.dpi,
        "max_mb": planted.max_mb,
    }


def sglc_page(config: Config) -> dict[str, Any]:
    return {"report": config.report, "max_mb": config.sglc.max_mb}


def search_table(config: Config) -> dict[str, Any]:
    """What the ranking is told; the trials are among the runs (workflow/lib/search.py)."""
    search = config.search
    return {
        "run": search.run,
        "model": config.runs[search.run].model,
        "task": search.task,
        "length_s": search.length_s,
        "checkpoint": getattr(config.training, search.task)[search.length_s].checkpoint,
        "trials": {name: run.overrides for name, run in config.runs.items() if name.startswith(TRIAL)},
    }


def score_segments(config: Config) -> dict[str, Any]:
    chosen = config.real_segments
    return {
        **ingest(config, config.corpus),
        "synthetic": config.corpora[config.corpus].simulated,
        "clips": config.clips,
        "clip_compat": {name: getattr(config.compat, name) for name in ("label_edge", "clip_start_offset")},
        "graphs": config.graphs,
        "device": config.device,
        "occlusion": config.occlusion,
        "report": config.report,
        "batch": config.training.detection[chosen.length_s].batch_evaluation,
        "pseudonyms": chosen.pseudonyms,
        "threshold_strict": config.compat.threshold_strict,
    }


def compat_report(config: Config, seeds: Seeds) -> dict[str, Any]:
    """What the comparison with the twin corpus is told; `seeds` gives those of a corpus, run, task and length."""
    twin = config.paper.twin_corpus
    assert twin is not None
    ways = [config.of(name).compat.model_dump(mode="json") for name in (config.corpus, twin)]
    return {
        "default": config.corpus,
        "published": twin,
        "lines": compared_lines(config, seeds),
        "switches": {name: [way[name] for way in ways] for name in ways[0] if ways[0][name] != ways[1][name]},
        "default_strict": ways[0]["threshold_strict"],
        "published_strict": ways[1]["threshold_strict"],
        "evaluation": _intervals(config),
    }
