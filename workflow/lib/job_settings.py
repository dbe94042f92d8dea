"""What each job is told: one JSON string of just the settings that its stage uses.

Snakemake compares params as a set of values, so the whole is one string with sorted keys: two settings that swap their
values are noticed, and a setting that a stage does not use never reruns it.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.settings.base import Section
from pipeline.settings.config import Config
from pipeline.settings.runs import RunSettings
from workflow.lib.inputs import encoder_run
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
    return {"task": task, "length_s": length_s, "clips": config.clips, "compat": compat}


def features(config: Config, kind: str) -> dict[str, Any]:
    return {"features": config.features[kind], "rate_hz": config.signals.rate_hz}


def graph_distance(config: Config) -> dict[str, Any]:
    return {"graphs": config.graphs, "electrodes": config.channels.nodes}


def graph_correlation(config: Config) -> dict[str, Any]:
    return {"graphs": config.graphs}


def scaler(task: str, length_s: int) -> dict[str, Any]:
    return {"task": task, "length_s": length_s}


def pretrain(config: Config, encoder: str, length_s: int) -> dict[str, Any]:
    return _fit(config, encoder_run(encoder), "pretraining", length_s, config.training.pretraining_seed)


def train(config: Config, run: str, task: str, length_s: int, seed: int) -> dict[str, Any]:
    return _fit(config, config.runs[run], task, length_s, seed)


def _fit(config: Config, run: RunSettings, task: str, length_s: int, seed: int) -> dict[str, Any]:
    compat = config.compat
    loop = getattr(config.training, task)[length_s].model_dump(mode="json")
    gate_bias = loop.pop("gate_bias")
    if task == "pretraining":
        loop["loss"] = compat.ssl_loss
    return {
        "model": run.model,
        "options": config.models[run.model] | {"diffusion_recursion": compat.diffusion_recursion},
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
        },
        "device": config.device,
    }


def predict(config: Config, task: str, length_s: int) -> dict[str, Any]:
    return {
        "device": config.device,
        "batch": getattr(config.training, task)[length_s].batch_evaluation,
        "threshold_strict": config.compat.threshold_strict,
    }


def evaluate(config: Config, run: str, task: str, length_s: int) -> dict[str, Any]:
    evaluation = config.evaluation.model_dump(mode="json") | {"threshold_strict": config.compat.threshold_strict}
    return {
        "run": run,
        "task": task,
        "length_s": length_s,
        "scheme": config.runs[run].scheme,
        "evaluation": evaluation,
    }


def occlude(config: Config) -> dict[str, Any]:
    graphs = {"graphs": config.graphs} if config.occlusion.graph == "recomputed" else {}
    return {"device": config.device, "occlusion": config.occlusion, **graphs}


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
