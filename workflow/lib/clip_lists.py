"""Which named lists of test clips a run is scored on, and whether they can be read (evaluation.test_lists)."""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.settings.clip_lists import ClipList
from pipeline.settings.config import Config
from workflow.lib.readers import choice

NAME = re.compile(r"[a-z0-9-]+")


def lists_of(config: Config, corpus: str, task: str, scheme: str) -> dict[str, ClipList]:
    """The lists that hold for runs of this scheme on a corpus; all of them are of classification clips."""
    if task != "classification":
        return {}
    lists = config.evaluation.test_lists.items()
    return {name: one for name, one in lists if (one.corpus or config.corpus) == corpus and scheme in one.schemes}


def wrong_lists(config: Config) -> Iterator[str]:
    """One sentence, with its key, for everything that is wrong in evaluation.test_lists."""
    for name, one in config.evaluation.test_lists.items():
        where = f"evaluation.test_lists.{name}"
        if not NAME.fullmatch(name):
            yield f"{where}: a list is named in small letters, digits and hyphens"
        if one.corpus is not None and one.corpus not in config.corpora:
            yield f"{where}.corpus: {one.corpus!r} is not in corpora; {choice(one.corpus, list(config.corpora))}"
        for path in one.files:
            if not Path(path).is_file():
                yield f"{where}: there is no file {path}; give the published list, or take the list out"
            elif not Path(path).read_bytes().strip():
                yield f"{where}: the file {path} is empty; give the published list, or take the list out"
