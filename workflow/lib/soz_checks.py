"""Whether the section `soz` can be built; and a scalp target on an intracranial corpus, told in plain words."""

from collections.abc import Iterator

from pipeline.settings.config import Config
from workflow.lib.planning import PlanError
from workflow.lib.readers import choice
from workflow.lib.run_checks import NAME
from workflow.lib.section_checks import wrong_list
from workflow.lib.soz import ADAPTERS, intracranial, is_intracranial

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
    for name in (name for name in known if config.corpora[name].folds):
        yield f"corpora.{name}.folds: folds of an intracranial corpus are those of soz.folds; take the entry away"


def _runs(config: Config) -> Iterator[str]:
    soz = config.soz
    for where, name in (("soz.run", soz.run), *(("soz.ablations", name) for name in soz.ablations)):
        if name not in soz.runs:
            yield f"{where}: {name!r} is not in soz.runs; {choice(name, list(soz.runs))}"
    for problem in wrong_list(soz.seeds, "seed"):
        yield f"soz.seeds: {problem}"
    for problem in wrong_list([soz.run, *soz.ablations], "run"):
        yield f"soz.run and soz.ablations: {problem}"
    for name in soz.runs:
        if not NAME.fullmatch(name):
            yield f"soz.runs.{name}: a run is named in small letters, digits and hyphens"
        run = soz.of(name)
        if run.model.width % run.model.heads:
            yield f"soz.runs.{name}: model.width {run.model.width} is no multiple of model.heads {run.model.heads}"
        if run.folds.scheme == "corpora" and not soz.joined:
            yield f"soz.runs.{name}: folds.scheme: corpora trains on the other corpora; name them in soz.joined"


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
