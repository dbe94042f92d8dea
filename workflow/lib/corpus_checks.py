"""Whether each corpus of config.yaml can be built: its reader, its own switches, and what a fold is a fold of."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.findings import CorpusError
from pipeline.settings.config import Config
from workflow.lib.readers import choice, load_reader

SHARED = ("zero_unreadable", "resample_length", "clip_start_offset")  # switches of what a fold has in common


def wrong_corpora(config: Config) -> list[str]:
    """One sentence, with its key, for everything that is wrong in the section `corpora`."""
    wrong = []
    for name, corpus in config.corpora.items():
        try:
            load_reader(name, corpus)
        except CorpusError as error:
            wrong.append(str(error))
        wrong += [f"corpora.{name}.{problem}" for problem in _fold(config, name)]
    return wrong


def _fold(config: Config, name: str) -> Iterator[str]:
    corpus = config.corpora[name]
    folds = corpus.folds
    if folds is None:
        return
    others = [other for other, one in config.corpora.items() if one.folds is None]
    if folds.of not in others:
        yield f"folds.of: {folds.of!r} is no other corpus that is not itself a fold; {choice(folds.of, others)}"
        return
    if folds.count < 2:
        yield f"folds.count: {folds.count}; at least two folds are needed to train on one and test on the other"
    if folds.fold >= folds.count:
        yield f"folds.fold: {folds.fold} of {folds.count}; folds are numbered from 0 to {folds.count - 1}"
    if not 0 < corpus.splits.validation_share < 1:
        yield "splits.validation_share: 0 leaves a fold without validation patients; give a share, e.g. 0.1"
    if folds.file is not None and not Path(folds.file).is_file():
        yield f"folds.file: there is no file {folds.file}; a TSV with the columns patient, fold is needed"
    own, home = config.of(name).compat, config.of(folds.of).compat
    for switch in SHARED:
        if getattr(own, switch) != getattr(home, switch):
            yield f"compat.{switch}: a fold shares signals and frames with {folds.of}; set it there"
