"""Which runs and files each table and figure of the paper needs, and the inventories that tell their stages.

The runs bear the names that they have in config.yaml. Figures: docs/paper.md says what each of them reads.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry, RunSettings
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import TRANSFERRED_SEED
from workflow.lib.inventory import inventory, run_files
from workflow.lib.paper_checks import wrong_paper
from workflow.lib.paths import Paths, encoder_of, run_folder
from workflow.lib.planning import PlanError, merged
from workflow.lib.targets import Targets

TABLES = tuple(f"table{number:02}" for number in range(1, 11))
FIGURES = tuple(f"figure{number:02}" for number in range(1, 10))
TARGETS = (*TABLES, *FIGURES)
SCRATCH, SSL = ("corr-scratch", "dist-scratch"), ("corr-ssl", "dist-ssl")
BASELINES = ("densecnn", "lstm", "cnn-lstm")
TASKS = ("detection", "classification")
UNSHOWN: dict[str, Any] = {
    "findings": [],
    "splits": None,
    "outcomes": None,
    "experiments": None,
    "trial": None,
}  # of the report alone


@dataclass(frozen=True)
class Part:
    """Runs of one task. `lengths`: None for paper.lengths_s. `folds`: on the fold corpora, else on the main one."""

    task: str
    runs: tuple[str, ...]
    lengths: tuple[int, ...] | None = None
    maps: bool = False
    folds: bool = False


def _both(*runs: str) -> tuple[Part, ...]:
    return tuple(Part(task, runs) for task in TASKS)


PARTS: dict[str, tuple[Part, ...]] = {
    "table02": _both(*BASELINES, *SCRATCH, *SSL),
    "table03": (
        Part("classification", SCRATCH),
        Part("classification", ("corr-scratch-7", "dist-scratch-7"), folds=True),
    ),
    "table04": _both("corr-time", "dist-time", *SCRATCH),
    "table06": (Part("detection", (*BASELINES, *SCRATCH, *SSL)),),
    "table08": _both("corr-ssl-from", "dist-ssl-from", "corr-transfer", "dist-transfer"),
    "table09": (Part("classification", tuple(f"{run}-8" for run in (*BASELINES, *SCRATCH, *SSL))),),
    "table10": (Part("detection", SSL),),  # and every run with an auxiliary loss
    "figure02": (
        Part("detection", (*SSL, *BASELINES), (12,)),
        Part("classification", ("dist-scratch", "dist-ssl", *BASELINES), (12,)),
    ),
    "figure03": (Part("detection", ("corr-ssl",), (60,), maps=True),),
    "figure04": (Part("detection", (*SSL, *SCRATCH, "densecnn"), (60,), maps=True),),
    "figure05": (Part("classification", ("corr-ssl-8", "dist-ssl-8")),),
    "figure06": (Part("detection", ("corr-ssl", "densecnn"), (60,), maps=True),),
    "figure07": (Part("classification", ("corr-ssl",), (60,), maps=True),),
}
CLIPS: dict[str, tuple[str, ...]] = {  # tasks whose clips are counted, beside those of the runs
    "table05": ("pretraining", "detection", "classification"),
    "table07": ("detection",),
}


def check(config: Config) -> None:
    """Raise PlanError where the section `paper` cannot be measured: a corpus that is not there or not of its kind."""
    paper, wrong = config.paper, list(wrong_paper(config))
    named = [("fold_corpora", name) for name in paper.fold_corpora]
    named += [(key, name) for key in ("source_corpus", "twin_corpus") if (name := getattr(paper, key)) is not None]
    for key, name in named:
        if name not in config.corpora:
            wrong.append(f"paper.{key}: {name!r} is not in corpora; there are {', '.join(config.corpora)}")
    for name in (name for name in paper.fold_corpora if name in config.corpora):
        if config.corpora[name].folds is None:
            wrong.append(f"paper.fold_corpora: {name!r} is no fold; give corpora.{name}.folds")
    for name in sorted({run for part in parts_of(config, "table08") for run in part.runs} & config.runs.keys()):
        if (source := config.runs[name].source) != paper.source_corpus:
            wrong.append(f"runs.{name}.source: {source!r} is not paper.source_corpus ({paper.source_corpus!r})")
    if wrong:
        raise PlanError("\n".join(wrong))


def fold_corpora(config: Config) -> list[str]:
    """Those of paper.fold_corpora that are folds of the main corpus: another corpus's have no place in its tables."""
    folds = {name: config.corpora[name].folds for name in config.paper.fold_corpora}
    return [name for name, fold in folds.items() if fold is not None and fold.of == config.corpus]


