"""The plug-in that reads a corpus, its version, and whether it takes names of files that may name people.

Checked before anything is read: a wrong `reader` or `version` is told by its key, with what there is.
"""

from difflib import get_close_matches
from types import ModuleType

from pipeline.findings import CorpusError
from pipeline.plugins import load_plugin, plugin_names
from pipeline.settings.corpus_section import CorpusSettings


def load_reader(corpus: str, settings: CorpusSettings) -> ModuleType:
    """The module `pipeline.corpora.<reader>`. Raises CorpusError for a name that is no reader, or not its version."""
    name = settings.reader
    module = load_plugin("corpora", name) if name in plugin_names("corpora") else None
    if module is None or not hasattr(module, "find"):
        raise CorpusError(f"corpora.{corpus}.reader: {name!r} is no reader; {choice(name, _readers())}")
    versions: tuple[str, ...] = module.VERSIONS
    if settings.root is not None and settings.version not in versions:  # what is simulated has its layout from `format`
        known = choice(settings.version, versions)
        raise CorpusError(f"corpora.{corpus}.version: reader {name!r} has no version {settings.version!r}; {known}")
    return module


def _readers() -> list[str]:
    """Names of the modules of `pipeline/corpora/` that list recordings; the others simulate or serve."""
    return [name for name in plugin_names("corpora") if hasattr(load_plugin("corpora", name), "find")]


def choice(wrong: str, known: list[str] | tuple[str, ...]) -> str:
    """What there is instead of a wrong name, the nearest first."""
    near = get_close_matches(wrong.lower(), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"


def hides_names(corpus: str, settings: CorpusSettings) -> bool:
    """Whether the corpus is read under pseudonyms. Raises CorpusError where its reader needs the names."""
    if settings.root is None or settings.pseudonyms == "never":
        return False
    kind = load_reader(corpus, settings).FILE_NAMES
    if settings.pseudonyms == "always" and kind == "needed":
        raise CorpusError(
            f"corpora.{corpus}.pseudonyms: always; but reader {settings.reader!r} finds events by the names of "
            "files. Set auto or never, or run `python -m pipeline.stages.deidentify` first"
        )
    return settings.pseudonyms == "always" or kind == "free"
