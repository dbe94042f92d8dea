"""Whether the section `soz` can be built; and a scalp target on an intracranial corpus, told in plain words."""

from collections.abc import Iterator

from pipeline.corpora.ieeg.adapter import refusal
from pipeline.settings.config import Config
from pipeline.settings.soz_runs import SozRun
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice
from workflow.lib.run_checks import NAME
from workflow.lib.section_checks import wrong_list
from workflow.lib.soz import ADAPTERS, dealt_name, intracranial, is_intracranial

TARGETS = "the targets soz and soz_ablations, and its qc page"


def check(config: Config) -> None:
    """Raise PlanError with one sentence, and its key, for everything that is wrong; no file is opened."""
    problems = [*_corpora(config), *_runs(config), *_sizes(config), *_scalp(config)]
    if problems:
        raise PlanError("\n".join(problems))


def check_scalp_corpus(config: Config, corpus: str) -> None:
    """Raise PlanError for an intracranial corpus: of jobs that need scalp electrodes."""
    if is_intracranial(config, corpus):
        raise PlanError(f"corpus {corpus}: its contacts are intracranial; of it there are {TARGETS} (docs/soz.md)")


def _corpora(config: Config) -> Iterator[str]:
    soz, known = config.soz, intracranial(config)
    for where, name in (("soz.corpus", soz.corpus), *(("soz.joined", name) for name in soz.joined)):
        if name not in config.corpora:
            yield f"{where}: {name!r} is not in corpora; {choice(name, list(config.corpora))}"
        elif name not in known:
            reader = config.corpora[name].reader
            yield f"{where}: {name!r} is read by {reader}, which reads no intracranial corpus; {choice(name, known)}"
    if soz.beside is not None and soz.beside not in config.corpora:
        yield f"soz.beside: {soz.beside!r} is not in corpora; {choice(soz.beside, list(config.corpora))}"
    if soz.corpus in soz.joined:
        yield f"soz.joined: {soz.corpus!r} is soz.corpus itself; name others"
    adapters = sorted(path.stem for path in ADAPTERS.glob("*.yaml"))
    for where, name in (("soz.adapter", soz.adapter), *((f"soz.joined.{c}", a) for c, a in soz.joined.items())):
        if name not in adapters:
            yield f"{where}: there is no adapter {name!r} in pipeline/corpora/ieeg/adapters; {choice(name, adapters)}"
        elif (reason := refusal(name)) is not None:
            yield f"{where}: adapter {name!r} is refused: {reason}"
    for name in (name for name in known if config.corpora[name].folds):
        yield f"corpora.{name}.folds: folds of an intracranial corpus are those of soz.folds; take the entry away"


def _runs(config: Config) -> Iterator[str]:
    soz = config.soz
    beside = [(f"soz.{where}", name) for where in ("ablations", "compared") for name in getattr(soz, where)]
    for where, name in (("soz.run", soz.run), *beside):
        if name not in soz.runs:
            yield f"{where}: {name!r} is not in soz.runs; {choice(name, list(soz.runs))}"
    yield from _beside(config, [(where, name) for where, name in beside if {name, soz.run} <= set(soz.runs)])
    for problem in wrong_list(soz.seeds, "seed"):
        yield f"soz.seeds: {problem}"
    for where in ("ablations", "compared"):
        named = getattr(soz, where)
        for problem in wrong_list(named, "run") if named else ():
            yield f"soz.{where}: {problem}"
        if soz.run in named:
            yield f"soz.{where}: {soz.run!r} is soz.run itself, beside which the others stand; give a list without it"
    for name in soz.runs:
        if not NAME.fullmatch(name):
            yield f"soz.runs.{name}: a run is named in small letters, digits and hyphens"
    common = list(_sections(soz, config))
    yield from (f"soz.{problem}" for problem in common)
    for name in soz.runs:  # what is wrong in the sections of soz itself is told once
        yield from (f"soz.runs.{name}.{told}" for told in _sections(soz.of(name), config) if told not in common)


def _sections(run: SozRun, config: Config) -> Iterator[str]:
    """What does not go together in the sections that a run may change."""
    if run.model.width % run.model.heads:
        yield f"model.width: {run.model.width} is no multiple of model.heads, {run.model.heads}; change one of them"
    if run.folds.scheme == "corpora" and not config.soz.joined:
        yield "folds.scheme: corpora trains on the other corpora, and there is none; name them in soz.joined"
    if run.finetuning.freeze_encoder and not run.pretraining.enabled:
        why = "true on pretraining.enabled: false keeps an encoder that never learnt"
        yield f"finetuning.freeze_encoder: {why}; let one of them be otherwise"


def _beside(config: Config, named: list[tuple[str, str]]) -> Iterator[str]:
    """Runs that are set beside soz.run: on its folds; on its page, asking of the same contacts, by the same labels."""
    soz = config.soz
    for where, name in named:
        run, own = soz.of(name), soz.of(soz.run)
        alike = [("folds", dealt_name(config, run.folds), dealt_name(config, own.folds))]
        if where == "soz.compared":
            alike += [("folds.labels", run.folds.labels, own.folds.labels)]
            alike += [("tokens.montage", run.tokens.montage, own.tokens.montage)]
        for key in [key for key, its, theirs in alike if its != theirs]:
            why = f"{name!r} has other {key} than soz.run, {soz.run!r}, so that the two are no pair"
            yield f"{where}: {why}; name runs with the same, or none ({where}: [])"


def _sizes(config: Config) -> Iterator[str]:
    """The transform's sizes: whole coefficients in a margin, whole frames in a clip."""
    reading, clips, level = config.soz.reading, config.soz.clips, config.soz.tokens.level
    if (reading.rate_hz * clips.margin_s) % 2**level:
        yield f"soz.clips.margin_s: {clips.margin_s:g} s at {reading.rate_hz} Hz is no whole number of coefficients"
    if clips.before_onset_s >= clips.length_s:
        yield f"soz.clips.before_onset_s: {clips.before_onset_s:g}; a clip of {clips.length_s} s ends before the onset"


def _scalp(config: Config) -> Iterator[str]:
    """An intracranial corpus where a scalp one is meant."""
    known = intracranial(config)
    named = [("corpus", config.corpus), *(("trial.corpora", name) for name in config.trial.corpora)]
    for where, name in named:
        if name in known:
            yield f"{where}: {name!r} is intracranial; name it in soz.corpus, and build {TARGETS}"