def source_corpus(config: Config) -> str | None:
    """The corpus of tables 7 and 8, if it is another one than the main corpus."""
    return None if config.paper.source_corpus == config.corpus else config.paper.source_corpus


def parts_of(config: Config, target: str) -> tuple[Part, ...]:
    """The runs of a target; of table 8 none without a source corpus, of table 10 also those with an auxiliary loss."""
    if target == "table08" and source_corpus(config) is None:
        return ()
    joint = tuple(name for name, run in config.runs.items() if run.auxiliary)
    return (*PARTS.get(target, ()), *([Part("detection", joint)] if target == "table10" else []))


def plan(config: Config, target: str) -> dict[str, list[PlanEntry]]:
    """The lines of work behind a target (`table01` .. `figure09`, `paper`: all of them) for each corpus concerned."""
    targets = TARGETS if target == "paper" else (target,)
    lines: dict[str, list[PlanEntry]] = {config.corpus: []}
    for part in (part for name in targets for part in parts_of(config, name)):
        for corpus in fold_corpora(config) if part.folds else [config.corpus]:
            lines.setdefault(corpus, []).extend(_entries(config, corpus, part, target))
    return {corpus: merged(found) for corpus, found in lines.items()}


def _entries(config: Config, corpus: str, part: Part, target: str) -> list[PlanEntry]:
    if missing := [run for run in part.runs if run not in config.runs]:
        raise PlanError(
            f"{target} needs the run {missing[0]!r}, which is not in runs; there are {', '.join(config.runs)}"
        )
    planned = {run_folder(line): line.seeds for line in config.plan}
    entries = []
    for length in part.lengths or config.paper.lengths_s:
        for run in part.runs:
            seeds = config.paper.seeds_of(config.runs[run].model, part.task, length)
            values = {"run": run, "task": part.task, "length_s": length, "seeds": seeds, "maps": part.maps}
            entry = PlanEntry.model_validate(values)
            entries.append(entry.model_copy(update={"seeds": planned.get(run_folder(entry), seeds)}))
    return entries


def folder(config: Config) -> str:
    """Where everything of the paper lies."""
    return f"{config.results}/{config.corpus}/paper"


def table_inventory(config: Config, corpora: Corpora, target: str) -> dict[str, Any]:
    """Which file is which cell of a table: the runs and tables of the main corpus, of its folds and of the source."""
    planned = plan(config, target)
    source = source_corpus(config) if target in {"table07", "table08"} else None
    counted = source if target == "table07" else None
    return {
        "table": target,
        "main": _of_corpus(config, corpora, config.corpus, planned[config.corpus], target),
        "folds": {
            corpus: [_run_entry(config, corpus, line) for line in lines]
            for corpus, lines in planned.items()
            if corpus != config.corpus
        },
        "source": _of_corpus(config, corpora, counted, [], target) if counted else None,
        "source_corpus": source,
        "splits": config.corpora[config.corpus].splits.model_dump(mode="json"),
        "own_folds": any(_fold_file(config, name) for name in fold_corpora(config)),
        "rules": _rules(config, config.corpus),
        "source_rules": _rules(config, counted) if counted else None,
    }


