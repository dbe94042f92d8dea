"""Which runs and files the experiments on the learned graph need: sglc_table, label_fraction, graph_ablation.

The runs bear the names that they have in config.yaml. Seeds are those of the section `sglc`: scores are computed from
each seed's predictions, so that a run's metrics.parquet keeps the seeds of `plan` and `paper`.
"""

from collections.abc import Iterator
from typing import Any

from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry
from workflow.lib.clip_lists import lists_of
from workflow.lib.corpus import Corpora
from workflow.lib.inputs import Inputs, parts_myoclonic
from workflow.lib.inventory import inventory as whole_inventory
from workflow.lib.inventory import pretraining, run_files
from workflow.lib.paper import UNSHOWN
from workflow.lib.paths import Paths
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice
from workflow.lib.section_checks import wrong_list
from workflow.lib.targets import Targets

TARGETS = ("sglc_table", "label_fraction", "graph_ablation")
STARTS = ("ssl", "scratch")
TABLED = ("sglc", "sglc-published", "dist", "corr")  # each pre-trained and from scratch, with four and eight classes
FRACTIONED = ("sglc", "dist", "corr")
LEARNED, FIXED = "sglc-scratch", ("sglc-prior", "sglc-uniform", "sglc-random")
PAGE, EXPORTED = "sglc", ("sglc-ssl", "sglc-published-ssl")  # learned graphs of both variants
TASK = "classification"
EIGHT = 8  # classes


def check(config: Config) -> None:
    """Raise PlanError where the section `sglc` cannot be measured; its runs are looked for by `plan`."""
    sglc = config.sglc
    wrong = [f"sglc.seeds: {problem}" for problem in wrong_list(sglc.seeds, "seed")]
    wrong += [f"sglc.fractions: {problem}" for problem in wrong_list(sglc.fractions, "share")]
    if EIGHT in sglc.fractions:
        wrong.append(
            f"sglc.fractions: {EIGHT}; a name that ends in -{EIGHT} is that of a run with eight classes; "
            "take another share"
        )
    for task in ("pretraining", TASK):
        if sglc.length_s not in getattr(config.training, task):
            wrong.append(f"sglc.length_s: training.{task} has no entry for {sglc.length_s} s")
    if wrong:
        raise PlanError("\n".join(wrong))


def runs_of(config: Config, target: str) -> list[str]:
    """Names of the runs of a target, in the order of its tables; the page has none of its own."""
    if target == PAGE:
        return []
    if target == "graph_ablation":
        return [LEARNED, *FIXED]
    if target == "label_fraction":
        shares = [(name, start, share) for name in FRACTIONED for start in STARTS for share in config.sglc.fractions]
        return [fractioned(f"{name}-{start}", share) for name, start, share in shares]
    return [f"{name}-{start}{classes}" for classes in ("", f"-{EIGHT}") for name in TABLED for start in STARTS]


def fractioned(run: str, per_cent: int) -> str:
    """The run with a share of the labels: `sglc-ssl-25`; all of them is the run itself."""
    return run if per_cent == 100 else f"{run}-{per_cent}"


def plan(config: Config, target: str) -> list[PlanEntry]:
    """The lines of work behind a target. Raises PlanError where a run is not there, or not what its name says."""
    names = runs_of(config, target)
    if wrong := list(_wrong_runs(config, target, names)):
        raise PlanError("\n".join(wrong))
    fixed = {"task": TASK, "length_s": config.sglc.length_s, "seeds": config.sglc.seeds, "maps": False}
    return [PlanEntry.model_validate({"run": name, **fixed}) for name in names]


