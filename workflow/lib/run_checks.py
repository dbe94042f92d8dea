"""Whether each run of config.yaml can be built: its model, features, graph, first weights and overridden settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.config import Config
from pipeline.settings.named_models import model_settings
from pipeline.settings.runs import MODEL_OVERRIDES, RunSettings
from workflow.lib.paths import encoder_of
from workflow.lib.readers import choice
from workflow.lib.section_checks import wrong_list

NAME = re.compile(r"[a-z0-9-]+")  # of a run, as a wildcard of the rules


def wrong_runs(config: Config) -> list[str]:
    """One sentence, with its key, for everything that is wrong in the section `runs`."""
    found = []
    for name, run in config.runs.items():
        if not NAME.fullmatch(name):
            found.append(f"runs.{name}: a run is named in small letters, digits and hyphens")
        unknown = [
            f"runs.{name}.{key}: {value!r} is not in {section}; {choice(value, list(known))}"
            for key, section, value, known in (
                ("model", "models", run.model, config.models),
                ("features", "features", run.features, config.features),
            )
            if value not in known
        ]
        problems = () if unknown else (*_model(config, run), *_start(config, run), *_overrides(config, run))
        found += [*unknown, *(f"runs.{name}.{problem}" for problem in problems)]
    return found


def learns_graph(config: Config, run: str) -> bool:
    """Whether the run's model estimates its graph, which can then be exported (a line of the plan with `graphs`)."""
    chosen = config.runs[run]
    adjacency = config.models[chosen.model].get("adjacency", "learned")
    return adjacency == "learned" and bool(getattr(_plugin(config, chosen), "LEARNS_GRAPH", False))


def wrong_compat_report(config: Config) -> list[str]:
    """The section `compat_report`: runs and lengths that there are."""
    asked = config.compat_report
    wrong = [
        f"runs: {run!r} is not in runs; {choice(run, list(config.runs))}"
        for run in asked.runs
        if run not in config.runs
    ]
    wrong += [
        f"runs: {run} learns on {config.runs[run].source}; name runs that learn on the corpus alone"
        for run in asked.runs
        if run in config.runs and config.runs[run].source is not None
    ]
    wrong += [
        f"lengths_s: training.{task} has no entry for {length} s"
        for task in asked.tasks
        for length in asked.lengths_s
        if length not in getattr(config.training, task)
    ]
    for key, what in (("runs", "run"), ("tasks", "task"), ("lengths_s", "length")):
        wrong += [f"{key}: {problem}" for problem in wrong_list(getattr(asked, key), what)]
    return [f"compat_report.{problem}" for problem in wrong]


def _plugin(config: Config, run: RunSettings) -> ModuleType:
    return model_settings(config.plugin_of(run.model))


def _model(config: Config, run: RunSettings) -> Iterator[str]:
    plugin = _plugin(config, run)
    if run.graph not in plugin.GRAPHS:
        yield f"graph: {run.graph!r} does not fit model {run.model}; {choice(run.graph, plugin.GRAPHS)}"
    if run.init in ("ssl", "imported") and not plugin.PRETRAINS:
        yield f"init: {run.init}; but model {run.model} has no encoder to pre-train; set scratch or transfer"
    if run.auxiliary and not plugin.PRETRAINS:
        yield f"auxiliary: {run.auxiliary:g}; but model {run.model} forecasts nothing; set 0"