def _rules(config: Config, corpus: str) -> dict[str, Any]:
    """From what settings signals, clips and graphs of a corpus follow."""
    own = config.of(corpus)
    switches = {name: getattr(own.compat, name) for name in ("label_edge", "clip_start_offset", "mysz_split")}
    sections = {name: getattr(own, name).model_dump(mode="json") for name in ("signals", "clips", "graphs")}
    return {"nodes": list(own.channels.nodes), "missing": own.channels.missing, **sections, **switches}


def _fold_file(config: Config, corpus: str) -> bool:
    fold = config.corpora[corpus].folds
    return fold is not None and fold.file is not None


def _of_corpus(config: Config, corpora: Corpora, corpus: str, lines: list[PlanEntry], target: str) -> dict[str, Any]:
    """The report's inventory, less what only the report shows; clips of counted tasks added."""
    shards = corpora.shards(corpus).of()
    content = inventory(config, corpora, corpus, lines) | UNSHOWN | {"graphs": {}, "signals": []}
    counted = [f"{task}-{length}s" for task in CLIPS.get(target, ()) for length in config.paper.lengths_s]
    base = f"{config.results}/{corpus}"
    clips = {name: [f"{base}/clips/{name}/{shard}.parquet" for shard in shards] for name in counted}
    return content | {"clips": clips, "runs": [_run_entry(config, corpus, line) for line in lines]}


def _run_entry(config: Config, corpus: str, line: PlanEntry) -> dict[str, Any]:
    chosen: RunSettings = config.runs[line.run]
    told = {name: getattr(chosen, name) for name in ("model", "features", "scheme", "source", "auxiliary")}
    told["model"] = config.plugin_of(chosen.model)  # rows are of architectures; the cards say the options
    told["encoder"] = encoder_of(chosen) if chosen.init == "ssl" else None
    told["top_neighbours"] = chosen.overrides.top_neighbours
    return run_files(config, corpus, line) | told | {"detector": _detector(config, corpus, line)}


def _detector(config: Config, corpus: str, line: PlanEntry) -> str | None:
    """Card of the model that a run with `init: transfer` copies."""
    chosen = config.runs[line.run]
    if chosen.init != "transfer":
        return None
    fixed = {"corpus": chosen.source or corpus, "task": "detection", "len": line.length_s, "seed": TRANSFERRED_SEED}
    return Paths(config.results).run.format(run=chosen.source_run, **fixed) + "card.json"


def figure_inventory(config: Config, corpora: Corpora, target: str) -> dict[str, Any]:
    """The report's inventory of the main corpus with the runs of one figure; figure 1 shows graphs of no run."""
    lines = plan(config, target)[config.corpus]
    content = inventory(config, corpora, config.corpus, lines) | {**UNSHOWN, "pretraining": []}
    content["runs"] = [_run_entry(config, config.corpus, line) for line in lines]
    if target in {"figure08", "figure09"}:  # electrode positions alone
        return content | {name: [] for name in ("recordings", "seizures", "segments", "signals")} | {"graphs": {}}
    if target != "figure01":
        return content if any(line.maps for line in lines) else content | {"signals": [], "graphs": {}}
    shards, base = corpora.shards(config.corpus).of("test"), f"{config.results}/{config.corpus}"
    clips = [f"{base}/clips/detection-12s/{shard}.parquet" for shard in shards]
    name = "correlation-fft/detection-12s"
    shown = {name: [f"{base}/graphs/{name}/{shard}.zarr.zip" for shard in shards]}
    return content | {"signals": [], "clips": {"detection-12s": clips}, "graphs": content["graphs"] | shown}


def targets(config: Config, corpora: Corpora) -> Targets:
    """The inventories of all tables and figures."""

    def make(target: str) -> dict[str, Any]:
        return (table_inventory if target in TABLES else figure_inventory)(config, corpora, target)

    return Targets(corpora, make, folder(config))