def _wrong_runs(config: Config, target: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if name not in config.runs:
            yield f"{target} needs the run {name!r}, which is not in runs; {choice(name, list(config.runs))}"
            if target == "label_fraction" and (remedy := _missing_share(config, name)):
                yield f"{target}: {remedy}"
        else:
            yield from (f"{target}: runs.{name}.{problem}" for problem in _unlike_name(config, name))


def _missing_share(config: Config, name: str) -> str:
    """The line that config.yaml lacks for a share of the labels."""
    whole = name.rsplit("-", 1)[0]
    if share_of(name) == 100 or whole not in config.runs:
        return ""
    run = config.runs[whole]
    named = f"model: {run.model}, features: {run.features}, graph: {run.graph}, init: {run.init}, scheme: {run.scheme}"
    return (
        f"to add it: runs: {{{name}: {{{named}, label_fraction: {share_of(name) / 100:g}}}}}; or change sglc.fractions"
    )


def _unlike_name(config: Config, name: str) -> Iterator[str]:
    """In what a run of these targets is not what its name says; tables and claims go by the names."""
    run, parts = config.runs[name], name.split("-")
    section = config.models.get(run.model, {})
    told: dict[str, tuple[Any, Any]] = {
        "label_fraction": (run.label_fraction, share_of(name) / 100),
        "scheme": (run.scheme, "eight" if parts[-1] == str(EIGHT) else "four"),
        "init": (run.init, next((part for part in parts if part in STARTS), "scratch")),
    }
    if parts[0] == "sglc":
        fixed = name in FIXED
        told[f"model: {run.model}, whose adjacency"] = (section.get("adjacency"), parts[1] if fixed else "learned")
        if "published" in parts:
            told[f"model: {run.model}, whose variant"] = (section.get("variant"), "published")
    else:
        told["graph"] = (run.graph, {"dist": "distance", "corr": "correlation"}[parts[0]])
    for key, (value, wanted) in told.items():
        if value != wanted:
            shown, named = (f"{one:g}" if isinstance(one, float) else str(one) for one in (value, wanted))
            yield f"{key}: {shown}; its name says {named}"


def share_of(run: str) -> int:
    """Per cent of the labels, by a run's name."""
    last = run.rsplit("-", 1)[1]
    return int(last) if last.isdigit() and int(last) != EIGHT else 100


def folder(config: Config) -> str:
    """Where everything of these targets lies."""
    return f"{config.results}/{config.corpus}/sglc"


def schemes_of(config: Config, target: str) -> list[str]:
    """Schemes of the runs of a target: a list of test clips for another one changes nothing of it."""
    return sorted({config.runs[name].scheme for name in runs_of(config, target) if name in config.runs})


def list_files(config: Config, target: str) -> list[str]:
    """Files of the lists of test clips that a target scores on."""
    found = [lists_of(config, config.corpus, TASK, scheme) for scheme in schemes_of(config, target)]
    return sorted({path for lists in found for one in lists.values() for path in one.files})


def targets(config: Config, corpora: Corpora) -> Targets:
    """The inventories of the three targets, and of the page that shows them (`sglc`)."""

    def make(target: str) -> dict[str, Any]:
        return page_inventory(config, corpora) if target == PAGE else inventory(config, corpora, target)

    return Targets(corpora, make, folder(config))


def inventory(config: Config, corpora: Corpora, target: str) -> dict[str, Any]:
    """Which file is which run and seed; the clips that share of labels is counted on; the pairs that are compared."""
    corpus, lines = config.corpus, plan(config, target)
    paths, inputs = Paths(config.results), Inputs(config, corpora, Paths(config.results))
    trained = {"task": TASK, "len": config.sglc.length_s}
    labelled = ("train", "validation") if parts_myoclonic(config.of(corpus), TASK) else ("train",)
    lists = [inputs.of_lists(corpus, TASK, scheme) for scheme in schemes_of(config, target)]
    return {
        "target": target,
        "corpus": corpus,
        "synthetic": config.corpora[corpus].simulated,
        "recordings": inputs.tables(paths.of("index/{shard}.recordings.parquet"), corpus=corpus),
        "splits": paths.of("splits.parquet").format(corpus=corpus),
        "seizures": sorted({path for found in lists for path in found["seizures"]}),
        "runs": [run_entry(config, line) for line in lines],
        "encoders": pretraining(config, corpus, lines),
        "clips": inputs.every(paths.clips, *labelled, corpus=corpus, **trained) if target == "label_fraction" else [],
        "pairs": [[LEARNED, name] for name in FIXED] if target == "graph_ablation" else [],
    }


def page_inventory(config: Config, corpora: Corpora) -> dict[str, Any]:
    """The report's inventory of the runs whose learned graphs the page shows; it shows no scores of theirs."""
    known = {line.run: line for line in plan(config, "sglc_table")}
    lines = [known[name].model_copy(update={"graphs": True}) for name in EXPORTED]
    content = whole_inventory(config, corpora, config.corpus, lines) | UNSHOWN
    unused: dict[str, Any] = {"metrics": "", "curves": None, "histories": [], "weights": []}
    runs = [run_files(config, config.corpus, line) | unused for line in lines]
    return content | {"runs": runs, "clips": {}, "signals": [], "graphs": {}, "pretraining": []}


def run_entry(config: Config, line: PlanEntry) -> dict[str, Any]:
    """A run as the inventories of these targets tell of it."""
    chosen, files = config.runs[line.run], run_files(config, config.corpus, line)
    kept = {name: files[name] for name in ("run", "length_s", "seeds", "graph", "init", "cards", "predictions")}
    return kept | {"model": chosen.model, "scheme": chosen.scheme, "share": share_of(line.run)}