def _start(config: Config, run: RunSettings) -> Iterator[str]:
    """Keys that say where weights come from stand where the init needs them, and nowhere else."""
    for key, inits, required in (
        ("source", ("ssl", "transfer"), False),
        ("source_run", ("transfer",), True),
        ("weights", ("imported",), True),
    ):
        value = getattr(run, key)
        if value is None and required and run.init in inits:
            yield f"{key}: init: {run.init} needs it"
        if value is not None and run.init not in inits:
            yield f"{key}: {value!r} is for init: {' or '.join(inits)}; this run has init: {run.init}"
    if run.source is not None and run.source not in config.corpora:
        yield f"source: {run.source!r} is not in corpora; {choice(run.source, list(config.corpora))}"
    if run.init == "imported" and run.weights is not None:
        for path in (Path(run.weights), Path(run.weights).with_name("card.json")):
            if not path.is_file():
                yield f"weights: there is no file {path}; `python -m pipeline.stages.import_weights` writes it"
    if run.init == "transfer" and run.source_run is not None:
        yield from _transferred(config, run, run.source_run)


def _transferred(config: Config, run: RunSettings, name: str) -> Iterator[str]:
    """What is copied is a detector like the run itself, trained before it."""
    if name not in config.runs:
        yield f"source_run: {name!r} is not in runs; {choice(name, list(config.runs))}"
        return
    source = config.runs[name]
    for key, theirs, own in (
        ("model", source.model, run.model),
        ("features", source.features, run.features),
        ("graph and sizes", encoder_of(source), encoder_of(run)),
        ("layers", source.overrides.layers, run.overrides.layers),
        ("auxiliary", source.auxiliary, run.auxiliary),
    ):
        if theirs != own:
            yield f"source_run: {name} has {key} {theirs}, this run {own}; name a run that agrees in it"
            return
    if source.init == "transfer":
        yield f"source_run: {name} has init: transfer itself; name one that is scratch, ssl or imported"
    elif source.source is not None:  # what that corpus's patients taught would reach this run without a proof
        yield f"source_run: {name} has source: {source.source} itself; name one that learns on its own corpus alone"


def _overrides(config: Config, run: RunSettings) -> Iterator[str]:
    chosen, known = run.overrides.of(*MODEL_OVERRIDES), _plugin(config, run).ModelConfig.model_fields
    foreign = chosen.keys() - known.keys()
    for key in foreign:
        yield f"overrides.{key}: model {run.model} has no such setting; {choice(key, list(known))}"
    if chosen and not foreign:
        try:
            parse_section(_plugin(config, run).ModelConfig, config.models[run.model] | chosen, where="overrides")
        except SettingsError as error:
            yield str(error)
    if run.overrides.top_neighbours is not None and run.graph != "correlation":
        yield f"overrides.top_neighbours: only the correlation graph has it; this run has graph: {run.graph}"
    if run.overrides.dropout is not None and not _plugin(config, run).LOOP_DROPOUT:
        own = f"set models.{run.model}.dropout" if "dropout" in known else "it has none"
        yield f"overrides.dropout: model {run.model} does not use the dropout of training; {own}"
    section = config.models[run.model]
    layers, most = chosen.get("layers", section.get("layers", 0)), section.get("pretraining_layers", 0)
    if run.init == "ssl" and most and layers > most:
        key = "overrides.layers:" if "layers" in chosen else f"init: ssl, with models.{run.model}.layers:"
        yield f"{key} {layers}, but the encoder has models.{run.model}.pretraining_layers: {most}; raise that"


def unlike_source(config: Config, name: str, corpus: str) -> list[str]:
    """Switches that give the weights of run `name` another meaning where they were learnt than on `corpus`."""
    run = config.runs[name]
    if run.source not in config.corpora or run.model not in config.models or run.features not in config.features:
        return []
    plugin, timed = _plugin(config, run), config.features[run.features].kind == "time"
    switches = plugin.ModelSettings.model_fields.keys() - plugin.ModelConfig.model_fields.keys()
    learnt, used = config.of(run.source).compat, config.of(corpus).compat
    return [
        f"runs.{name}.source: {run.source} has compat.{switch}: {getattr(learnt, switch)}, {corpus} "
        f"{getattr(used, switch)}; weights mean something else under another: set both alike"
        for switch in sorted(switches | ({"time_scaler"} if timed else set()))
        if getattr(learnt, switch) != getattr(used, switch)
    ]
