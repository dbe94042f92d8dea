"""Whether the section `paper` can be measured: its seeds, lengths and folds, and runs that differ in one thing only."""

from collections.abc import Iterator

from pipeline.settings.config import Config
from workflow.lib.section_checks import wrong_list

TASKS = ("pretraining", "detection", "classification")  # of the clips that are counted or scored at each length


def wrong_paper(config: Config) -> Iterator[str]:
    """One sentence, with its key, for everything that is wrong in `paper` or with what its tables compare."""
    paper = config.paper
    yield from (f"paper.seeds: {problem}" for problem in wrong_list(paper.seeds, "seed"))
    for number, rule in enumerate(paper.seeds_where):
        yield from (f"paper.seeds_where[{number}].seeds: {problem}" for problem in wrong_list(rule.seeds, "seed"))
    yield from _lengths(config)
    yield from _folds(config)
    yield from _lambdas(config)


def _lengths(config: Config) -> Iterator[str]:
    lengths = config.paper.lengths_s
    yield from (f"paper.lengths_s: {problem}" for problem in wrong_list(lengths, "length"))
    tasks = (*TASKS, *(["auxiliary"] if any(run.auxiliary for run in config.runs.values()) else []))
    for length in dict.fromkeys(lengths):
        if missing := [f"training.{task}" for task in tasks if length not in getattr(config.training, task)]:
            yield f"paper.lengths_s: there is no entry for {length} s in {', '.join(missing)}"


def _folds(config: Config) -> Iterator[str]:
    """Table 3 pools the test patients of all folds: each patient has to be in one of them, and in one only."""
    key, names = "paper.fold_corpora", config.paper.fold_corpora
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"{key}: {', '.join(twice)} stands twice"
        return
    dealt: dict[str, list[str]] = {}
    for name in names:
        if name in config.corpora and (folds := config.corpora[name].folds) is not None:
            dealt.setdefault(folds.of, []).append(name)
    for home, found in dealt.items():
        yield from (f"{key}: {problem}" for problem in _partition(config, home, found))


def _partition(config: Config, home: str, names: list[str]) -> Iterator[str]:
    folds = {name: config.corpora[name].folds for name in names}
    first, *others = names
    for key in ("count", "file", "seed"):
        given = {
            name: config.corpora[name].splits.seed if key == "seed" else getattr(fold, key)
            for name, fold in folds.items()
        }
        if other := next((name for name in others if given[name] != given[first]), None):
            where = "splits.seed" if key == "seed" else f"folds.{key}"
            yield f"{first} has {where}: {given[first]}, {other} {given[other]}; folds of {home} are dealt alike"
            return
    numbers = sorted(fold.fold for fold in folds.values() if fold is not None)
    count = next(fold.count for fold in folds.values() if fold is not None)
    if numbers != list(range(count)):
        yield f"the folds of {home} are {numbers}; name each from 0 to {count - 1} once"


def _lambdas(config: Config) -> Iterator[str]:
    """Table 10 chooses among the weights of the auxiliary loss on each graph."""
    known: dict[tuple[str, float], str] = {}
    for name, run in config.runs.items():
        if run.auxiliary and (first := known.setdefault((run.graph, run.auxiliary), name)) != name:
            weight = f"{run.auxiliary:g} on graph {run.graph}"
            yield f"runs.{name}.auxiliary: {weight}, as {first} has; table 10 chooses among weights that differ"
