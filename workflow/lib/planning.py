"""Which runs, tasks, lengths and seeds are wanted; checked before any job starts."""

from pipeline.graphs.positions import POSITIONS, mirror_name
from pipeline.settings.clips import Task
from pipeline.settings.config import Config
from pipeline.settings.runs import PlanEntry, RunSettings
from pipeline.settings.search import TRIAL
from workflow.lib.clip_lists import wrong_lists
from workflow.lib.corpus_checks import wrong_corpora
from workflow.lib.paths import run_folder
from workflow.lib.readers import choice
from workflow.lib.run_checks import learns_graph, unlike_source, wrong_compat_report, wrong_runs
from workflow.lib.section_checks import wrong_list, wrong_values

LENGTHS_S = (12, 60)  # Tang et al. 2022, section 3
MAPPED = ("detection", 60)  # the maps that coverage and localisation are computed from (section 2.5)


class PlanError(ValueError):
    """A plan that names a run, length or model that is not there."""


def check(config: Config) -> None:
    """Stop on a plan, run or corpus that refers to something which config.yaml does not hold."""
    problems = [
        *wrong_runs(config), *_wrong_plan(config), *_wrong_segments(config), *_wrong_electrodes(config),
        *_wrong_derivations(config), *wrong_corpora(config), *wrong_compat_report(config), *wrong_values(config),
        *wrong_lists(config),
    ]  # fmt: skip
    for where, corpora in (("corpus", [config.corpus]), ("trial.corpora", config.trial.corpora)):
        for name in corpora:
            if name not in config.corpora:
                problems.append(f"{where}: {name!r} is not in corpora; there are {', '.join(config.corpora)}")
    if problems:
        raise PlanError("\n".join(problems))


def _wrong_plan(config: Config) -> list[str]:
    wrong = []
    lines = (("plan", config.plan, [config.corpus]), ("trial.plan", config.trial.plan, config.trial.corpora))
    for where, plan, corpora in lines:
        for number, entry in enumerate(plan):
            wrong += [f"{where}[{number}]{problem}" for problem in _wrong_entry(config, entry)]
            wrong += [f"{where}[{number}].run: {problem}" for problem in _start(config, entry.run, corpora)]
        folders = [run_folder(entry) for entry in plan]
        twice = sorted({folder for folder in folders if folders.count(folder) > 1})
        wrong += [f"{where}: {folder} stands twice; unite the seeds in one line" for folder in twice]
    return wrong


def _wrong_entry(config: Config, entry: PlanEntry) -> list[str]:
    wrong = []
    if entry.run not in config.runs:
        wrong.append(f".run: {entry.run!r} is not in runs; {choice(entry.run, list(config.runs))}")
    elif config.runs[entry.run].auxiliary and entry.task != "detection":
        wrong.append(f".task: {entry.run} has an auxiliary loss, which goes with detection alone")
    elif config.runs[entry.run].auxiliary and entry.length_s not in config.training.auxiliary:
        wrong.append(f".length_s: training.auxiliary has no entry for {entry.length_s} s")
    if entry.graphs and not _learns_graph(config, entry.run):
        wrong.append(f".graphs: the model of {entry.run} learns no graph; set false")
    if entry.task == "pretraining":
        wrong.append(".task: pre-training is planned by the runs with init: ssl, not by a line of its own")
    if entry.length_s not in getattr(config.training, entry.task):
        wrong.append(f".length_s: training.{entry.task} has no entry for {entry.length_s} s")
    return wrong + [f".seeds: {problem}" for problem in wrong_list(entry.seeds, "seed")]


def _learns_graph(config: Config, run: str) -> bool:
    """Unknown runs and models are told elsewhere."""
    known = run in config.runs and config.runs[run].model in config.models
    return not known or learns_graph(config, run)


def _start(config: Config, run: str, corpora: list[str]) -> list[str]:
    """Weights of a run that would mean something else on one of the corpora; unknown names are told elsewhere."""
    known = [name for name in corpora if name in config.corpora] if run in config.runs else []
    return [problem for name in known for problem in unlike_source(config, run, name)]


def _wrong_segments(config: Config) -> list[str]:
    chosen, wrong = config.real_segments, []
    if chosen.run not in config.runs:
        wrong.append(f"real_segments.run: {chosen.run!r} is not in runs; there are {', '.join(config.runs)}")
    if chosen.length_s not in config.training.detection:
        wrong.append(f"real_segments.length_s: training.detection has no entry for {chosen.length_s} s")
    return wrong


