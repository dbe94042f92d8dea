"""What the target planted_graph needs: runs that differ in their graph, learned graphs, clips; on a planted corpus."""

from collections.abc import Iterator
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.driven import COUPLED_BEFORE_S, DrivenSettings
from pipeline.settings.runs import PlanEntry
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs
from workflow.lib.inventory import pretraining, run_files
from workflow.lib.paths import Paths
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice
from workflow.lib.section_checks import wrong_list
from workflow.lib.sglc import run_entry
from workflow.lib.targets import Targets

ABLATION, EDGES = "graph_ablation", "planted_graph"
TASK = "classification"
PRESET = "--configfile workflow/presets/planted-graph.yaml"


def folder(config: Config) -> str:
    """Where everything of this target lies."""
    return f"{config.results}/{config.corpus}/planted"


def check(config: Config) -> None:
    """Raise PlanError where the section `planted_graph` cannot be measured, on whatever corpus."""
    planted = config.planted_graph
    names = [planted.learned, *planted.fixed]
    keys = {planted.learned: "learned"}
    known = list(config.runs)
    wrong = [
        f"{keys.get(name, 'fixed')}: {name!r} is not in runs; {choice(name, known)}"
        for name in names
        if name not in known
    ]
    wrong += [f"fixed: {problem}" for problem in wrong_list(names, "run")]
    wrong += [f"seeds: {problem}" for problem in wrong_list(planted.seeds, "seed")]
    if planted.length_s not in config.training.classification:
        wrong.append(f"length_s: training.classification has no entry for {planted.length_s} s")
    if wrong:
        raise PlanError("\n".join(f"planted_graph.{problem}" for problem in wrong))


def simulated(config: Config) -> DrivenSettings:
    """How the main corpus was made. Raises PlanError for one in which no graph is planted."""
    made = config.corpora[config.corpus].simulate
    if not isinstance(made, DrivenSettings) or not config.corpora[config.corpus].simulated:
        raise PlanError(f"corpus: no graph is planted in {config.corpus}; planted_graph needs {PRESET}")
    for name, group in made.groups.items():
        if unknown := sorted(set(group.electrodes) - set(config.channels.nodes)):
            known = ", ".join(config.channels.nodes)
            where = f"corpora.{config.corpus}.simulate.groups.{name}.electrodes"
            raise PlanError(f"{where}: {unknown[0]!r} is no node; there are {known}")
    _check_scores(config)
    return made


def _check_scores(config: Config) -> None:
    """Raise PlanError where the edges' scores would not mean what the page says."""
    name = config.planted_graph.learned
    run = config.runs[name]
    options, wrong = config.models[run.model], list(_unlike(config))
    if config.plugin_of(run.model) != "sglc" or options["adjacency"] != "learned":
        raise PlanError(f"planted_graph.learned: {name} learns no graph; name a run of SGLC with adjacency: learned")
    if (options.get("variant"), options.get("recurrence")) != ("corrected", "anchored") or not options["mixing"] < 1:
        wrong.append(
            f"models.{run.model}: the prior can be taken out of learned graphs only with variant: corrected, "
            "recurrence: anchored and mixing below 1"
        )
    if run.init != "scratch":
        wrong.append(f"runs.{name}.init: {run.init}; set scratch: untrained weights are drawn")
    if config.learned_graphs.precision != "float32":
        wrong.append("learned_graphs.precision: float16 is too coarse for differences between edges; set float32")
    if config.clips.before_onset_s >= COUPLED_BEFORE_S:
        wrong.append(
            f"clips.before_onset_s: {config.clips.before_onset_s:g}; receivers follow from {COUPLED_BEFORE_S:g} s "
            "before the onset, set less"
        )
    if wrong:
        raise PlanError("\n".join(wrong))


def _unlike(config: Config) -> Iterator[str]:
    """Fixed runs that differ from the learned one in their classes."""
    planted = config.planted_graph
    scheme = config.runs[planted.learned].scheme
    for name in planted.fixed:
        if config.runs[name].scheme != scheme:
            yield f"planted_graph.fixed: {name} has scheme: {config.runs[name].scheme}; that of learned is {scheme}"


def plan(config: Config) -> list[PlanEntry]:
    """The lines of work behind the target; the run with a learned graph exports it."""
    planted = config.planted_graph
    fixed = {"task": TASK, "length_s": planted.length_s, "seeds": planted.seeds, "maps": False}
    return [
        PlanEntry.model_validate({"run": name, "graphs": name == planted.learned, **fixed})
        for name in (planted.learned, *planted.fixed)
    ]


def targets(config: Config, corpora: Corpora) -> Targets:
    """The inventories of both parts: scores compared, edges found."""
    return Targets(
        corpora, lambda target: (_ablation if target == ABLATION else _edges)(config, corpora), folder(config)
    )


def _ablation(config: Config, corpora: Corpora) -> dict[str, Any]:
    """As the stage `graph_ablation` reads it."""
    simulated(config)
    corpus, lines = config.corpus, plan(config)
    paths = Paths(config.results)
    inputs = Inputs(config, corpora, paths)
    return {
        "target": ABLATION,
        "corpus": corpus,
        "synthetic": True,
        "recordings": inputs.tables(paths.of("index/{shard}.recordings.parquet"), corpus=corpus),
        "splits": paths.of("splits.parquet").format(corpus=corpus),
        "seizures": [],
        "runs": [run_entry(config, line) for line in lines],
        "encoders": pretraining(config, corpus, lines),
        "clips": [],
        "pairs": [[config.planted_graph.learned, name] for name in config.planted_graph.fixed],
    }


def _edges(config: Config, corpora: Corpora) -> dict[str, Any]:
    """Learned graphs and cards of every seed; what its model reads of test clips; clips of the controls."""
    simulated(config)
    learned, corpus = plan(config)[0], config.corpus
    inputs, run = Inputs(config, corpora, Paths(config.results)), config.runs[config.planted_graph.learned]
    files, train = run_files(config, corpus, learned), inputs.of_model(corpus, run, TASK, learned.length_s, "train")
    return {
        **{name: files[name] for name in ("learned", "cards")},
        "train": {name: train[name] for name in ("features", "clips")},
        "test": inputs.of_model(corpus, run, TASK, learned.length_s, "test"),
    }