def _wrong_electrodes(config: Config) -> list[str]:
    names: tuple[str, ...] = config.channels.electrodes
    unknown = [name for name in names if name not in POSITIONS]
    twice = sorted({name for name in names if names.count(name) > 1})
    wrong = [f"channels.electrodes: {name!r} has no position; known are {', '.join(POSITIONS)}" for name in unknown]
    return wrong + [f"channels.electrodes: {name!r} stands twice" for name in twice]


def _wrong_derivations(config: Config) -> list[str]:
    """Only where they are used: a list of electrodes may be shortened without a thought for derivations."""
    channels, where = config.channels, "channels.derivations"
    if channels.montage == "referential":
        return []
    names = channels.derivations
    wrong = [f"{where}: {name!r} stands twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for name in names:
        ends = name.split("-")
        if len(ends) != 2 or ends[0] == ends[1] or not set(ends) <= set(channels.electrodes):
            wrong.append(f"{where}: {name!r} is not <electrode>-<electrode> of two of channels.electrodes")
        elif (mirrored := mirror_name(name)) not in names:
            wrong.append(f"{where}: {mirrored!r}, the mirror image of {name!r}, is not in the list")
    used = {config.corpus, *config.trial.corpora} & config.corpora.keys()
    return wrong + [problem for name in sorted(used) for problem in _of_electrodes(config, name)]


def _of_electrodes(config: Config, corpus: str) -> list[str]:
    """Published defects of a corpus that nothing corresponds to where the nodes are derivations."""
    published = {"zero_unreadable": False, "mirror_pairs": "all", "mirror_graph": "correct"}
    told = "what was published is about electrodes; not with channels.montage: bipolar"
    compat = config.of(corpus).compat
    switches = [switch for switch, correct in published.items() if getattr(compat, switch) != correct]
    return [f"compat.{switch} (corpus {corpus}): {told}" for switch in switches]


def twin_of(config: Config) -> str:
    """The corpus that `compat_report` compares the main one with. Raises PlanError unless only `compat` differs."""
    twin = config.paper.twin_corpus
    remedy = f"name one that is `like: {config.corpus}` with switches under `compat`"
    if twin is None or twin not in config.corpora:
        raise PlanError(f"paper.twin_corpus: {twin!r} is not in corpora; {remedy}")
    main, other = (config.corpora[name].model_copy(update={"compat": {}}) for name in (config.corpus, twin))
    if main != other:
        raise PlanError(f"paper.twin_corpus: {twin} is otherwise unlike {config.corpus}; {remedy}")
    if config.channels.montage == "bipolar" and (problems := _of_electrodes(config, twin)):
        raise PlanError("\n".join(problems))
    if config.of(twin).compat == config.of(config.corpus).compat:
        raise PlanError(f"paper.twin_corpus: {twin} has the same switches as {config.corpus}; {remedy}")
    return twin


def grid_plan(config: Config) -> list[PlanEntry]:
    """Every run that learns on the corpus alone, on every task that it is meant for and every length.

    Runs with a share of the labels are left to the target label_fraction.
    """
    full = [
        PlanEntry.model_validate(
            {
                "run": run,
                "task": task,
                "length_s": length,
                "seeds": config.paper.seeds_of(chosen.model, task, length),
                "maps": (task, length) == MAPPED,
            }
        )
        for run, chosen in config.runs.items()
        if chosen.source is None and chosen.label_fraction == 1 and not run.startswith(TRIAL)
        for task in tasks_of(chosen)
        for length in LENGTHS_S
    ]
    return merged(config.plan, full)


def tasks_of(run: RunSettings) -> tuple[Task, ...]:
    """The tasks that a run differs from others in: classes matter to classification, an auxiliary loss to detection."""
    if run.auxiliary:
        return ("detection",)
    return ("detection", "classification") if run.scheme == "four" else ("classification",)


def merged(*plans: list[PlanEntry]) -> list[PlanEntry]:
    """One line for each (run, task, length): the seeds of the first that names it, maps and graphs if any asks."""
    found: dict[str, PlanEntry] = {}
    for entry in (entry for plan in plans for entry in plan):
        known = found.get(run_folder(entry), entry)
        asked = {"maps": known.maps or entry.maps, "graphs": known.graphs or entry.graphs}
        found[run_folder(entry)] = known.model_copy(update=asked)
    return list(found.values())
